//! The figures of this node, as Prometheus reads them: `/metrics`.

use crate::engine::{Engine, Status};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use std::{fmt::Write, sync::Arc};

/// Answers with the figures in Prometheus' text format. The values of all labels are known before: none is
/// what a client sends.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>) -> Response {
    let (counts, gauges) = engine.counts();
    let degraded = usize::from(engine.status() == Status::Degraded);
    let mut text = String::new();
    for (name, help, value) in [
        ("subscriptions", "Subscriptions", gauges.subscriptions),
        ("destinations", "Topics, patterns and queues", gauges.destinations),
        ("outbox_messages", "Messages that wait for the broker", gauges.outbox.0),
        ("outbox_bytes", "Bytes of the messages that wait for the broker", gauges.outbox.1),
        ("calls", "Calls that async handlers have not answered", gauges.calls.0),
        ("calls_bytes", "Bytes of the calls that are not answered", gauges.calls.1),
        ("broker_degraded", "1 while the broker is away", degraded),
    ] {
        write_head(&mut text, name, help, "gauge");
        write_value(&mut text, name, value as u64);
    }
    for (name, help, value) in [
        ("commands_total", "Commands handled", counts.handled),
        ("deliveries_total", "Messages delivered to subscriptions", counts.delivered),
        ("gaps_total", "Gaps told to subscriptions", counts.gaps),
        ("discarded_total", "Messages given up", counts.discarded.count()),
        ("pauses_total", "Pauses of slow clients", counts.paused),
        ("slow_connections_ended_total", "Connections ended for slow clients", counts.too_slow),
    ] {
        write_head(&mut text, name, help, "counter");
        write_value(&mut text, name, value);
    }
    let connections = gauges.connections.map(|(name, count)| (name, count as u64));
    let help = "Connections, and polls that wait";
    write_labelled(&mut text, "connections", help, "gauge", "transport", connections);
    let published = [("client", counts.sent), ("application", counts.published)];
    let help = "Messages that clients sent, and that the application published";
    write_labelled(&mut text, "messages_published_total", help, "counter", "publisher", published);
    let refusals = engine.refusals.counts().into_iter().chain([("command", counts.refused)]);
    let help = "What was refused: requests, connections, commands";
    write_labelled(&mut text, "refusals_total", help, "counter", "reason", refusals);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// Writes a metric that has a value for each value of a label.
fn write_labelled(
    out: &mut String,
    name: &str,
    help: &str,
    kind: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'static str, u64)>,
) {
    write_head(out, name, help, kind);
    for (of, value) in values {
        write_value(out, &format!("{name}{{{label}=\"{of}\"}}"), value);
    }
}

// Writing to a `String` can't fail.

fn write_head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = write!(out, "# HELP sansocket_{name} {help}.\n# TYPE sansocket_{name} {kind}\n");
}

fn write_value(out: &mut String, series: &str, value: u64) {
    let _ = writeln!(out, "sansocket_{series} {value}");
}
