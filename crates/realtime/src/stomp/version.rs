//! The versions of STOMP, and how two endpoints agree on one.

use core::{fmt, str::FromStr};

/// A version of STOMP. A higher version is greater.
///
/// ```
/// use sansocket_realtime::stomp::Version;
///
/// assert_eq!("1.1".parse(), Ok(Version::V1_1));
/// assert_eq!(Version::V1_1.to_string(), "1.1");
/// assert_eq!(Version::V1_1.subprotocol(), "v11.stomp");
/// assert!(Version::V1_1 < Version::V1_2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// STOMP 1.0, which has no escapes, no heart-beats and no NACK.
    V1_0,
    /// STOMP 1.1.
    V1_1,
    /// STOMP 1.2.
    V1_2,
}

impl Version {
    /// All versions, the highest first. That is also the order in which a client offers their
    /// [subprotocols](Self::subprotocol).
    pub const ALL: [Self; 3] = [Self::V1_2, Self::V1_1, Self::V1_0];

    /// Returns the text in `version` and `accept-version` headers: `1.2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// Returns the registered name of the WebSocket subprotocol: `v12.stomp`.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::V1_0 => "v10.stomp",
            Self::V1_1 => "v11.stomp",
            Self::V1_2 => "v12.stomp",
        }
    }

    /// Returns the version of a WebSocket subprotocol, or `None` if it is not one of STOMP.
    #[must_use]
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.subprotocol() == name)
    }

    /// Returns the highest version that is both in `supported` and in a client's `accept-version`.
    /// Without that header, a client supports 1.0 alone (1.2 §Protocol Negotiation).
    ///
    /// The list may name versions that this crate does not know, and may have spaces around its
    /// commas. `None` means that there is no common version, and that the server answers ERROR.
    ///
    /// ```
    /// use sansocket_realtime::stomp::Version;
    ///
    /// let all = Version::ALL;
    /// assert_eq!(Version::highest_common(Some("1.0,1.1,2.0"), &all), Some(Version::V1_1));
    /// assert_eq!(Version::highest_common(None, &all), Some(Version::V1_0));
    /// assert_eq!(Version::highest_common(Some("2.0"), &all), None);
    /// ```
    #[must_use]
    pub fn highest_common(accept_version: Option<&str>, supported: &[Self]) -> Option<Self> {
        accept_version
            .unwrap_or(Self::V1_0.as_str())
            .split(',')
            .filter_map(|version| version.trim_matches(' ').parse().ok())
            .filter(|version| supported.contains(version))
            .max()
    }

    /// Returns `true` if CR LF ends a line of a frame, as LF does (1.2 §STOMP Frames).
    pub(super) fn has_carriage_returns(self) -> bool {
        self >= Self::V1_2
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::ALL.into_iter().find(|version| version.as_str() == text).ok_or(UnknownVersion)
    }
}

/// A text is not a [`Version`] that this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known version of STOMP: it has to be 1.0, 1.1 or 1.2")]
pub struct UnknownVersion;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_texts_are_versions() {
        for text in ["", "1", "1.", "1.3", "2.0", "01.1", "1.10", " 1.1", "1.1 ", "v1.1", "1,1"] {
            assert_eq!(text.parse::<Version>(), Err(UnknownVersion), "{text:?}");
        }
        for version in Version::ALL {
            assert_eq!(version.as_str().parse(), Ok(version));
        }
    }

    #[test]
    fn only_exact_names_are_subprotocols() {
        for version in Version::ALL {
            assert_eq!(Version::from_subprotocol(version.subprotocol()), Some(version));
        }
        for name in ["", "stomp", "v12", "V12.stomp", "v12.stomp ", "v13.stomp"] {
            assert_eq!(Version::from_subprotocol(name), None, "{name:?}");
        }
    }

    #[test]
    fn the_highest_common_version_is_chosen_in_any_order_of_the_list() {
        let choose = |list, supported: &[Version]| Version::highest_common(Some(list), supported);
        assert_eq!(choose("1.2,1.1,1.0", &Version::ALL), Some(Version::V1_2));
        assert_eq!(choose("1.0,1.2", &[Version::V1_0, Version::V1_1]), Some(Version::V1_0));
        assert_eq!(choose("1.0, 1.1", &Version::ALL), Some(Version::V1_1));
        for list in ["", ",", "1.3", "1.1;1.2", "1.1 1.2"] {
            assert_eq!(choose(list, &Version::ALL), None, "{list:?}");
        }
        assert_eq!(Version::highest_common(None, &[Version::V1_2]), None);
    }
}
