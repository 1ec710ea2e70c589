//! Conversions between the types of the crate `http` and those of `sansocket`.

use crate::error::Error;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use sansocket::handshake::HttpVersion;

/// Returns the fields as the checks of `sansocket` take them.
pub(crate) fn fields(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// Appends fields that `sansocket` has made.
pub(crate) fn append<'a>(
    headers: &mut HeaderMap,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Error> {
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(http::Error::from)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(http::Error::from)?;
        headers.append(name, value);
    }
    Ok(())
}

/// Returns the fields of a message that owns them.
pub(crate) fn borrowed(headers: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Returns a version as numbers.
pub(crate) fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_09 => HttpVersion { major: 0, minor: 9 },
        Version::HTTP_10 => HttpVersion { major: 1, minor: 0 },
        Version::HTTP_2 => HttpVersion::HTTP_2,
        Version::HTTP_3 => HttpVersion::HTTP_3,
        _ => HttpVersion::HTTP_11,
    }
}
