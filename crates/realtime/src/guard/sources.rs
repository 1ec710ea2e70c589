//! Where a server looks for credentials.

use super::credentials::{Credentials, CredentialsError, Source};
use super::found::Found;
use alloc::{format, string::String, vec::Vec};

/// Where a server looks for credentials, in requests of HTTP and in CONNECT of STOMP.
///
/// The first source in your order counts for which credentials were found; all that are found must be
/// the same, so that nobody can be taken for another user by what one of two readers ignores. Other
/// places are not looked at. By default, these are [`Bearer`](Source::Bearer) and
/// [`Login`](Source::Login).
///
/// ```
/// use sansocket_realtime::guard::{CredentialsError, Source, Sources};
///
/// let sources = Sources::new([Source::Bearer, Source::Query("token".into())]);
/// let fields = [("Host", "example.com"), ("authorization", "bearer abc")];
/// let fields = fields.map(|(name, value)| (name, value.as_bytes()));
/// let found = sources.in_request(fields, Some("topic=a"))?;
/// assert_eq!(found.and_then(|it| it.as_token().map(String::from)).as_deref(), Some("abc"));
///
/// let differ = sources.in_request(fields, Some("token=def"));
/// assert!(matches!(differ, Err(CredentialsError::Differ(..))));
/// # Ok::<(), CredentialsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    sources: Vec<Source>,
    realm: String,
}

impl Default for Sources {
    fn default() -> Self {
        Self::new([Source::Bearer, Source::Login])
    }
}

impl Sources {
    /// Creates a list of sources. Without any, every client is anonymous.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        Self { sources: sources.into_iter().collect(), realm: "realtime".into() }
    }

    /// Sets the realm that a [challenge](Self::challenge) names, `realtime` by default. A browser may show
    /// it when it asks for a password. What is not visible ASCII or a space is left out.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.realm = realm.chars().filter(|c| matches!(c, ' '..='~')).collect();
        self
    }

    /// Finds the credentials in a request of HTTP: before an upgrade, for an event stream, a poll, or a
    /// message that is published. `fields` are its header fields, `raw_query` is the query of its
    /// target without the question mark, as [`Request`](sansocket::handshake::Request) of the core
    /// returns both. `None` means that the client is anonymous.
    ///
    /// # Errors
    ///
    /// Returns an error if credentials are malformed, or if it is not clear which count.
    pub fn in_request<'a>(
        &self,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        raw_query: Option<&'a str>,
    ) -> Result<Option<Credentials<'a>>, CredentialsError> {
        let mut found = Found::new(&self.sources);
        for (name, value) in fields {
            found.field(name, value)?;
        }
        found.query(raw_query.unwrap_or_default())?;
        found.first_if_same()
    }

    /// Finds the credentials in the headers of CONNECT or STOMP. `None` means that the client is
    /// anonymous, or was authenticated before the upgrade.
    ///
    /// # Errors
    ///
    /// Returns an error if credentials are malformed, or if two places name different ones.
    pub fn in_connect<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Credentials<'a>>, CredentialsError> {
        let mut found = Found::new(&self.sources);
        let (mut login, mut passcode, mut authorization) = (None, None, None);
        for (name, value) in headers {
            match name {
                "login" => login = login.or(Some(value)),
                "passcode" => passcode = passcode.or(Some(value)),
                _ if name.eq_ignore_ascii_case("authorization") => match authorization {
                    None => authorization = Some((name, value)),
                    // Names have a case in STOMP, so this is another header. A reader that knows this
                    // spelling alone would find other credentials.
                    Some((first, other)) if first != name && other != value => {
                        found.repeated_authorization()?;
                    }
                    Some(_) => {}
                },
                _ => {}
            }
            found.header(name, value)?;
        }
        if let Some((_, value)) = authorization {
            found.authorization(value.as_bytes())?;
        }
        found.login(login, passcode)?;
        found.first_if_same()
    }

    /// Returns the value of `WWW-Authenticate`, which a response of status 401 must have (RFC 9110
    /// §15.5.2). It names the schemes among the sources. Tokens elsewhere than in `Authorization` have
    /// no scheme of their own, so for these it names Bearer.
    ///
    /// ```
    /// use sansocket_realtime::guard::{Source, Sources};
    ///
    /// assert_eq!(Sources::default().challenge(), r#"Bearer realm="realtime""#);
    /// let sources = Sources::new([Source::Basic]).realm("orders");
    /// assert_eq!(sources.challenge(), r#"Basic realm="orders", charset="UTF-8""#);
    /// ```
    #[must_use]
    pub fn challenge(&self) -> String {
        // A quoted string (RFC 9110 §5.6.4).
        let realm = self.realm.replace('\\', "\\\\").replace('"', "\\\"");
        // RFC 6750 §3: at least one parameter follows Bearer.
        let bearer = format!("Bearer realm=\"{realm}\"");
        let basic = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        match (self.sources.contains(&Source::Bearer), self.sources.contains(&Source::Basic)) {
            (true, true) => format!("{bearer}, {basic}"),
            (false, true) => basic,
            (_, false) => bearer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cookie(name: &str) -> Source {
        Source::Cookie(name.into())
    }

    fn query(name: &str) -> Source {
        Source::Query(name.into())
    }

    fn header(name: &str) -> Source {
        Source::Header(name.into())
    }

    /// What was found: a token, or a user and a password.
    type Proof = Option<(String, Option<String>)>;

    fn proof(found: Option<Credentials<'_>>) -> Proof {
        let found = found?;
        match found.as_password() {
            Some((user, password)) => Some((user.into(), Some(password.into()))),
            None => Some((found.as_token()?.into(), None)),
        }
    }

    fn token(text: &str) -> Result<Proof, CredentialsError> {
        Ok(Some((text.into(), None)))
    }

    fn password(user: &str, password: &str) -> Result<Proof, CredentialsError> {
        Ok(Some((user.into(), Some(password.into()))))
    }

    fn request(
        sources: impl IntoIterator<Item = Source>,
        fields: &[(&str, &str)],
        query: &str,
    ) -> Result<Proof, CredentialsError> {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        Sources::new(sources).in_request(fields, Some(query)).map(proof)
    }

    fn connect(
        sources: impl IntoIterator<Item = Source>,
        headers: &[(&str, &str)],
    ) -> Result<Proof, CredentialsError> {
        Sources::new(sources).in_connect(headers.iter().copied()).map(proof)
    }

    #[test]
    fn a_bearer_token_is_found_without_case() {
        use Source::Bearer;
        for value in ["Bearer abc", "bearer abc", "BEARER   abc", " Bearer abc "] {
            assert_eq!(request([Bearer], &[("AUTHORIZATION", value)], ""), token("abc"));
            assert_eq!(connect([Bearer], &[("authorization", value)]), token("abc"));
        }
        for value in ["", "Bearerabc", "Basic YTpi", "Digest a=b", "abc"] {
            assert_eq!(request([Bearer], &[("Authorization", value)], ""), Ok(None), "{value}");
        }
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer \"a\"", "Bearer a,b"] {
            let result = request([Bearer], &[("Authorization", value)], "");
            let is_malformed = matches!(result, Err(CredentialsError::Malformed { .. }));
            assert!(is_malformed, "{value}: {result:?}");
        }
    }

    #[test]
    fn authorization_is_not_repeated() {
        let twice = [("Authorization", "Bearer a"), ("authorization", "Bearer a")];
        let repeated = Err(CredentialsError::Repeated(Source::Bearer));
        assert_eq!(request([Source::Bearer], &twice, ""), repeated);
        let schemes = [("Authorization", "Digest a=b"), ("Authorization", "Bearer a")];
        assert_eq!(request([Source::Bearer], &schemes, ""), repeated);
        // Of headers that are repeated in STOMP, the first counts. Names that differ in case are two
        // headers there, so another reader may know only the second one.
        assert_eq!(connect([Source::Bearer], &twice), token("a"));
        let same = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")];
        assert_eq!(connect([Source::Bearer], &same), token("a"));
        let differ = [("authorization", "Bearer a"), ("Authorization", "Bearer b")];
        assert_eq!(connect([Source::Bearer], &differ), repeated);
        assert_eq!(connect([Source::Login], &differ), Ok(None));
        // Who accepts neither scheme does not look.
        assert_eq!(request([cookie("a")], &twice, ""), Ok(None));
    }

    #[test]
    fn basic_credentials_are_found() {
        let fields = [("Authorization", "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")];
        assert_eq!(request([Source::Basic], &fields, ""), password("Aladdin", "open sesame"));
        assert_eq!(connect([Source::Basic], &fields), password("Aladdin", "open sesame"));
        assert_eq!(request([Source::Bearer], &fields, ""), Ok(None));
        assert!(request([Source::Basic], &[("Authorization", "Basic QWxh")], "").is_err());
    }

    #[test]
    fn a_cookie_is_found_by_its_name() {
        let found = |value| request([cookie("id")], &[("Cookie", value)], "");
        assert_eq!(found("a=1; id=abc; b=2"), token("abc"));
        assert_eq!(found("id=\"a=bc\""), token("a=bc"));
        assert_eq!(found("ID=abc; xid=1; id2=2"), Ok(None));
        assert_eq!(found("garbage; id=abc; =; \u{1}"), token("abc"));
        // Many readers trim names.
        for repeated in ["id=a; id=b", "id=a; id=a", "id =a; id=b", "id\t=a;id=b"] {
            assert_eq!(found(repeated), Err(CredentialsError::Repeated(cookie("id"))));
        }
        let fields = [("cookie", "id=a"), ("Cookie", "b=1"), ("COOKIE", "id=a")];
        let repeated = Err(CredentialsError::Repeated(cookie("id")));
        assert_eq!(request([cookie("id")], &fields, ""), repeated);
        assert_eq!(request([cookie("id")], &fields[1..], ""), token("a"));
        for malformed in ["id=", "id=a b", "id=\u{e9}", "id=a\"b"] {
            assert!(found(malformed).is_err(), "{malformed:?}");
        }
        assert_eq!(connect([cookie("id")], &[("Cookie", "id=a")]), Ok(None));
    }

    #[test]
    fn a_query_parameter_is_found_once() {
        let found = |text| request([query("token")], &[], text);
        assert_eq!(found("topic=/topic/a&token=a%2Bb"), token("a+b"));
        assert_eq!(found("token=a+b"), token("a+b"));
        assert_eq!(found("topic=token"), Ok(None));
        for repeated in ["token=a&token=a", "token=a&t%6Fken=b"] {
            assert_eq!(found(repeated), Err(CredentialsError::Repeated(query("token"))));
        }
        for malformed in ["token", "token=", "token=%", "token=a%20b", "token=%ff", "token=%00"] {
            assert!(found(malformed).is_err(), "{malformed}");
        }
        assert_eq!(request([Source::Bearer], &[], "token=%"), Ok(None));
    }

    #[test]
    fn a_header_of_your_own_is_found() {
        let fields = [("x-api-key", "abc")];
        assert_eq!(request([header("X-API-Key")], &fields, ""), token("abc"));
        let twice = [fields[0], fields[0]];
        assert!(request([header("X-API-Key")], &twice, "").is_err());
        // The names of headers in STOMP have a case.
        assert_eq!(connect([header("X-API-Key")], &fields), Ok(None));
        let twice = [("token", "a"), ("token", "b")];
        assert_eq!(connect([header("token")], &twice), token("a"));
        assert!(connect([header("token")], &[("token", "a b")]).is_err());
    }

    #[test]
    fn login_and_passcode_come_together() {
        use Source::Login;
        let found = |headers: &[(&str, &str)]| connect([Login], headers);
        let headers = [("login", "joe"), ("passcode", "a:b"), ("login", "ann"), ("passcode", "")];
        assert_eq!(found(&headers), password("joe", "a:b"));
        assert_eq!(found(&[("login", ""), ("passcode", "")]), Ok(None));
        assert_eq!(found(&[("login", "")]), Ok(None));
        assert_eq!(found(&[("login", "joe"), ("passcode", "")]), password("joe", ""));
        assert!(found(&[("login", "joe")]).is_err() && found(&[("passcode", "a")]).is_err());
        assert_eq!(connect([], &headers), Ok(None));
    }

    #[test]
    fn a_passcode_is_a_token_of_whoever_the_login_says() {
        let found = |sources: &[Source], headers: &[(&str, &str)]| {
            let sources = Sources::new(sources.iter().cloned());
            let found = sources.in_connect(headers.iter().copied())?;
            let found = found.map(Credentials::into_owned);
            Ok(found.map(|it| (it.as_token().map(String::from), it.login().map(String::from))))
        };
        let (passcode, bearer) = (Source::Passcode, Source::Bearer);
        let with_login =
            |login: Option<&str>| Ok(Some((Some("a.b".into()), login.map(String::from))));
        let only = [passcode.clone()];
        assert_eq!(found(&only, &[("login", "joe"), ("passcode", "a.b")]), with_login(Some("joe")));
        for no_login in [&[("passcode", "a.b")][..], &[("login", ""), ("passcode", "a.b")]] {
            assert_eq!(found(&only, no_login), with_login(None));
        }
        // Of headers that are repeated, the first counts.
        let twice = [("passcode", "a.b"), ("login", "joe"), ("passcode", "c"), ("login", "ann")];
        assert_eq!(found(&only, &twice), with_login(Some("joe")));
        assert_eq!(found(&only, &[("login", ""), ("passcode", "")]), Ok(None));
        // Who says a name has to prove it.
        for wrong in [
            &[("login", "joe")][..],
            &[("login", "joe"), ("passcode", "")],
            &[("passcode", "a b")],
            &[("passcode", "\u{e9}")],
        ] {
            let refused: Result<_, CredentialsError> = found(&only, wrong);
            assert!(matches!(refused, Err(CredentialsError::Malformed { .. })), "{wrong:?}");
        }
        // The same token elsewhere does not hide the login, whichever of them counts.
        let both = [("login", "joe"), ("passcode", "a.b"), ("Authorization", "Bearer a.b")];
        for order in [[bearer.clone(), passcode.clone()], [passcode.clone(), bearer.clone()]] {
            assert_eq!(found(&order, &both), with_login(Some("joe")), "{order:?}");
            let differ = [("passcode", "a.b"), ("Authorization", "Bearer c")];
            assert!(matches!(found(&order, &differ), Err(CredentialsError::Differ(..))));
        }
        // Two ways to read the same headers: the first counts.
        let headers = [("login", "joe"), ("passcode", "a.b")];
        let first = [passcode.clone(), Source::Login];
        assert_eq!(found(&first, &headers), with_login(Some("joe")));
        assert_eq!(connect([Source::Login, passcode.clone()], &headers), password("joe", "a.b"));
        // It is a header of CONNECT, and no field of HTTP.
        assert_eq!(request(only, &[("passcode", "a.b")], "passcode=a.b"), Ok(None));
    }

    #[test]
    fn credentials_that_differ_are_refused() {
        let sources = || [query("token"), cookie("id"), Source::Bearer];
        let (bearer, id) = (("Authorization", "Bearer a"), ("Cookie", "id=a"));
        assert_eq!(request(sources(), &[bearer, id], "token=a"), token("a"));
        let differ = Err(CredentialsError::Differ(cookie("id"), Source::Bearer));
        assert_eq!(request(sources(), &[("Authorization", "Bearer b"), id], ""), differ);
        let differ = Err(CredentialsError::Differ(query("token"), cookie("id")));
        assert_eq!(request(sources(), &[bearer, id], "token=b"), differ);
        let both = [("Authorization", "Bearer a"), ("login", "a"), ("passcode", "a")];
        let sources = [Source::Login, Source::Bearer];
        assert!(matches!(connect(sources, &both), Err(CredentialsError::Differ(..))));
    }

    #[test]
    fn a_request_of_the_core_has_them() {
        use sansocket::handshake::{HttpVersion, Request};
        let headers: [(&str, &[u8]); 6] = [
            ("Host", b"example.com"),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Version", b"13"),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("Authorization", b"Bearer a"),
        ];
        let target = "/stomp?token=a";
        let request = Request::new("GET", target, HttpVersion::HTTP_11, headers).unwrap();
        let sources = Sources::new([Source::Bearer, query("token")]);
        let found = sources.in_request(request.headers(), request.raw_query());
        assert_eq!(found.map(proof), token("a"));
    }

    #[test]
    fn the_first_source_is_named() {
        let sources = Sources::new([query("token"), Source::Bearer]);
        let fields = [("Authorization", b"Bearer a".as_slice())];
        let found = sources.in_request(fields, Some("token=a")).unwrap().unwrap();
        assert_eq!(found.source(), &query("token"));
        let sources = Sources::new([Source::Bearer, query("token")]);
        let found = sources.in_request(fields, Some("token=a")).unwrap().unwrap();
        assert_eq!(found.source(), &Source::Bearer);
    }

    #[test]
    fn debug_and_errors_contain_no_secret() {
        let secret = "s3cr3t";
        let fields = [("Authorization", secret.as_bytes()), ("Cookie", b"id=s3cr3t s3cr3t")];
        let error = Sources::new([cookie("id")]).in_request(fields, None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret));
        let token = Credentials::token(Source::Bearer, secret).into_owned();
        let password = Credentials::password(Source::Login, "joe", secret).into_owned();
        let text = format!("{token:?} {password:?}");
        assert!(!text.contains(secret) && text.contains("joe"), "{text}");
        let passcode = Credentials::token(Source::Passcode, secret).with_login("ann").into_owned();
        let text = format!("{passcode:?}");
        assert!(!text.contains(secret) && text.contains("ann"), "{text}");
    }

    #[test]
    fn a_challenge_names_what_is_accepted() {
        let challenge = |sources: &[Source]| Sources::new(sources.iter().cloned()).challenge();
        // RFC 6750 §3: at least one parameter follows.
        assert_eq!(challenge(&[]), "Bearer realm=\"realtime\"");
        assert_eq!(challenge(&[cookie("id")]), "Bearer realm=\"realtime\"");
        let both = "Bearer realm=\"realtime\", Basic realm=\"realtime\", charset=\"UTF-8\"";
        assert_eq!(challenge(&[Source::Basic, Source::Bearer]), both);
        let sources = Sources::new([Source::Basic]).realm("a\"\\\r\nb\u{e9}");
        assert_eq!(sources.challenge(), "Basic realm=\"a\\\"\\\\b\", charset=\"UTF-8\"");
    }

    fn all_sources(last: Source) -> Sources {
        let (bearer, basic) = (Source::Bearer, Source::Basic);
        Sources::new([bearer, basic, cookie("id"), query("token"), header("token"), last])
    }

    /// Text that is often nearly right.
    const NEARLY: &str =
        "((Bearer|basic|id|token|%74oken|QTpi|[ =;&\"%,é\0]|[a-zA-Z0-9+/]{1,3})){0,12}";

    proptest! {
        /// Whatever a client sends, what is found is a token without spaces, or a user and a password.
        #[test]
        fn nothing_that_a_client_sends_panics(
            fields in prop::collection::vec(
                ("(Authorization|Cookie|token|login|passcode)", NEARLY),
                0..4,
            ),
            bytes in prop::collection::vec(any::<u8>(), 0..20),
            text in NEARLY,
        ) {
            let check = |found: Result<Option<Credentials<'_>>, CredentialsError>| {
                let Ok(Some(found)) = found else { return };
                let is_token = |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_graphic());
                assert!(found.as_token().is_none_or(is_token), "{:?}", found.as_token());
                assert_ne!(found.as_token().is_some(), found.as_password().is_some());
            };
            let of_http = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            check(all_sources(Source::Login).in_request(of_http.clone(), Some(&text)));
            for name in ["authorization", "cookie", "token"] {
                let with_bytes = of_http.clone().chain([(name, bytes.as_slice())]);
                check(all_sources(Source::Login).in_request(with_bytes, None));
            }
            let of_stomp = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            for last in [Source::Login, Source::Passcode] {
                check(all_sources(last).in_connect(of_stomp.clone()));
            }
        }
    }
}
