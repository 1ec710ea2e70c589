/// The shell over blocking streams: it takes all that is a [`Transport`](super::Transport).
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Blocking {}
