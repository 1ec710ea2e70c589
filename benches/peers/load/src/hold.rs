//! Opens connections, echoes one message on each, and holds them open.

use crate::{
    Result,
    answers::{self, Held},
    arguments::Arguments,
    echo::{Limit, Load},
    frames::Kind,
    incoming::Receiver,
    opening,
};
use mio::{Token, Waker};
use std::{
    io::{self, stdin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

const INPUT_ENDED: Token = Token(usize::MAX);

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let mut load = Load::new(arguments)?;
    // One group at a time, so that the server never needs memory for many messages at once.
    for first in (0..arguments.connections).step_by(opening::AT_ONCE) {
        let numbers = first..arguments.connections.min(first + opening::AT_ONCE);
        load.open(numbers.clone())?;
        load.send(numbers, Limit::Each(1))?;
    }
    answers::print(&Held {
        ok: true,
        connections: load.lanes.len(),
        messages: load.lanes.len() as u64,
        seconds: start.elapsed().as_secs_f64(),
        agreed: load.agreed(),
    });
    wait_for_input_to_end(load)
}

fn wait_for_input_to_end(mut load: Load) -> Result<()> {
    let input_has_ended = Arc::new(AtomicBool::new(false));
    let waker = Waker::new(load.reactor.registry(), INPUT_ENDED)
        .map_err(|error| format!("can't wait for standard input: {error}"))?;
    // Keep the waker alive here: dropping it would discard a wake-up.
    let waker = Arc::new(waker);
    thread::spawn({
        let (input_has_ended, waker) = (input_has_ended.clone(), waker.clone());
        move || {
            // Only the end of the input matters, and an error ends it too.
            let _ = io::copy(&mut stdin().lock(), &mut io::sink());
            input_has_ended.store(true, Ordering::Release);
            waker.wake().expect("the event queue outlives the waker");
        }
    });
    // Nothing has read these connections while others were opened.
    for number in 0..load.lanes.len() {
        answer_pings(&mut load, number)?;
    }
    while !input_has_ended.load(Ordering::Acquire) {
        load.reactor.wait_long(&mut load.events)?;
        let numbers: Vec<usize> = load.events.iter().map(|event| event.token().0).collect();
        for number in numbers {
            answer_pings(&mut load, number)?;
        }
    }
    load.close();
    Ok(())
}

fn answer_pings(load: &mut Load, number: usize) -> Result<()> {
    let Some(lane) = load.lanes.get_mut(number) else { return Ok(()) };
    lane.connection.receive(&mut load.tools, &mut Nothing)?;
    lane.connection.write(&mut load.tools.out).map(drop)
}

/// Accepts no message.
struct Nothing;

impl Receiver for Nothing {
    fn data(&mut self, _: &[u8]) -> Result<()> {
        self.end(Kind::Binary)
    }

    fn end(&mut self, _: Kind) -> Result<()> {
        Err("the server sent an unexpected message".into())
    }
}
