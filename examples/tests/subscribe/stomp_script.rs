//! A server of STOMP that does what a test tells it.

use sansocket::{
    CloseCode,
    blocking::{Acceptor, ServerWebSocket},
    handshake::Accept,
};
use std::{net::TcpListener, thread};

/// A connection of a client.
pub(crate) struct Connection {
    websocket: ServerWebSocket,
    /// The value of the field `Authorization` in its handshake.
    pub(crate) authorization: Option<String>,
}

/// Starts a server that handles each connection in a thread, given its number. Returns its URL.
pub(crate) fn serve(handle: impl Fn(Connection, usize) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let handle = handle.clone();
            thread::spawn(move || {
                let mut authorization = None;
                let accepted = Acceptor::new().accept_tcp_with(stream.unwrap(), |request| {
                    assert_eq!(request.target(), "/ws");
                    let value = request.header("authorization");
                    authorization = value.map(|value| String::from_utf8(value.to_vec()).unwrap());
                    Ok(Accept::new().subprotocol("v12.stomp"))
                });
                handle(Connection { websocket: accepted.unwrap(), authorization }, number);
            });
        }
    });
    url
}

impl Connection {
    /// Receives a frame, which has to have this command.
    pub(crate) fn expect(&mut self, command: &str) -> String {
        let frame = self.receive().expect("a frame");
        assert_eq!(frame.lines().next(), Some(command), "{frame}");
        frame
    }

    /// Receives CONNECT, answers it, and receives a SUBSCRIBE, which it returns.
    pub(crate) fn begin(&mut self) -> String {
        self.expect("CONNECT");
        self.send("CONNECTED\nversion:1.2\n\n");
        self.expect("SUBSCRIBE")
    }

    /// Sends a frame, without NUL.
    pub(crate) fn send(&mut self, frame: &str) {
        self.websocket.send(format!("{frame}\0")).unwrap();
    }

    /// Sends the receipt that a frame asks for.
    pub(crate) fn receipt(&mut self, frame: &str, cursor: &str) {
        let receipt = header(frame, "receipt").unwrap();
        self.send(&format!("RECEIPT\nreceipt-id:{receipt}\ncursor:{cursor}\n\n"));
    }

    /// Sends a message of a subscription.
    pub(crate) fn message(&mut self, subscription: usize, position: usize) {
        self.send(&format!(
            "MESSAGE\nsubscription:{subscription}\nmessage-id:a-{position}\n\
             destination:/topic/a\n\nm{position}",
        ));
    }

    /// Answers DISCONNECT, and waits for the end. Returns the code of the client's Close.
    pub(crate) fn disconnect(mut self) -> CloseCode {
        let frame = self.expect("DISCONNECT");
        let receipt = header(&frame, "receipt").unwrap();
        self.send(&format!("RECEIPT\nreceipt-id:{receipt}\n\n"));
        while self.receive().is_some() {}
        self.websocket.wait_closed().code
    }

    pub(crate) fn close(mut self, code: CloseCode) {
        let _ = self.websocket.close(code, "");
        self.websocket.wait_closed();
    }

    /// Says nothing until the client has gone.
    pub(crate) fn listen(mut self) {
        while self.receive().is_some() {}
    }

    fn receive(&mut self) -> Option<String> {
        loop {
            let message = self.websocket.next()?.ok()?;
            match message.as_text().unwrap() {
                "\n" => {}
                frame => return Some(frame.trim_end_matches('\0').to_owned()),
            }
        }
    }
}

/// Returns the value of a header of a frame.
pub(crate) fn header<'a>(frame: &'a str, name: &str) -> Option<&'a str> {
    let head = frame.split("\n\n").next()?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    headers.find(|(found, _)| *found == name).map(|(_, value)| value)
}
