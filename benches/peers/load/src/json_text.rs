//! JSON text like that of a chat or telemetry API.

use crate::random::Random;
use std::fmt::Write;

/// The smallest size: an identifier and a text.
pub(crate) const LEAST: usize = 40;

const NAMES: &[&str] = &["Ada Lovelace", "Jürgen Groß", "Søren", "山田太郎", "Chloé", "Omar K."];
const SENSORS: &[(&str, &str)] =
    &[("temperature", "°C"), ("humidity", "%"), ("pressure", "hPa"), ("battery", "V")];
const WORDS: &[&str] = &[
    "the", "message", "was", "sent", "again", "after", "deploy", "please", "check", "node", "all",
    "fine", "see", "you", "tomorrow", "latency", "is", "up", "thanks", "ok", "build", "failed",
];
/// The start of 2026 in Unix milliseconds.
const EPOCH: u64 = 1_767_225_600_000;

/// Returns JSON text of exactly `size` bytes. `size` must be at least [`LEAST`].
pub(crate) fn make(random: &mut Random, size: usize) -> Vec<u8> {
    let mut json = format!("{{\"id\":\"{:016x}\"", random.next());
    let mut end = ",\"text\":\"\"}";
    for field in head(random) {
        if json.len() + field.len() + end.len() <= size {
            json += &field;
        }
    }
    let opening = ",\"readings\":[";
    let mut separator = opening;
    loop {
        let next = reading(random);
        let closing = "],\"text\":\"\"}";
        if json.len() + separator.len() + next.len() + closing.len() > size {
            break;
        }
        json += separator;
        json += &next;
        separator = ",";
        end = closing;
    }
    let (before, after) = end.split_at(end.len() - 2);
    json += before;
    words(random, &mut json, size - after.len());
    json += after;
    json.into()
}

fn head(random: &mut Random) -> [String; 4] {
    let time = EPOCH + random.below(31_000_000_000);
    [
        format!(",\"timestamp\":{time}"),
        format!(",\"type\":\"{}\"", random.pick(&["message", "telemetry", "presence"])),
        format!(
            ",\"user\":{{\"id\":{},\"name\":\"{}\"}}",
            random.below(1_000_000),
            random.pick(NAMES)
        ),
        format!(",\"room\":\"{:08x}\",\"edited\":null", random.below(1 << 32)),
    ]
}

fn reading(random: &mut Random) -> String {
    let (sensor, unit) = random.pick(SENSORS);
    format!(
        "{{\"sensor\":\"{sensor}\",\"at\":{},\"value\":{}.{:03},\"unit\":\"{unit}\",\"ok\":{}}}",
        EPOCH + random.below(31_000_000_000),
        random.below(1100),
        random.below(1000),
        random.below(16) != 0
    )
}

fn words(random: &mut Random, json: &mut String, length: usize) {
    while json.len() < length {
        let word = random.pick(WORDS);
        write!(json, "{word} ").expect("writing to a string never fails");
    }
    // The words are ASCII, so every position is a character boundary.
    json.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn json_of_every_size_is_valid() {
        let mut random = Random::new(1);
        for size in LEAST..1500 {
            let json = make(&mut random, size);
            assert_eq!(json.len(), size);
            let value: Value = serde_json::from_slice(&json).expect("the text is valid JSON");
            assert_eq!(value["id"].as_str().map(str::len), Some(16));
            assert!(size < 500 || value["readings"].is_array());
        }
    }
}
