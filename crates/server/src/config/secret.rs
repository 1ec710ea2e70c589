//! Secrets: in the configuration itself, or in files of their own.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, fs, io, path::Path};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// A URL whose password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretUrl(String);

/// What stands in place of a secret.
const MASK: &str = "********";
/// The longest secret in a file, in bytes: a key in PEM has some KiB.
const LONGEST: u64 = 64 << 10;

impl Secret {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl SecretUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL without its password, which can also be one of its parameters.
    pub(crate) fn masked(&self) -> Cow<'_, str> {
        let Some((scheme, rest)) = self.0.split_once("://") else { return MASK.into() };
        if let Some((place, _)) = self.0.split_once('?') {
            return format!("{}?{MASK}", Self(place.into()).masked()).into();
        }
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let Some(at) = rest[..authority].rfind('@') else { return Cow::Borrowed(&self.0) };
        let user = rest[..at].split(':').next().unwrap_or_default();
        format!("{scheme}://{user}:{MASK}{}", &rest[at..]).into()
    }
}

/// Reads a secret from a file. A line end at its end is not a part of it.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let size = fs::metadata(path)?.len();
    if size > LONGEST {
        let problem = format!("it has {size} bytes, at most {LONGEST} are read");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    let mut secret = fs::read(path)?;
    if secret.ends_with(b"\n") {
        secret.pop();
        if secret.ends_with(b"\r") {
            secret.pop();
        }
    }
    Ok(secret)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer).map(Self)
    }
}

/// Reads a text. An error does not show what is there instead.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text in quotes")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.into())
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<String, E> {
            Err(E::custom("a secret is a text in quotes, not a number"))
        }
    }

    deserializer.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_are_masked() {
        for (url, masked) in [
            ("redis://localhost:6379", "redis://localhost:6379"),
            ("redis://joe:secret@host/1", "redis://joe:********@host/1"),
            ("redis://:secret@host", "redis://:********@host"),
            ("redis://secret@host", "redis://secret:********@host"),
            ("redis://joe:a@b@host/0", "redis://joe:********@host/0"),
            ("redis://joe:a@host?x=@", "redis://joe:********@host?********"),
            ("unix:///a.sock?pass=secret", "unix:///a.sock?********"),
            ("joe:secret", "********"),
        ] {
            assert_eq!(SecretUrl(url.into()).masked(), masked, "{url}");
        }
        assert_eq!(format!("{:?}", Secret("secret".into())), MASK);
    }
}
