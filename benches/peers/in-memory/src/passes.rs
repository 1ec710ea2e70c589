//! One cell of a table: a connection at work, and the measurement of its passes.

use crate::{
    Messages, Variant, Wire, Work,
    frames::{encode_masked, has_text, verify},
    payloads::{Kind, Random, messages},
    wire::{FarEnd, LARGEST_READ},
};
use bytes::Bytes;
use std::{
    iter,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

pub(crate) struct Passes {
    work: Work,
    far_end: Arc<FarEnd>,
    messages: usize,
    /// The bytes that one pass writes.
    output: usize,
}

/// The least input of one pass of an echo. It makes nearly all reads return as much as they can.
const LEAST_INPUT: usize = 4 * LARGEST_READ;

/// The side of a connection to measure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Echo,
    Client,
}

impl Passes {
    /// Creates the connection, and verifies the output of three passes.
    pub(crate) fn verified(
        variant: &Variant,
        side: Side,
        kind: Kind,
        size: usize,
    ) -> Result<Self, String> {
        let mut messages = messages(kind, size);
        let far_end = Arc::<FarEnd>::default();
        let missing = || format!("{} does not support this", variant.name);
        let work = match side {
            Side::Echo => {
                let echo = variant.echo.ok_or_else(missing)?;
                if kind == Kind::Text && variant.validates() {
                    refuses_broken(echo, &messages)?;
                }
                let times = LEAST_INPUT.div_ceil(messages.len() * size.max(1));
                messages = iter::repeat_n(messages, times).flatten().collect();
                echo(Wire::new(masked_frames(kind, &messages), far_end.clone()))
            }
            Side::Client => {
                let client = variant.client.ok_or_else(missing)?;
                client(
                    Wire::new(Arc::from([]), far_end.clone()),
                    Messages::new(kind, &messages, far_end.clone()),
                )
            }
        };
        let mut passes = Self { work, far_end, messages: messages.len(), output: 0 };
        passes.far_end.keeping.store(true, Relaxed);
        for _ in 0..3 {
            passes.far_end.written.store(0, Relaxed);
            passes.run(1)?;
            let mut kept = passes.far_end.kept.lock().map_err(|error| error.to_string())?;
            verify(&kept, kind, &messages, side == Side::Client)?;
            kept.clear();
            passes.output = passes.far_end.written.load(Relaxed);
        }
        passes.far_end.keeping.store(false, Relaxed);
        *passes.far_end.kept.lock().map_err(|error| error.to_string())? = Vec::new();
        Ok(passes)
    }

    /// Sends the messages `count` times.
    fn run(&mut self, count: usize) -> Result<(), String> {
        self.far_end.passes.store(count, Relaxed);
        match self.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => Err("the connection ended".into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Sends the messages `count` times, and checks the number of bytes written.
    ///
    /// This is a separate function so that callgrind can be limited to it.
    #[inline(never)]
    pub(crate) fn run_counted(&mut self, count: usize) -> Result<(), String> {
        self.far_end.written.store(0, Relaxed);
        self.run(count)?;
        let (written, right) = (self.far_end.written.load(Relaxed), count * self.output);
        if written != right {
            return Err(format!("wrote {written} bytes instead of {right}"));
        }
        Ok(())
    }

    /// Runs for at least `least`. Returns the number of messages and the time they took.
    pub(crate) fn run_timed(&mut self, least: Duration) -> Result<(usize, Duration), String> {
        let start = Instant::now();
        // Warm up: the connection is new, and other programs have run in the meantime.
        while start.elapsed() < least / 8 {
            self.run_counted(1)?;
        }
        let start = Instant::now();
        let mut count = 0;
        let mut step = 1;
        loop {
            self.run_counted(step)?;
            count += step;
            let elapsed = start.elapsed();
            if elapsed >= least {
                return Ok((count * self.messages, elapsed));
            }
            if elapsed < least / 8 {
                step *= 2;
            }
        }
    }

    pub(crate) fn messages(&self) -> usize {
        self.messages
    }
}

/// The most messages to break, each on its own connection.
const MOST_BROKEN: usize = 64;

/// Checks that invalid UTF-8 is never echoed (RFC 6455 §8.1). Breaks many messages in turn,
/// because reads end at different positions in them.
fn refuses_broken(echo: fn(Wire) -> Work, messages: &[Bytes]) -> Result<(), String> {
    let hook = panic::take_hook();
    // A contestant may panic, which is a valid way to refuse.
    panic::set_hook(Box::new(|_| {}));
    let step = messages.len().div_ceil(MOST_BROKEN);
    let taken =
        (0..messages.len()).step_by(step).find(|&index| takes_broken(echo, messages, index));
    panic::set_hook(hook);
    taken.map_or(Ok(()), |index| Err(format!("echoed message {index}, which is not UTF-8")))
}

fn takes_broken(echo: fn(Wire) -> Work, messages: &[Bytes], index: usize) -> bool {
    let mut messages = messages.to_vec();
    let mut broken = messages[index].to_vec();
    if let Some(last) = broken.last_mut() {
        *last = 0xFF;
    }
    messages[index] = broken.into();
    let far_end = Arc::<FarEnd>::default();
    far_end.keeping.store(true, Relaxed);
    far_end.passes.store(1, Relaxed);
    let wire = Wire::new(masked_frames(Kind::Text, &messages), far_end.clone());
    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
        let _ = echo(wire).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }));
    let kept = far_end.kept.lock().unwrap_or_else(PoisonError::into_inner);
    has_text(&kept, &messages[index])
}

fn masked_frames(kind: Kind, messages: &[Bytes]) -> Arc<[u8]> {
    let mut random = Random(0x5eed);
    let mut frames = Vec::new();
    for message in messages {
        let key = (random.next() as u32).to_le_bytes();
        encode_masked(kind, key, message, &mut frames);
    }
    frames.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::{pending, poll_fn},
        io::{Read, Write},
    };

    fn mirror(mut wire: Wire) -> Work {
        Box::pin(poll_fn(move |_| {
            let mut bytes = [0; 1000];
            while let Ok(count) = wire.read(&mut bytes) {
                wire.write_all(&bytes[..count]).unwrap();
            }
            Poll::Pending
        }))
    }

    fn panics_at_once(_: Wire) -> Work {
        Box::pin(async { panic!("invalid UTF-8") })
    }

    #[test]
    fn echoing_invalid_text_is_detected() {
        let messages = messages(Kind::Text, 5000);
        assert!(refuses_broken(mirror, &messages).unwrap_err().contains("not UTF-8"));
        assert_eq!(refuses_broken(|_| Box::pin(pending()), &messages), Ok(()));
        assert_eq!(refuses_broken(panics_at_once, &messages), Ok(()));
    }
}
