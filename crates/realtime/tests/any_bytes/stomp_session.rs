//! What holds for any bytes that a session of STOMP receives in front of a hub. The fuzz target
//! `stomp_session` checks the same.

use sansocket_realtime::{
    Epoch, Message,
    hub::{Answer, Command as HubCommand, ConnectionId, Effect, Handlers, Hub, Principal},
    stomp::{
        Command, Decoder, Limits, Version, header,
        server::{Config, Event, Output, Session},
    },
};
use sansocket_testkit::cuts::cuts;
use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

const CLIENT: ConnectionId = ConnectionId(1);
const NOW: Duration = Duration::ZERO;

/// Receives arbitrary bytes, and checks that
///
/// - nothing panics,
/// - the outcome is the same whole and cut: all frames and the Close,
/// - the hub is told of the client once, and once that it is gone, with nothing afterwards,
/// - nothing follows an ERROR but a Close, and nothing a Close,
/// - each receipt that was asked for is answered exactly once, unless there is an ERROR, and no other is.
///
/// The first byte chooses whether the client has connected before, and with which version; the second
/// one chooses the cuts.
pub(crate) fn check_session(data: &[u8]) {
    let [choice, seed, input @ ..] = data else { return };
    let connect = match choice % 4 {
        0 => String::new(),
        1 => "CONNECT\n\n\0".to_owned(),
        2 => "CONNECT\naccept-version:1.1\nheart-beat:1,1\n\n\0".to_owned(),
        _ => "CONNECT\naccept-version:1.2\nlogin:ann\n\n\0".to_owned(),
    };
    let input = [connect.as_bytes(), input].concat();
    let whole = World::new().run(&input, &[]);
    for cuts in [cuts(*seed, input.len()), (1..input.len()).collect()] {
        let cut = World::new().run(&input, &cuts);
        assert_eq!(cut, whole, "cut at {cuts:?}");
    }
    check_receipts(&input, &whole);
}

/// What the client gets.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    version: Option<Version>,
    frames: Vec<(Command, Option<String>)>,
    bytes: Vec<u8>,
    has_closed: bool,
    error: Option<String>,
}

/// A session, the hub behind it, and an application that answers some calls later.
struct World {
    hub: Hub,
    handlers: Handlers<()>,
    session: Session,
    /// The answers to calls that take time.
    pending: Vec<HubCommand>,
    is_registered: bool,
    is_gone: bool,
    outcome: Outcome,
}

impl World {
    fn new() -> Self {
        let mut hub = Hub::new(Epoch(0x5f));
        let mut handlers = Handlers::new();
        handlers
            .on(&mut hub, "/app/echo", |(): &mut (), call| {
                Answer::new().reply("/user/queue/echo", call.message.clone())
            })
            .unwrap();
        handlers.on(&mut hub, "/app/no", |(): &mut (), _| Answer::refuse("no")).unwrap();
        hub.route("/app/later").unwrap();
        let config = Config::default().identifier(20).receipts(5).transactions(2);
        let config = Arc::new(config.transaction_operations(3).transaction_bytes(100));
        Self {
            hub,
            handlers,
            session: Session::new(CLIENT, config, NOW),
            pending: Vec::new(),
            is_registered: false,
            is_gone: false,
            outcome: Outcome::default(),
        }
    }

    fn run(mut self, input: &[u8], cuts: &[usize]) -> Outcome {
        let mut start = 0;
        for end in cuts.iter().copied().chain([input.len()]) {
            self.session.receive(input[start..end].to_vec(), NOW);
            start = end;
            self.pull();
        }
        // What takes time is done in the end.
        for command in mem::take(&mut self.pending) {
            self.perform(command);
        }
        self.pull();
        self.outcome.error = self.session.error().map(ToString::to_string);
        assert_eq!(self.session.has_ended(), self.outcome.has_closed);
        assert_eq!(self.session.has_ended() && self.is_registered, self.is_gone);
        self.session.transport_ended();
        self.pull();
        assert_eq!(self.is_registered, self.is_gone);
        assert_eq!(self.hub.subscriptions(), 0);
        self.outcome
    }

    fn pull(&mut self) {
        while let Some(event) = self.session.next_event() {
            match event {
                Event::Connect(request) => {
                    self.outcome.version = Some(request.version());
                    self.session.accept(request.login().map(Principal::new), NOW);
                }
                Event::Command(command) => {
                    assert!(!self.is_gone, "{command:?}");
                    match command {
                        HubCommand::Connect { .. } => {
                            assert!(!mem::replace(&mut self.is_registered, true));
                        }
                        HubCommand::Disconnect { .. } => self.is_gone = true,
                        _ => assert!(self.is_registered),
                    }
                    self.perform(command);
                }
                other => panic!("{other:?}"),
            }
            // A server may send after each event.
            self.send();
        }
        self.send();
    }

    fn perform(&mut self, command: HubCommand) {
        let mut commands = VecDeque::from([command]);
        while let Some(command) = commands.pop_front() {
            for effect in self.hub.handle(command, NOW) {
                if let Effect::Call(call) = &effect {
                    if call.destination == "/app/later" {
                        let destination = "/topic/later".to_owned();
                        let message = Message::new("later");
                        let request = None;
                        let publish = HubCommand::Publish { destination, message, request };
                        self.pending.extend([publish, call.finished()]);
                    } else {
                        commands.extend(self.handlers.handle(&mut (), call));
                    }
                }
                self.session.apply(&effect, NOW);
            }
        }
    }

    fn send(&mut self) {
        while let Some(output) = self.session.next_output() {
            let outcome = &mut self.outcome;
            assert!(!outcome.has_closed, "{output:?}");
            let Output::Frame(frame) = output else {
                outcome.has_closed = true;
                continue;
            };
            let has_error = outcome.frames.iter().any(|(command, _)| *command == Command::Error);
            assert!(!has_error, "{frame:?}");
            let bytes = frame.into_bytes();
            outcome.bytes.extend_from_slice(&bytes);
            let mut decoder = Decoder::client(Limits::default());
            decoder.set_version(outcome.version.unwrap_or(Version::V1_2));
            let received = decoder.decode(&mut &bytes[..]).unwrap().expect("a whole frame");
            let receipt = received.get(header::RECEIPT_ID).map(String::from);
            outcome.frames.push((received.command(), receipt));
        }
        assert_eq!(self.session.output_bytes(), 0);
    }
}

/// Compares the receipts that were answered with those that the frames ask for.
fn check_receipts(input: &[u8], outcome: &Outcome) {
    let mut asked = receipts(input, outcome.version);
    let has_error = outcome.frames.iter().any(|(command, _)| *command == Command::Error);
    for (command, receipt) in &outcome.frames {
        if *command == Command::Receipt {
            let receipt = receipt.as_ref().expect("a receipt-id");
            let position = asked.iter().position(|asked| asked == receipt);
            asked.swap_remove(position.expect("it was asked for"));
        }
    }
    assert!(has_error || asked.is_empty(), "not answered: {asked:?}");
    assert_eq!(has_error, outcome.error.is_some());
    assert!(!has_error || outcome.has_closed);
}

/// Returns the receipts that the frames up to a DISCONNECT ask for.
fn receipts(mut input: &[u8], version: Option<Version>) -> Vec<String> {
    let mut decoder = Decoder::server(Limits::before_login());
    let mut asked = Vec::new();
    while let Ok(Some(frame)) = decoder.decode(&mut input) {
        match frame.command() {
            Command::Connect | Command::Stomp => {}
            command => {
                asked.extend(frame.get(header::RECEIPT).map(String::from));
                if command == Command::Disconnect {
                    break;
                }
                continue;
            }
        }
        let Some(version) = version else { break };
        decoder.set_version(version);
        decoder.set_limits(Limits::default());
    }
    asked
}
