//! Large messages that are compressed in steps, so that others have their turn between them: other tasks, or the
//! other half of the connection.

use super::Sender;
#[cfg(feature = "deflate")]
use super::deflating::{Deflating, STEP, Steps};
use crate::buffer::WriteBuffer;
use crate::connection::{Kind, Payload, Role, SendError};
use crate::frame::Rsv;
#[cfg(feature = "deflate")]
use alloc::boxed::Box;

/// A message that is being compressed. Nothing of it is queued before all is: if it is dropped, nothing of it is
/// sent.
#[derive(Debug)]
pub(crate) struct Compressing<'p> {
    kind: Kind,
    payload: &'p [u8],
    #[cfg(feature = "deflate")]
    steps: Steps,
    #[cfg(feature = "deflate")]
    lent: Option<Box<Deflating>>,
}

impl Compressing<'_> {
    /// Whether a payload may be one, if messages are compressed at all.
    pub(crate) fn is_for(payload: Payload<'_>) -> bool {
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

    /// Compresses the next 64 KiB with the compressor that was [lent](Sender::lend_compressor). Whether that was the last
    /// step.
    pub(crate) fn step(&mut self) -> bool {
        #[cfg(feature = "deflate")]
        if let Some(deflating) = &mut self.lent {
            return deflating.step(self.payload, &mut self.steps);
        }
        true
    }
}

impl<R: Role> Sender<R> {
    /// Begins to compress a message, if it is to be compressed and is large. Then other messages may not be
    /// compressed before it is [sent](Self::send_compressed) or dropped.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "all goes plain"))]
    pub(crate) fn start_compressing<'p>(
        &self,
        payload: Payload<'p>,
        output: &WriteBuffer,
    ) -> Result<Option<Compressing<'p>>, SendError> {
        #[cfg(feature = "deflate")]
        {
            let is_encoded = !R::MASKS && matches!(payload, Payload::Prepared(_));
            let (kind, data, _) = payload.parts();
            if Compressing::is_for(payload) && !is_encoded && self.compresses(data.len()) {
                self.check_message(output)?;
                let steps = Steps::default();
                return Ok(Some(Compressing { kind, payload: data, steps, lent: None }));
            }
        }
        Ok(None)
    }

    /// Lends what compresses to a message until that is taken back, so that its steps need nothing of the
    /// connection. If it is dropped instead, all that follows is sent plain.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "all goes plain"))]
    pub(crate) fn lend_compressor(&mut self, message: &mut Compressing<'_>) {
        #[cfg(feature = "deflate")]
        {
            message.lent = self.deflating.take();
        }
    }

    /// Takes back what was lent.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "all goes plain"))]
    pub(crate) fn take_back_compressor(&mut self, message: &mut Compressing<'_>) {
        #[cfg(feature = "deflate")]
        if let Some(lent) = message.lent.take() {
            self.deflating = Some(lent);
        }
    }

    /// Queues a message, all of which was compressed, or plain if it did not get shorter by that.
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
