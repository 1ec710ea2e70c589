//! The configuration of the program.
//!
//! ```text
//!  file ─────────┐
//!  variables ────┼─▶ layers ─▶ one table with places ─▶ Config ─▶ checked settings ─▶ Options
//!  flags ────────┘                                        └─▶ printed
//! ```
//!
//! Everything that is read keeps its place, so that each problem names a line, a variable or a flag.

#[macro_use]
mod section;

mod access;
mod app;
mod authentication;
mod broker;
mod checks;
mod contradictions;
mod flags;
mod layers;
mod limits;
mod places;
mod print;
mod read;
mod secret;
mod sections;
mod setting;
mod settings;
mod tls;
mod transports;
mod units;

pub(crate) use flags::Flags;
pub(crate) use places::Problem;
pub(crate) use print::{DEFAULTS, with_comments};
pub(crate) use read::{Loaded, load};
pub(crate) use sections::LogFormat;
pub(crate) use settings::Settings;
