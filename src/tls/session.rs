//! One TLS connection as a state machine over bytes. The shells do its IO.

use super::config::{ClientTls, ServerTls};
use super::error::TlsError;
use crate::buffer::{ReadBuffer, WriteBuffer};
use alloc::{string::ToString, sync::Arc, vec::Vec};
use core::fmt;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConnection};
use std::io::{self, ErrorKind, IoSlice, Read, Write};

/// The error for a transport that ended before the handshake was finished.
pub(crate) fn ended_in_handshake() -> io::Error {
    let message = "the peer ended the connection during the TLS handshake";
    io::Error::new(ErrorKind::UnexpectedEof, message)
}

/// A TLS connection. It takes ciphertext from an input buffer and appends ciphertext to an output
/// buffer, both of which belong to the caller.
pub(crate) struct Session {
    connection: Connection,
    /// Why TLS failed. It is returned once everything that was decrypted before is read.
    failed: Option<TlsError>,
    /// Whether the transport has ended.
    ended: bool,
}

impl Session {
    /// Begins a client's connection to `host`, which is a name or an IP address.
    pub(crate) fn client(tls: &ClientTls, host: &str) -> Result<Self, TlsError> {
        let name = ServerName::try_from(host.to_string()).map_err(TlsError::configuration)?;
        let connection = ClientConnection::new(Arc::clone(tls.config()), name);
        Ok(Self::new(connection.map_err(TlsError::configuration)?))
    }

    /// Begins a server's connection.
    pub(crate) fn server(tls: &ServerTls) -> Result<Self, TlsError> {
        let connection = ServerConnection::new(Arc::clone(tls.config()));
        Ok(Self::new(connection.map_err(TlsError::configuration)?))
    }

    fn new(connection: impl Into<Connection>) -> Self {
        Self { connection: connection.into(), failed: None, ended: false }
    }

    /// Goes on with the handshake. Returns `true` once it is finished. All output has to be written
    /// then, too. After an error, the output ends with an alert for the peer.
    pub(crate) fn handshake(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
    ) -> Result<bool, TlsError> {
        let mut outcome = Ok(());
        while outcome.is_ok() && self.connection.is_handshaking() && !input.unread().is_empty() {
            outcome = self.decrypt(input);
        }
        self.take_output(output);
        outcome.map(|()| !self.connection.is_handshaking())
    }

    /// Reads decrypted bytes into `into`, which must not be empty. Returns `None` if that takes more
    /// input, and 0 once the peer has ended its side.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::UnexpectedEof`] if the transport ended without the peer's `close_notify`,
    /// and a [`TlsError`] inside [`ErrorKind::InvalidData`] if the peer broke the protocol. There is
    /// an alert to [take](Self::take_output) then.
    pub(crate) fn read(
        &mut self,
        input: &mut ReadBuffer,
        into: &mut [u8],
    ) -> io::Result<Option<usize>> {
        loop {
            match self.connection.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome.map(Some),
            }
            if let Some(failed) = &self.failed {
                return Err(failed.clone().into());
            }
            if !input.unread().is_empty() {
                // What was decrypted before a failure is read first.
                self.failed = self.decrypt(input).err();
            } else if self.ended {
                // Usually rustls reports this itself, but not if its buffer is full.
                return Err(ErrorKind::UnexpectedEof.into());
            } else {
                return Ok(None);
            }
        }
    }

    /// Releases memory that rustls needed for a large record, because the next read may be far away.
    #[allow(dead_code, reason = "used by the shells for async runtimes")]
    pub(crate) fn shrink(&mut self) {
        // rustls does this before it reads.
        let _ = self.connection.read_tls(&mut NotReady);
    }

    /// Notes that the transport has ended.
    pub(crate) fn end_input(&mut self) {
        self.ended = true;
        // This tells rustls, which knows whether a `close_notify` came before. It fails if a buffer is
        // full, which does not matter any more.
        let _ = self.connection.read_tls(&mut io::empty());
    }

    /// Encrypts bytes. Returns how many of them: at least one.
    pub(crate) fn write(
        &mut self,
        bytes: &[IoSlice<'_>],
        output: &mut WriteBuffer,
    ) -> io::Result<usize> {
        let outcome = self.connection.writer().write_vectored(bytes);
        self.take_output(output);
        outcome
    }

    /// Ends this endpoint's side, with a `close_notify`. More than one call has no effect.
    pub(crate) fn close(&mut self, output: &mut WriteBuffer) {
        self.connection.send_close_notify();
        self.take_output(output);
    }

    /// Moves what waits to be sent to `output`.
    pub(crate) fn take_output(&mut self, output: &mut WriteBuffer) {
        while self.connection.wants_write() {
            if !matches!(self.connection.write_tls(&mut Appending(output)), Ok(1..)) {
                debug_assert!(false, "appending to a buffer failed");
                return;
            }
        }
    }

    /// Returns the certificates that the peer presented, in DER, its own first.
    pub(crate) fn peer_certificates(&self) -> Vec<Vec<u8>> {
        let chain = self.connection.peer_certificates().unwrap_or_default();
        chain.iter().map(|certificate| certificate.to_vec()).collect()
    }

    /// Takes some of the input, and decrypts it.
    fn decrypt(&mut self, input: &mut ReadBuffer) -> Result<(), TlsError> {
        let taken = self.connection.read_tls(&mut input.unread()).map_err(TlsError::of_buffer)?;
        let taken = match taken {
            // After the peer's `close_notify`, the rest is of no interest.
            0 => input.unread_len(),
            taken => taken,
        };
        input.skip(taken);
        self.connection.process_new_packets().map(drop).map_err(TlsError::of_connection)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A reader that has nothing to read yet.
struct NotReady;

impl Read for NotReady {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

/// Writes into a buffer.
struct Appending<'a>(&'a mut WriteBuffer);

impl Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        slices.iter().map(|slice| self.write(slice)).sum()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
