//! Checking what is more than the form of a value.

use super::places::{Places, Problem};
use super::secret::{self, Secret};
use std::{fmt, ops::Range, path::PathBuf};
use toml::Spanned;

/// Collects what is wrong with the values of a configuration.
#[derive(Debug)]
pub(crate) struct Checks<'a> {
    places: &'a Places,
    /// Each with the position where it stands.
    problems: Vec<(usize, Problem)>,
    warnings: Vec<(usize, Problem)>,
}

impl<'a> Checks<'a> {
    pub(crate) fn new(places: &'a Places) -> Self {
        Self { places, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Notes that something is wrong.
    pub(crate) fn problem(&mut self, span: Range<usize>, problem: impl fmt::Display) {
        self.problems.push((span.start, self.places.problem(span, problem)));
    }

    /// Notes what is odd, though it works.
    pub(crate) fn warning(&mut self, span: Range<usize>, warning: impl fmt::Display) {
        self.warnings.push((span.start, self.places.problem(span, warning)));
    }

    /// Returns the span of the value with this name.
    pub(crate) fn span_of(&self, path: &str) -> Range<usize> {
        self.places.key(path)
    }

    /// Returns what a check has returned, or notes what is wrong.
    pub(crate) fn check<T, E: fmt::Display>(
        &mut self,
        span: Range<usize>,
        checked: Result<T, E>,
    ) -> Option<T> {
        checked.map_err(|error| self.problem(span, error)).ok()
    }

    /// Returns a secret that stands either in the configuration or in a file, and its span. `owner` is
    /// the span of the table that needs it.
    pub(crate) fn secret(
        &mut self,
        owner: Range<usize>,
        key: &str,
        here: Option<&Spanned<Secret>>,
        file: Option<&Spanned<PathBuf>>,
    ) -> Option<(Vec<u8>, Range<usize>)> {
        match (here, file) {
            (Some(secret), None) => {
                Some((secret.get_ref().as_str().as_bytes().to_vec(), secret.span()))
            }
            (None, Some(file)) => Some((self.file(file)?, file.span())),
            (Some(_), Some(file)) => {
                self.problem(file.span(), format!("there are both {key} and {key}-file"));
                None
            }
            (None, None) => {
                self.problem(owner, format!("there is neither {key} nor {key}-file"));
                None
            }
        }
    }

    /// Reads a secret or a key from a file.
    pub(crate) fn file(&mut self, path: &Spanned<PathBuf>) -> Option<Vec<u8>> {
        let read = secret::read(path.get_ref());
        let read =
            read.map_err(|error| format!("can't read {}: {error}", path.get_ref().display()));
        self.check(path.span(), read)
    }

    /// Returns the problems in their order, or, if there are none, the warnings.
    pub(crate) fn finish(self) -> Result<Vec<Problem>, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(in_order(self.warnings))
        } else {
            Err(in_order(self.problems))
        }
    }
}

fn in_order(mut problems: Vec<(usize, Problem)>) -> Vec<Problem> {
    problems.sort_by_key(|(position, _)| *position);
    problems.into_iter().map(|(_, problem)| problem).collect()
}
