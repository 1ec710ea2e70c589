//! The messages of a cell, which are the same for every contestant.

use bytes::Bytes;

/// Text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// Returns messages of `size` bytes, about 256 KiB in total: 1 to 1,024 messages, all different.
pub(crate) fn messages(kind: Kind, size: usize) -> Vec<Bytes> {
    let count = (256 * 1024 / size.max(1)).clamp(1, 1024);
    let mut random = Random(size as u64 + 1);
    (0..count)
        .map(|_| match kind {
            Kind::Text => Script::Mixed.text(&mut random, size).into(),
            Kind::Binary => (0..size).map(|_| random.next() as u8).collect::<Vec<_>>().into(),
        })
        .collect()
}

/// A reproducible random sequence (xorshift64*).
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 24
    }
}

/// The characters of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Ascii,
    /// Every character takes three bytes.
    Cjk,
    /// Every second character takes two, three or four bytes.
    Mixed,
}

impl Script {
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        match word {
            "ascii" => Ok(Self::Ascii),
            "cjk" => Ok(Self::Cjk),
            "mixed" => Ok(Self::Mixed),
            _ => Err(format!("unknown script {word}")),
        }
    }

    /// Returns a text of `size` bytes. ASCII fills the end where no wide character fits.
    pub(crate) fn text(self, random: &mut Random, size: usize) -> String {
        let mut text = String::with_capacity(size);
        let mut number = 0;
        while text.len() < size {
            let is_wide = match self {
                Self::Ascii => false,
                Self::Cjk => true,
                Self::Mixed => number % 2 == 1,
            };
            let wide = match (self, random.next() % 3) {
                (Self::Mixed, 0) => 'é',
                (Self::Cjk, _) | (_, 1) => '漢',
                _ => '🌍',
            };
            if is_wide && text.len() + wide.len_utf8() <= size {
                text.push(wide);
            } else {
                text.push((b'a' + (random.next() % 26) as u8) as char);
            }
            number += 1;
        }
        text
    }
}
