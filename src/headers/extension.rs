//! An extension and its parameters (RFC 6455 §9.1).

use super::extensions::{ExtensionError, ExtensionList};
use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::fmt;

/// An extension with its parameters, as offered or agreed on (RFC 6455 §9.1).
///
/// This type does not interpret the parameters or check their combination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Extension {
    /// The registered name.
    pub name: String,
    /// The parameters in order, each with its name and its value, if it has one.
    pub parameters: Vec<(String, Option<String>)>,
}

impl Extension {
    /// Iterates over the extensions of one header line. Ends after the first invalid one.
    pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = Result<Self, ExtensionError>> {
        let mut list = Some(ExtensionList::new(value));
        core::iter::from_fn(move || {
            let next = Self::next(list.as_mut()?).transpose();
            if !matches!(next, Some(Ok(_))) {
                list = None;
            }
            next
        })
    }

    /// Parses the extensions of one header line, which must name at least one.
    pub(crate) fn parse_nonempty_list(value: &[u8]) -> Result<Vec<Self>, ExtensionError> {
        let extensions = Self::list(value).collect::<Result<Vec<_>, _>>()?;
        if extensions.is_empty() { Err(ExtensionError::Empty) } else { Ok(extensions) }
    }

    fn next(list: &mut ExtensionList<'_>) -> Result<Option<Self>, ExtensionError> {
        let Some(name) = list.next_extension()? else { return Ok(None) };
        let mut parameters = Vec::new();
        while let Some((name, value)) = list.next_parameter()? {
            parameters.push((name.to_owned(), value.map(Into::into)));
        }
        Ok(Some(Self { name: name.to_owned(), parameters }))
    }
}

/// Formats the extension as in a header.
impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.parameters {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn texts(value: &str) -> Result<Vec<String>, ExtensionError> {
        Ok(Extension::parse_nonempty_list(value.as_bytes())?
            .iter()
            .map(ToString::to_string)
            .collect())
    }

    #[test]
    fn parses_and_formats_a_list() {
        assert_eq!(texts("a").unwrap(), ["a"]);
        assert_eq!(texts("a ;b;c = \"1\\0\",, b; b").unwrap(), ["a; b; c=10", "b; b"]);
        assert_eq!(texts(" , "), Err(ExtensionError::Empty));
        assert_eq!(texts("a, b c"), Err(ExtensionError::NoDelimiter { at: 5 }));
        assert_eq!(texts("a; b="), Err(ExtensionError::NoToken { at: 5 }));
        // The iterator ends with the error.
        assert_eq!(Extension::list(b"a, b c, d").count(), 2);
    }
}
