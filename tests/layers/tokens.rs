//! Splits Rust source into words, string literals and marks, without comments and white space.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A string of any form, with its quotes.
    Text,
    /// A lifetime, a character literal, or a mark of one character; `::` is one mark.
    Mark,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let (mut rest, mut line, mut tokens) = (source, 1, Vec::new());
    while !rest.is_empty() {
        let (kind, len) = piece(rest);
        let (text, behind) = rest.split_at(len);
        if let Some(kind) = kind {
            tokens.push(Token { kind, text, line });
        }
        line += text.matches('\n').count();
        rest = behind;
    }
    tokens
}

/// Returns the kind and the length of the token at the start of `rest`.
fn piece(rest: &str) -> (Option<Kind>, usize) {
    let first = rest.chars().next().expect("a rest that is not empty");
    if rest.starts_with("//") {
        (None, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (None, comment_len(rest))
    } else if first.is_whitespace() {
        (None, first.len_utf8())
    } else if let Some(len) = raw_text_len(rest).or_else(|| text_len(rest)) {
        (Some(Kind::Text), len)
    } else if is_part_of_word(first) {
        let prefix = if rest.starts_with("r#") { 2 } else { 0 };
        (Some(Kind::Word), prefix + word_len(&rest[prefix..]))
    } else if first == '\'' {
        (Some(Kind::Mark), 1 + after_apostrophe_len(&rest[1..]))
    } else if rest.starts_with("::") {
        (Some(Kind::Mark), 2)
    } else {
        (Some(Kind::Mark), first.len_utf8())
    }
}

fn is_part_of_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn word_len(rest: &str) -> usize {
    rest.find(|character| !is_part_of_word(character)).unwrap_or(rest.len())
}

/// Returns the length of a block comment. These nest.
fn comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += here.chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at == rest.len() {
            return at;
        }
    }
}

/// Returns the length of the raw string at the start of `rest`.
fn raw_text_len(rest: &str) -> Option<usize> {
    let opened = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let body = opened.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(opened.len() - body.len()));
    let body = body.strip_prefix('"')?;
    let len = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + len)
}

/// Returns the length of the string at the start of `rest`.
fn text_len(rest: &str) -> Option<usize> {
    let prefix = usize::from(rest.starts_with(['b', 'c']));
    let body = rest[prefix..].strip_prefix('"')?;
    Some(prefix + 1 + quoted_len(body, '"'))
}

/// Returns the length up to and including the closing quote.
fn quoted_len(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in body.char_indices() {
        if !escaped && character == quote {
            return at + 1;
        }
        escaped = !escaped && character == '\\';
    }
    body.len()
}

/// Returns the length of what follows an apostrophe: the rest of a character literal or of a
/// lifetime.
fn after_apostrophe_len(rest: &str) -> usize {
    let mut characters = rest.chars();
    let first = characters.next().unwrap_or_default();
    if first == '\\' || characters.next() == Some('\'') {
        quoted_len(rest, '\'')
    } else {
        word_len(rest)
    }
}
