//! What the user sends.

use crate::arguments::Arguments;
use sansocket::Message;
use std::{
    collections::VecDeque,
    io::{self, BufRead, IsTerminal, Read},
    thread,
};
use tokio::sync::mpsc;

/// The messages to send, in order.
pub(crate) enum Input {
    Given(VecDeque<Message>),
    /// From standard input, which a thread reads. An error is the last item.
    Stdin(mpsc::Receiver<io::Result<Message>>),
    /// Nothing is sent, and there is no end.
    Nothing,
}

/// The most bytes of standard input in one binary message.
const PIECE: usize = 64 << 10;

impl Input {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        if !arguments.message.is_empty() {
            return Self::Given(
                arguments.message.iter().map(|text| text.as_str().into()).collect(),
            );
        }
        if arguments.listen {
            return Self::Nothing;
        }
        let (sender, receiver) = mpsc::channel(16);
        if io::stdin().is_terminal() && !arguments.quiet {
            eprintln!("type lines to send; end the input (Ctrl-D) to close");
        }
        let read = if arguments.binary { pieces } else { lines };
        thread::spawn(move || {
            if let Err(error) = read(&sender) {
                // If nobody receives it, the client has ended.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self::Stdin(receiver)
    }

    /// Returns the next message, or `None` at the end. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Message>> {
        match self {
            Self::Given(messages) => messages.pop_front().map(Ok),
            Self::Stdin(receiver) => receiver.recv().await,
            Self::Nothing => std::future::pending().await,
        }
    }
}

fn lines(sender: &mpsc::Sender<io::Result<Message>>) -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        if sender.blocking_send(Ok(line?.into())).is_err() {
            break;
        }
    }
    Ok(())
}

fn pieces(sender: &mpsc::Sender<io::Result<Message>>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match io::stdin().lock().read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if sender.blocking_send(Ok(piece[..count].to_vec().into())).is_err() {
            return Ok(());
        }
    }
}
