//! A client that reads and writes raw bytes.

use super::server::Server;
use sansocket_testkit::{
    frames::{CLOSE, TEXT, masked},
    opening,
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    str,
    time::Duration,
};

/// Longer than a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const REQUEST: &str = match str::from_utf8(opening::REQUEST) {
    Ok(request) => request,
    Err(_) => panic!("the request is not text"),
};

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    /// Connects without sending anything.
    pub(crate) fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Connects and opens the WebSocket.
    pub(crate) fn open(server: &Server) -> Self {
        let mut client = Self::connect(server);
        client.send(REQUEST.as_bytes());
        let head = client.read_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    pub(crate) fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read::<1>());
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn read<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Returns the first byte and the payload of the next frame.
    pub(crate) fn read_frame(&mut self) -> (u8, Vec<u8>) {
        let [first, len] = self.read();
        let len = match len {
            0..=125 => u64::from(len),
            126 => u64::from(u16::from_be_bytes(self.read())),
            127 => u64::from_be_bytes(self.read()),
            _ => panic!("a server's frame must not be masked"),
        };
        let mut payload = vec![0; len as usize];
        self.0.read_exact(&mut payload).unwrap();
        (first, payload)
    }

    /// Returns the first byte and the payload of the next message, however it is fragmented.
    pub(crate) fn read_message(&mut self) -> (u8, Vec<u8>) {
        let (mut first, mut message) = self.read_frame();
        let mut is_last = first & 0x80 != 0;
        while !is_last {
            let (next, payload) = self.read_frame();
            assert_eq!(next & 0x7f, 0, "a frame of another kind inside a message");
            is_last = next & 0x80 != 0;
            message.extend(payload);
        }
        first |= 0x80;
        (first, message)
    }

    /// Reads a Close with this code, directly followed by an orderly end of TCP.
    #[track_caller]
    pub(crate) fn expect_end(&mut self, code: u16) {
        let (first, payload) = self.read_frame();
        assert_eq!(first, CLOSE, "{payload:?}");
        assert_eq!(payload.get(..2), Some(&code.to_be_bytes()[..]), "{payload:?}");
        assert_eq!(self.read_to_end().unwrap(), b"");
    }

    pub(crate) fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn finish(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends a text and expects its echo.
    #[track_caller]
    pub(crate) fn echo(&mut self, text: &str) {
        self.send(&masked(TEXT, text.as_bytes()));
        assert_eq!(self.read_message(), (TEXT, text.as_bytes().to_vec()));
    }
}

pub(crate) fn close(code: u16) -> Vec<u8> {
    masked(CLOSE, &code.to_be_bytes())
}
