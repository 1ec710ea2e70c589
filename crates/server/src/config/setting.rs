//! A setting that is written as a text or a number.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, marker::PhantomData, ops::Deref, str::FromStr};

/// A value, and how it was written: so it is printed as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    text: String,
    value: T,
}

/// Reads a default. It panics if the text is none of the right values; a test reads all defaults.
pub(crate) fn of<T: FromStr<Err: fmt::Debug>>(text: &str) -> Setting<T> {
    Setting { text: text.into(), value: text.parse().expect("defaults are valid") }
}

/// What is set for an option of the library.
pub(crate) trait Meaning {
    type Value;

    fn meaning(&self) -> Self::Value;
}

impl<T: Meaning> Meaning for Setting<T> {
    type Value = T::Value;

    fn meaning(&self) -> T::Value {
        self.value.meaning()
    }
}

impl Meaning for bool {
    type Value = Self;

    fn meaning(&self) -> Self {
        *self
    }
}

impl Meaning for String {
    type Value = Self;

    fn meaning(&self) -> Self {
        self.clone()
    }
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What was meant counts, not how it was written.
impl<T: PartialEq> PartialEq for Setting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Visitor<T> {
            type Value = Setting<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Setting<T>, E> {
                let value = text.parse().map_err(E::custom)?;
                Ok(Setting { text: text.into(), value })
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Setting<T>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Setting<T>, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

impl<T> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text.parse::<i64>() {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.serialize_str(&self.text),
        }
    }
}
