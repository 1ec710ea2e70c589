//! Which credentials stand in a request or a CONNECT.

use super::credentials::{Credentials, CredentialsError, Source};
use super::syntax;
use crate::query;
use alloc::{borrow::Cow, vec::Vec};

/// What was found so far in each source.
pub(super) struct Found<'s, 'a> {
    sources: &'s [Source],
    credentials: Vec<Option<Credentials<'a>>>,
    has_authorization: bool,
}

impl<'s, 'a> Found<'s, 'a> {
    pub(super) fn new(sources: &'s [Source]) -> Self {
        let credentials = sources.iter().map(|_| None).collect();
        Self { sources, credentials, has_authorization: false }
    }

    /// Looks at a header field of HTTP.
    pub(super) fn field(&mut self, name: &str, value: &'a [u8]) -> Result<(), CredentialsError> {
        if name.eq_ignore_ascii_case("authorization") {
            // The field is a single value (RFC 9110 §5.3, §11.6.2).
            if self.has_authorization {
                self.repeated_authorization()?;
            }
            self.has_authorization = true;
            self.authorization(value)?;
        }
        for (index, source) in self.sources.iter().enumerate() {
            match source {
                // HTTP/2 may send each cookie in a field of its own (RFC 9113 §8.2.3).
                Source::Cookie(cookie) if name.eq_ignore_ascii_case("cookie") => {
                    let is_named = |(name, _): &(&[u8], &[u8])| *name == cookie.as_bytes();
                    for (_, value) in syntax::cookies(value).filter(is_named) {
                        self.add_token(index, syntax::cookie_value(value).map(Cow::Borrowed))?;
                    }
                }
                Source::Header(header) if name.eq_ignore_ascii_case(header) => {
                    let token = syntax::token(value.trim_ascii());
                    self.add_token(index, token.map(Cow::Borrowed))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks at the query of a target.
    pub(super) fn query(&mut self, query: &'a str) -> Result<(), CredentialsError> {
        for (index, source) in self.sources.iter().enumerate() {
            let Source::Query(name) = source else { continue };
            let named = query::parameters(query).filter(|(found, _)| **found == **name);
            for (_, value) in named {
                let token = query::decode_escapes(value).and_then(|token| {
                    syntax::token(token.as_bytes())?;
                    Ok(token)
                });
                self.add_token(index, token)?;
            }
        }
        Ok(())
    }

    /// Looks at a header of CONNECT. Of headers that are repeated, the first counts.
    pub(super) fn header(&mut self, name: &str, value: &'a str) -> Result<(), CredentialsError> {
        for (index, source) in self.sources.iter().enumerate() {
            let is_named = matches!(source, Source::Header(header) if **header == *name);
            if is_named && self.credentials[index].is_none() {
                self.add_token(index, syntax::token(value.as_bytes()).map(Cow::Borrowed))?;
            }
        }
        Ok(())
    }

    /// Looks at the login and passcode of CONNECT.
    pub(super) fn login(
        &mut self,
        login: Option<&'a str>,
        passcode: Option<&'a str>,
    ) -> Result<(), CredentialsError> {
        // Some clients always send both headers, and leave them empty for nobody.
        if login.unwrap_or_default().is_empty() && passcode.unwrap_or_default().is_empty() {
            return Ok(());
        }
        // Both sources read the same headers, each in its way.
        let reads_them = |source: &Source| matches!(source, Source::Login | Source::Passcode);
        let Some(index) = self.sources.iter().position(reads_them) else { return Ok(()) };
        let source = self.sources[index].clone();
        let credentials = if source == Source::Login {
            let pair = login.zip(passcode).ok_or("are only sent together");
            let (user, password) = pair.map_err(|problem| malformed(&source, problem))?;
            Credentials::password(source, user, password)
        } else {
            let token = syntax::token(passcode.unwrap_or_default().as_bytes());
            let token = token.map_err(|problem| malformed(&source, problem))?;
            let credentials = Credentials::token(source, token);
            match login {
                Some(login) if !login.is_empty() => credentials.with_login(login),
                _ => credentials,
            }
        };
        self.add(index, credentials)
    }

    /// Returns an error if `Authorization` is a source, because it stands more than once.
    pub(super) fn repeated_authorization(&self) -> Result<(), CredentialsError> {
        let of_scheme = |source: &&Source| matches!(source, Source::Bearer | Source::Basic);
        match self.sources.iter().find(of_scheme) {
            Some(source) => Err(CredentialsError::Repeated(source.clone())),
            None => Ok(()),
        }
    }

    /// Looks at the value of `Authorization`. Schemes are compared without case (RFC 9110 §11.1).
    pub(super) fn authorization(&mut self, value: &'a [u8]) -> Result<(), CredentialsError> {
        let (scheme, rest) = syntax::scheme(value);
        for (index, source) in self.sources.iter().enumerate() {
            match source {
                Source::Bearer if scheme.eq_ignore_ascii_case(b"bearer") => {
                    self.add_token(index, syntax::bearer(rest).map(Cow::Borrowed))?;
                }
                Source::Basic if scheme.eq_ignore_ascii_case(b"basic") => {
                    let (user, password) =
                        syntax::basic(rest).map_err(|problem| malformed(source, problem))?;
                    self.add(index, Credentials::password(source.clone(), user, password))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_token(
        &mut self,
        index: usize,
        token: Result<Cow<'a, str>, &'static str>,
    ) -> Result<(), CredentialsError> {
        let source = &self.sources[index];
        let token = token.map_err(|problem| malformed(source, problem))?;
        self.add(index, Credentials::token(source.clone(), token))
    }

    fn add(&mut self, index: usize, credentials: Credentials<'a>) -> Result<(), CredentialsError> {
        match self.credentials[index].replace(credentials) {
            Some(first) => Err(CredentialsError::Repeated(first.source().clone())),
            None => Ok(()),
        }
    }

    /// Returns the credentials of the first source that has some, if the others have the same.
    pub(super) fn first_if_same(self) -> Result<Option<Credentials<'a>>, CredentialsError> {
        let mut found = self.credentials.into_iter().flatten();
        let Some(mut first) = found.next() else { return Ok(None) };
        for other in found {
            if !other.is_same_proof(&first) {
                let (first, other) = (first.source().clone(), other.source().clone());
                return Err(CredentialsError::Differ(first, other));
            }
            // Whichever counts, the login is checked.
            first.add(other);
        }
        Ok(Some(first))
    }
}

fn malformed(place: &Source, problem: &'static str) -> CredentialsError {
    CredentialsError::Malformed { place: place.clone(), problem }
}
