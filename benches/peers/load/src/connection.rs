//! One open connection: reads, and writes as much as the socket accepts.

use crate::{
    Result,
    deflate::Compressor,
    frames::{self, Kind, opcode},
    incoming::{Incoming, Receiver},
    random::Random,
};
use mio::net::TcpStream;
use std::{
    io::{self, ErrorKind, Read, Write},
    mem,
};

/// Buffers shared by all connections, so that an idle connection needs no memory.
pub(crate) struct Tools {
    /// The bytes to write next.
    pub(crate) out: Vec<u8>,
    /// Scratch space to inflate pieces of replies into.
    pub(crate) inflated: Vec<u8>,
    pub(crate) random: Random,
    read: Vec<u8>,
    compressed: Vec<u8>,
}

impl Tools {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            out: Vec::new(),
            inflated: vec![0; 64 * 1024],
            random: Random::new(seed),
            read: vec![0; 256 * 1024],
            compressed: Vec::new(),
        }
    }
}

/// A message to send.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
    /// The payload compressed without context, if messages are compressed so.
    pub(crate) compressed: Option<&'a [u8]>,
}

pub(crate) struct Connection {
    pub(crate) number: usize,
    /// The server's answer to the offer of permessage-deflate.
    pub(crate) agreed: Option<String>,
    pub(crate) stream: TcpStream,
    /// `false` for a raw connection.
    pub(crate) has_frames: bool,
    pub(crate) compressor: Option<Compressor>,
    pub(crate) incoming: Incoming,
    /// Bytes read together with the end of the handshake.
    pub(crate) early: Vec<u8>,
    pub(crate) unwritten: Unwritten,
}

/// Bytes that the socket has not accepted yet.
#[derive(Default)]
pub(crate) struct Unwritten {
    bytes: Vec<u8>,
    position: usize,
}

impl Connection {
    /// Reads all available input.
    pub(crate) fn receive(
        &mut self,
        tools: &mut Tools,
        receiver: &mut impl Receiver,
    ) -> Result<()> {
        let mut buffer = mem::take(&mut tools.read);
        let result = self.receive_with(&mut buffer, tools, receiver);
        tools.read = buffer;
        result.map_err(|error| format!("connection {}: {error}", self.number))
    }

    fn receive_with(
        &mut self,
        buffer: &mut [u8],
        tools: &mut Tools,
        receiver: &mut impl Receiver,
    ) -> Result<()> {
        if !self.early.is_empty() {
            let early = mem::take(&mut self.early);
            receiver.arrived();
            self.incoming.take(&early, tools, receiver)?;
        }
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(count) => {
                    receiver.arrived();
                    self.incoming.take(&buffer[..count], tools, receiver)?;
                    // A short read means that no more is available. The poll reports when it is.
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("can't read: {error}")),
            }
        }
    }

    /// Appends a message to `tools.out`. Returns the length of its payload on the wire.
    pub(crate) fn encode(&mut self, tools: &mut Tools, message: Message) -> Result<usize> {
        if !self.has_frames {
            tools.out.extend_from_slice(message.payload);
            return Ok(message.payload.len());
        }
        let (is_compressed, payload) = match (&mut self.compressor, message.compressed) {
            (Some(compressor), _) => {
                compressor.compress(message.payload, &mut tools.compressed)?;
                (true, tools.compressed.as_slice())
            }
            (None, Some(compressed)) => (true, compressed),
            (None, None) => (false, message.payload),
        };
        let (opcode, key) = (message.kind.opcode(), tools.random.key());
        frames::write(&mut tools.out, opcode, is_compressed, payload, key);
        Ok(payload.len())
    }

    /// Writes earlier bytes, then `out`. Returns `false` if some bytes remain unwritten.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        self.write_with(out)
            .map_err(|error| format!("connection {}: can't write: {error}", self.number))
    }

    /// Sends a Close, so that the server sees a clean end. Does not wait for the answer.
    pub(crate) fn close(mut self, tools: &mut Tools) {
        if self.has_frames {
            let key = tools.random.key();
            frames::write(&mut tools.out, opcode::CLOSE, false, &1000_u16.to_be_bytes(), key);
            // The work is done, so it does not matter if the server has already closed.
            let _ = self.write(&mut tools.out);
            tools.out.clear();
        }
    }

    fn write_with(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let Unwritten { bytes, position } = &mut self.unwritten;
        if !bytes.is_empty() {
            bytes.append(out);
            *position += write_some(&mut self.stream, &bytes[*position..])?;
            if *position < bytes.len() {
                return Ok(false);
            }
            bytes.clear();
            *position = 0;
            return Ok(true);
        }
        let written = write_some(&mut self.stream, out)?;
        bytes.extend_from_slice(&out[written..]);
        out.clear();
        Ok(bytes.is_empty())
    }
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
