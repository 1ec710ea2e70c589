//! Properties of the queries of polls and event streams.

use crate::any_bytes::check_request;
use proptest::{collection::vec, prelude::*, sample::select};
use sansocket_realtime::{
    poll::{Config, Request},
    sse::{EventStreamConfig, EventStreamRequest},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Pieces of queries, so that random ones are more than unknown parameters.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let tokens: Vec<&'static [u8]> = vec![
        b"topic=/topic/a",
        b"&topic=",
        b"/topic/b",
        b"/user/queue/c",
        b"/presence/topic/d",
        b"&since=",
        b"&%73ince=",
        b"5f3a-1042",
        b"now",
        b"last",
        b"beginning",
        b"&wait=",
        b"&form=",
        b"json",
        b"text",
        b"17",
        b"&",
        b"=",
        b"+",
        b"%",
        b"%2F",
        b"%c3%a9",
        b"%ff",
        b"%00",
        b"*",
        b"\0",
        b"\0a-1",
        b"\0 ",
        b"\xc3\xa9",
    ];
    let token = prop_oneof![
        12 => select(tokens).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    let rest = vec(token, 0..12).prop_map(|tokens| tokens.concat());
    (any::<bool>(), rest).prop_map(|(has_topic, rest)| {
        let start: &[u8] = if has_topic { b"topic=/topic/a" } else { b"" };
        [start, &rest].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_query_passes(query in pieces()) {
        check_request(&query);
    }

    #[test]
    fn any_bytes_pass(data in vec(any::<u8>(), 0..100)) {
        check_request(&data);
    }
}

#[test]
fn requests_that_are_not_parsed_are_checked_too() {
    let polls = Config::default().topics(2);
    let streams = EventStreamConfig::default().topics(2);
    for topics in
        [&[][..], &["/queue/a"], &["/topic/a", "/topic/b"], &["/topic/a", "/topic/b", "/topic/c"]]
    {
        let query: Vec<_> = topics.iter().map(|topic| format!("topic={topic}")).collect();
        let query = query.join("&");
        let (topics, parsed) = (topics.iter().copied(), Request::parse(&query, &polls));
        assert_eq!(Request::new(topics.clone(), &polls), parsed);
        let parsed = EventStreamRequest::parse(&query, None, &streams);
        assert_eq!(EventStreamRequest::new(topics, &streams), parsed);
    }
}

fn folder(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Each of these files once made the fuzz target `realtime_requests` fail.
#[test]
fn regressions_stay_fixed() {
    let Ok(files) = fs::read_dir(folder("fuzz/regressions/realtime_requests")) else {
        return;
    };
    for file in files {
        check_request(&fs::read(file.unwrap().path()).unwrap());
    }
}

/// Runs the query of each vector. Writes it into the folder that `SANSOCKET_SEEDS` names, if it is set,
/// to start the fuzzer from.
#[test]
fn seeds_of_the_fuzzer_pass() {
    let seeds =
        std::env::var_os("SANSOCKET_SEEDS").map(|seeds| folder(seeds).join("realtime_requests"));
    let text = fs::read_to_string(folder("tests/vectors/poll/requests.txt")).unwrap();
    let mut count = 0;
    for query in text.lines().filter_map(|line| line.strip_prefix("query ")) {
        let data = [query.as_bytes(), b"\0a-1"].concat();
        check_request(&data);
        if let Some(seeds) = &seeds {
            fs::create_dir_all(seeds).unwrap();
            fs::write(seeds.join(format!("vector-{count:04}")), &data).unwrap();
        }
        count += 1;
    }
    assert!(count > 0);
}
