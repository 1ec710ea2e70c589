//! Plays a vector: does what its lines say, and compares what they expect.

use super::{Kind, Part, Step, Vector};
use sansocket::client::Backoff;
use sansocket_realtime::{
    Cursor, Message,
    hub::Start,
    stomp::{
        Decoder, Encoder, Limits, Version,
        client::{
            AckError, AckToken, BeginError, Cause, Client, ClientConfig, ClientError,
            ConnectOptions, Event, Ignored, Lost, OpenError, SendError, SubscribeError,
            SubscribeOptions, SubscriptionId, TransactionId,
        },
        header::HeartBeat,
    },
};
use sansocket_testkit::vectors::words::Words;
use std::{fmt::Debug, time::Duration};

/// How input is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Each line of input on its own, and what it expects is compared at once.
    Lines,
    /// As much as possible at once.
    Whole,
    /// Byte by byte.
    Bytes,
    /// As [`Whole`](Self::Whole), but cut at this place in the input of the whole vector.
    At(usize),
}

/// Plays a vector in which the server chooses this version.
pub(crate) fn play(vector: &Vector, version: Version, cut: Cut) {
    let mut player = Player::new(vector, version);
    let mut taken = 0;
    let mut steps = &vector.steps[..];
    while !steps.is_empty() {
        let len = group_len(steps, cut);
        let (group, rest) = steps.split_at(len);
        steps = rest;
        // Only the first can be an action.
        player.step(&group[0]);
        let input: Vec<u8> =
            group.iter().filter_map(|step| step.input(version)).flatten().collect();
        for piece in pieces(&input, taken, cut) {
            player.receive(piece);
        }
        taken += input.len();
        for step in &group[1..] {
            player.step(step);
        }
        let title = format!("{} in {version}, cut {cut:?}, before {}", vector.title, place(rest));
        player.compare(&title);
    }
}

fn place(steps: &[Step]) -> &str {
    steps.first().map_or("the end", |step| &step.place)
}

/// Returns how many steps belong together: input and what is expected, up to an action.
fn group_len(steps: &[Step], cut: Cut) -> usize {
    let is_next = |step: &&Step| match step.kind {
        Kind::Do(_) | Kind::Refuse(..) | Kind::End(_) => true,
        Kind::Input(_) | Kind::Server(_) => cut == Cut::Lines,
        _ => false,
    };
    1 + steps[1..].iter().take_while(|step| !is_next(step)).count()
}

/// Cuts the input that follows `taken` bytes of the vector.
fn pieces(input: &[u8], taken: usize, cut: Cut) -> Vec<&[u8]> {
    match cut {
        Cut::Bytes => input.chunks(1).collect(),
        Cut::At(at) if at > taken && at < taken + input.len() => {
            let (before, behind) = input.split_at(at - taken);
            vec![before, behind]
        }
        _ => vec![input],
    }
}

impl Step {
    /// Returns the bytes that arrive in this step.
    pub(crate) fn input(&self, version: Version) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Input(bytes) => Some(bytes.clone()),
            Kind::Server(part) => {
                let mut bytes = Vec::new();
                let of_version = |text: &String| text.replace("{version}", version.as_str());
                let headers = part.headers.iter().map(|(name, value)| (name, of_version(value)));
                Encoder::new(version)
                    .encode(part.command, headers, &part.body, &mut bytes)
                    .unwrap();
                Some(bytes)
            }
            _ => None,
        }
    }
}

struct Player<'a> {
    vector: &'a Vector,
    version: Version,
    client: Client,
    /// Reads what the client sends.
    server: Decoder,
    now: Duration,
    events: Vec<String>,
    expected_events: Vec<String>,
    sent: Vec<String>,
    expected_sent: Vec<String>,
    tokens: Vec<AckToken>,
    subscriptions: Vec<SubscriptionId>,
    transactions: Vec<TransactionId>,
    lost: Option<Lost>,
}

impl<'a> Player<'a> {
    fn new(vector: &'a Vector, version: Version) -> Self {
        let mut player = Self {
            vector,
            version,
            client: Client::new(config(vector, version)),
            server: Decoder::server(Limits::default()),
            now: Duration::from_secs(1000),
            events: Vec::new(),
            expected_events: Vec::new(),
            sent: Vec::new(),
            expected_sent: Vec::new(),
            tokens: Vec::new(),
            subscriptions: Vec::new(),
            transactions: Vec::new(),
            lost: None,
        };
        player.server.set_version(version);
        player
    }

    fn receive(&mut self, mut input: &[u8]) {
        loop {
            match self.client.receive(&mut input, self.now) {
                Ok(Some(event)) => {
                    if let Event::Message(delivery) = &event {
                        self.tokens.extend(delivery.ack_token());
                    }
                    self.events.push(described(&event).trim_end().to_owned());
                }
                Ok(None) => break,
                Err(error) => {
                    let again = self.client.receive(&mut &b"\n"[..], self.now).err();
                    assert_eq!(
                        again.as_ref(),
                        Some(&error),
                        "{}: a second call",
                        self.vector.title
                    );
                    self.failed(&error);
                    break;
                }
            }
        }
        self.take_output();
    }

    /// Notes a failure once. Later input fails in the same way.
    fn failed(&mut self, error: &ClientError) {
        let name = match error {
            ClientError::Protocol(error) => name_of(error),
            error => name_of(error),
        };
        let failure = format!("failed {name}");
        if self.events.last() != Some(&failure) {
            self.events.push(failure);
        }
    }

    fn take_output(&mut self) {
        while let Some(output) = self.client.next_output(self.now) {
            assert_eq!(output.is_text(), std::str::from_utf8(output.head()).is_ok());
            if output.head() == Encoder::HEART_BEAT {
                self.sent.push("beat".to_owned());
                continue;
            }
            let mut bytes = output.head();
            let frame = self.server.decode(&mut bytes).unwrap().expect("one whole frame");
            let mut headers: Vec<String> = frame
                .headers()
                .filter(|(name, _)| name != "content-length")
                .map(|(name, value)| format!("{name}:{value}"))
                .collect();
            headers.sort();
            self.sent.push(format!("{} {headers:?} {:?}", frame.command(), frame.body()));
            assert!(bytes.is_empty(), "{}: one frame in each output", self.vector.title);
        }
    }

    fn step(&mut self, step: &Step) {
        match &step.kind {
            Kind::Input(_) | Kind::Server(_) => {}
            Kind::Do(action) => self.act(action, &step.place),
            Kind::Refuse(error, action) => {
                let refused = self.try_to(action, &step.place).err();
                assert_eq!(refused.as_ref(), Some(error), "{}", step.place);
            }
            Kind::Event(event) => self.expected_events.push(event.clone()),
            Kind::Client(part) => self.expected_sent.push(sent(part)),
            Kind::Beat => self.expected_sent.push("beat".to_owned()),
            Kind::End(end) => {
                assert_eq!(&self.client.state().to_string(), end, "{}", step.place);
            }
        }
        self.take_output();
    }

    fn act(&mut self, action: &str, place: &str) {
        if let Err(error) = self.try_to(action, place) {
            panic!("{place}: {error}");
        }
    }

    fn compare(&mut self, title: &str) {
        let replaced = |expected: &[String]| -> Vec<String> {
            let version = self.version.as_str();
            expected.iter().map(|text| text.replace("{version}", version)).collect()
        };
        assert_eq!(self.events, replaced(&self.expected_events), "events of {title}");
        assert_eq!(self.sent, replaced(&self.expected_sent), "frames of {title}");
    }

    fn subscription(&self, words: &mut Words<'_>) -> SubscriptionId {
        self.subscriptions[words.number::<usize>()]
    }

    fn transaction(&self, words: &mut Words<'_>) -> TransactionId {
        self.transactions[words.number::<usize>()]
    }

    /// Does what a line says, or returns the name of the error.
    fn try_to(&mut self, action: &str, place: &str) -> Result<(), String> {
        let words = &mut Words { rest: action, place };
        match words.word() {
            "connect" => self.connect(),
            "open" => self.client.connection_opened(self.now).map_err(open_error)?,
            "lose" => self.lose(),
            "wait" => self.wait(Duration::from_millis(words.number())),
            "disconnect" => self.client.disconnect(self.now),
            "subscribe" => {
                let (destination, options) = subscribe_options(words);
                let id = self.client.subscribe(destination, options).map_err(subscribe_error)?;
                self.subscriptions.push(id);
            }
            "unsubscribe" => {
                let id = self.subscription(words);
                assert!(self.client.unsubscribe(id), "{place}");
            }
            "send" => self.client.send(words.word(), &message(words)).map_err(send_error)?,
            "send-with-receipt" => {
                let destination = words.word();
                self.client.send_with_receipt(destination, &message(words)).map_err(send_error)?;
            }
            "send-again" => {
                let lost = self.lost.as_ref().expect(place);
                let unconfirmed = lost.unconfirmed[words.number::<usize>()].clone();
                self.client.send_again(&unconfirmed).map_err(send_error)?;
            }
            "ack" => {
                let token = self.tokens[words.number::<usize>()].clone();
                self.client.ack(&token).map_err(ack_error)?;
            }
            "nack" => {
                let token = self.tokens[words.number::<usize>()].clone();
                self.client.nack(&token).map_err(ack_error)?;
            }
            "begin" => {
                let id = self.client.begin().map_err(begin_error)?;
                self.transactions.push(id);
            }
            "in" => self.try_in_transaction(words)?,
            other => panic!("{place}: unknown action {other}"),
        }
        Ok(())
    }

    fn try_in_transaction(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let id = self.transaction(words);
        let mut transaction = self.client.transaction(id).map_err(|error| name_of(&error))?;
        match words.word() {
            "send" => transaction.send(words.word(), &message(words)).map_err(send_error),
            "send-with-receipt" => {
                let destination = words.word();
                let sent = transaction.send_with_receipt(destination, &message(words));
                sent.map(|_| ()).map_err(send_error)
            }
            "ack" => transaction.ack(&self.tokens[words.number::<usize>()]).map_err(ack_error),
            "nack" => transaction.nack(&self.tokens[words.number::<usize>()]).map_err(ack_error),
            "commit" => transaction.commit().map_err(send_error),
            "abort" => transaction.abort().map_err(send_error),
            other => panic!("{}: unknown action {other}", words.place),
        }
    }

    /// Connects without heart-beats. CONNECT and CONNECTED are the matter of other vectors.
    fn connect(&mut self) {
        self.client.connection_opened(self.now).unwrap();
        self.take_output();
        assert!(self.sent.pop().is_some_and(|frame| frame.starts_with("CONNECT ")));
        self.receive(format!("CONNECTED\nversion:{}\n\n\0", self.version).as_bytes());
        assert!(self.events.pop().is_some_and(|event| event.starts_with("connected ")));
    }

    fn lose(&mut self) {
        let lost = self.client.connection_lost(self.now, u64::MAX);
        for unconfirmed in &lost.unconfirmed {
            let received = if unconfirmed.was_received { " received" } else { "" };
            self.events.push(format!("unconfirmed {}{received}", unconfirmed.receipt));
        }
        for transaction in &lost.transactions {
            let committing = if transaction.is_committing { " committing" } else { "" };
            self.events.push(format!("aborted {}{committing}", transaction.transaction));
        }
        let pause = lost.reconnect_at.map(|at| (at - self.now).as_millis());
        let pause = pause.map_or("never".to_owned(), |pause| pause.to_string());
        self.events.push(format!("reconnect {pause}"));
        self.lost = Some(lost);
    }

    /// Lets time pass, and calls at each deadline.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.client.next_deadline().filter(|at| *at <= until) {
            self.now = deadline.max(self.now);
            if let Err(error) = self.client.time_passed(self.now) {
                self.failed(&error);
            }
            self.take_output();
        }
        self.now = until;
    }
}

fn config(vector: &Vector, version: Version) -> ClientConfig {
    let milliseconds = |words: &mut Words<'_>| Duration::from_millis(words.number());
    let mut config = ClientConfig::default().backoff(Backoff::new().base(Duration::from_secs(1)));
    config.connect = ConnectOptions::default().host("h").versions(vec![version]);
    for (name, rest) in &vector.options {
        let words = &mut Words { rest, place: &vector.title };
        let connect = config.connect.clone();
        config.connect = match &**name {
            "host" => connect.host(words.word()),
            "login" => connect.login(words.word(), words.word()),
            "header" => connect.header(words.word(), words.word()),
            "versions" => {
                connect.versions(rest.split(' ').map(|text| text.parse().unwrap()).collect())
            }
            "heart-beat" => connect.heart_beat(words.number::<HeartBeat>()),
            "stomp-frame" => connect.stomp_frame(true),
            _ => connect,
        };
        match &**name {
            "unsolicited" => config.unsolicited = true,
            "connect-timeout" => config.connect_timeout = milliseconds(words),
            "disconnect-timeout" => config.disconnect_timeout = milliseconds(words),
            "limit" => {
                let limit = words.word();
                let most = words.number();
                let limits = config.limits;
                config.limits = match limit {
                    "output" => limits.output(most),
                    "receipts" => limits.receipts(most),
                    "unconfirmed" => limits.unconfirmed(most),
                    "subscriptions" => limits.subscriptions(most),
                    "transactions" => limits.transactions(most),
                    "unacknowledged" => limits.unacknowledged(most),
                    "body" => limits.frame(limits.frame.body(most)),
                    other => panic!("{}: unknown limit {other}", vector.title),
                };
            }
            _ => {}
        }
    }
    config
}

/// Reads `DESTINATION name=value …`.
fn subscribe_options<'a>(words: &mut Words<'a>) -> (&'a str, SubscribeOptions) {
    let destination = words.word();
    let mut options = SubscribeOptions::default().gaps(false);
    while !words.rest.is_empty() {
        let place = words.place;
        let (name, value) = words.word().split_once('=').expect(place);
        options = match name {
            "ack" => options.ack(value.parse().expect(place)),
            "since" => options.start(Start::After(value.parse().expect(place))),
            "start" if value == "last" => options.start(Start::Last),
            "start" => options.start(Start::Beginning),
            "gaps" => options.gaps(true),
            "prefetch" => options.prefetch(Some(value.parse().expect(place))),
            name => options.header(name, value),
        };
    }
    (destination, options)
}

/// Reads `[type=TYPE] [name:value …] BYTES`.
fn message(words: &mut Words<'_>) -> Message {
    let mut message = Message::default();
    while let Some(name) = words.rest.split(' ').next().filter(|word| is_header(word)) {
        words.word();
        message = match name.split_once('=') {
            Some((_, content_type)) => message.content_type(content_type),
            None => {
                let (name, value) = name.split_once(':').unwrap();
                message.header(name, value)
            }
        };
    }
    let headers: Vec<_> =
        message.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let bodied = Message::new(words.bytes()).with_headers(headers);
    match message.get_content_type() {
        Some(content_type) => bodied.content_type(content_type),
        None => bodied,
    }
}

fn is_header(word: &str) -> bool {
    !word.starts_with('"') && (word.contains(':') || word.starts_with("type="))
}

fn sent(part: &Part) -> String {
    let mut headers: Vec<String> =
        part.headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    headers.sort();
    format!("{} {headers:?} {:?}", part.command, part.body)
}

/// Describes an event as a line of a vector does.
fn described(event: &Event<'_>) -> String {
    let cursor = |cursor: &Option<Cursor>| cursor.map_or("-".to_owned(), |at| at.to_string());
    let body = |body: &[u8]| String::from_utf8_lossy(body).escape_debug().to_string();
    match event {
        Event::Connected(connected) => {
            format!("connected {} {}", connected.version(), connected.heart_beat())
        }
        Event::Refused(error) => format!("refused {}", body(error.body())),
        Event::Message(delivery) => {
            let subscription = delivery.subscription().unwrap();
            let again = if delivery.is_redelivered() { " redelivered" } else { "" };
            let cursor = cursor(&delivery.cursor());
            format!("message {subscription} {cursor} {}{again}", body(delivery.body()))
        }
        Event::Unsolicited(delivery) => format!("unsolicited {}", body(delivery.body())),
        Event::Gap(gap) => format!("gap {} {} {}", gap.subscription, gap.from, gap.to),
        Event::Subscribed { subscription, cursor: at } => {
            format!("subscribed {subscription} {}", cursor(at))
        }
        Event::Receipt { receipt, cursor: at } => format!("receipt {receipt} {}", cursor(at)),
        Event::Committed(transaction) => format!("committed {transaction}"),
        Event::Disconnected => "disconnected".to_owned(),
        Event::Error(error) => {
            let cause = match error.cause() {
                Some(Cause::Send(receipt)) => format!("send {receipt}"),
                Some(Cause::Subscribe(id)) => format!("subscribe {id}"),
                Some(Cause::Commit(id)) => format!("commit {id}"),
                Some(Cause::Disconnect) => "disconnect".to_owned(),
                _ => "-".to_owned(),
            };
            let message = error.message();
            format!("error {cause} {} {}", message.as_deref().unwrap_or("-"), body(error.body()))
        }
        Event::Ignored(Ignored::Duplicate { subscription, cursor }) => {
            format!("ignored duplicate {subscription} {cursor}")
        }
        Event::Ignored(Ignored::Unsubscribed(id)) => format!("ignored unsubscribed {id}"),
        Event::Ignored(Ignored::Unassigned) => "ignored unassigned".to_owned(),
        Event::Ignored(Ignored::Receipt) => "ignored receipt".to_owned(),
        other => panic!("no description of {other:?}"),
    }
}

/// Returns the name of an error's variant.
fn name_of(error: &dyn Debug) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

fn send_error(error: SendError) -> String {
    name_of(&error)
}

fn open_error(error: OpenError) -> String {
    name_of(&error)
}

fn subscribe_error(error: SubscribeError) -> String {
    match error {
        SubscribeError::Send(error) => name_of(&error),
        error => name_of(&error),
    }
}

fn begin_error(error: BeginError) -> String {
    match error {
        BeginError::Send(error) => name_of(&error),
        error => name_of(&error),
    }
}

fn ack_error(error: AckError) -> String {
    match error {
        AckError::Send(error) => name_of(&error),
        error => name_of(&error),
    }
}
