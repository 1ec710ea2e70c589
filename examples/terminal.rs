//! What the programs for the terminal share: colours, and text that does not control it.

use clap::ValueEnum;
use std::env;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

impl Color {
    /// Returns whether to use colours in an output that may be a terminal.
    pub(crate) fn is_used(self, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

/// Shows control characters as such, instead of obeying them.
pub(crate) fn harmless(text: &str) -> String {
    let is_harmful = |character: &char| character.is_control() && !"\n\t".contains(*character);
    text.chars().map(|c| if is_harmful(&c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_can_not_control_the_terminal() {
        assert_eq!(harmless("a\x1b[2J\u{9b}b\r\tc\n"), "a\u{fffd}[2J\u{fffd}b\u{fffd}\tc\n");
    }
}
