//! A subscriber that keeps everything it is told.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock},
};
use tracing::{
    Dispatch, Event, Id, Level, Metadata, Subscriber, dispatcher,
    field::{Field, Visit},
    span::{Attributes, Record},
    subscriber::NoSubscriber,
};

type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Default)]
pub(crate) struct Recorder {
    told: Arc<Mutex<Told>>,
    /// The most verbose level that this asks for, or all.
    most: Option<Level>,
    at_event: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>,
}

#[derive(Default)]
struct Told {
    spans: Vec<Span>,
    events: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) fields: Fields,
    /// How many handles there are.
    handles: usize,
}

impl Span {
    pub(crate) fn has_ended(&self) -> bool {
        self.handles == 0
    }

    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Recorder {
    pub(crate) fn of_level(level: Level) -> Self {
        Self { most: Some(level), ..Self::default() }
    }

    /// Calls `act` at each event from now on.
    pub(crate) fn at_each_event(&self, act: impl Fn() + Send + Sync + 'static) {
        assert!(self.at_event.set(Box::new(act)).is_ok());
    }

    /// Calls `act` with this as the subscriber of the thread.
    pub(crate) fn record<T>(&self, act: impl FnOnce() -> T) -> T {
        // With a single subscriber, `tracing` takes the default of whichever thread first comes to a span
        // or an event, and disables that for all if the thread has none, like those of other tests.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
        LazyLock::force(&SECOND);
        dispatcher::with_default(&Dispatch::new(self.clone()), act)
    }

    /// Returns the events so far as text: the level, the kind of the span, the message and the fields.
    pub(crate) fn events(&self) -> Vec<String> {
        self.told().events.clone()
    }

    /// Returns the events of one kind of span.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<String> {
        let is_of = |event: &String| event.split(' ').nth(1) == Some(kind);
        self.events().into_iter().filter(is_of).collect()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.told().spans.clone()
    }

    /// Returns the only span of a kind.
    #[track_caller]
    pub(crate) fn span(&self, kind: &str) -> Span {
        let spans: Vec<_> =
            self.spans().into_iter().filter(|span| span.field("otel.kind") == Some(kind)).collect();
        let [span] = &*spans else { panic!("{spans:?}") };
        span.clone()
    }

    #[track_caller]
    pub(crate) fn assert_never_told(&self, secret: &str) {
        let told = self.told();
        for text in
            told.events.iter().chain(told.spans.iter().flat_map(|span| span.fields.values()))
        {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(!told.events.is_empty());
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }
}

struct Collect(Vec<(&'static str, String)>);

impl Visit for Collect {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sansocket" && self.most.is_none_or(|most| *metadata.level() <= most)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        assert_eq!(attributes.metadata().name(), "websocket");
        assert_eq!(*attributes.metadata().level(), Level::INFO);
        let mut fields = Collect(Vec::new());
        attributes.record(&mut fields);
        let mut told = self.told();
        told.spans.push(Span { fields: fields.0.into_iter().collect(), handles: 1 });
        Id::from_u64(told.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        panic!("everything is known when a span begins");
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Collect(Vec::new());
        event.record(&mut fields);
        if let Some(act) = self.at_event.get() {
            act();
        }
        let mut told = self.told();
        let kind = event.parent().map_or("none", |id| {
            told.spans[id.into_u64() as usize - 1].field("otel.kind").unwrap()
        });
        let mut text = format!("{} {kind}", event.metadata().level());
        let (message, rest): (Vec<_>, Vec<_>) =
            fields.0.into_iter().partition(|(name, _)| *name == "message");
        write!(text, " {}", message[0].1).unwrap();
        for (name, value) in rest {
            write!(text, " {name}={value}").unwrap();
        }
        told.events.push(text);
    }

    fn enter(&self, _: &Id) {
        panic!("a span is never entered");
    }

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        self.told().spans[id.into_u64() as usize - 1].handles += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut told = self.told();
        let handles = &mut told.spans[id.into_u64() as usize - 1].handles;
        *handles -= 1;
        *handles == 0
    }
}
