//! A client of HTTP/1.1 that sends exactly what it is told.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read and not used.
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    pub(crate) async fn get(self, target: &str) -> Response {
        self.request("GET", target, &[], "").await
    }

    /// Sends a request, and reads the response to its end.
    pub(crate) async fn request(
        mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Response {
        self.send(method, target, fields, body).await;
        self.response().await
    }

    /// Reads a response to its end.
    pub(crate) async fn response(&mut self) -> Response {
        let mut response = self.head().await;
        response.body = self.rest(&response).await;
        response
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) {
        let mut request = format!("{method} {target} HTTP/1.1\r\nhost: test.example\r\n");
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body;
        self.write(&request).await;
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Reads the head of a response.
    pub(crate) async fn head(&mut self) -> Response {
        let head = self.until("\r\n\r\n").await;
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Response { status, fields, body: String::new() }
    }

    async fn rest(&mut self, head: &Response) -> String {
        if head.field("transfer-encoding") == Some("chunked") {
            let mut body = String::new();
            while let Some(chunk) = self.chunk().await {
                body += &chunk;
            }
            return body;
        }
        let length: usize = head.field("content-length").map_or(0, |it| it.parse().unwrap());
        while self.read.len() < length {
            assert!(self.read_more().await, "the body is cut off");
        }
        String::from_utf8(self.read.drain(..length).collect()).unwrap()
    }

    /// Reads the next chunk of a body, or `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let size = self.until("\r\n").await;
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        while self.read.len() < size + 2 {
            assert!(self.read_more().await, "the chunk is cut off");
        }
        let chunk: Vec<u8> = self.read.drain(..size + 2).take(size).collect();
        (size > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// Reads the head of a response, and chunks until they contain a text.
    pub(crate) async fn body_until(&mut self, text: &str) -> String {
        assert_eq!(self.head().await.status, 200);
        self.chunks_until(text).await
    }

    /// Reads chunks until they contain a text. Returns all of them.
    pub(crate) async fn chunks_until(&mut self, text: &str) -> String {
        let mut body = String::new();
        while !body.contains(text) {
            body += &self.chunk().await.unwrap_or_else(|| panic!("the end comes after {body:?}"));
        }
        body
    }

    async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.read.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let text: Vec<u8> = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(text).unwrap();
            }
            let read = String::from_utf8_lossy(&self.read).into_owned();
            assert!(self.read_more().await, "the end comes after {read:?}");
        }
    }

    /// Returns `false` at the end of the stream, also if it is cut off.
    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let count = read.expect("nothing comes").unwrap_or(0);
        self.read.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// Reads to the end of the stream. Returns how many bytes came.
    pub(crate) async fn drain(&mut self) -> usize {
        while self.read_more().await {}
        self.read.len()
    }
}
