//! The fast path for most messages: a single complete frame without reserved bits.
//!
//! Everything else, errors included, takes the general path. So this module only has to check the
//! rules that identify a plain frame.

use super::{Current, Receiver};
use crate::buffer::ReadBuffer;
use crate::connection::{MessageKind, Role};
use crate::limits::Limits;
use crate::mask::{MaskKey, apply_mask};

impl<R: Role> Receiver<R> {
    /// Receives the next message if it is plain, with a payload shorter than `limit`; otherwise
    /// changes nothing. The caller validates text.
    // Always inlined, like the functions it calls, so that nothing passes through memory.
    #[inline(always)]
    pub(super) fn receive_plain(
        &mut self,
        limit: u16,
        input: &mut ReadBuffer,
    ) -> Option<MessageKind> {
        // While a control frame is the current event, its payload is still at the front of the
        // unread input.
        let is_between_messages = self.is_used_with(input)
            && self.message.is_none()
            && matches!(self.current, None | Some(Current::Message(_)))
            && !self.has_ended();
        if !is_between_messages {
            return None;
        }
        input.keep_behind(|unread| {
            let PlainFrame { kind, key, header_len, payload } =
                PlainFrame::parse(unread, !R::MASKS)?;
            if payload.len() >= usize::from(limit) {
                return None;
            }
            if let Some(key) = key {
                apply_mask(payload, key, 0);
            }
            Some((header_len, payload.len(), kind))
        })
    }

    /// Returns the length of the shortest payload that has to be checked against the limits.
    pub(super) fn limit_of_plain(limits: &Limits) -> u16 {
        if limits.fragments == 0 {
            return 0;
        }
        let most = limits.largest_frame().min(limits.message);
        u16::try_from(most.saturating_add(1)).unwrap_or(u16::MAX)
    }
}

/// A whole message in one frame, without reserved bits.
struct PlainFrame<'b> {
    kind: MessageKind,
    key: Option<MaskKey>,
    header_len: usize,
    payload: &'b mut [u8],
}

impl<'b> PlainFrame<'b> {
    /// Parses the frame at the front of `input`, if it is plain and complete.
    #[inline(always)]
    fn parse(input: &'b mut [u8], is_masked: bool) -> Option<Self> {
        let [first, second, behind @ ..] = input else { return None };
        let kind = match first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        if (*second & 0x80 != 0) != is_masked {
            return None;
        }
        let (payload_len, behind, field_bytes) = match *second & 0x7F {
            127 => return None,
            126 => {
                let (length, behind) = behind.split_first_chunk_mut()?;
                (u16::from_be_bytes(*length), behind, 2)
            }
            short => (u16::from(short), behind, 0),
        };
        // RFC 6455 §5.2: the length must have the shortest encoding.
        if field_bytes > 0 && payload_len < 126 {
            return None;
        }
        let (key, behind) = if is_masked {
            let (key, behind) = behind.split_first_chunk_mut()?;
            (Some(MaskKey::new(*key)), behind)
        } else {
            (None, behind)
        };
        let payload = behind.get_mut(..usize::from(payload_len))?;
        let header_len = 2 + field_bytes + if is_masked { 4 } else { 0 };
        Some(Self { kind, key, header_len, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Server;

    #[test]
    fn a_payload_that_a_limit_may_forbid_is_not_plain() {
        let bound = |frame, message, fragments| {
            let limits = Limits::default().message(message).frame(frame).fragments(fragments);
            Receiver::<Server>::limit_of_plain(&limits)
        };
        assert_eq!(bound(0, 0, 1), 1);
        assert_eq!(bound(125, 1000, 1), 126);
        assert_eq!(bound(1000, 124, 1), 125);
        assert_eq!(bound(0xFFFE, u64::MAX, 1), 0xFFFF);
        assert_eq!(bound(u64::MAX, u64::MAX, 1), 0xFFFF);
        assert_eq!(bound(1000, 1000, 0), 0);
    }
}
