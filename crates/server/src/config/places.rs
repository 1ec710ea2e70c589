//! Where each part of the configuration stands.

use std::{collections::HashMap, fmt, ops::Range, path::PathBuf};

/// The texts that a configuration was read from, end to end: so a span, which the parser of TOML has for
/// each value, says which text it is in.
#[derive(Debug, Default)]
pub(crate) struct Places {
    texts: Vec<Text>,
    /// The spans of values, by names such as `limits.message` and `topic.0.bytes`.
    keys: HashMap<String, Range<usize>>,
}

#[derive(Debug)]
struct Text {
    origin: Origin,
    start: usize,
    text: String,
}

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    File(PathBuf),
    Variable(String),
    Flag(String),
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: it is a default.
    Default,
    Line {
        file: PathBuf,
        line: usize,
        column: usize,
    },
    File(PathBuf),
    Variable(String),
    Flag(String),
}

/// What is wrong with the configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub(crate) struct Problem {
    pub(crate) place: Place,
    pub(crate) problem: String,
}

impl Places {
    /// Adds a text, and returns its span.
    pub(crate) fn add(&mut self, origin: Origin, text: impl Into<String>) -> Range<usize> {
        // The first text starts at 1: a default has the span 0..0.
        let start = self.texts.last().map_or(1, |last| last.start + last.text.len() + 1);
        let text = text.into();
        let span = start..start + text.len();
        self.texts.push(Text { origin, start, text });
        span
    }

    /// Sets where the values of keys stand.
    pub(crate) fn set_keys(&mut self, keys: HashMap<String, Range<usize>>) {
        self.keys = keys;
    }

    /// Returns the span of the value with this name, or that of the section or the list that it is in: a
    /// variable can have all of these in its text.
    pub(crate) fn key(&self, path: &str) -> Range<usize> {
        let mut paths = std::iter::successors(Some(path), |it| Some(it.rsplit_once('.')?.0));
        paths.find_map(|path| self.keys.get(path)).cloned().unwrap_or_default()
    }

    /// Returns the text with this span, as it was added.
    pub(crate) fn text(&self, span: &Range<usize>) -> &str {
        self.text_at(span.start).map_or("", |text| text.text.as_str())
    }

    /// Returns where the value with this span stands.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let Some(text) = self.text_at(span.start) else { return Place::Default };
        match &text.origin {
            Origin::File(file) => {
                let (line, column) = line_and_column(&text.text, span.start - text.start);
                Place::Line { file: file.clone(), line, column }
            }
            Origin::Variable(name) => Place::Variable(name.clone()),
            Origin::Flag(name) => Place::Flag(name.clone()),
        }
    }

    /// Returns whether the value with this span is that of a variable or a flag.
    pub(crate) fn is_words(&self, span: &Range<usize>) -> bool {
        self.text_at(span.start).is_some_and(|text| !matches!(text.origin, Origin::File(_)))
    }

    pub(crate) fn problem(&self, span: Range<usize>, problem: impl fmt::Display) -> Problem {
        Problem { place: self.place(span), problem: problem.to_string() }
    }

    fn text_at(&self, position: usize) -> Option<&Text> {
        self.texts.iter().rev().find(|text| text.start <= position)
    }
}

/// Returns the line and the column of a byte, both from 1 on.
fn line_and_column(text: &str, position: usize) -> (usize, usize) {
    let end = (0..=position.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    let before = &text[..end.unwrap_or(0)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("configuration"),
            Self::Line { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Self::File(file) => file.display().fmt(f),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_leads_to_its_text() {
        let mut places = Places::default();
        let file = places.add(Origin::File("a.toml".into()), "a = 1\né = 2\n");
        let variable = places.add(Origin::Variable("SANSOCKET_A".into()), "3");
        let flag = places.add(Origin::Flag("--a".into()), "");
        let place = |at: usize| places.place(at..at).to_string();
        let line = |at: usize| place(file.start + at);
        assert_eq!(place(0), "configuration");
        // A column is a character, and not a byte.
        assert_eq!(
            [0, 4, 6, 11].map(line),
            ["a.toml:1:1", "a.toml:1:5", "a.toml:2:1", "a.toml:2:5"]
        );
        assert_eq!(place(variable.start), "variable SANSOCKET_A");
        assert_eq!(place(flag.start), "flag --a");
        assert_eq!((places.text(&variable), places.text(&flag)), ("3", ""));
        assert!(places.is_words(&variable) && places.is_words(&flag) && !places.is_words(&file));
    }
}
