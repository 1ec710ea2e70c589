//! Who may use the server, as it is configured.

use super::access::{Access, JwtSection, Key, OfAnonymous, Password, Token};
use super::checks::Checks;
use super::sections::Config;
use super::setting::Setting;
use sansocket_realtime::guard::{Source, Sources, TokenTable};
use sansocket_realtime::hub::Principal;
use sansocket_server::access::{
    Authenticator, Claims, DestinationPattern, Jwt, JwtAlgorithm, JwtKey, JwtOptions, Permissions,
    Rules,
};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};
use toml::Spanned;

/// Who may use the server.
#[derive(Debug)]
pub(crate) struct WhoMay {
    pub(crate) sources: Sources,
    pub(crate) authenticator: Authenticator,
    pub(crate) rules: Rules,
}

/// Reads tokens, passwords and keys, and decides whether clients without credentials are let in.
pub(crate) fn access(checks: &mut Checks<'_>, config: &Config) -> WhoMay {
    let access = &config.access;
    let (names_users, is_local) = (names_users(access), is_local(config));
    check_anonymous(checks, config, names_users, is_local);
    check_sources(checks, config);
    let sources = Sources::new(sources(config).cloned());
    let mut authenticator = Authenticator::new().anonymous(lets_anonymous_in(access));
    if !access.token.is_empty() {
        authenticator = authenticator.tokens(tokens(checks, &access.token));
    }
    if !access.password.is_empty() {
        authenticator = with_passwords(checks, authenticator, &access.password);
    }
    if !access.jwt.key.is_empty() {
        authenticator = authenticator.jwt(jwt(checks, &access.jwt));
    }
    let users = permissions(&access.users.subscribe, &access.users.publish);
    let anonymous = of_anonymous(&access.anonymous_clients, is_local && !names_users);
    let rules = Rules::default().users(users).anonymous(anonymous);
    WhoMay { sources: sources.realm(&access.realm), authenticator, rules }
}

/// Returns whether clients without credentials are let in.
pub(crate) fn lets_anonymous_in(access: &Access) -> bool {
    access.anonymous.as_ref().map_or(!names_users(access), |anonymous| *anonymous.get_ref())
}

/// Returns whether everybody is let in because the server is for this machine alone, and nobody has said so.
pub(crate) fn is_private(config: &Config) -> bool {
    is_local(config) && !names_users(&config.access) && config.access.anonymous.is_none()
}

fn names_users(access: &Access) -> bool {
    !access.token.is_empty() || !access.password.is_empty() || !access.jwt.key.is_empty()
}

/// Whoever has a proxy in front of the server is asked by other machines.
fn is_local(config: &Config) -> bool {
    config.listen.get_ref().0.ip().is_loopback() && config.trusted_proxies.networks.is_empty()
}

fn sources(config: &Config) -> impl Iterator<Item = &Source> {
    config.access.sources.iter().map(|source| &source.get_ref().0)
}

/// Browsers send cookies and passwords with the requests of all pages. So if those of every site may use the
/// server, each can act as its visitors. And what stands in a passcode is a password or a token.
fn check_sources(checks: &mut Checks<'_>, config: &Config) {
    let by_browser = |source: &Source| matches!(source, Source::Cookie(_) | Source::Basic);
    let source = sources(config).find(|source| by_browser(source));
    let origin = config.origins.iter().find(|origin| origin.get_ref() == "*");
    if let (Some(source), Some(origin)) = (source, origin) {
        let problem = format!(
            "browsers send {source} for pages of every site, so name those that may use the server"
        );
        checks.problem(origin.span(), problem);
    }
    let in_passcode = |it: &Source| matches!(it, Source::Login | Source::Passcode);
    let mut of_connect = config.access.sources.iter().filter(|it| in_passcode(&it.get_ref().0));
    if let (Some(first), Some(second)) = (of_connect.next(), of_connect.next()) {
        if first.get_ref() != second.get_ref() {
            let problem = "login and passcode read the same headers of CONNECT: name one of them";
            checks.problem(second.span(), problem);
        }
    }
}

/// What would let in everybody by accident, or nobody, is a problem.
fn check_anonymous(checks: &mut Checks<'_>, config: &Config, names_users: bool, is_local: bool) {
    if names_users {
        return;
    }
    match &config.access.anonymous {
        None if !is_local => {
            let problem = format!(
                "everybody who reaches {} could use the server. Name who may, by [[access.token]], \
                 [[access.password]] or [[access.jwt.key]]; or let everybody in, by access.anonymous = true \
                 or the flag --anonymous; or listen on 127.0.0.1 without trusted proxies",
                config.listen.get_ref().0
            );
            checks.problem(config.listen.span(), problem);
        }
        Some(anonymous) if !anonymous.get_ref() => {
            let problem = "nobody could use the server: there is no [[access.token]], [[access.password]] or \
                           [[access.jwt.key]]";
            checks.problem(anonymous.span(), problem);
        }
        _ => {}
    }
}

/// Returns what clients without credentials may do. On a machine of one's own, they may publish to topics
/// too.
fn of_anonymous(configured: &OfAnonymous, is_at_home: bool) -> Permissions {
    let open = Rules::open().anonymous;
    let closed = Rules::default().users;
    let mut permissions = if is_at_home { open } else { closed };
    if let Some(subscribe) = &configured.subscribe {
        permissions.subscribe = patterns(subscribe);
    }
    if let Some(publish) = &configured.publish {
        permissions.publish = patterns(publish);
    }
    permissions
}

fn tokens(checks: &mut Checks<'_>, tokens: &[Spanned<Token>]) -> TokenTable {
    let mut table = TokenTable::new();
    let mut seen = HashSet::new();
    for spanned in tokens {
        let Token { user, token, token_file, subscribe, publish } = spanned.get_ref();
        let secret = checks.secret(spanned.span(), "token", token.as_ref(), token_file.as_ref());
        let Some((secret, span)) = secret.and_then(|secret| text(checks, secret)) else { continue };
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "nobody can send this token: it has a space, or other characters than visible ASCII";
            checks.problem(span, problem);
        } else if !seen.insert(secret.clone()) {
            checks.problem(span, "this token is there twice");
        }
        check_name(checks, user);
        let claims = claims(subscribe.as_deref(), publish.as_deref());
        table = table.token(secret, claims.of(user.get_ref().as_str()));
    }
    table
}

fn with_passwords(
    checks: &mut Checks<'_>,
    authenticator: Authenticator,
    passwords: &[Spanned<Password>],
) -> Authenticator {
    let mut table = TokenTable::new();
    let mut users: HashMap<String, Principal> = HashMap::new();
    for spanned in passwords {
        let Password { user, password, password_file, subscribe, publish } = spanned.get_ref();
        let secret =
            checks.secret(spanned.span(), "password", password.as_ref(), password_file.as_ref());
        let Some((secret, _)) = secret.and_then(|secret| text(checks, secret)) else { continue };
        check_name(checks, user);
        let name = user.get_ref();
        let claims = claims(subscribe.as_deref(), publish.as_deref());
        if users.insert(name.clone(), claims.of(name.as_str())).is_some() {
            checks.problem(user.span(), format!("user {name:?} has a password already"));
        }
        table = table.password(name, secret);
    }
    authenticator.method(move |credentials| {
        let user = table.authenticate(credentials)?;
        // The table knows names alone.
        Ok(users.get(user.name()).cloned().unwrap_or(user))
    })
}

fn jwt(checks: &mut Checks<'_>, section: &JwtSection) -> Jwt {
    let keys: Vec<_> = section.key.iter().filter_map(|key| jwt_key(checks, key)).collect();
    if section.leeway.get_ref().0 > JwtOptions::MOST_LEEWAY {
        checks.problem(section.leeway.span(), "clocks can differ by an hour at most");
    }
    let mut options = JwtOptions::default();
    options.require_expiry = section.require_expiry;
    options.leeway = section.leeway.get_ref().0;
    options.audiences = section.audiences.clone();
    options.issuers = section.issuers.clone();
    options.user_claim = section.user_claim.clone();
    options.subscribe_claim = section.subscribe_claim.clone();
    options.publish_claim = section.publish_claim.clone();
    options.token = section.largest_token.0;
    Jwt::new(keys, options)
}

fn jwt_key(checks: &mut Checks<'_>, spanned: &Spanned<Key>) -> Option<JwtKey> {
    let Key { algorithm, id, secret, secret_file, public_key_file } = spanned.get_ref();
    let algorithm = **algorithm.get_ref();
    let (secret, secret_file) = (secret.as_ref(), secret_file.as_ref());
    let (key, span) = match (algorithm, public_key_file) {
        (JwtAlgorithm::Hs256, None) => {
            checks.secret(spanned.span(), "secret", secret, secret_file)?
        }
        (JwtAlgorithm::Hs256, Some(file)) => {
            checks.problem(file.span(), "HS256 has no public key: name secret or secret-file");
            return None;
        }
        (_, Some(file)) if secret.is_none() && secret_file.is_none() => {
            (checks.file(file)?, file.span())
        }
        _ => {
            let problem = format!("{algorithm} needs public-key-file, and no secret");
            checks.problem(spanned.span(), problem);
            return None;
        }
    };
    let key = checks.check(span, JwtKey::new(algorithm, &key))?;
    Some(match id {
        Some(id) => key.id(id),
        None => key,
    })
}

/// Returns what a token or a password says of its user.
fn claims(
    subscribe: Option<&[Setting<DestinationPattern>]>,
    publish: Option<&[Setting<DestinationPattern>]>,
) -> Claims {
    match (subscribe, publish) {
        (None, None) => Claims::new(),
        _ => Claims::new()
            .permissions(permissions(subscribe.unwrap_or_default(), publish.unwrap_or_default())),
    }
}

fn permissions(
    subscribe: &[Setting<DestinationPattern>],
    publish: &[Setting<DestinationPattern>],
) -> Permissions {
    let mut permissions = Permissions::none();
    permissions.subscribe = patterns(subscribe);
    permissions.publish = patterns(publish);
    permissions
}

fn patterns(settings: &[Setting<DestinationPattern>]) -> Vec<DestinationPattern> {
    settings.iter().map(|pattern| (**pattern).clone()).collect()
}

fn check_name(checks: &mut Checks<'_>, user: &Spanned<String>) {
    if user.get_ref().is_empty() {
        checks.problem(user.span(), "the name of the user is empty");
    }
}

/// Returns a secret as text, which is not empty.
fn text(
    checks: &mut Checks<'_>,
    (secret, span): (Vec<u8>, Range<usize>),
) -> Option<(String, Range<usize>)> {
    let secret = String::from_utf8(secret).map_err(|_| "it is not UTF-8");
    let secret = checks.check(span.clone(), secret)?;
    if secret.is_empty() {
        checks.problem(span, "it is empty");
        return None;
    }
    Some((secret, span))
}
