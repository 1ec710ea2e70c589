//! What a session does, as a line of a vector.

use sansocket_realtime::{
    Message,
    hub::{Acknowledgement, Command as HubCommand, DeliveryOf, Operation, RequestId, Start},
    stomp::{Command, Decoder, EncodedFrame, Limits, Version, header},
};
use std::fmt::Write;

/// Returns the lines for a command to the hub.
pub(crate) fn describe_command(command: &HubCommand) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, request) = match command {
        HubCommand::Connect { principal: Some(principal), .. } => {
            (format!("hub connect user {}", principal.name().replace('\n', "\\n")), &None)
        }
        HubCommand::Connect { .. } => ("hub connect".to_owned(), &None),
        HubCommand::Disconnect { .. } => ("hub disconnect".to_owned(), &None),
        HubCommand::Subscribe { subscription, destinations, options, request, .. } => {
            let mut line = format!("hub subscribe {} {}", subscription.0, destinations.join(" "));
            line += match options.acknowledgement {
                Acknowledgement::Cumulative => " ack client",
                Acknowledgement::Individual => " ack client-individual",
                _ => "",
            };
            match options.start {
                Start::Last => line += " start last",
                Start::Beginning => line += " start beginning",
                Start::After(cursor) => write!(line, " since {cursor}").unwrap(),
                _ => {}
            }
            if options.gaps {
                line += " gaps";
            }
            if let Some(window) = options.window {
                write!(line, " window {window}").unwrap();
            }
            (line, request)
        }
        HubCommand::Unsubscribe { subscription, request, .. } => {
            (format!("hub unsubscribe {}", subscription.0), request)
        }
        HubCommand::Perform { operation, request, .. } => {
            (format!("hub {}", describe_operation(operation)), request)
        }
        HubCommand::Commit { operations, request, .. } => {
            let operations = operations.iter().map(describe_operation);
            lines.extend(operations.map(|operation| format!("operation {operation}")));
            ("hub commit".to_owned(), request)
        }
        other => panic!("a session has no {other:?}"),
    };
    if let Some(RequestId(request)) = request {
        write!(line, " request {request}").unwrap();
    }
    lines.insert(0, line);
    lines
}

fn describe_operation(operation: &Operation) -> String {
    let (word, delivery) = match operation {
        Operation::Send { destination, message } => {
            return format!("send {destination}{}", describe_message(message));
        }
        Operation::Ack(delivery) => ("ack", delivery),
        Operation::Nack(delivery) => ("nack", delivery),
        other => panic!("a session has no {other:?}"),
    };
    match delivery {
        DeliveryOf::Delivery(subscription, delivery) => {
            format!("{word} {} {}", subscription.0, delivery.0)
        }
        DeliveryOf::Message(Some(subscription), cursor) => {
            format!("{word} {} at {cursor}", subscription.0)
        }
        DeliveryOf::Message(None, cursor) => format!("{word} at {cursor}"),
        other => panic!("a session has no {other:?}"),
    }
}

fn describe_message(message: &Message) -> String {
    let mut text = String::new();
    let content_type = message.get_content_type().map(|value| ("content-type", value));
    for (name, value) in content_type.into_iter().chain(message.headers()) {
        text += &describe_header(name, value);
    }
    text + &describe_body(message.body())
}

fn describe_header(name: &str, value: &str) -> String {
    let value = value.replace('\n', "\\n");
    if value.contains(' ') { format!(" {name}:\"{value}\"") } else { format!(" {name}:{value}") }
}

fn describe_body(body: &[u8]) -> String {
    match core::str::from_utf8(body) {
        Ok("") => String::new(),
        Ok(text) if !text.contains(char::is_control) => format!(" body {text:?}"),
        _ => {
            let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(" body {digits}")
        }
    }
}

/// Returns the line for a frame of the session. Of an ERROR, the texts for people are left out.
pub(crate) fn describe_frame(frame: &EncodedFrame, version: Version) -> String {
    let bytes = frame.clone().into_bytes();
    assert_eq!(bytes.len(), frame.len());
    assert!(!frame.is_text() || core::str::from_utf8(&bytes).is_ok(), "{bytes:?}");
    if bytes == "\n" {
        return "server beat".to_owned();
    }
    let mut decoder = Decoder::client(Limits::default());
    decoder.set_version(version);
    let mut input = &bytes[..];
    let received = decoder.decode(&mut input).unwrap().expect("a whole frame");
    let is_error = received.command() == Command::Error;
    let mut line = "server ".to_owned();
    if !frame.is_text() {
        line += "binary ";
    }
    line += received.command().as_str();
    for (name, value) in received.headers() {
        let is_for_people = is_error && matches!(&*name, header::MESSAGE | header::CONTENT_TYPE);
        if name != header::CONTENT_LENGTH && !is_for_people {
            line += &describe_header(&name, &value);
        }
    }
    if !is_error {
        line += &describe_body(received.body());
    }
    assert!(input.is_empty(), "one frame at a time");
    line
}
