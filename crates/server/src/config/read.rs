//! Reading the configuration, with all that is wrong in it.

use super::flags::Flags;
use super::layers::{self, Layers};
use super::places::{Place, Places, Problem};
use super::sections::Config;
use serde::Deserialize;
use std::{borrow::Cow, collections::HashMap, ffi::OsString, fs, ops::Range};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

/// A configuration, and where its values stand.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) places: Places,
}

/// How many problems are told at most. Each costs another look at the whole.
const MOST_PROBLEMS: usize = 50;

/// Reads the configuration: the file, over it the variables, and over these the flags.
pub(crate) fn load(
    flags: &Flags,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Vec<Problem>> {
    let mut layers = Layers::default();
    if let Some(path) = &flags.config {
        let text = fs::read_to_string(path).map_err(|error| {
            vec![Problem { place: Place::File(path.clone()), problem: error.to_string() }]
        })?;
        layers.file(path, &text);
    }
    let mut problems = layers.variables(variables);
    problems.extend(flags.add_to(&mut layers));
    let mut keys = HashMap::new();
    let config = match layers.table() {
        Ok(table) => {
            keys = layers::keys(&table);
            config(table, layers.places(), &mut problems)
        }
        Err(syntax) => {
            problems.extend(syntax);
            None
        }
    };
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, places: layers.into_places(keys) })
        }
        _ => Err(problems),
    }
}

/// Makes a configuration of a table. What can't be read is left out, so that the rest is looked at too.
fn config<'a>(
    mut table: DeTable<'a>,
    places: &'a Places,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let (mut found, mut incomplete) = (Vec::new(), Vec::new());
    let config = loop {
        let root = Spanned::new(0..0, table.clone());
        let error = match Config::deserialize(toml::Deserializer::from(root)) {
            Ok(config) => break Some(config),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        if places.is_words(&span) && read_as_toml(&mut table, &span, places.text(&span)) {
            continue;
        }
        // A table lacks what was taken out of it, which is told already.
        if !incomplete.contains(&span) {
            found.push((span.start, places.problem(span.clone(), without_value(error.message()))));
        }
        match remove(&mut table, &(0..0), &span) {
            Some(owner) if found.len() < MOST_PROBLEMS => incomplete.push(owner),
            _ => break None,
        }
    };
    // In the order in which they stand.
    found.sort_by_key(|(start, _)| *start);
    problems.extend(found.into_iter().map(|(_, problem)| problem));
    config
}

/// Returns a problem without the value that is of another type than expected, since a secret can be in it.
fn without_value(problem: &str) -> Cow<'_, str> {
    for kind in ["string", "floating point"] {
        let value = problem.strip_prefix("invalid type: ").and_then(|it| it.strip_prefix(kind));
        if let Some((_, expected)) = value.and_then(|value| value.rsplit_once(", expected ")) {
            return format!("invalid type: {kind}, expected {expected}").into();
        }
    }
    problem.into()
}

/// Reads the text of a variable or a flag as a value of TOML, since it is none of the texts that are
/// expected there. Returns `false` if it is a text as TOML, too.
fn read_as_toml<'a>(table: &mut DeTable<'a>, span: &Range<usize>, text: &'a str) -> bool {
    let Some(value) = find(table, span) else { return false };
    if !matches!(value.get_ref(), DeValue::String(Cow::Borrowed(it)) if std::ptr::eq(*it, text)) {
        return false;
    }
    match DeValue::parse(text) {
        Ok(parsed) => {
            *value = layers::moved(parsed, span.start);
            true
        }
        Err(_) => false,
    }
}

/// Returns the value with this span that has no other value with it.
fn find<'t, 'a>(
    table: &'t mut DeTable<'a>,
    span: &Range<usize>,
) -> Option<&'t mut Spanned<DeValue<'a>>> {
    table.iter_mut().find_map(|(_, value)| find_in(value, span))
}

fn find_in<'t, 'a>(
    value: &'t mut Spanned<DeValue<'a>>,
    span: &Range<usize>,
) -> Option<&'t mut Spanned<DeValue<'a>>> {
    match value.get_ref() {
        DeValue::Table(_) | DeValue::Array(_) => match value.get_mut() {
            DeValue::Table(table) => find(table, span),
            DeValue::Array(array) => array.iter_mut().find_map(|item| find_in(item, span)),
            _ => None,
        },
        _ => (value.span() == *span).then_some(value),
    }
}

/// Removes the innermost entry whose key or value has this span. Returns the span of the table that it was
/// in, which is `owner` or further inside.
fn remove(
    table: &mut DeTable<'_>,
    owner: &Range<usize>,
    span: &Range<usize>,
) -> Option<Range<usize>> {
    if let Some(owner) = table.iter_mut().find_map(|(_, value)| remove_from(value, span)) {
        return Some(owner);
    }
    let is_found = |(key, value): &(&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        key.span() == *span || value.span() == *span
    };
    let key = table.iter().find(is_found)?.0.clone();
    table.remove(&key).map(|_| owner.clone())
}

fn remove_from(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Range<usize>> {
    let owner = value.span();
    match value.get_mut() {
        DeValue::Table(table) => remove(table, &owner, span),
        DeValue::Array(array) => {
            if let Some(owner) = array.iter_mut().find_map(|item| remove_from(item, span)) {
                return Some(owner);
            }
            let index = array.iter().position(|item| item.span() == *span)?;
            let items = std::mem::replace(array, DeArray::new()).into_iter().enumerate();
            *array = items.filter(|(it, _)| *it != index).map(|(_, item)| item).collect();
            Some(owner)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
