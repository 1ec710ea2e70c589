//! Reads vector files of other formats: a line `# name` begins a vector, and the other lines are its own.

use super::{
    format::{each_line, files},
    words::Words,
};
use std::path::Path;

/// Reads the vectors of a folder. `begin` makes one of its place and its name. `read` adds a line to it, and
/// returns whether the line is its last. Panics with the place of the first mistake.
pub fn read_scripts<V>(
    folder: &Path,
    begin: impl Fn(&str, &str) -> V,
    mut read: impl FnMut(&mut V, Words<'_>) -> bool,
) -> Vec<V> {
    let mut vectors = Vec::new();
    for file in files(folder) {
        let mut is_complete = true;
        each_line(&file, |place, line| {
            if let Some(name) = line.strip_prefix("# ") {
                assert!(is_complete, "{place}: the vector before has no end");
                vectors.push(begin(place, name));
                is_complete = false;
                return;
            }
            assert!(!is_complete, "{place}: outside of a vector");
            let vector = vectors.last_mut().expect("a vector is not complete");
            is_complete = read(vector, Words { rest: line, place });
        });
        assert!(is_complete, "{}: the last vector has no end", file.display());
    }
    vectors
}

/// A vector without a line that ends it.
#[derive(Debug)]
pub struct Lines {
    /// The file, the line and the name, for panic messages.
    pub place: String,
    lines: Vec<String>,
}

impl Lines {
    /// Returns the keyword of each line, and the words behind it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Words<'_>)> {
        self.lines.iter().map(|line| {
            let mut words = Words { rest: line, place: &self.place };
            (words.word(), words)
        })
    }
}

/// Reads the vectors of a file.
pub fn read_lines(file: &Path) -> Vec<Lines> {
    let mut vectors: Vec<Lines> = Vec::new();
    each_line(file, |place, line| match line.strip_prefix("# ") {
        Some(name) => {
            vectors.push(Lines { place: format!("{place} {name}"), lines: Vec::new() });
        }
        None => {
            let vector = vectors.last_mut();
            vector.unwrap_or_else(|| panic!("{place}: a name first")).lines.push(line.to_owned());
        }
    });
    vectors
}
