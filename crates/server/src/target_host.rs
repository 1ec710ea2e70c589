//! The one host that a request is for.

use crate::answers;
use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderValue, Uri, Version, header, uri::Authority};

/// Leaves a request with one valid `Host` field: the host that it is for. Whoever looks at the host
/// reads that field alone.
///
/// A request for no host, for several, or for an invalid one is answered with 400 (RFC 9112 §3.2).
pub(crate) async fn settle(mut request: Request, next: Next) -> Response {
    match host(request.version(), request.uri(), request.headers()) {
        Ok(Some(host)) => {
            request.headers_mut().insert(header::HOST, host);
        }
        Ok(None) => {}
        Err(problem) => return answers::plain_problem(400, problem),
    }
    next.run(request).await
}

/// Returns the host that a request is for. HTTP/1.0 knows requests without one.
fn host(
    version: Version,
    target: &Uri,
    headers: &HeaderMap,
) -> Result<Option<HeaderValue>, &'static str> {
    let mut fields = headers.get_all(header::HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err("the request has several Host fields");
    }
    if field.is_some_and(|field| !is_valid(field)) {
        return Err("the Host field is invalid");
    }
    let Some(authority) = target.authority() else {
        return match field {
            None if version > Version::HTTP_10 => Err("the request names no host"),
            field => Ok(field.cloned()),
        };
    };
    if version == Version::HTTP_11 && field.is_none() {
        return Err("the request has no Host field");
    }
    // The target of HTTP/1.1 wins (RFC 9112 §3.2.2). In HTTP/2 both are to be the same (RFC 9113 §8.3.1).
    let differs =
        |field: &HeaderValue| !field.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
    if version >= Version::HTTP_2 && field.is_some_and(differs) {
        return Err("the Host field is another host than :authority");
    }
    match HeaderValue::from_str(authority.as_str()) {
        Ok(host) if is_valid(&host) => Ok(Some(host)),
        _ => Err("the target has an invalid host"),
    }
}

/// A host with or without a port, and nothing before it. The field is empty if the target has no host.
fn is_valid(host: &HeaderValue) -> bool {
    let Ok(text) = host.to_str() else { return false };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && (port.is_empty() || port.parse::<u16>().is_ok())
    };
    let is_whole = |authority: &Authority| match text.strip_prefix(authority.host()) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
        // Something is before the host, such as a user.
        None => false,
    };
    text.is_empty() || text.parse().is_ok_and(|authority| is_whole(&authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, target: &str, fields: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::HOST, HeaderValue::from_str(field).unwrap());
        }
        let host = host(version, &target.parse().unwrap(), &headers)?;
        Ok(host.map(|host| host.to_str().unwrap().into()))
    }

    #[test]
    fn the_target_wins_over_the_field() {
        assert_eq!(of(Version::HTTP_11, "http://a:1/", &["b"]), Ok(Some("a:1".into())));
        assert_eq!(of(Version::HTTP_11, "/", &["b"]), Ok(Some("b".into())));
        assert_eq!(of(Version::HTTP_2, "http://a/", &[]), Ok(Some("a".into())));
        assert_eq!(of(Version::HTTP_2, "http://a/", &["A"]), Ok(Some("a".into())));
        assert!(of(Version::HTTP_2, "http://a/", &["b"]).is_err());
    }

    #[test]
    fn a_request_is_for_one_host() {
        assert!(of(Version::HTTP_11, "/", &["a", "a"]).is_err());
        assert!(of(Version::HTTP_11, "/", &["a", "b"]).is_err());
        assert!(of(Version::HTTP_11, "http://a/", &["a", "b"]).is_err());
        assert!(of(Version::HTTP_11, "/", &[]).is_err());
        // HTTP/1.1 needs the field, whatever the target is.
        assert!(of(Version::HTTP_11, "http://a/", &[]).is_err());
        assert_eq!(of(Version::HTTP_10, "http://a/", &[]), Ok(Some("a".into())));
        assert!(of(Version::HTTP_2, "/", &[]).is_err());
        assert_eq!(of(Version::HTTP_10, "/", &[]), Ok(None));
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for valid in ["", "a", "a.b:80", "127.0.0.1", "[::1]:80", "a:"] {
            assert_eq!(of(Version::HTTP_11, "/", &[valid]), Ok(Some(valid.into())), "{valid}");
        }
        for invalid in
            ["a b", "a/b", "a, b", "u@a", "a@a:1", "u:p@a", "a:b", "a:99999", "http://a", "[::1"]
        {
            assert!(of(Version::HTTP_11, "/", &[invalid]).is_err(), "{invalid}");
        }
        assert!(of(Version::HTTP_11, "http://localhost@a/", &["a"]).is_err());
    }
}
