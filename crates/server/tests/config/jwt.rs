//! JSON Web Tokens: which are valid, and what nobody gets in with.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use sansocket_realtime::guard::{AuthenticationError, Credentials, Source};
use sansocket_realtime::hub::{Authorization, Principal};
use sansocket_server::access::{Claims, Jwt, JwtAlgorithm, JwtKey, JwtKeyError, JwtOptions, Rules};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const SECRET: &[u8] = b"a secret that has thirty-two bytes";
const RSA: (&[u8], &[u8]) =
    (include_bytes!("keys/rsa.private.pem"), include_bytes!("keys/rsa.public.pem"));
const P256: (&[u8], &[u8]) =
    (include_bytes!("keys/p256.private.pem"), include_bytes!("keys/p256.public.pem"));

/// A time long after the tests, in seconds.
const LATER: u64 = 32_503_680_000;

fn key(algorithm: JwtAlgorithm, key: &[u8]) -> JwtKey {
    JwtKey::new(algorithm, key).unwrap()
}

fn hs256() -> JwtKey {
    key(JwtAlgorithm::Hs256, SECRET)
}

fn signed(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).unwrap()
}

fn token(claims: &Value) -> String {
    signed(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET))
}

fn check(jwt: &Jwt, token: &str) -> Result<Principal, AuthenticationError> {
    jwt.authenticate(&Credentials::token(Source::Bearer, token))
}

fn is_accepted(options: &JwtOptions, claims: &Value) -> bool {
    check(&Jwt::new([hs256()], options.clone()), &token(claims)).is_ok()
}

fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

/// Encodes with the alphabet of URLs and without padding, as the parts of a token are.
fn base64(text: &str) -> String {
    // A token's payload is encoded as it is.
    let token = encode(&Header::default(), &text, &EncodingKey::from_secret(SECRET)).unwrap();
    token.split('.').nth(1).unwrap().into()
}

#[test]
fn tokens_of_all_algorithms_are_accepted() {
    let claims = json!({ "sub": "joe", "exp": LATER });
    let keys = [hs256(), key(JwtAlgorithm::Rs256, RSA.1), key(JwtAlgorithm::Es256, P256.1)];
    let jwt = Jwt::new(keys, JwtOptions::default());
    let tokens = [
        token(&claims),
        signed(&Header::new(Algorithm::RS256), &claims, &EncodingKey::from_rsa_pem(RSA.0).unwrap()),
        signed(&Header::new(Algorithm::ES256), &claims, &EncodingKey::from_ec_pem(P256.0).unwrap()),
    ];
    for token in tokens {
        assert_eq!(check(&jwt, &token).map(|it| it.name().to_owned()), Ok("joe".into()), "{token}");
        // One other character in the signature.
        let at = token.len() - 10;
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert_eq!(check(&jwt, &forged), Err(AuthenticationError::Refused));
    }
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let claims = json!({ "sub": "joe", "exp": LATER });
    // The public key, which everybody knows, as the secret of HS256.
    let rs256 = Jwt::new([key(JwtAlgorithm::Rs256, RSA.1)], JwtOptions::default());
    let header = Header::new(Algorithm::HS256);
    let public = EncodingKey::from_secret(RSA.1);
    assert!(check(&rs256, &signed(&header, &claims, &public)).is_err());
    // Other algorithms of the same family.
    let hs256 = Jwt::new([hs256()], JwtOptions::default());
    let secret = EncodingKey::from_secret(SECRET);
    assert!(check(&hs256, &signed(&Header::new(Algorithm::HS384), &claims, &secret)).is_err());
    assert!(check(&hs256, &signed(&Header::new(Algorithm::HS256), &claims, &secret)).is_ok());
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let jwt = Jwt::new([hs256()], JwtOptions::default());
    let valid = token(&json!({ "sub": "joe", "exp": LATER }));
    let payload = valid.split('.').nth(1).unwrap();
    for algorithm in ["none", "None", "NONE", "", "HS256"] {
        let header = encode_object(&json!({ "alg": algorithm, "typ": "JWT" }));
        assert!(check(&jwt, &format!("{header}.{payload}.")).is_err(), "{algorithm}");
    }
    assert!(
        check(&jwt, &format!("{}.{payload}", encode_object(&json!({ "alg": "none" })))).is_err()
    );
}

/// Encodes an object as a part of a token.
fn encode_object(object: &Value) -> String {
    let token = encode(&Header::default(), object, &EncodingKey::from_secret(SECRET)).unwrap();
    token.split('.').nth(1).unwrap().into()
}

#[test]
fn what_is_no_token_is_refused() {
    let jwt = Jwt::new([hs256()], JwtOptions::default());
    let text = base64("text");
    for token in ["", ".", "..", "...", "a.b.c", "é.é.é", &format!("{text}.{text}.{text}")] {
        assert_eq!(check(&jwt, token), Err(AuthenticationError::Refused), "{token}");
    }
    let password = Credentials::password(Source::Login, "joe", "abc");
    assert_eq!(jwt.authenticate(&password), Err(AuthenticationError::Refused));
}

#[test]
fn a_token_needs_an_expiry_that_has_not_passed() {
    let options = JwtOptions::default();
    let mut forever = options.clone();
    forever.require_expiry = false;
    let expiring = |exp: Value| json!({ "sub": "joe", "exp": exp });
    for (exp, is_valid) in [
        (json!(LATER), true),
        (json!(u64::MAX), true),
        (json!(seconds_from_now(-30)), true),
        (json!(seconds_from_now(-90)), false),
        (json!(0), false),
        (json!(-1), false),
        (json!("32503680000"), false),
        (json!(null), false),
    ] {
        assert_eq!(is_accepted(&options, &expiring(exp.clone())), is_valid, "{exp}");
        assert_eq!(is_accepted(&forever, &expiring(exp.clone())), is_valid, "{exp}");
    }
    assert!(!is_accepted(&options, &json!({ "sub": "joe" })));
    assert!(is_accepted(&forever, &json!({ "sub": "joe" })));
}

#[test]
fn a_token_can_begin_later() {
    let options = JwtOptions::default();
    let beginning = |nbf: Value| json!({ "sub": "joe", "exp": LATER, "nbf": nbf });
    assert!(is_accepted(&options, &beginning(json!(seconds_from_now(30)))));
    for nbf in [json!(seconds_from_now(90)), json!("1")] {
        assert!(!is_accepted(&options, &beginning(nbf.clone())), "{nbf}");
    }
}

#[test]
fn no_leeway_overflows() {
    let mut options = JwtOptions::default();
    options.leeway = Duration::MAX;
    assert!(is_accepted(&options, &json!({ "sub": "joe", "exp": LATER, "nbf": 1 })));
    assert!(!is_accepted(&options, &json!({ "sub": "joe", "exp": seconds_from_now(-7200) })));
}

#[test]
fn a_token_is_for_the_right_audience() {
    let unset = JwtOptions::default();
    let mut set = JwtOptions::default();
    set.audiences = vec!["realtime".into(), "other".into()];
    for (aud, with_unset, with_set) in [
        (None, true, false),
        (Some(json!("realtime")), false, true),
        (Some(json!(["mail", "realtime"])), false, true),
        (Some(json!("mail")), false, false),
        (Some(json!(["mail"])), false, false),
        (Some(json!([])), true, false),
        (Some(json!(1)), true, false),
    ] {
        let mut claims = json!({ "sub": "joe", "exp": LATER });
        if let Some(aud) = aud {
            claims["aud"] = aud;
        }
        assert_eq!(is_accepted(&unset, &claims), with_unset, "{claims}");
        assert_eq!(is_accepted(&set, &claims), with_set, "{claims}");
    }
}

#[test]
fn a_token_is_of_the_right_issuer() {
    let mut options = JwtOptions::default();
    options.issuers = vec!["https://example.com".into()];
    let issued = |iss: &str| json!({ "sub": "joe", "exp": LATER, "iss": iss });
    assert!(is_accepted(&options, &issued("https://example.com")));
    assert!(!is_accepted(&options, &issued("https://example.org")));
    assert!(!is_accepted(&options, &json!({ "sub": "joe", "exp": LATER })));
    assert!(is_accepted(&JwtOptions::default(), &issued("https://example.org")));
}

#[test]
fn a_token_names_its_user() {
    let options = JwtOptions::default();
    for sub in [json!(""), json!(7), json!(null), json!("a".repeat(256))] {
        assert!(!is_accepted(&options, &json!({ "sub": sub, "exp": LATER })), "{sub}");
    }
    assert!(!is_accepted(&options, &json!({ "exp": LATER })));
    let mut named = JwtOptions::default();
    named.user_claim = "email".into();
    let claims = json!({ "sub": "1", "email": "joe@example.com", "exp": LATER });
    let joe = check(&Jwt::new([hs256()], named), &token(&claims)).unwrap();
    assert_eq!(joe.name(), "joe@example.com");
}

#[test]
fn a_token_is_bounded() {
    let mut options = JwtOptions::default();
    let token = token(&json!({ "sub": "joe", "exp": LATER }));
    options.token = token.len();
    assert!(check(&Jwt::new([hs256()], options.clone()), &token).is_ok());
    options.token -= 1;
    assert!(check(&Jwt::new([hs256()], options), &token).is_err());
}

#[test]
fn a_critical_header_is_refused() {
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["b64".into()]);
    let claims = json!({ "sub": "joe", "exp": LATER });
    let token = signed(&header, &claims, &EncodingKey::from_secret(SECRET));
    assert!(check(&Jwt::new([hs256()], JwtOptions::default()), &token).is_err());
}

#[test]
fn a_token_can_name_its_key() {
    let [old, new, other] = [1_u8, 2, 3].map(|byte| [byte; 32]);
    let secret = |secret: &[u8]| key(JwtAlgorithm::Hs256, secret);
    let keys = [secret(&old).id("old"), secret(&new).id("new"), secret(&other)];
    let jwt = Jwt::new(keys, JwtOptions::default());
    let is_accepted = |id: Option<&str>, secret: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = id.map(Into::into);
        let claims = json!({ "sub": "joe", "exp": LATER });
        check(&jwt, &signed(&header, &claims, &EncodingKey::from_secret(secret))).is_ok()
    };
    assert!(is_accepted(Some("old"), &old) && is_accepted(Some("new"), &new));
    assert!(!is_accepted(Some("old"), &new) && !is_accepted(Some("new"), &other));
    // Keys without an id are for tokens with others, and all are for tokens without.
    assert!(is_accepted(Some("none"), &other) && !is_accepted(Some("none"), &old));
    assert!(is_accepted(None, &old) && is_accepted(None, &new) && is_accepted(None, &other));
}

#[test]
fn claims_are_permissions() {
    let jwt = Jwt::new([hs256()], JwtOptions::default());
    let user = |more: Value| {
        let mut claims = json!({ "sub": "joe", "exp": LATER });
        for (name, claim) in more.as_object().unwrap() {
            claims[name] = claim.clone();
        }
        check(&jwt, &token(&claims))
    };
    let rules = Rules::default();
    let joe = user(json!({ "subscribe": ["/topic/orders/*"] })).unwrap();
    assert!(rules.may_subscribe(Some(&joe), "/topic/orders/42"));
    assert!(!rules.may_subscribe(Some(&joe), "/topic/prices"));
    // Who has one of the claims has nothing else.
    assert!(!rules.may_send(Some(&joe), "/app/a"));
    let joe = user(json!({ "publish": ["/topic/**"] })).unwrap();
    assert!(rules.may_send(Some(&joe), "/topic/a") && !rules.may_subscribe(Some(&joe), "/topic/a"));
    let joe = user(json!({})).unwrap();
    assert!(rules.may_subscribe(Some(&joe), "/topic/a") && rules.may_send(Some(&joe), "/app/a"));
    for wrong in
        [json!("/topic/a"), json!([1]), json!(["topic/a"]), json!(["/topic/a*"]), json!(null)]
    {
        assert!(user(json!({ "subscribe": wrong })).is_err(), "{wrong}");
        assert!(user(json!({ "publish": wrong })).is_err(), "{wrong}");
    }
}

#[test]
fn a_session_ends_with_its_token() {
    let mut options = JwtOptions::default();
    options.leeway = Duration::from_secs(5);
    options.require_expiry = false;
    let jwt = Jwt::new([hs256()], options);
    let end = |claims: Value| Claims::expires_at(&check(&jwt, &token(&claims)).unwrap());
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(LATER + 5);
    assert_eq!(end(json!({ "sub": "joe", "exp": LATER })), Some(later));
    assert_eq!(end(json!({ "sub": "joe", "exp": LATER as f64 })), Some(later));
    assert_eq!(end(json!({ "sub": "joe" })), None);
    // Later than the system can say.
    assert_eq!(end(json!({ "sub": "joe", "exp": u64::MAX })), None);
}

#[test]
fn a_key_is_one_for_its_algorithm() {
    use JwtAlgorithm::{Es256, Hs256, Rs256};
    let error = |algorithm, key: &[u8]| JwtKey::new(algorithm, key).map(|_| ()).unwrap_err();
    assert_eq!(error(Hs256, b"secret"), JwtKeyError::ShortSecret { bytes: 6, least: 32 });
    assert_eq!(error(Hs256, RSA.1), JwtKeyError::PemAsSecret);
    assert_eq!(error(Rs256, RSA.0), JwtKeyError::Private { algorithm: Rs256 });
    assert_eq!(error(Es256, P256.0), JwtKeyError::Private { algorithm: Es256 });
    let short = include_bytes!("keys/rsa-1024.public.pem");
    assert_eq!(error(Rs256, short), JwtKeyError::ShortRsaKey);
    let p384 = include_bytes!("keys/p384.public.pem");
    for (algorithm, key) in
        [(Rs256, P256.1), (Es256, RSA.1), (Es256, p384), (Rs256, b""), (Es256, b"a")]
    {
        assert_eq!(error(algorithm, key), JwtKeyError::NotPublicKey { algorithm });
    }
    for name in ["none", "hs256", "RS512", ""] {
        let algorithm = name.parse::<JwtAlgorithm>();
        assert_eq!(algorithm, Err(JwtKeyError::Algorithm { name: name.into() }));
    }
    assert!(!format!("{:?}", hs256()).contains("secret that"));
}
