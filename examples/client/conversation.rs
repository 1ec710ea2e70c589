//! What happens over one connection.

use crate::{arguments::Arguments, input::Input, screen::Screen, stop::Stop, summary::Summary};
use sansocket::{
    CloseCode, Closed, Error, Event,
    on_tokio::{ClientReceiveHalf, ClientSendHalf, ClientWebSocket},
};
use std::{
    cell::{Cell, RefCell},
    future::pending,
    time::Duration,
};
use tokio::{
    pin, select,
    time::{Instant, MissedTickBehavior, interval},
};

pub(crate) struct Conversation<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) screen: &'a Screen,
    pub(crate) stop: &'a Stop,
    pub(crate) summary: &'a mut Summary,
}

/// How it ended.
pub(crate) struct End {
    pub(crate) closed: Closed,
    /// Whether the user has sent and received everything, or has stopped the program. Otherwise the
    /// server, or something in between, has ended the connection.
    pub(crate) is_done: bool,
}

/// What sending and receiving share.
struct Shared<'a> {
    arguments: &'a Arguments,
    screen: &'a Screen,
    stop: &'a Stop,
    summary: RefCell<&'a mut Summary>,
    pings: RefCell<Pings>,
    is_sending: Cell<bool>,
}

/// The pings whose answers are measured.
#[derive(Default)]
struct Pings {
    sent: u32,
    /// The number of the last one, and when it was sent.
    outstanding: Option<(u32, Instant)>,
}

impl Conversation<'_> {
    /// Sends and receives until the connection has ended.
    pub(crate) async fn hold(&mut self, websocket: ClientWebSocket, input: &mut Input) -> End {
        let shared = Shared {
            arguments: self.arguments,
            screen: self.screen,
            stop: self.stop,
            summary: RefCell::new(self.summary),
            pings: RefCell::default(),
            is_sending: Cell::new(false),
        };
        let (mut sender, mut receiver) = websocket.split();
        let mut was_closed_here = false;
        let received = {
            let receiving = shared.receive(&mut receiver);
            pin!(receiving);
            // Receiving goes on while a message waits to be sent: the server may wait for us to read.
            let early = select! {
                received = &mut receiving => Some(received),
                sent = shared.send(&mut sender, input) => {
                    match sent {
                        Ok(()) => was_closed_here = true,
                        // Receiving tells how the connection has ended.
                        Err(error) if error.is_closed() => {}
                        Err(error) => self.screen.error(&error.to_string()),
                    }
                    None
                }
            };
            match early {
                Some(received) => received,
                None => receiving.await,
            }
        };
        if received == Received::Enough || received == Received::Interrupted {
            was_closed_here = true;
            // An error says that the connection has ended, which `wait_closed` tells better.
            let _ = sender.close(CloseCode::NORMAL, "").await;
        }
        let closed = receiver.wait_closed().await;
        if shared.is_sending.get() {
            self.screen.note("the message that was being sent may be lost");
        }
        let is_done = was_closed_here && (closed.clean || received == Received::Interrupted);
        End { closed, is_done }
    }
}

/// Why nothing more is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    /// The connection has ended.
    Everything,
    /// As many messages as the user wants have arrived.
    Enough,
    /// The user stops the program, or does not wait any longer.
    Interrupted,
}

impl Shared<'_> {
    /// Sends what the user enters, and pings. Closes at the end of the input.
    async fn send(&self, sender: &mut ClientSendHalf, input: &mut Input) -> Result<(), Error> {
        let period = self.arguments.ping.unwrap_or(Duration::MAX / 4);
        let mut ticks = interval(period.min(Duration::from_secs(86_400 * 365)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut has_ended = false;
        loop {
            select! {
                message = input.next(), if !has_ended => match message {
                    Some(Err(error)) => {
                        self.screen.error(&format!("standard input: {error}"));
                        self.summary.borrow_mut().input_failed();
                        return sender.close(CloseCode::NORMAL, "").await;
                    }
                    Some(Ok(message)) => {
                        let len = message.as_bytes().len();
                        self.is_sending.set(true);
                        sender.send(message).await?;
                        self.is_sending.set(false);
                        self.summary.borrow_mut().sent(len);
                    }
                    None if self.arguments.count.is_some() => has_ended = true,
                    None => return sender.close(CloseCode::NORMAL, "").await,
                },
                _ = ticks.tick(), if self.arguments.ping.is_some() => {
                    let number = self.pings.borrow_mut().next();
                    sender.ping(number.to_be_bytes()).await?;
                    self.summary.borrow_mut().pinged();
                }
                else => return pending().await,
            }
        }
    }

    /// Prints what arrives until the connection has ended or the user has enough.
    async fn receive(&self, receiver: &mut ClientReceiveHalf) -> Received {
        loop {
            let event = select! {
                event = receiver.receive() => event,
                () = self.stop.requested() => return Received::Interrupted,
            };
            let printed = match event {
                None => return Received::Everything,
                // `wait_closed` tells how the connection ended.
                Some(Err(_)) => return Received::Everything,
                Some(Ok(Event::Text(text))) => {
                    self.summary.borrow_mut().received(text.len());
                    self.screen.text(text)
                }
                Some(Ok(Event::Binary(data))) => {
                    self.summary.borrow_mut().received(data.len());
                    self.screen.binary(data)
                }
                Some(Ok(Event::Pong(payload))) => {
                    self.pong(payload);
                    continue;
                }
                Some(Ok(Event::Ping(payload))) => {
                    self.screen.control("ping", payload);
                    continue;
                }
                Some(Ok(_)) => continue,
            };
            let received = self.summary.borrow().received_messages();
            // Nobody reads any more.
            if printed.is_err() || self.arguments.count.is_some_and(|count| received >= count) {
                return Received::Enough;
            }
        }
    }

    fn pong(&self, payload: &[u8]) {
        match self.pings.borrow_mut().answered(payload) {
            Some((number, took)) => {
                self.summary.borrow_mut().round_trip(took);
                self.screen.round_trip(number, took);
            }
            // An answer to keepalive's pings, or unsolicited.
            None => self.screen.control("pong", payload),
        }
    }
}

impl Pings {
    fn next(&mut self) -> u32 {
        self.sent += 1;
        self.outstanding = Some((self.sent, Instant::now()));
        self.sent
    }

    /// Returns the number of the ping that this pong answers, and how long that took.
    fn answered(&mut self, payload: &[u8]) -> Option<(u32, Duration)> {
        let (number, sent) = self.outstanding?;
        (payload == number.to_be_bytes()).then(|| {
            self.outstanding = None;
            (number, sent.elapsed())
        })
    }
}
