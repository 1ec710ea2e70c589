//! SOCKS 5 (RFC 1928) with user name and password (RFC 1929), as a client speaks it.

use super::error::{ProxyError, SocksReply};
use crate::buffer::{ReadBuffer, WriteBuffer};
use alloc::vec::Vec;
use core::net::IpAddr;

const VERSION: u8 = 5;
/// The version of the negotiation of RFC 1929.
const CREDENTIALS_VERSION: u8 = 1;
const CONNECT: u8 = 1;

const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The state of one request.
pub(super) struct Socks5 {
    /// What RFC 1929 sends.
    credentials: Option<Vec<u8>>,
    request: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The proxy chooses a method.
    Method,
    /// The proxy checks the credentials.
    Credentials,
    /// The proxy opens the tunnel.
    Reply,
}

impl Socks5 {
    pub(super) fn new(
        host: &str,
        port: u16,
        credentials: Option<(&[u8], &[u8])>,
    ) -> Result<Self, ProxyError> {
        let mut request = Vec::from([VERSION, CONNECT, 0]);
        match host.parse() {
            Ok(IpAddr::V4(address)) => {
                request.push(IPV4);
                request.extend(address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(IPV6);
                request.extend(address.octets());
            }
            Err(_) => {
                let len = u8::try_from(host.len());
                request.push(NAME);
                request.push(len.map_err(|_| ProxyError::HostTooLong { len: host.len() })?);
                request.extend(host.bytes());
            }
        }
        request.extend(port.to_be_bytes());
        let credentials = credentials.map(negotiation).transpose()?;
        Ok(Self { credentials, request, stage: Stage::Method })
    }

    /// Queues the first message: the methods that the client can use (RFC 1928 §3).
    pub(super) fn begin(&mut self, output: &mut WriteBuffer) {
        output.extend_from_slice(match self.credentials {
            None => &[VERSION, 1, NO_AUTHENTICATION],
            Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD],
        });
    }

    /// Takes the proxy's messages out of `input` and answers them. Returns `true` once the tunnel is
    /// open.
    pub(super) fn receive(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
    ) -> Result<bool, ProxyError> {
        loop {
            let (len, is_open) = match self.stage {
                Stage::Method => (self.method(input.unread(), output)?, false),
                Stage::Credentials => (self.checked(input.unread(), output)?, false),
                Stage::Reply => (replied(input.unread())?, true),
            };
            let Some(len) = len else { return Ok(false) };
            input.skip(len);
            if is_open {
                return Ok(true);
            }
        }
    }

    /// Reads which method the proxy chose (RFC 1928 §3). Returns the length of the message once it is
    /// complete.
    fn method(
        &mut self,
        unread: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<Option<usize>, ProxyError> {
        check(unread, 0, "version", |byte| byte == VERSION)?;
        let Some(&method) = unread.get(1) else { return Ok(None) };
        match (method, &self.credentials) {
            (NO_AUTHENTICATION, _) => {
                output.extend_from_slice(&self.request);
                self.stage = Stage::Reply;
            }
            (USER_AND_PASSWORD, Some(credentials)) => {
                output.extend_from_slice(credentials);
                self.stage = Stage::Credentials;
            }
            (NO_ACCEPTABLE_METHOD, credentials) => {
                let with_credentials = credentials.is_some();
                return Err(ProxyError::NoAcceptableMethod { with_credentials });
            }
            // A method that was not offered.
            (found, _) => return Err(ProxyError::InvalidSocks { part: "method", found }),
        }
        Ok(Some(2))
    }

    /// Reads whether the proxy accepts the credentials (RFC 1929 §2).
    fn checked(
        &mut self,
        unread: &[u8],
        output: &mut WriteBuffer,
    ) -> Result<Option<usize>, ProxyError> {
        // Some proxies answer with the version of SOCKS.
        let is_version = |byte| byte == CREDENTIALS_VERSION || byte == VERSION;
        check(unread, 0, "version of its answer to the credentials", is_version)?;
        match unread.get(1) {
            None => Ok(None),
            Some(0) => {
                output.extend_from_slice(&self.request);
                self.stage = Stage::Reply;
                Ok(Some(2))
            }
            Some(_) => Err(ProxyError::CredentialsRefused),
        }
    }
}

/// Reads whether the tunnel is open (RFC 1928 §6). The address that the proxy connects from is
/// skipped: it says nothing about the server.
fn replied(unread: &[u8]) -> Result<Option<usize>, ProxyError> {
    check(unread, 0, "version", |byte| byte == VERSION)?;
    if let Some(&code @ 1..) = unread.get(1) {
        return Err(ProxyError::Socks(SocksReply::of_code(code)));
    }
    check(unread, 2, "reserved byte", |byte| byte == 0)?;
    let is_type = |byte| matches!(byte, IPV4 | NAME | IPV6);
    check(unread, 3, "type of address", is_type)?;
    let address = match (unread.get(3), unread.get(4)) {
        (Some(&IPV4), _) => 4,
        (Some(&IPV6), _) => 16,
        (Some(&NAME), Some(&len)) => 1 + usize::from(len),
        _ => return Ok(None),
    };
    let len = 4 + address + size_of::<u16>();
    Ok((unread.len() >= len).then_some(len))
}

fn check(
    unread: &[u8],
    index: usize,
    part: &'static str,
    is_valid: impl Fn(u8) -> bool,
) -> Result<(), ProxyError> {
    match unread.get(index) {
        Some(&found) if !is_valid(found) => Err(ProxyError::InvalidSocks { part, found }),
        _ => Ok(()),
    }
}

/// Returns the message with user name and password (RFC 1929 §2).
fn negotiation((user, password): (&[u8], &[u8])) -> Result<Vec<u8>, ProxyError> {
    let mut message = Vec::from([CREDENTIALS_VERSION]);
    for text in [user, password] {
        match u8::try_from(text.len()) {
            Ok(len @ 1..) => message.push(len),
            _ => return Err(ProxyError::InvalidCredentials),
        }
        message.extend_from_slice(text);
    }
    Ok(message)
}
