//! What holds for a client of STOMP, whatever the server sends and the application does.

use sansocket_realtime::{
    Message,
    stomp::{
        Version,
        client::{
            AckToken, Cause, Client, ClientConfig, ClientLimits, ConnectOptions, Event, ReceiptId,
            State, SubscribeOptions, SubscriptionId, TransactionId,
        },
        header::{AckMode, HeartBeat},
    },
};
use std::{collections::BTreeSet, time::Duration};

/// Plays a script of arbitrary bytes: each says what the application, the transport or the server does.
/// Checks that
///
/// - nothing panics,
/// - events, errors and output are the same whether the input comes whole or byte by byte,
/// - each receipt is answered once: it comes, its message is refused, or it is unconfirmed,
/// - what is queued, and what waits, is within the limits,
/// - a connection that is over gives no event and no output.
///
/// The first byte chooses the version that the server has.
pub(crate) fn check_stomp_client(data: &[u8]) {
    let [choice, script @ ..] = data else { return };
    let mut whole = Player::new(*choice, usize::MAX);
    let mut cut = Player::new(*choice, 1);
    whole.play(script);
    cut.play(script);
    assert_eq!(whole.log, cut.log);
}

const LIMITS: (usize, usize, usize) = (400, 3, 5);

struct Player {
    client: Client,
    version: Version,
    /// Input arrives in pieces of this length.
    piece: usize,
    now: Duration,
    /// Everything that was told and sent.
    log: Vec<String>,
    subscriptions: Vec<SubscriptionId>,
    tokens: Vec<AckToken>,
    transactions: Vec<TransactionId>,
    waiting: BTreeSet<ReceiptId>,
}

impl Player {
    fn new(choice: u8, piece: usize) -> Self {
        let (output, receipts, unacknowledged) = LIMITS;
        let limits = ClientLimits::default()
            .output(output)
            .receipts(receipts)
            .unacknowledged(unacknowledged)
            .subscriptions(4)
            .transactions(2);
        let second = Duration::from_secs(1);
        let connect = ConnectOptions::default().heart_beat(HeartBeat::new(second, second));
        let config =
            ClientConfig::default().connect(connect).limits(limits).unsolicited(choice & 0x80 != 0);
        Self {
            client: Client::new(config),
            version: Version::ALL[usize::from(choice & 0x7f) % Version::ALL.len()],
            piece,
            now: Duration::ZERO,
            log: Vec::new(),
            subscriptions: Vec::new(),
            tokens: Vec::new(),
            transactions: Vec::new(),
            waiting: BTreeSet::new(),
        }
    }

    fn play(&mut self, mut script: &[u8]) {
        while let [action, rest @ ..] = script {
            script = rest;
            let (argument, rest) = rest.split_first().unwrap_or((&0, &[]));
            if self.act(*action % 24, *argument) {
                script = rest;
            } else if *action % 24 == 23 {
                let len = usize::from(*argument).min(rest.len());
                self.receive(&rest[..len]);
                script = &rest[len..];
            }
            self.check_limits();
        }
    }

    /// Does something, and returns whether it has used the argument.
    fn act(&mut self, action: u8, argument: u8) -> bool {
        let at = usize::from(argument);
        match action {
            0 | 1 => return self.connect(),
            2 => self.lose(u64::from(argument) << 56),
            3 | 4 => self.subscribe(argument),
            5 => {
                if let Some(&id) = pick(&self.subscriptions, at) {
                    self.client.unsubscribe(id);
                }
            }
            6 | 7 => {
                let sent = self.client.send_with_receipt("/topic/a", &Message::new("a"));
                self.note_receipt(sent.ok());
            }
            8 | 9 => {
                if let Some(token) = pick(&self.tokens, at).cloned() {
                    self.log.push(format!("{:?}", self.client.ack(&token)));
                }
            }
            10 => {
                if let Some(token) = pick(&self.tokens, at).cloned() {
                    self.log.push(format!("{:?}", self.client.nack(&token)));
                }
            }
            11 => self.transactions.extend(self.client.begin().ok()),
            12 | 13 => self.use_transaction(argument),
            14 => self.client.disconnect(self.now),
            15 => self.wait(Duration::from_millis(100 * u64::from(argument))),
            16 => self.write(),
            17 | 18 => self.message(argument),
            19 => self.receive(format!("RECEIPT\nreceipt-id:{}\n\n\0", argument % 32).as_bytes()),
            20 => {
                let receipt = argument % 32;
                let text = format!("RECEIPT\nreceipt-id:{receipt}\ncursor:5-{receipt}\n\n\0\n");
                self.receive(text.as_bytes());
            }
            21 => self.receive(format!("ERROR\nreceipt-id:{}\n\nno\0", argument % 32).as_bytes()),
            22 => {
                let to = argument >> 2;
                let id = argument & 3;
                let text = format!(
                    "MESSAGE\nsubscription:{id}\nmessage-id:5-{to}\ndestination:/topic/a\n\
                     gap-from:5-0\ngap-to:5-{to}\n\n\0"
                );
                self.receive(text.as_bytes());
            }
            _ => return false,
        }
        true
    }

    fn connect(&mut self) -> bool {
        if self.client.connection_opened(self.now).is_ok() {
            self.write();
            let version = self.version;
            let text = format!("CONNECTED\nversion:{version}\nheart-beat:1000,1000\n\n\0");
            self.receive(text.as_bytes());
        }
        false
    }

    fn lose(&mut self, random: u64) {
        let lost = self.client.connection_lost(self.now, random);
        for unconfirmed in &lost.unconfirmed {
            assert!(self.waiting.remove(&unconfirmed.receipt), "{unconfirmed:?}");
        }
        assert!(self.waiting.is_empty(), "neither confirmed nor unconfirmed: {:?}", self.waiting);
        self.log.push(format!("{lost:?}"));
    }

    fn subscribe(&mut self, argument: u8) {
        let ack = match argument % 3 {
            0 => AckMode::Auto,
            1 => AckMode::Client,
            _ => AckMode::ClientIndividual,
        };
        let subscribed = self.client.subscribe("/topic/a", SubscribeOptions::default().ack(ack));
        self.log.push(format!("{subscribed:?}"));
        self.subscriptions.extend(subscribed.ok());
    }

    fn use_transaction(&mut self, argument: u8) {
        let Some(&id) = pick(&self.transactions, usize::from(argument >> 2)) else { return };
        let token = self.tokens.last().cloned();
        let Ok(mut transaction) = self.client.transaction(id) else { return };
        let mut receipt = None;
        let outcome = match (argument & 3, token) {
            (0, _) => format!("{:?}", transaction.commit()),
            (1, _) => format!("{:?}", transaction.abort()),
            (2, Some(token)) => format!("{:?}", transaction.ack(&token)),
            _ => {
                let sent = transaction.send_with_receipt("/topic/a", &Message::new("b"));
                receipt = sent.ok();
                String::new()
            }
        };
        self.log.push(outcome);
        self.note_receipt(receipt);
    }

    fn note_receipt(&mut self, receipt: Option<ReceiptId>) {
        if let Some(receipt) = receipt {
            assert!(self.waiting.insert(receipt), "{receipt:?} was used before");
        }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.client.next_deadline().filter(|at| *at <= until) {
            self.now = deadline.max(self.now);
            self.log.push(format!("{:?}", self.client.time_passed(self.now)));
            self.write();
        }
        self.now = until;
    }

    fn write(&mut self) {
        while let Some(output) = self.client.next_output(self.now) {
            assert!(output.is_text(), "all bodies of the script are text");
            self.log.push(String::from_utf8(output.head().to_vec()).unwrap());
        }
    }

    fn message(&mut self, argument: u8) {
        let (id, at) = (argument & 3, argument >> 2);
        let text = format!(
            "MESSAGE\nsubscription:{id}\nmessage-id:5-{at}\nack:{argument}\ndestination:/topic/a\n\n{at}\0"
        );
        self.receive(text.as_bytes());
    }

    fn receive(&mut self, input: &[u8]) {
        for mut piece in input.chunks(self.piece.min(input.len().max(1))) {
            loop {
                let is_over = matches!(self.client.state(), State::Over | State::Disconnected);
                let received = self.client.receive(&mut piece, self.now);
                match received {
                    Ok(None) => break,
                    Err(error) => {
                        let error = format!("{error:?}");
                        // Each further piece fails in the same way.
                        if self.log.last() != Some(&error) {
                            self.log.push(error);
                        }
                        break;
                    }
                    Ok(Some(event)) => {
                        assert!(!is_over, "{event:?} after the end");
                        let answered = match &event {
                            Event::Receipt { receipt, .. } => Some(*receipt),
                            Event::Error(error) => match error.cause() {
                                Some(Cause::Send(receipt)) => Some(receipt),
                                _ => None,
                            },
                            _ => None,
                        };
                        if let Event::Message(delivery) = &event {
                            self.tokens.extend(delivery.ack_token());
                        }
                        self.log.push(format!("{event:?}"));
                        if let Some(receipt) = answered {
                            assert!(self.waiting.remove(&receipt), "{receipt:?} came twice");
                        }
                    }
                }
            }
        }
    }

    fn check_limits(&self) {
        // One frame may exceed the limit, and so may subscriptions that are made again.
        assert!(self.client.queued_output() <= LIMITS.0 + 5 * 200);
        assert!(self.waiting.len() <= LIMITS.1);
        if matches!(self.client.state(), State::Over | State::Disconnected) {
            assert_eq!(self.client.queued_output(), 0);
            assert_eq!(self.client.next_deadline(), None);
        }
    }
}

fn pick<T>(items: &[T], at: usize) -> Option<&T> {
    if items.is_empty() { None } else { items.get(at % items.len()) }
}
