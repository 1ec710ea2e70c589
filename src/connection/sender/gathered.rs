//! Messages of unknown length that are gathered into fragments.

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::fragment_buffer::{FragmentBuffer, GatherError};
use crate::connection::{Role, SendError};
use thiserror::Error;

/// The reason why a gathered message did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FinishError {
    /// The text ends inside a character, or the message was finished before. This is a mistake of
    /// your code, and trying again does not help: gather the rest of the character, or close.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The end can't be queued. If the queue is full, write and try again.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl<R: Role> Sender<R> {
    /// Queues what was gathered of a message as a fragment, without the beginning of a character at
    /// its end. Does nothing if there is nothing to queue.
    ///
    /// If the connection compresses, the fragment is compressed, in one go.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::QueueFull`], or [`SendError::MessageInProgress`] if another
    /// message is not finished. Nothing has changed: you can try again.
    pub fn send_gathered(
        &mut self,
        gathered: &mut FragmentBuffer,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        if gathered.complete().is_empty() {
            return Ok(());
        }
        self.send_complete(gathered, false, output)
    }

    /// Queues the last fragment of a gathered message. If it is also the first one, the message is
    /// sent in one frame.
    ///
    /// # Errors
    ///
    /// [`FinishError::Gather`] if a text ends inside a character, or if the message is finished;
    /// [`FinishError::Send`] as for [`send_gathered`](Self::send_gathered). Nothing has changed.
    pub fn finish_gathered(
        &mut self,
        gathered: &mut FragmentBuffer,
        output: &mut WriteBuffer,
    ) -> Result<(), FinishError> {
        gathered.check_end()?;
        Ok(self.send_complete(gathered, true, output)?)
    }

    fn send_complete(
        &mut self,
        gathered: &mut FragmentBuffer,
        fin: bool,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        if gathered.is_new() {
            // Otherwise these bytes would continue a message of someone else.
            self.check_message(output)?;
        }
        // Its characters were checked when they were gathered.
        self.send_piece((gathered.kind(), gathered.complete(), true), fin, output)?;
        gathered.did_queue(fin);
        Ok(())
    }
}
