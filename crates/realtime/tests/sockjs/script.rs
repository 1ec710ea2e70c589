//! Runs the vectors in `tests/vectors/sockjs`, whose `README.md` describes the format.

use sansocket_realtime::sockjs::{
    Action, Chunk, Config, Cors, Effect, PreparedMessage, Receiver, Request, Response, Route,
    Session, SessionKey, Sessions, Transport,
};
use sansocket_testkit::vectors::{format::each_line, words::Words};
use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// What the application does by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Service {
    Scripted,
    Echo,
    Close,
}

/// A response or a WebSocket, as its client sees it.
#[derive(Debug)]
struct Client {
    head: Option<Response>,
    kind: Kind,
    chunks: VecDeque<String>,
    ended: bool,
    broken: bool,
    stalled: bool,
    slow: bool,
}

#[derive(Debug)]
enum Kind {
    Whole,
    Receiver(SessionKey, Receiver),
    WebSocket(Box<Session>, Receiver),
}

/// A request whose `with` lines are being read.
#[derive(Debug, Default)]
struct Pending {
    name: String,
    method: String,
    path: String,
    origin: Option<(bool, String)>,
    headers: Option<String>,
    cookie: Option<String>,
    owner: String,
    body: Vec<u8>,
    slow: bool,
}

/// A server with its clients, while a vector runs.
#[derive(Debug)]
struct Script {
    config: Config,
    service: Service,
    sessions: Option<Sessions>,
    clients: HashMap<String, Client>,
    pending: Option<Pending>,
    latest: Option<SessionKey>,
    events: VecDeque<String>,
    now: Duration,
}

/// Runs the vectors of a file, and returns how many there are.
pub(crate) fn run_file(file: &Path) -> usize {
    let mut count = 0;
    let mut script = Script::new();
    each_line(file, |place, line| {
        if line.starts_with('#') {
            script.finish(place);
            script = Script::new();
            count += 1;
        } else {
            script.line(&mut Words { rest: line, place });
        }
    });
    script.finish(&file.display().to_string());
    count
}

impl Script {
    fn new() -> Self {
        Self {
            config: Config::default(),
            service: Service::Scripted,
            sessions: None,
            clients: HashMap::new(),
            pending: None,
            latest: None,
            events: VecDeque::new(),
            // Any moment may be the first.
            now: Duration::from_secs(1000),
        }
    }

    fn finish(&mut self, place: &str) {
        self.request();
        for (name, client) in &self.clients {
            assert!(client.chunks.is_empty(), "before {place}: {name} got {:?}", client.chunks);
        }
    }

    fn line(&mut self, words: &mut Words<'_>) {
        let keyword = words.word();
        if keyword == "with" {
            return self.with(words);
        }
        self.request();
        match keyword {
            "section" => {}
            "option" => self.option(words),
            "service" => {
                self.service = match words.word() {
                    "echo" => Service::Echo,
                    "close" => Service::Close,
                    other => panic!("{}: unknown service {other}", words.place),
                }
            }
            "request" => {
                let [name, method, path] = [(); 3].map(|()| words.word().to_string());
                self.pending = Some(Pending { name, method, path, ..Pending::default() });
            }
            "websocket" => self.websocket(words),
            "in" => self.input(words),
            "abort" => self.abort(words),
            "stall" => self.clients.get_mut(words.word()).unwrap().stalled = true,
            "read" => self.read(words),
            "written" => self.written(words),
            "do" | "refuse" => self.act(keyword == "refuse", words),
            "wait" => self.wait(self.now + Duration::from_secs_f64(words.number())),
            _ => self.expect(keyword, words),
        }
    }

    fn with(&mut self, words: &mut Words<'_>) {
        let pending = self.pending.as_mut().expect("a request before");
        match words.word() {
            "origin" => pending.origin = Some((true, words.rest.to_string())),
            "refused-origin" => pending.origin = Some((false, words.rest.to_string())),
            "headers" => pending.headers = Some(words.rest.to_string()),
            "cookie" => pending.cookie = Some(words.rest.to_string()),
            "owner" => pending.owner = words.rest.to_string(),
            "body" => pending.body = words.bytes(),
            "slow" => pending.slow = true,
            other => panic!("{}: unknown part of a request: {other}", words.place),
        }
    }

    fn option(&mut self, words: &mut Words<'_>) {
        let config = self.config.clone();
        self.config = match words.word() {
            "websocket" => config.websocket(words.number()),
            "cookie_needed" => config.cookie_needed(words.number()),
            "heartbeat_delay" => config.heartbeat_delay(Duration::from_secs_f64(words.number())),
            "disconnect_delay" => config.disconnect_delay(Duration::from_secs_f64(words.number())),
            "response_limit" => config.response_limit(words.number()),
            "frame_limit" => config.frame_limit(words.number()),
            "queued_messages" => config.queued_messages(words.number()),
            "queued_bytes" => config.queued_bytes(words.number()),
            "payload_bytes" => config.payload_bytes(words.number()),
            "payload_messages" => config.payload_messages(words.number()),
            "sessions" => config.sessions(words.number()),
            "session_id_bytes" => config.session_id_bytes(words.number()),
            other => panic!("{}: unknown option {other}", words.place),
        };
    }

    fn sessions(&mut self) -> &mut Sessions {
        let config = &self.config;
        self.sessions.get_or_insert_with(|| Sessions::new(Arc::new(config.clone())))
    }

    /// Carries out the request whose lines have been read.
    fn request(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let cors = match &pending.origin {
            Some((true, origin)) if origin == "same" => Cors::SameOrigin,
            Some((true, origin)) => Cors::Origin(origin),
            Some((false, _)) => Cors::Refused,
            None => Cors::Any,
        };
        let request = Request::new(&pending.method, &pending.path)
            .cors(cors)
            .requested_fields(pending.headers.as_deref())
            .cookie(pending.cookie.as_deref());
        let (owner, now) = (pending.owner.as_bytes(), self.now);
        let mut kind = Kind::Whole;
        let head = match request.action(&self.config, 7) {
            Action::Respond(response) => response,
            // None of the requests in the vectors is an opening handshake.
            Action::RawWebSocket | Action::WebSocket => Response::not_a_websocket(),
            Action::Receive { session, transport, head } => {
                match self.sessions().attach(session, owner, transport, now) {
                    Ok((session, receiver)) => {
                        kind = Kind::Receiver(session, receiver);
                        head
                    }
                    Err(error) => error.response(head),
                }
            }
            Action::Send { session, head } => {
                match self.sessions().received(session, owner, &pending.body) {
                    Ok(()) => head.accepted(),
                    Err(error) => error.response(head),
                }
            }
            other => panic!("an unknown action: {other:?}"),
        };
        let ended = matches!(kind, Kind::Whole);
        self.connected(pending.name, Some(head), kind, ended, pending.slow);
        self.run();
    }

    fn connected(
        &mut self,
        name: String,
        head: Option<Response>,
        kind: Kind,
        ended: bool,
        slow: bool,
    ) {
        let (chunks, broken, stalled) = (VecDeque::new(), false, false);
        let client = Client { head, kind, chunks, ended, broken, stalled, slow };
        self.clients.insert(name, client);
    }

    fn websocket(&mut self, words: &mut Words<'_>) {
        let [name, path] = [(); 2].map(|()| words.word().to_string());
        let route = Route::parse(&path);
        assert!(matches!(route, Some(Route::Receive { transport: Transport::WebSocket, .. })));
        let mut session = Box::new(Session::new(self.config.clone().into(), self.now));
        let receiver = session.attach(Transport::WebSocket, self.now).unwrap();
        if self.service == Service::Close {
            session.close(3000, "Go away!", self.now);
        }
        self.connected(name, None, Kind::WebSocket(session, receiver), false, false);
        self.run();
    }

    fn input(&mut self, words: &mut Words<'_>) {
        let client = self.clients.get_mut(words.word()).unwrap();
        let Kind::WebSocket(session, _) = &mut client.kind else { panic!("no WebSocket") };
        let text = String::from_utf8(words.bytes()).unwrap();
        match session.received_text(&text, self.now) {
            Ok(messages) => {
                for text in messages {
                    if self.service == Service::Echo {
                        session.send(&PreparedMessage::new(&text), self.now).unwrap();
                    }
                    self.events.push_back(format!("message {text}"));
                }
            }
            Err(_) => client.broken = true,
        }
        self.run();
    }

    fn abort(&mut self, words: &mut Words<'_>) {
        let client = self.clients.get_mut(words.word()).unwrap();
        client.ended = true;
        match &mut client.kind {
            Kind::Whole => {}
            Kind::WebSocket(session, receiver) => session.aborted(*receiver, self.now),
            &mut Kind::Receiver(session, receiver) => {
                let now = self.now;
                self.sessions().aborted(session, receiver, now);
            }
        }
        self.run();
    }

    fn act(&mut self, refused: bool, words: &mut Words<'_>) {
        let (session, now) = (self.latest.expect("a session"), self.now);
        match words.word() {
            "send" => {
                let message = PreparedMessage::new(&String::from_utf8(words.bytes()).unwrap());
                let sent = self.sessions().send(session, &message, now);
                assert_eq!(sent.is_err(), refused, "{}: {sent:?}", words.place);
            }
            "close" => {
                let code = words.number();
                let reason = String::from_utf8(words.bytes()).unwrap();
                self.sessions().close(session, code, &reason, now);
            }
            other => panic!("{}: unknown action {other}", words.place),
        }
        self.run();
    }

    /// Lets time pass up to `until`, from deadline to deadline.
    fn wait(&mut self, until: Duration) {
        while let Some(deadline) = self.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            let now = self.now;
            self.sessions().time_passed(now);
            for client in self.clients.values_mut() {
                if let Kind::WebSocket(session, _) = &mut client.kind {
                    client.broken |= session.time_passed(now).is_some();
                }
            }
            self.run();
            assert!(self.next_deadline().is_none_or(|next| next > now), "a deadline stays");
        }
        self.now = until;
    }

    fn next_deadline(&self) -> Option<Duration> {
        let websockets = self.clients.values().filter_map(|client| match &client.kind {
            Kind::WebSocket(session, _) => session.next_deadline(),
            _ => None,
        });
        websockets.chain(self.sessions.as_ref()?.next_deadline()).min()
    }

    /// Does what the effects demand, until nothing happens any more.
    fn run(&mut self) {
        let now = self.now;
        while let Some(effect) = self.sessions().next_effect() {
            match effect {
                Effect::Opened { session } => {
                    self.latest = Some(session);
                    self.events.push_back("opened".into());
                    if self.service == Service::Close {
                        self.sessions().close(session, 3000, "Go away!", now);
                    }
                }
                Effect::Messages { session, messages } => {
                    for text in messages {
                        if self.service == Service::Echo {
                            self.sessions()
                                .send(session, &PreparedMessage::new(&text), now)
                                .unwrap();
                        }
                        self.events.push_back(format!("message {text}"));
                    }
                }
                Effect::Ready { session, receiver } => self.take(session, receiver),
                Effect::Abort { session, receiver } => {
                    self.receiving(session, receiver).unwrap().broken = true;
                }
                Effect::Closed { cause, .. } => self.events.push_back(format!("closed {cause:?}")),
                other => panic!("an unknown effect: {other:?}"),
            }
        }
        for client in self.clients.values_mut() {
            if client.stalled {
                continue;
            }
            if let Kind::WebSocket(session, receiver) = &mut client.kind {
                while let Some(chunk) = session.next_chunk(*receiver, now) {
                    Client::got(&mut client.chunks, &mut client.ended, &chunk);
                }
            }
        }
    }

    fn receiving(&mut self, session: SessionKey, receiver: Receiver) -> Option<&mut Client> {
        self.clients.values_mut().find(|client| match client.kind {
            Kind::Receiver(of, number) => (of, number) == (session, receiver),
            _ => false,
        })
    }

    fn take(&mut self, session: SessionKey, receiver: Receiver) {
        let now = self.now;
        while self.receiving(session, receiver).is_some_and(|client| !client.stalled) {
            let Some(chunk) = self.sessions().next_chunk(session, receiver, now) else { return };
            let client = self.receiving(session, receiver).unwrap();
            Client::got(&mut client.chunks, &mut client.ended, &chunk);
            if chunk.last && !client.slow {
                self.sessions().written(session, receiver, now);
            }
        }
    }

    fn written(&mut self, words: &mut Words<'_>) {
        let client = &self.clients[words.word()];
        assert!(client.ended && client.slow, "{}: it was written at once", words.place);
        let Kind::Receiver(session, receiver) = client.kind else { panic!("no receiver") };
        let now = self.now;
        self.sessions().written(session, receiver, now);
        self.run();
    }

    /// A client reads again.
    fn read(&mut self, words: &mut Words<'_>) {
        let client = self.clients.get_mut(words.word()).unwrap();
        client.stalled = false;
        if let Kind::Receiver(session, receiver) = client.kind {
            self.take(session, receiver);
        }
        self.run();
    }

    fn expect(&mut self, keyword: &str, words: &mut Words<'_>) {
        let place = words.place;
        if keyword == "event" || keyword == "no" {
            return self.expect_event(keyword, words);
        }
        let name = words.word();
        let client = self.clients.get_mut(name).unwrap_or_else(|| panic!("{place}: no {name}"));
        let head = |client: &Client| client.head.clone().expect("a head");
        match keyword {
            "status" => assert_eq!(head(client).status, words.number::<u16>(), "{place}"),
            "field" => {
                let field = words.word();
                assert_eq!(head(client).field(field), Some(words.rest), "{place}: {field}");
            }
            "without" => assert_eq!(head(client).field(words.word()), None, "{place}"),
            "body" => {
                assert_eq!(head(client).body, words.bytes(), "{place}");
                assert!(client.ended && client.chunks.is_empty(), "{place}: {client:?}");
            }
            "chunk" => {
                let expected = String::from_utf8(words.bytes()).unwrap();
                assert_eq!(client.chunks.pop_front(), Some(expected), "{place}");
            }
            "open" | "end" | "broken" => {
                assert!(client.chunks.is_empty(), "{place}: {:?}", client.chunks);
                let expected = (keyword == "end", keyword == "broken");
                assert_eq!((client.ended, client.broken), expected, "{place}");
            }
            other => panic!("{place}: unknown keyword {other}"),
        }
    }

    fn expect_event(&mut self, keyword: &str, words: &mut Words<'_>) {
        if keyword == "no" {
            assert_eq!(self.events, [""; 0], "{}", words.place);
            return;
        }
        let expected = match words.word() {
            "message" => format!("message {}", String::from_utf8(words.bytes()).unwrap()),
            "closed" => format!("closed {}", words.word()),
            other => other.to_string(),
        };
        assert_eq!(self.events.pop_front(), Some(expected), "{}", words.place);
    }
}

impl Client {
    fn got(chunks: &mut VecDeque<String>, ended: &mut bool, chunk: &Chunk) {
        assert!(!*ended, "a chunk after the end: {chunk:?}");
        chunks.push_back(chunk.text.to_string());
        *ended = chunk.last;
    }
}
