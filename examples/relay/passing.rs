//! Passing frames on: the IO that the relay of the core asks for.

use crate::opening::Opened;
use sansocket::{
    CloseCode,
    buffer::ReadBuffer,
    on_tokio::Stream,
    pool::Leased,
    random::{RandomError, SystemMaskKeys},
    relay::{Relay, RelayEnd, RelayNext, Side},
    transport::{IoFailure, Wants},
};
use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

/// How much to read at a time.
const ROOM: usize = 64 << 10;

/// The most bytes that wait in memory of their own: more than a header or a control frame has.
const FEW: usize = 256;

pub(crate) struct Passing {
    relay: Relay<SystemMaskKeys>,
    client: Peer,
    server: Peer,
    epoch: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

struct Peer {
    side: Side,
    stream: Stream,
    /// Holds memory only while something is in it, and little for few bytes.
    input: Leased<ReadBuffer>,
    /// TLS may hold written bytes back.
    is_flushed: bool,
}

impl Passing {
    pub(crate) fn new(opened: Opened) -> Result<Self, RandomError> {
        let mut relay = Relay::new(&opened.negotiated, SystemMaskKeys::new()?)
            .close_timeout(opened.close_timeout)
            .write_timeout(opened.write_timeout);
        if let Some(bytes) = opened.frame_limit {
            relay = relay.frame_limit(bytes);
        }
        let mut peer = |side, (stream, unread): (Stream, ReadBuffer)| {
            let mut input = Leased::<ReadBuffer>::none();
            if let count @ 1.. = unread.unread().len() {
                input.extend_from_slice(unread.unread());
                relay.did_read(side, Ok(count), &mut input);
            }
            Peer { side, stream, input, is_flushed: true }
        };
        let (client, server) =
            (peer(Side::Client, opened.client), peer(Side::Server, opened.server));
        Ok(Self { relay, client, server, epoch: Instant::now(), timer: None })
    }

    /// Passes frames on until both connections have ended.
    pub(crate) async fn run(mut self, mut stopped: watch::Receiver<()>) -> RelayEnd {
        let mut stop = pin!(async {
            // The sender says so by a change, and is never dropped before.
            let _ = stopped.changed().await;
        });
        let mut is_stopping = false;
        poll_fn(|cx| {
            if !is_stopping && stop.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                self.relay.close(CloseCode::GOING_AWAY, "the relay stops");
            }
            self.poll(cx)
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<RelayEnd> {
        let Self { relay, client, server, epoch, timer } = self;
        loop {
            let (to_client, to_server) = match relay.next(|| epoch.elapsed()) {
                RelayNext::Wants { client, server } => (client, server),
                RelayNext::Ended(end) => return Poll::Ready(end),
            };
            let has_acted =
                client.act(to_client, server, relay, cx) | server.act(to_server, client, relay, cx);
            if has_acted {
                continue;
            }
            client.release();
            server.release();
            let Some(moment) = to_client.deadline else { return Poll::Pending };
            let end = *epoch + moment;
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
            timer.as_mut().reset(end);
            std::task::ready!(timer.as_mut().poll(cx));
        }
    }
}

impl Peer {
    /// Gives back the memory that is not needed while nothing happens.
    fn release(&mut self) {
        let is_large = self.input.capacity() > 2 * FEW;
        if !self.input.give_back() && is_large && self.input.unread().len() <= FEW {
            // The start of a header can wait for its rest as long as the peer likes. It fits.
            let _ = self.input.exchange_memory(vec![0; 2 * FEW]);
        }
    }

    /// Does what is wanted, as far as possible without waiting. Returns `true` if anything was done.
    fn act(
        &mut self,
        wants: Wants,
        other: &mut Self,
        relay: &mut Relay<SystemMaskKeys>,
        cx: &mut Context<'_>,
    ) -> bool {
        let (side, mut has_acted) = (self.side, false);
        let stream = Pin::new(&mut self.stream);
        if wants.write {
            let output = relay.output(side, &other.input);
            if let Poll::Ready(written) = stream.poll_write(cx, output) {
                relay.did_write(side, written.map_err(|error| failure(&error)), &mut other.input);
                (has_acted, self.is_flushed) = (true, false);
            }
        } else if !self.is_flushed {
            // If this fails, so does the next read.
            self.is_flushed = stream.poll_flush(cx).is_ready();
        }
        if wants.read {
            // More than `room` would give: then several frames need one read and one write.
            let least = if self.input.is_drained() { ROOM } else { 1 };
            let mut room = ReadBuf::new(self.input.spare(least));
            if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut room) {
                let count = room.filled().len();
                self.input.filled(count);
                let read = read.map(|()| count).map_err(|error| failure(&error));
                relay.did_read(side, read, &mut self.input);
                has_acted = true;
            }
        }
        if wants.shut_down_write {
            if let Poll::Ready(ended) = Pin::new(&mut self.stream).poll_shutdown(cx) {
                relay.did_shut_down(side, ended.map_err(|error| failure(&error)));
                has_acted = true;
            }
        }
        has_acted
    }
}

fn failure(error: &io::Error) -> IoFailure {
    error.into()
}
