//! Frames, masks and UTF-8 with neither std nor an allocator.
#![no_std]
#![no_main]

use sansocket::{frame::{CloseFrame, FrameHeader, MAX_FRAME_HEADER, OpCode, Rsv}, mask::{MaskKey, apply_mask}, utf8::validate_utf8_prefix};

/// Encodes a masked text frame, decodes it and compares. Returns 0 on success.
#[unsafe(no_mangle)]
pub extern "C" fn check() -> i32 {
    match round_trip("καλημέρα".as_bytes()) {
        Some(true) => 0,
        _ => 1,
    }
}

fn round_trip(text: &[u8]) -> Option<bool> {
    let key = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);
    let payload_len = text.len() as u64;
    let header =
        FrameHeader { fin: true, rsv: Rsv::NONE, opcode: OpCode::Text, mask: Some(key), payload_len };
    let mut encoded = [0; MAX_FRAME_HEADER];
    let len = header.encode(&mut encoded);
    let mut payload = [0; 32];
    let payload = payload.get_mut(..text.len())?;
    payload.copy_from_slice(text);
    apply_mask(payload, key, 0);

    let (decoded, decoded_len) = FrameHeader::parse(&encoded).ok()??;
    apply_mask(payload, decoded.mask?, 0);
    let text_len = validate_utf8_prefix(payload).ok()?;
    let close = CloseFrame::parse(&[3, 232]).ok()??;
    Some(
        decoded == header
            && decoded_len == len
            && text_len == text.len()
            && payload == text
            && close.code.number() == 1000,
    )
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
