//! Negotiation of permessage-deflate (RFC 7692 §5, §7.1).

use super::{Compressor, Decompressor, DeflateConfig, NAME};
use crate::headers::Extension;
use alloc::string::String;
use core::fmt::{self, Write};
use thiserror::Error;

/// The parameters that both endpoints agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeflateParameters {
    /// Whether the server compresses each message independently (RFC 7692 §7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Whether the client compresses each message independently (RFC 7692 §7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's compression window as a base-2 logarithm from 8 to 15 (RFC 7692 §7.1.2.1).
    pub server_max_window_bits: u8,
    /// The client's compression window as a base-2 logarithm from 8 to 15 (RFC 7692 §7.1.2.2).
    pub client_max_window_bits: u8,
}

/// One of the four parameters of permessage-deflate (RFC 7692 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7692 defines exactly these four")]
pub enum DeflateParameter {
    /// `server_no_context_takeover`
    ServerNoContextTakeover,
    /// `client_no_context_takeover`
    ClientNoContextTakeover,
    /// `server_max_window_bits`
    ServerMaxWindowBits,
    /// `client_max_window_bits`
    ClientMaxWindowBits,
}

/// An error in the permessage-deflate parameters of a server's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeflateError {
    /// A parameter is not defined in RFC 7692.
    #[error("the server's permessage-deflate response has an unknown parameter")]
    Unknown,
    /// A parameter occurs twice.
    #[error("the server's permessage-deflate response repeats {0}")]
    Repeated(DeflateParameter),
    /// A parameter has an invalid value, or lacks a required one.
    #[error("the server's permessage-deflate response has an invalid {0}")]
    Invalid(DeflateParameter),
    /// The response contains a parameter that the client did not offer.
    #[error("the server's permessage-deflate response has {0}, which the client did not offer")]
    NotOffered(DeflateParameter),
    /// The window is larger than the client requested.
    #[error(
        "the server's permessage-deflate response has {parameter} {bits}, but the client \
        requested at most {limit}"
    )]
    TooLarge {
        /// The parameter that sets the window.
        parameter: DeflateParameter,
        /// The base-2 logarithm of the window in the response.
        bits: u8,
        /// The base-2 logarithm of the window in the offer.
        limit: u8,
    },
    /// A parameter that the client requested is missing.
    #[error("the server's permessage-deflate response lacks {0}, which the client requested")]
    Missing(DeflateParameter),
}

use DeflateParameter::{
    ClientMaxWindowBits, ClientNoContextTakeover, ServerMaxWindowBits, ServerNoContextTakeover,
};

/// The largest window, which applies unless a smaller one is negotiated.
const LARGEST: u8 = 15;

/// The parameters of one offer or response, as written.
#[derive(Clone, Copy, Debug, Default)]
struct Parsed {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// `Some(None)` means that the parameter has no value, which only an offer may have.
    client_max_window_bits: Option<Option<u8>>,
}

/// The largest windows, with context takeover in both directions.
impl Default for DeflateParameters {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: LARGEST,
            client_max_window_bits: LARGEST,
        }
    }
}

impl DeflateParameters {
    /// Reads the agreed parameters from the extension in a server's response.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameters are not valid in a response.
    pub fn from_response(extension: &Extension) -> Result<Self, DeflateError> {
        let parsed = Parsed::new(extension)?;
        let client_max_window_bits = match parsed.client_max_window_bits {
            None => LARGEST,
            // §7.1.2.2: in a response, the parameter must have a value.
            Some(bits) => bits.ok_or(DeflateError::Invalid(ClientMaxWindowBits))?,
        };
        Ok(Self {
            server_no_context_takeover: parsed.server_no_context_takeover,
            client_no_context_takeover: parsed.client_no_context_takeover,
            server_max_window_bits: parsed.server_max_window_bits.unwrap_or(LARGEST),
            client_max_window_bits,
        })
    }

    /// Chooses among the client's offers, which are in its order of preference. Returns the
    /// response to the first valid offer (§5.1, §7.1), skipping offers with unknown, repeated or
    /// invalid parameters.
    pub(crate) fn choose(
        offers: impl Iterator<Item = Extension>,
        config: &DeflateConfig,
    ) -> Option<Extension> {
        let config = config.in_range();
        let mut offers = offers.filter(|offer| offer.name == NAME);
        let text = offers.find_map(|offer| Some(respond(&Parsed::new(&offer).ok()?, &config)))?;
        Extension::list(text.as_bytes()).next()?.ok()
    }

    /// Returns the memory of the contexts that a server keeps between messages, in bytes.
    pub(crate) fn server_context_bytes(&self, config: &DeflateConfig) -> usize {
        let compressor = match self.server_no_context_takeover {
            true => 0,
            false => Compressor::context_bytes(self.server_max_window_bits, config),
        };
        let decompressor =
            if self.client_no_context_takeover { 0 } else { Decompressor::CONTEXT_BYTES };
        compressor + decompressor
    }

    /// Checks a response against the offer (§7.1).
    pub(crate) fn check(
        self,
        response: &Extension,
        config: &DeflateConfig,
    ) -> Result<(), DeflateError> {
        let parsed = Parsed::new(response)?;
        if config.server_no_context_takeover && !parsed.server_no_context_takeover {
            return Err(DeflateError::Missing(ServerNoContextTakeover));
        }
        let limit = config.server_max_window_bits;
        match parsed.server_max_window_bits {
            None if limit < LARGEST => return Err(DeflateError::Missing(ServerMaxWindowBits)),
            Some(bits) if bits > limit => {
                return Err(DeflateError::TooLarge { parameter: ServerMaxWindowBits, bits, limit });
            }
            _ => {}
        }
        // §7.1.2.2: the response may contain this parameter only if the client offered it.
        if parsed.client_max_window_bits.is_some() && !config.offers_client_max_window_bits {
            return Err(DeflateError::NotOffered(ClientMaxWindowBits));
        }
        let (bits, limit) = (self.client_max_window_bits, config.client_max_window_bits);
        if parsed.client_max_window_bits.is_some() && bits > limit {
            return Err(DeflateError::TooLarge { parameter: ClientMaxWindowBits, bits, limit });
        }
        Ok(())
    }
}

impl DeflateConfig {
    /// Returns the client's offer.
    pub(crate) fn offer(&self) -> String {
        let mut text = String::from(NAME);
        flag(&mut text, ServerNoContextTakeover, self.server_no_context_takeover);
        flag(&mut text, ClientNoContextTakeover, self.client_no_context_takeover);
        bits(&mut text, ServerMaxWindowBits, self.server_max_window_bits);
        // §7.1.2.2: with this parameter, the client says that it can use a smaller window.
        if self.offers_client_max_window_bits {
            flag(&mut text, ClientMaxWindowBits, self.client_max_window_bits == LARGEST);
            bits(&mut text, ClientMaxWindowBits, self.client_max_window_bits);
        }
        text
    }
}

fn respond(offer: &Parsed, config: &DeflateConfig) -> String {
    let mut text = String::from(NAME);
    // §7.1.1: either endpoint can request this for the server's messages, and the client or the
    // server for the client's messages.
    let server_resets = offer.server_no_context_takeover || config.server_no_context_takeover;
    let client_resets = offer.client_no_context_takeover || config.client_no_context_takeover;
    flag(&mut text, ServerNoContextTakeover, server_resets);
    flag(&mut text, ClientNoContextTakeover, client_resets);
    let asked = offer.server_max_window_bits;
    let server_bits = asked.unwrap_or(LARGEST).min(config.server_max_window_bits);
    // §7.1.2.1: confirm a requested value, even the largest.
    if asked.is_some() {
        let _ = write!(text, "; {ServerMaxWindowBits}={server_bits}");
    } else {
        bits(&mut text, ServerMaxWindowBits, server_bits);
    }
    // §7.1.2.2: only a client that offers this parameter can be asked for a smaller window.
    if let Some(most) = offer.client_max_window_bits {
        let client_bits = most.unwrap_or(LARGEST).min(config.client_max_window_bits);
        bits(&mut text, ClientMaxWindowBits, client_bits);
    }
    text
}

fn flag(text: &mut String, parameter: DeflateParameter, is_set: bool) {
    if is_set {
        // Writing to a string never fails.
        let _ = write!(text, "; {parameter}");
    }
}

fn bits(text: &mut String, parameter: DeflateParameter, bits: u8) {
    if bits < LARGEST {
        let _ = write!(text, "; {parameter}={bits}");
    }
}

impl Parsed {
    fn new(extension: &Extension) -> Result<Self, DeflateError> {
        let mut parsed = Self::default();
        for (name, value) in &extension.parameters {
            let parameter = DeflateParameter::named(name).ok_or(DeflateError::Unknown)?;
            let value = value.as_deref();
            let is_new = match parameter {
                ServerNoContextTakeover => {
                    set_flag(&mut parsed.server_no_context_takeover, value, parameter)?
                }
                ClientNoContextTakeover => {
                    set_flag(&mut parsed.client_no_context_takeover, value, parameter)?
                }
                ServerMaxWindowBits => {
                    let bits = value.and_then(window_bits);
                    let bits = bits.ok_or(DeflateError::Invalid(parameter))?;
                    parsed.server_max_window_bits.replace(bits).is_none()
                }
                ClientMaxWindowBits => {
                    let bits = match value {
                        None => None,
                        Some(value) => {
                            Some(window_bits(value).ok_or(DeflateError::Invalid(parameter))?)
                        }
                    };
                    parsed.client_max_window_bits.replace(bits).is_none()
                }
            };
            if !is_new {
                return Err(DeflateError::Repeated(parameter));
            }
        }
        Ok(parsed)
    }
}

/// Sets a flag, which must have no value (§7.1.1). Returns `true` if it was not set before.
fn set_flag(
    flag: &mut bool,
    value: Option<&str>,
    parameter: DeflateParameter,
) -> Result<bool, DeflateError> {
    match value {
        None => Ok(!core::mem::replace(flag, true)),
        Some(_) => Err(DeflateError::Invalid(parameter)),
    }
}

/// Parses window bits: 8 to 15, in decimal, without leading zeros (§7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    (8..=LARGEST).find(|bits| match value.as_bytes() {
        [digit] => digit.wrapping_sub(b'0') == *bits,
        [b'1', digit] => digit.wrapping_sub(b'0').checked_add(10) == Some(*bits) && *bits >= 10,
        _ => false,
    })
}

impl DeflateParameter {
    fn named(name: &str) -> Option<Self> {
        let all = [
            ServerNoContextTakeover,
            ClientNoContextTakeover,
            ServerMaxWindowBits,
            ClientMaxWindowBits,
        ];
        // RFC 6455 §9.1: names are tokens, which are compared case-sensitively.
        all.into_iter().find(|parameter| parameter.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            ServerNoContextTakeover => "server_no_context_takeover",
            ClientNoContextTakeover => "client_no_context_takeover",
            ServerMaxWindowBits => "server_max_window_bits",
            ClientMaxWindowBits => "client_max_window_bits",
        }
    }
}

impl fmt::Display for DeflateParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString, vec::Vec};

    fn extensions(text: &str) -> Vec<Extension> {
        Extension::list(text.as_bytes()).map(Result::unwrap).collect()
    }

    fn chosen(offers: &str, config: &DeflateConfig) -> Option<String> {
        let response = DeflateParameters::choose(extensions(offers).into_iter(), config);
        response.map(|response| response.to_string())
    }

    fn checked(response: &str, config: &DeflateConfig) -> Result<DeflateParameters, DeflateError> {
        let response = &extensions(response)[0];
        let parameters = DeflateParameters::from_response(response)?;
        parameters.check(response, config).map(|()| parameters)
    }

    #[test]
    fn a_server_answers_the_first_valid_offer() {
        let config = DeflateConfig::new();
        for (offers, response) in [
            ("permessage-deflate", ""),
            ("x; y, permessage-deflate", ""),
            (
                "permessage-deflate; x, permessage-deflate; server_no_context_takeover",
                "; server_no_context_takeover",
            ),
            ("permessage-deflate; client_no_context_takeover", "; client_no_context_takeover"),
            ("permessage-deflate; client_max_window_bits", ""),
            ("permessage-deflate; client_max_window_bits=15", ""),
            ("permessage-deflate; client_max_window_bits=9", "; client_max_window_bits=9"),
            ("permessage-deflate; server_max_window_bits=\"10\"", "; server_max_window_bits=10"),
            ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
        ] {
            assert_eq!(chosen(offers, &config), Some(format!("{NAME}{response}")), "{offers}");
        }
        for declined in [
            "",
            "x",
            "Permessage-Deflate",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; Server_No_Context_Takeover",
        ] {
            assert_eq!(chosen(declined, &config), None, "{declined}");
        }
    }

    #[test]
    fn a_server_asks_for_its_configured_parameters() {
        let config = DeflateConfig::new()
            .server_max_window_bits(9)
            .client_max_window_bits(10)
            .server_no_context_takeover(true)
            .client_no_context_takeover(true);
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        // The server does not ask for a smaller client window unless the client offers it.
        assert_eq!(
            chosen("permessage-deflate", &config),
            Some(format!("{both}; server_max_window_bits=9"))
        );
        let offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=12";
        let bits = "server_max_window_bits=9; client_max_window_bits=10";
        assert_eq!(chosen(offer, &config), Some(format!("{both}; {bits}")));
        let offer = "permessage-deflate; client_max_window_bits=8; server_max_window_bits=8";
        let bits = "server_max_window_bits=8; client_max_window_bits=8";
        assert_eq!(chosen(offer, &config), Some(format!("{both}; {bits}")));
    }

    #[test]
    fn every_value_of_window_bits() {
        for bits in 0..=255_u8 {
            let valid = (8..=15).contains(&bits);
            let response = format!("{NAME}; server_max_window_bits={bits}");
            assert_eq!(checked(&response, &DeflateConfig::new()).is_ok(), valid, "{bits}");
            let offer = format!("{NAME}; client_max_window_bits={bits}");
            assert_eq!(chosen(&offer, &DeflateConfig::new()).is_some(), valid, "{bits}");
        }
        for wrong in ["08", "8x", "0x8", "015", "1", "1:", "", "-8", "+8", "150"] {
            assert_eq!(window_bits(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_client_offers_its_configured_parameters() {
        assert_eq!(DeflateConfig::new().offer(), "permessage-deflate; client_max_window_bits");
        let config = DeflateConfig::new()
            .server_max_window_bits(9)
            .client_max_window_bits(10)
            .server_no_context_takeover(true)
            .client_no_context_takeover(true);
        assert_eq!(
            config.offer(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
            server_max_window_bits=9; client_max_window_bits=10"
        );
        let config = config.offers_client_max_window_bits(false).server_max_window_bits(15);
        assert_eq!(
            config.offer(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        );
        assert_eq!(
            DeflateConfig::new().client_max_window_bits(3).in_range().offer(),
            "permessage-deflate; client_max_window_bits=8"
        );
    }

    #[test]
    fn a_client_rejects_a_response_that_does_not_match_its_offer() {
        let plain = DeflateConfig::new();
        let agreed = checked("permessage-deflate", &plain).unwrap();
        assert_eq!((agreed.server_max_window_bits, agreed.client_max_window_bits), (15, 15));
        // §7.1: the server may also send parameters that the client did not ask for.
        let unsolicited = "permessage-deflate; server_no_context_takeover; \
            client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=11";
        let agreed = checked(unsolicited, &plain).unwrap();
        assert!(agreed.server_no_context_takeover && agreed.client_no_context_takeover);
        assert_eq!((agreed.server_max_window_bits, agreed.client_max_window_bits), (9, 11));

        for (response, error) in [
            ("x", DeflateError::Unknown),
            ("server_max_window_bits", DeflateError::Invalid(ServerMaxWindowBits)),
            ("client_max_window_bits", DeflateError::Invalid(ClientMaxWindowBits)),
            ("client_max_window_bits=7", DeflateError::Invalid(ClientMaxWindowBits)),
            ("server_no_context_takeover=x", DeflateError::Invalid(ServerNoContextTakeover)),
            (
                "client_no_context_takeover; client_no_context_takeover",
                DeflateError::Repeated(ClientNoContextTakeover),
            ),
        ] {
            let response = format!("{NAME}; {response}");
            assert_eq!(checked(&response, &plain), Err(error), "{response}");
        }

        let strict = plain.server_max_window_bits(10).client_max_window_bits(12);
        for (config, response, error) in [
            (strict, "", DeflateError::Missing(ServerMaxWindowBits)),
            (
                strict,
                "; server_max_window_bits=11",
                DeflateError::TooLarge { parameter: ServerMaxWindowBits, bits: 11, limit: 10 },
            ),
            (
                strict,
                "; server_max_window_bits=10; client_max_window_bits=13",
                DeflateError::TooLarge { parameter: ClientMaxWindowBits, bits: 13, limit: 12 },
            ),
            (
                plain.offers_client_max_window_bits(false),
                "; client_max_window_bits=15",
                DeflateError::NotOffered(ClientMaxWindowBits),
            ),
            (
                plain.server_no_context_takeover(true),
                "; client_no_context_takeover",
                DeflateError::Missing(ServerNoContextTakeover),
            ),
        ] {
            assert_eq!(checked(&format!("{NAME}{response}"), &config), Err(error), "{response}");
        }
    }
}
