//! The program around a contestant: reads commands and prints answers.

use crate::{
    Contestant, Kernel, Variant, allocations,
    kernels::{self, Inputs},
    passes::{Passes, Side},
    payloads::{Kind, Script},
    placement,
};
use std::{
    hash::{BuildHasher, RandomState},
    io::{BufRead, Write, stdin, stdout},
    process::{self, ExitCode},
    str::FromStr,
    time::Duration,
};

const HELP: &str = "\
Measures one library in memory. Without arguments, reads commands from standard input:

  echo VARIANT KIND BYTES MILLISECONDS     a server echoes masked messages
  client VARIANT KIND BYTES MILLISECONDS   a client sends masked messages
  mask KERNEL BYTES OFFSET MILLISECONDS    a masking kernel alone
  copy KERNEL BYTES OFFSET MILLISECONDS    a plain copy, as a reference
  utf8 KERNEL SCRIPT BYTES MILLISECONDS    validation of ascii, cjk or mixed text

KIND is text or binary. The answer is 'ok NANOSECONDS ALLOCATIONS', both per
message, or 'failed REASON'.

  list                                     print what the library can do, one item a line
  count PASSES echo VARIANT KIND BYTES     the same work a fixed number of times, for callgrind
";

/// Runs the program of one contestant. Call it from `main`.
pub fn run(contestant: Contestant) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => serve(&contestant),
        ["list"] => {
            list(&contestant);
            ExitCode::SUCCESS
        }
        ["count", passes, ref cell @ ..] => match count(&contestant, passes, cell) {
            Ok(messages) => {
                println!("ok {messages}");
                ExitCode::SUCCESS
            }
            Err(reason) => {
                println!("failed {reason}");
                ExitCode::FAILURE
            }
        },
        ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("unknown arguments\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn list(contestant: &Contestant) {
    println!("name {}", contestant.name);
    for variant in contestant.variants {
        if variant.echo.is_some() {
            println!("echo {}", variant.name);
        }
        if variant.client.is_some() {
            println!("client {}", variant.name);
        }
    }
    for kernel in contestant.kernels {
        match kernel {
            Kernel::Mask(name, _) => println!("mask {name}"),
            Kernel::Copy(name, _) => println!("copy {name}"),
            Kernel::Utf8(name, _) => println!("utf8 {name}"),
        }
    }
}

fn serve(contestant: &Contestant) -> ExitCode {
    placement::seed(RandomState::new().hash_one(process::id()));
    for line in stdin().lock().lines() {
        let Ok(line) = line else { return ExitCode::FAILURE };
        match measure(contestant, &line) {
            Ok((nanoseconds, calls)) => println!("ok {nanoseconds:.3} {calls:.4}"),
            Err(reason) => println!("failed {}", reason.replace('\n', " ")),
        }
        if stdout().flush().is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Nanoseconds and allocations per message.
type Cost = (f64, f64);

/// Runs one command. Each gets a new connection, so that rounds do not share the same luck.
fn measure(contestant: &Contestant, line: &str) -> Result<Cost, String> {
    let (cell, milliseconds) = line.rsplit_once(' ').ok_or("unknown command")?;
    let least = Duration::from_millis(number(milliseconds)?);
    let words: Vec<&str> = cell.split(' ').collect();
    if let Some((kernel, mut inputs)) = kernel(contestant, &words)? {
        let (count, elapsed) = kernels::run_timed(kernel, &mut inputs, least)?;
        return Ok((elapsed.as_nanos() as f64 / count as f64, 0.0));
    }
    let mut passes = passes(contestant, &words)?;
    let (messages, elapsed) = passes.run_timed(least)?;
    // A separate run, so that counting does not add to the time of libraries that allocate.
    let (run, calls) = allocations::during(|| passes.run_counted(1));
    run?;
    let calls = calls as f64 / passes.messages() as f64;
    Ok((elapsed.as_nanos() as f64 / messages as f64, calls))
}

/// Returns the requested kernel and its inputs, or `None` if the command names no kernel.
fn kernel(contestant: &Contestant, words: &[&str]) -> Result<Option<(Kernel, Inputs)>, String> {
    let &[work @ ("mask" | "copy" | "utf8"), wanted, first, second] = words else {
        return Ok(None);
    };
    let known = contestant.kernels.iter().find(|kernel| match kernel {
        Kernel::Mask(name, _) => ("mask", *name) == (work, wanted),
        Kernel::Copy(name, _) => ("copy", *name) == (work, wanted),
        Kernel::Utf8(name, _) => ("utf8", *name) == (work, wanted),
    });
    let kernel = *known.ok_or_else(|| format!("unknown kernel {work} {wanted}"))?;
    let inputs = match kernel {
        Kernel::Utf8(..) => Inputs::text(Script::parse(first)?, number(second)?),
        _ => Inputs::bytes_at(number(first)?, number(second)?),
    };
    Ok(Some((kernel, inputs)))
}

fn count(contestant: &Contestant, passes: &str, cell: &[&str]) -> Result<usize, String> {
    let count = number(passes)?;
    let mut passes = self::passes(contestant, cell)?;
    passes.run_counted(count)?;
    Ok(count * passes.messages())
}

fn passes(contestant: &Contestant, cell: &[&str]) -> Result<Passes, String> {
    let &[side, variant, kind, size] = cell else { return Err("unknown command".into()) };
    let side = match side {
        "echo" => Side::Echo,
        "client" => Side::Client,
        _ => return Err("unknown work".into()),
    };
    let kind = match kind {
        "text" => Kind::Text,
        "binary" => Kind::Binary,
        _ => return Err("unknown kind".into()),
    };
    let known = contestant.variants.iter().find(|known: &&Variant| known.name == variant);
    let variant = known.ok_or_else(|| format!("unknown variant {variant}"))?;
    Passes::verified(variant, side, kind, number(size)?)
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}
