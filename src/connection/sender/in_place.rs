//! Messages that are written directly from their payload.

use super::{LargeMessage, Sender};
use crate::buffer::WriteBuffer;
use crate::connection::error::SendError;
use crate::connection::payload::AsPayload;
use crate::connection::role::Role;

/// A message that you write directly from its payload, after everything that was queued before: see
/// [`Sender::send_in_place`].
///
/// While this value exists, it borrows the output, so you can queue nothing else. Dropping it
/// queues a copy of what you have not written.
#[derive(Debug)]
#[must_use = "dropping this copies what you have not written"]
pub struct InPlace<'a> {
    message: Option<LargeMessage<'a>>,
    output: &'a mut WriteBuffer,
}

impl<R: Role> Sender<R> {
    /// Queues a message and lets you write its payload from where it is, so that a server need not
    /// copy a large message. Any other message is queued as by [`send`](Self::send). Your code is
    /// the same in both cases.
    ///
    /// ```
    /// use sansocket::connection::{Connection, Server};
    /// use sansocket::{Config, buffer::WriteBuffer, handshake::Negotiated};
    /// use std::io::{IoSlice, Write};
    ///
    /// # fn send(socket: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    /// let mut output = WriteBuffer::new();
    /// let data = vec![7; 100_000];
    /// let mut message = connection.send_in_place(&data, &mut output)?;
    /// while !message.is_written() {
    ///     let mut slices = [&[][..]; 8];
    ///     let used = message.slices(&mut slices);
    ///     // If the socket is not ready, leave the loop: the rest is queued for later.
    ///     let count = socket.write_vectored(&slices.map(IoSlice::new)[..used])?;
    ///     message.consume(count);
    /// }
    /// # Ok(())
    /// # }
    /// # let mut written = Vec::new();
    /// # send(&mut written).unwrap();
    /// # assert_eq!(written.len(), 100_000 + 10 + 4);
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`] or [`SendError::MessageInProgress`].
    pub fn send_in_place<'a>(
        &mut self,
        payload: &'a (impl AsPayload + ?Sized),
        output: &'a mut WriteBuffer,
    ) -> Result<InPlace<'a>, SendError> {
        let payload = payload.as_payload().0;
        let mut message = self.start_message(payload, false, output)?;
        match &mut message {
            Some(message) => self.start_frames(message, usize::MAX, output)?,
            None => self.send_payload(payload, output)?,
        }
        Ok(InPlace { message, output })
    }
}

impl InPlace<'_> {
    /// Fills `into` with the slices to write next, in order, and returns how many entries were
    /// used.
    pub fn slices<'s>(&'s self, into: &mut [&'s [u8]]) -> usize {
        gather(self.output, self.message.as_ref(), into)
    }

    /// Reports that you have written `count` bytes of the slices.
    pub fn consume(&mut self, count: usize) {
        let of_output = count.min(self.output.len());
        self.output.consume(of_output);
        if let Some(message) = &mut self.message {
            message.advance(count - of_output);
        }
    }

    /// Returns `true` if everything was written.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.output.is_empty() && self.message.as_ref().is_none_or(LargeMessage::is_written)
    }
}

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        if let Some(message) = &mut self.message {
            message.copy_to(self.output);
        }
    }
}

/// Fills `slices` with the queued output. If all of it fits, the started frames of the message
/// follow, as far as entries are left. Returns how many entries were used.
pub(crate) fn gather<'a>(
    output: &'a WriteBuffer,
    behind: Option<&'a LargeMessage<'_>>,
    slices: &mut [&'a [u8]],
) -> usize {
    let mut used = output.slices(slices);
    let Some(message) = behind else { return used };
    let queued: usize = slices[..used].iter().map(|slice| slice.len()).sum();
    if queued == output.len() {
        for (place, piece) in slices[used..].iter_mut().zip(message.pieces()) {
            *place = piece;
            used += 1;
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Client, Config, Connection, Server};
    use crate::mask::MaskKey;
    use crate::negotiated::Negotiated;
    use alloc::vec::Vec;

    /// Returns the bytes on the wire if each of the first `times` writes takes at most `most` bytes
    /// and the rest is queued.
    fn written<R: Role>(role: R, payload: &[u8], most: usize, times: usize) -> Vec<u8> {
        let mut sender = Connection::new(role, &Negotiated::new(), Config::default()).split().0;
        let (mut output, mut wire) = (WriteBuffer::new(), Vec::new());
        sender.send_text("before", &mut output).unwrap();
        let mut message = sender.send_in_place(payload, &mut output).unwrap();
        for _ in 0..times {
            let mut slices = [&[][..]; 3];
            let used = message.slices(&mut slices);
            let bytes = slices[..used].concat();
            let bytes = &bytes[..bytes.len().min(most)];
            wire.extend_from_slice(bytes);
            message.consume(bytes.len());
        }
        drop(message);
        sender.send_text("behind", &mut output).unwrap();
        while !output.is_empty() {
            wire.extend_from_slice(output.front());
            output.consume(output.front().len());
        }
        wire
    }

    #[test]
    fn writing_in_place_yields_the_same_bytes_as_queuing() {
        let data: Vec<u8> = (0..200_000_u32).map(|number| (number >> 4) as u8).collect();
        let key = || Client::new(|| MaskKey::new([1, 2, 3, 4]));
        for len in [3, 5_000, 16_384, 65_536, 65_537, 200_000] {
            let payload = &data[..len];
            let (of_server, of_client) =
                (written(Server::new(), payload, 0, 0), written(key(), payload, 0, 0));
            for (most, times) in [(1, 30), (7, 9), (10_000, 3), (70_000, 2), (usize::MAX, 9)] {
                assert!(written(Server::new(), payload, most, times) == of_server, "{len} {most}");
                assert!(written(key(), payload, most, times) == of_client, "{len} {most}");
            }
        }
    }
}
