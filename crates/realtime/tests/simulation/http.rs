//! HTTP as far as the simulation needs it: one request on each link, and a response that ends with the
//! link. A link that breaks earlier has a response that is not complete.

/// A request that has arrived: its head and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: impl Into<String>) -> Self {
        let (fields, body) = (Vec::new(), Vec::new());
        Self { method: method.into(), target: target.into(), fields, body }
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| &**value)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\n\r\n", self.body.len());
        [text.as_bytes(), &self.body].concat()
    }

    /// Takes a request from the front of what has arrived, once it is complete.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let (head, length) = head(bytes)?;
        let mut lines = head.lines();
        let mut words = lines.next()?.split(' ');
        let mut request = Self::new(words.next()?, words.next()?);
        request.fields = fields(lines);
        let body = request.get("content-length").map_or(0, |it| it.parse().unwrap());
        if bytes.len() < length + body {
            return None;
        }
        request.body = bytes[length..length + body].to_vec();
        bytes.drain(..length + body);
        Some(request)
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn encode<N: AsRef<str>, V: AsRef<str>>(
        status: u16,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in fields {
            text += &format!("{}: {}\r\n", name.as_ref(), value.as_ref());
        }
        (text + "\r\n").into_bytes()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| &**value)
    }

    /// Takes a head from the front of what has arrived, once it is complete.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let (head, length) = head(bytes)?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let fields = fields(lines);
        bytes.drain(..length);
        Some(Self { status, fields })
    }
}

fn head(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((String::from_utf8(bytes[..end].to_vec()).unwrap(), end + 4))
}

fn fields<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<(String, String)> {
    lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.into(), v.into())).collect()
}
