//! Reads JSON (RFC 8259), so that tests see what a client sees. Numbers are those without fractions.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Text(String),
    Number(u64),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Json {
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut rest = std::str::from_utf8(text).expect("JSON is UTF-8");
        let value = value(&mut rest);
        assert_eq!(rest, "", "behind the value");
        value
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            other => panic!("not an object: {other:?}"),
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("not a string: {other:?}"),
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }

    /// Returns the text of a member.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).text()
    }
}

fn value(rest: &mut &str) -> Json {
    match rest.as_bytes()[0] {
        b'"' => Json::Text(string(rest)),
        b'[' => {
            let mut items = Vec::new();
            list(rest, '[', ']', |rest| items.push(value(rest)));
            Json::Array(items)
        }
        b'{' => {
            let mut members = BTreeMap::new();
            list(rest, '{', '}', |rest| {
                let name = string(rest);
                take(rest, ':');
                let value = value(rest);
                assert_eq!(members.insert(name, value), None, "a name is there twice");
            });
            Json::Object(members)
        }
        _ => {
            let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, behind) = rest.split_at(end);
            *rest = behind;
            Json::Number(digits.parse().expect("a number"))
        }
    }
}

fn list(rest: &mut &str, start: char, end: char, mut item: impl FnMut(&mut &str)) {
    take(rest, start);
    if !rest.starts_with(end) {
        item(rest);
        while rest.starts_with(',') {
            take(rest, ',');
            item(rest);
        }
    }
    take(rest, end);
}

fn take(rest: &mut &str, expected: char) {
    *rest = rest.strip_prefix(expected).unwrap_or_else(|| panic!("{expected} before {rest:?}"));
}

fn string(rest: &mut &str) -> String {
    take(rest, '"');
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next().expect("the end of a string") {
            '"' => break,
            '\\' => text.push(match characters.next().expect("an escape") {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\x08',
                'f' => '\x0c',
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    let unit = u32::from_str_radix(&digits, 16).expect("four digits");
                    char::from_u32(unit).expect("no surrogate")
                }
                other => other,
            }),
            other => {
                assert!(other >= ' ', "a control character");
                text.push(other);
            }
        }
    }
    *rest = characters.as_str();
    text
}
