//! A client of STOMP with its wire: it connects again by itself, and tells what has happened.

use super::wire::{Transport, Wire};
use crate::{
    link::{Arrival, LinkId, Network},
    truth::Truth,
};
use sansocket::client::Backoff;
use sansocket_realtime::{
    Cursor,
    stomp::{
        Version,
        client::{
            AckToken, Cause, Client, ClientConfig, ClientError, ConnectOptions, Event, Gap,
            Ignored, Lost, ReceiptId, State, TransactionId,
        },
    },
};
use std::time::Duration;

/// What a client was told, without what it borrows.
#[derive(Debug)]
pub(crate) enum Told {
    Connected,
    Subscribed { cursor: Option<Cursor> },
    Message { cursor: Option<Cursor>, token: Option<AckToken>, body: String },
    Gap(Gap),
    Receipt(ReceiptId),
    Committed(TransactionId),
    Refused(Cause),
    Lost(Box<Lost>),
}

pub(crate) struct Line {
    pub(crate) client: Client,
    pub(crate) transport: Transport,
    pub(crate) wire: Option<Wire>,
    reconnect_at: Option<Duration>,
}

impl Line {
    pub(crate) fn new(
        user: &str,
        versions: Vec<Version>,
        transport: Transport,
        now: Duration,
    ) -> Self {
        let connect = ConnectOptions::default().login(user, "").versions(versions);
        let backoff = Backoff::new().cap(Duration::from_secs(5));
        let client = Client::new(ClientConfig::default().connect(connect).backoff(backoff));
        Self { client, transport, wire: None, reconnect_at: Some(now) }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.state() == State::Connected
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.wire.is_none() && self.reconnect_at.is_none()
    }

    pub(crate) fn arrived(
        &mut self,
        link: LinkId,
        arrival: Arrival,
        network: &mut Network,
        truth: &mut Truth,
    ) -> Vec<Told> {
        let mut told = Vec::new();
        let Some(wire) = self.wire.as_mut().filter(|wire| wire.has(link)) else { return told };
        let has_heart_beats = self.client.version().is_some_and(|it| it != Version::V1_0);
        let is_found = arrival != Arrival::TimedOut || !has_heart_beats;
        assert!(is_found, "a client with heart-beats has not noticed that its server is dead");
        for bytes in wire.arrived(link, arrival, network) {
            let mut input = &bytes[..];
            loop {
                match self.client.receive(&mut input, network.now) {
                    Ok(Some(event)) => told.extend(to_told(event, truth)),
                    Ok(None) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        told
    }

    /// Does what is due, and writes what there is.
    pub(crate) fn drive(&mut self, network: &mut Network, truth: &mut Truth) -> Vec<Told> {
        let now = network.now;
        if self.reconnect_at.is_some_and(|at| at <= now) {
            self.reconnect_at = None;
            self.wire = Some(Wire::open(self.transport, network));
            self.client.connection_opened(now).unwrap();
        }
        let Some(wire) = &mut self.wire else { return Vec::new() };
        if self.client.next_deadline().is_some_and(|deadline| deadline <= now) {
            match self.client.time_passed(now) {
                Ok(()) => {}
                Err(
                    ClientError::ConnectTimeout { .. }
                    | ClientError::DisconnectTimeout { .. }
                    | ClientError::HeartBeatTimeout { .. },
                ) => truth.count("dead servers found"),
                Err(error) => panic!("{error}"),
            }
        }
        while let Some(output) = self.client.next_output(now) {
            wire.send(output);
        }
        wire.drive(network);
        if self.client.state() == State::Over {
            wire.close(network);
        } else if !wire.is_over() {
            return Vec::new();
        } else {
            wire.close(network);
        }
        self.is_lost(network)
    }

    /// Disconnects in order, and for good.
    pub(crate) fn leave(&mut self, now: Duration) {
        self.client.disconnect(now);
        self.reconnect_at = None;
    }

    /// Loses the connection as a client does that crashes.
    pub(crate) fn crash(&mut self, network: &mut Network) -> Vec<Told> {
        let Some(wire) = &mut self.wire else { return Vec::new() };
        wire.reset(network);
        self.is_lost(network)
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let wire = self.wire.as_ref().and_then(Wire::deadline);
        [self.reconnect_at, self.client.next_deadline(), wire].into_iter().flatten().min()
    }

    fn is_lost(&mut self, network: &mut Network) -> Vec<Told> {
        self.wire = None;
        let lost = self.client.connection_lost(network.now, network.random.next());
        self.reconnect_at = lost.reconnect_at;
        vec![Told::Lost(Box::new(lost))]
    }
}

fn to_told(event: Event<'_>, truth: &mut Truth) -> Option<Told> {
    Some(match event {
        Event::Connected(_) => Told::Connected,
        Event::Subscribed { cursor, .. } => Told::Subscribed { cursor },
        Event::Message(delivery) => Told::Message {
            cursor: delivery.cursor(),
            token: delivery.ack_token(),
            body: delivery.text().unwrap().to_owned(),
        },
        Event::Gap(gap) => Told::Gap(gap),
        Event::Receipt { receipt, .. } => Told::Receipt(receipt),
        Event::Committed(transaction) => Told::Committed(transaction),
        Event::Error(error) => {
            truth.count("errors");
            Told::Refused(error.cause()?)
        }
        Event::Ignored(Ignored::Duplicate { .. }) | Event::Disconnected => return None,
        other => panic!("{other:?}"),
    })
}
