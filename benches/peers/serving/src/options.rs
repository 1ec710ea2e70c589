//! The command line of a server.

use crate::Library;
use std::process::ExitCode;

/// The options on a server's command line.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// One of the library's variants, or one of its broadcast variants with `--broadcast`.
    pub variant: &'static str,
    /// Whether and how to negotiate permessage-deflate if a client offers it.
    pub deflate: Deflate,
    pub(crate) port: u16,
    pub(crate) broadcast: Option<usize>,
}

/// How to use permessage-deflate (RFC 7692).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deflate {
    /// No compression.
    Off,
    /// Keep windows of 15 bits between messages in both directions, at the library's default level.
    Takeover,
    /// Reset both windows after each message.
    NoTakeover,
}

impl Deflate {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Takeover => "takeover",
            Self::NoTakeover => "no-takeover",
        }
    }
}

impl Options {
    pub(crate) fn parse<L: Library>(broadcasts: &[&'static str]) -> Result<Self, ExitCode> {
        let can_broadcast = !broadcasts.is_empty();
        let mut options =
            Self { variant: L::VARIANTS[0], deflate: Deflate::Off, port: 0, broadcast: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            let known = match argument.as_str() {
                "--variant" => {
                    let value = value();
                    let found =
                        L::VARIANTS.iter().chain(broadcasts).find(|variant| **variant == value);
                    found.map(|variant| options.variant = variant)
                }
                "--deflate" => {
                    let value = value();
                    let found = L::DEFLATE.iter().find(|deflate| deflate.name() == value);
                    found.map(|deflate| options.deflate = *deflate)
                }
                "--port" => value().parse().ok().map(|port| options.port = port),
                "--broadcast" if can_broadcast => {
                    value().parse().ok().map(|count| options.broadcast = Some(count))
                }
                "--list" => {
                    println!("name {}", L::NAME);
                    println!("variants {}", L::VARIANTS.join(" "));
                    println!("deflate {}", deflates::<L>());
                    println!("broadcast {}", broadcasts.join(" "));
                    return Err(ExitCode::SUCCESS);
                }
                "--help" | "-h" => {
                    println!("{}", help::<L>(can_broadcast));
                    return Err(ExitCode::SUCCESS);
                }
                _ => None,
            };
            if known.is_none() {
                eprintln!("{argument}: invalid argument\n\n{}", help::<L>(can_broadcast));
                return Err(ExitCode::from(2));
            }
        }
        // Some variants only broadcast.
        if options.broadcast.is_none() && !L::VARIANTS.contains(&options.variant) {
            eprintln!("{}: requires --broadcast\n\n{}", options.variant, help::<L>(can_broadcast));
            return Err(ExitCode::from(2));
        }
        Ok(options)
    }
}

fn deflates<L: Library>() -> String {
    L::DEFLATE.iter().map(|deflate| deflate.name()).collect::<Vec<_>>().join(" ")
}

fn help<L: Library>(can_broadcast: bool) -> String {
    let mut help = format!(
        "A WebSocket echo server on 127.0.0.1, made with {}. It exits when its input ends.\n\n  \
         --port N          port to listen on; 0, the default, takes any\n  \
         --variant NAME    one of: {}\n",
        L::NAME,
        L::VARIANTS.join(" ")
    );
    if !L::DEFLATE.is_empty() {
        help += "  --deflate HOW     negotiate permessage-deflate: ";
        help += &deflates::<L>();
        help.push('\n');
    }
    if can_broadcast {
        help += "  --broadcast N     accept N connections, then send to all of them:\n\
                 \x20                   'send BYTES COUNT' or 'send-timed BYTES' on standard input\n";
    }
    help + "  --list            print what this server can do"
}
