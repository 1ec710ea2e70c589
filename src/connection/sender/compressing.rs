//! Large messages that are compressed in steps, to give other tasks, or the other half of the
//! connection, a turn between the steps.

use super::Sender;
#[cfg(feature = "deflate")]
use super::deflating::{Deflating, STEP, Steps};
use crate::buffer::WriteBuffer;
use crate::connection::payload::Form;
use crate::connection::{MessageKind, Role, SendError};
use crate::frame::Rsv;
#[cfg(feature = "deflate")]
use alloc::boxed::Box;

/// A message that is being compressed. Nothing is queued until the whole message is compressed: if
/// you drop it earlier, nothing of it is sent.
#[derive(Debug)]
pub(crate) struct Compressing<'p> {
    kind: MessageKind,
    payload: &'p [u8],
    #[cfg(feature = "deflate")]
    steps: Steps,
    #[cfg(feature = "deflate")]
    lent: Option<Box<Deflating>>,
}

impl Compressing<'_> {
    /// Returns `true` if this payload should be compressed in steps, given that messages are
    /// compressed at all.
    pub(crate) fn is_for(payload: Form<'_>) -> bool {
        #[cfg(feature = "deflate")]
        {
            let (_, data, compressible) = payload.parts();
            compressible && data.len() > STEP
        }
        #[cfg(not(feature = "deflate"))]
        {
            let _ = payload;
            false
        }
    }

    /// Compresses the next 64 KiB, with the compressor that [`Sender::lend_compressor`] moved here.
    /// Returns `true` if this was the last step.
    pub(crate) fn step(&mut self) -> bool {
        #[cfg(feature = "deflate")]
        if let Some(deflating) = &mut self.lent {
            return deflating.step(self.payload, &mut self.steps);
        }
        true
    }
}

impl<R: Role> Sender<R> {
    /// Begins to compress a message, if it is large and should be compressed. No other message may
    /// be compressed until this one is [sent](Self::send_compressed) or dropped.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "used by deflate"))]
    pub(crate) fn start_compressing<'p>(
        &self,
        payload: Form<'p>,
        output: &WriteBuffer,
    ) -> Result<Option<Compressing<'p>>, SendError> {
        #[cfg(feature = "deflate")]
        {
            let is_encoded = !R::MASKS && matches!(payload, Form::Prepared(_));
            let (kind, data, _) = payload.parts();
            if Compressing::is_for(payload) && !is_encoded && self.compresses(data.len()) {
                self.check_message(output)?;
                let steps = Steps::default();
                return Ok(Some(Compressing { kind, payload: data, steps, lent: None }));
            }
        }
        Ok(None)
    }

    /// Moves the compressor into the message, so that the steps need nothing else of the
    /// connection. If the message is dropped before the compressor is taken back, everything that
    /// follows is sent uncompressed.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "used by deflate"))]
    pub(crate) fn lend_compressor(&mut self, message: &mut Compressing<'_>) {
        #[cfg(feature = "deflate")]
        {
            message.lent = self.deflating.take();
        }
    }

    /// Takes the compressor back from the message.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "used by deflate"))]
    pub(crate) fn take_back_compressor(&mut self, message: &mut Compressing<'_>) {
        #[cfg(feature = "deflate")]
        if let Some(lent) = message.lent.take() {
            self.deflating = Some(lent);
        }
    }

    /// Queues a message after its last step. The message is sent uncompressed if compression did
    /// not shrink it.
    pub(crate) fn send_compressed(
        &mut self,
        message: &mut Compressing<'_>,
        output: &mut WriteBuffer,
    ) -> Result<(), SendError> {
        self.take_back_compressor(message);
        self.check_message(output)?;
        #[cfg(feature = "deflate")]
        if let Some(deflating) = &mut self.deflating {
            let steps = core::mem::take(&mut message.steps);
            if let Some(compressed) = deflating.finish(message.payload, steps) {
                self.append_message(message.kind, Rsv::RSV1, &compressed, output);
                return Ok(());
            }
        }
        self.append_message(message.kind, Rsv::NONE, message.payload, output);
        Ok(())
    }
}
