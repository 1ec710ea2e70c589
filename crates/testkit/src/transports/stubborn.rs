//! A stream for the blocking shell that blocks, is interrupted or moves a single byte at every
//! step.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    rc::Rc,
};

/// The behavior of a stubborn stream.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The most bytes that a read or write moves.
    pub most: usize,
    /// One of this many calls succeeds; the others fail.
    pub one_of: usize,
    /// The errors of the failing calls, in turn.
    pub kinds: &'static [ErrorKind],
}

type Wire = Rc<RefCell<VecDeque<u8>>>;

/// One end of a pair, for use in a single thread.
#[derive(Debug)]
pub struct Stubborn {
    incoming: Wire,
    outgoing: Wire,
    manner: Manner,
    /// Counts reads and other calls separately, so that one kind can't take all the successful
    /// turns.
    calls: [usize; 2],
}

impl Stubborn {
    /// Returns both ends.
    pub fn pair(manner: Manner) -> (Self, Self) {
        let (a, b) = (Wire::default(), Wire::default());
        let end = |incoming: &Wire, outgoing: &Wire| Self {
            incoming: Rc::clone(incoming),
            outgoing: Rc::clone(outgoing),
            manner,
            calls: [0, 0],
        };
        (end(&a, &b), end(&b, &a))
    }

    fn allowed(&mut self, kind: usize) -> io::Result<()> {
        let calls = &mut self.calls[kind];
        *calls += 1;
        if *calls % self.manner.one_of == 0 {
            return Ok(());
        }
        Err(self.manner.kinds[*calls % self.manner.kinds.len()].into())
    }
}

impl Read for Stubborn {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.allowed(0)?;
        let mut wire = self.incoming.borrow_mut();
        if wire.is_empty() {
            // A read succeeds once the other end is gone, or when it is its turn.
            let gone = Rc::strong_count(&self.incoming) == 1;
            return if gone { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let count = into.len().min(self.manner.most);
        io::Read::read(&mut *wire, &mut into[..count])
    }
}

impl Write for Stubborn {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.allowed(1)?;
        let count = from.len().min(self.manner.most);
        self.outgoing.borrow_mut().extend(&from[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.allowed(1)
    }
}
