//! The section of who may use the server.

use super::secret::Secret;
use super::sections::default;
use super::setting::{Setting, of};
use super::units::{Size, Time};
use sansocket_realtime::guard::Source;
use sansocket_server::access::{DestinationPattern, JwtAlgorithm};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, str::FromStr};
use toml::Spanned;

section! {
    Access {
        anonymous: Option<Spanned<bool>> = None,
        sources: Vec<Spanned<Setting<SourceName>>> = vec![default(of("bearer")), default(of("login"))],
        realm: String = "realtime".into(),
        users: OfUsers = OfUsers::default(),
        anonymous_clients: OfAnonymous = OfAnonymous::default(),
        jwt: JwtSection = JwtSection::default(),
        token: Vec<Spanned<Token>> = Vec::new(),
        password: Vec<Spanned<Password>> = Vec::new(),
    }
}

section! {
    /// What users may do whose tokens do not say so.
    OfUsers {
        subscribe: Vec<Setting<DestinationPattern>> = vec![of("/topic/**"), of("/app/**")],
        publish: Vec<Setting<DestinationPattern>> = vec![of("/app/**")],
    }
}

section! {
    /// What clients without credentials may do.
    OfAnonymous {
        subscribe: Option<Vec<Setting<DestinationPattern>>> = None,
        publish: Option<Vec<Setting<DestinationPattern>>> = None,
    }
}

section! {
    JwtSection {
        require_expiry: bool = true,
        leeway: Spanned<Setting<Time>> = default(of("60 s")),
        audiences: Vec<String> = Vec::new(),
        issuers: Vec<String> = Vec::new(),
        user_claim: String = "sub".into(),
        subscribe_claim: String = "subscribe".into(),
        publish_claim: String = "publish".into(),
        largest_token: Setting<Size> = of("8 KiB"),
        key: Vec<Spanned<Key>> = Vec::new(),
    }
}

/// A key that JSON Web Tokens are signed with.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Key {
    pub(crate) algorithm: Spanned<Setting<JwtAlgorithm>>,
    pub(crate) id: Option<String>,
    pub(crate) secret: Option<Spanned<Secret>>,
    pub(crate) secret_file: Option<Spanned<PathBuf>>,
    pub(crate) public_key_file: Option<Spanned<PathBuf>>,
}

/// A token, and whose it is.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Token {
    pub(crate) user: Spanned<String>,
    pub(crate) token: Option<Spanned<Secret>>,
    pub(crate) token_file: Option<Spanned<PathBuf>>,
    pub(crate) subscribe: Option<Vec<Setting<DestinationPattern>>>,
    pub(crate) publish: Option<Vec<Setting<DestinationPattern>>>,
}

/// A user with a password.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Password {
    pub(crate) user: Spanned<String>,
    pub(crate) password: Option<Spanned<Secret>>,
    pub(crate) password_file: Option<Spanned<PathBuf>>,
    pub(crate) subscribe: Option<Vec<Setting<DestinationPattern>>>,
    pub(crate) publish: Option<Vec<Setting<DestinationPattern>>>,
}

/// Where clients have their credentials: `bearer`, or `cookie:session`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceName(pub(crate) Source);

impl FromStr for SourceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split_once(':').filter(|(_, name)| !name.is_empty());
        Ok(Self(match (text, named) {
            ("bearer", _) => Source::Bearer,
            ("basic", _) => Source::Basic,
            ("login", _) => Source::Login,
            ("passcode", _) => Source::Passcode,
            (_, Some(("cookie", name))) => Source::Cookie(name.into()),
            (_, Some(("query", name))) => Source::Query(name.into()),
            (_, Some(("header", name))) => Source::Header(name.into()),
            _ => {
                return Err(format!(
                    "{text:?} is none of bearer, basic, login, passcode, cookie:NAME, query:NAME, \
                     header:NAME"
                ));
            }
        }))
    }
}
