//! How the sections are declared.

/// Declares a section with its keys, their types and their defaults. If it is for options of the library that
/// have the same names, it has a method that sets them.
macro_rules! section {
    ($(#[$attribute:meta])* $name:ident for $options:ty {
        $($key:ident: $type:ty = $default:expr),* $(,)?
    }) => {
        section! { $(#[$attribute])* $name { $($key: $type = $default),* } }

        impl $name {
            pub(crate) fn apply_to(&self, mut options: $options) -> $options {
                use crate::config::setting::Meaning as _;
                $(options.$key = self.$key.meaning();)*
                options
            }
        }
    };
    ($(#[$attribute:meta])* $name:ident { $($key:ident: $type:ty = $default:expr),* $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct $name {
            $(pub(crate) $key: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }
    };
}
