//! The file, the variables and the flags, and the table that they are together.

use super::places::{Origin, Place, Places, Problem};
use std::{borrow::Cow, collections::HashMap, ffi::OsString, ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The start of the names of variables.
const PREFIX: &str = "SANSOCKET_";
/// The variable that names the file. It is none of the configuration.
const FILE: &str = "SANSOCKET_CONFIG";

/// What a configuration consists of, the last of which counts.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    places: Places,
    file: Option<Range<usize>>,
    words: Vec<Words>,
}

/// A variable, or a flag.
#[derive(Debug)]
struct Words {
    /// The key with its sections: `limits.message`.
    path: String,
    value: Value,
}

#[derive(Debug)]
enum Value {
    One(Range<usize>),
    List(Vec<Range<usize>>),
}

impl Layers {
    /// Adds the file, which is below all other layers.
    pub(crate) fn file(&mut self, path: &Path, text: &str) {
        self.file = Some(self.places.add(Origin::File(path.into()), text));
    }

    /// Adds the variables of the environment: `SANSOCKET_LIMITS__MESSAGE` is `limits.message`.
    pub(crate) fn variables(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut named: Vec<_> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(PREFIX) && name != FILE && !is_of_kubernetes(name))
            .collect();
        // The environment has no order, and problems should have one.
        named.sort();
        for (name, value) in named {
            let Ok(value) = value.into_string() else {
                let problem = "it is not UTF-8".into();
                problems.push(Problem { place: Place::Variable(name), problem });
                continue;
            };
            let path =
                name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".").replace('_', "-");
            let value = Value::One(self.places.add(Origin::Variable(name), value));
            self.words.push(Words { path, value });
        }
        problems
    }

    /// Adds a flag.
    pub(crate) fn flag(&mut self, name: &str, path: &str, value: &str) {
        let value = Value::One(self.places.add(Origin::Flag(name.into()), value));
        self.words.push(Words { path: path.into(), value });
    }

    /// Adds a flag that can be repeated.
    pub(crate) fn list_flag(&mut self, name: &str, path: &str, values: &[String]) {
        let add = |value: &String| self.places.add(Origin::Flag(name.into()), value.as_str());
        let value = Value::List(values.iter().map(add).collect());
        self.words.push(Words { path: path.into(), value });
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// Returns the places, with those of the values of a [table](Self::table).
    pub(crate) fn into_places(mut self, keys: HashMap<String, Range<usize>>) -> Places {
        self.places.set_keys(keys);
        self.places
    }

    /// Returns everything as one table. The values of variables and flags are texts in it.
    pub(crate) fn table(&self) -> Result<DeTable<'_>, Vec<Problem>> {
        let mut table = match &self.file {
            Some(span) => self.parsed(span)?,
            None => DeTable::new(),
        };
        let text = |span: &Range<usize>| {
            let text = DeValue::String(Cow::Borrowed(self.places.text(span)));
            Spanned::new(span.clone(), text)
        };
        for Words { path, value } in &self.words {
            let value = match value {
                Value::One(span) => text(span),
                Value::List(spans) => {
                    let span = spans.first().cloned().unwrap_or_default();
                    Spanned::new(span, DeValue::Array(spans.iter().map(text).collect()))
                }
            };
            set(&mut table, path, value);
        }
        Ok(table)
    }

    fn parsed(&self, span: &Range<usize>) -> Result<DeTable<'_>, Vec<Problem>> {
        let (table, errors) = DeTable::parse_recoverable(self.places.text(span));
        if errors.is_empty() {
            return Ok(moved_table(table.into_inner(), span.start));
        }
        let problem = |error: toml::de::Error| {
            let of_error = error.span().unwrap_or_default();
            let of_error = of_error.start + span.start..of_error.end + span.start;
            self.places.problem(of_error, error.message())
        };
        Err(errors.into_iter().map(problem).collect())
    }
}

/// Returns the spans of the values of a table, by their names.
pub(crate) fn keys(table: &DeTable<'_>) -> HashMap<String, Range<usize>> {
    let mut keys = HashMap::new();
    for (key, value) in table {
        add_keys(&mut keys, key.get_ref().to_string(), value);
    }
    keys
}

fn add_keys(keys: &mut HashMap<String, Range<usize>>, path: String, value: &Spanned<DeValue<'_>>) {
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                add_keys(keys, format!("{path}.{}", key.get_ref()), value);
            }
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                add_keys(keys, format!("{path}.{index}"), item);
            }
        }
        _ => {}
    }
    keys.insert(path, value.span());
}

/// Returns whether this is how Kubernetes tells the programs in a cluster of a service that is named as
/// this program is. Nobody who runs it there has asked for these variables.
fn is_of_kubernetes(name: &str) -> bool {
    let name = &name[PREFIX.len()..];
    name == "PORT"
        || ["PORT_", "SERVICE_HOST", "SERVICE_PORT"].iter().any(|it| name.starts_with(it))
}

/// Sets the value at a path, and makes the tables on the way that are missing.
fn set<'a>(table: &mut DeTable<'a>, path: &'a str, value: Spanned<DeValue<'a>>) {
    let span = value.span();
    let above = path.rsplit('.').fold(value, |value, key| {
        let mut table = DeTable::new();
        table.insert(Spanned::new(span.clone(), Cow::Borrowed(key)), value);
        Spanned::new(span.clone(), DeValue::Table(table))
    });
    if let DeValue::Table(above) = above.into_inner() {
        lay_over(table, above);
    }
}

fn lay_over<'a>(table: &mut DeTable<'a>, above: DeTable<'a>) {
    for (key, value) in above {
        let span = value.span();
        let below = table.get_mut(&key).map(Spanned::get_mut);
        match (below, value.into_inner()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) => lay_over(below, above),
            (_, value) => {
                // The key that is there has the place of what is replaced.
                table.remove(&key);
                table.insert(key, Spanned::new(span, value));
            }
        }
    }
}

/// Returns what was parsed from a text, with its spans where the text starts.
pub(crate) fn moved(value: Spanned<DeValue<'_>>, start: usize) -> Spanned<DeValue<'_>> {
    let span = value.span().start + start..value.span().end + start;
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(moved_table(table, start)),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|item| moved(item, start)).collect())
        }
        other => other,
    };
    Spanned::new(span, value)
}

fn moved_table(table: DeTable<'_>, start: usize) -> DeTable<'_> {
    let entries = table.into_iter().map(|(key, value)| {
        let span = key.span().start + start..key.span().end + start;
        (Spanned::new(span, key.into_inner()), moved(value, start))
    });
    entries.collect()
}
