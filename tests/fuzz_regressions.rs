//! Inputs that once failed in the fuzzer, and the seeds from which it starts.
#![cfg(feature = "std")]

#[cfg(feature = "deflate")]
use sansocket_testkit::any_bytes::{
    deflate::{check_receiver, check_round_trip},
    negotiation::check_negotiation,
};
use sansocket_testkit::{
    any_bytes::{
        handshake::{bytes_like, check_client, check_server},
        messages::check_bytes,
        proxies::{check_forwarding_header, check_proxy_header, check_tunnel},
        relay::check_relay,
        scenario::Scenario,
    },
    vectors::{format::read_folder, handshake},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the fuzz target of that name.
fn run(target: &str, data: &[u8]) {
    match target {
        "receiver" => check_bytes(data),
        "server_handshake" => check_server(data),
        "client_handshake" => check_client(data),
        "relay" => check_relay(data),
        "tunnel" => check_tunnel(data),
        "proxy_header" => check_proxy_header(data),
        "forwarding_header" => check_forwarding_header(data),
        #[cfg(feature = "deflate")]
        "deflate_receiver" => check_receiver(data),
        #[cfg(feature = "deflate")]
        "deflate_negotiation" => check_negotiation(data),
        #[cfg(feature = "deflate")]
        "deflate_round_trip" => check_round_trip(data),
        #[cfg(not(feature = "deflate"))]
        "deflate_receiver" | "deflate_negotiation" | "deflate_round_trip" => {}
        // Tested by `crates/realtime`, which has the check.
        "sse_parser" => {}
        other => panic!("unknown fuzz target {other}"),
    }
}

/// Writes a seed into the folder that `SANSOCKET_SEEDS` names, if it is set. That folder has one
/// for each target, to start the fuzzer from.
fn keep(target: &str, index: usize, data: &[u8]) {
    if let Some(seeds) = std::env::var_os("SANSOCKET_SEEDS") {
        let folder = Path::new(&seeds).join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("vector-{index:04}")), data).unwrap();
    }
}

/// Each file in a folder of `fuzz/regressions` once made the target of the folder's name fail.
#[test]
fn regressions_stay_fixed() {
    for entry in fs::read_dir(folder("fuzz/regressions")).unwrap() {
        let entry = entry.unwrap();
        if !entry.path().is_dir() {
            continue;
        }
        for file in fs::read_dir(entry.path()).unwrap() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            run(entry.file_name().to_str().unwrap(), &fs::read(&path).unwrap());
        }
    }
}

/// Tests each configuration of either endpoint with several forms of offers and responses.
#[cfg(feature = "deflate")]
#[test]
fn offers_and_responses_of_compression_pass() {
    let values = [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits=9; server_max_window_bits=\"10\"",
        "permessage-deflate; x, permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=08",
    ];
    for (index, value) in values.iter().enumerate() {
        for bits in 0..64 {
            let data = [&[bits, bits % 8, 63 - bits, bits / 16][..], value.as_bytes()].concat();
            run("deflate_negotiation", &data);
            if bits == 0 {
                keep("deflate_negotiation", index, &data);
            }
        }
    }
}

/// Tests a conversation in which consecutive messages use every pair of methods of sending.
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_sent_with_all_methods_pass() {
    for parameters in (0..=255).step_by(5) {
        let mut data = vec![parameters, parameters % 50, parameters];
        for (how, next) in (0..64).map(|pair| (pair / 8, pair % 8)) {
            for how in [how, next] {
                // The length selects the window of a prepared message.
                data.push(how | 0x30);
                data.extend(b"said again and again, ".iter().take(15 + usize::from(next)));
                data.extend([0xa5, 0x5a]);
            }
        }
        run("deflate_round_trip", &data);
        if parameters < 20 {
            keep("deflate_round_trip", 1000 + usize::from(parameters), &data);
        }
    }
}

/// Runs each vector as the scenario closest to it.
#[test]
fn seeds_of_the_fuzzer_pass() {
    for (index, vector) in read_folder(&folder("tests/vectors")).iter().enumerate() {
        let bytes = Scenario::bytes_like(vector);
        if bytes.len() > 4096 {
            continue;
        }
        println!("{}", vector.title);
        for target in ["receiver", "relay"] {
            run(target, &bytes);
            keep(target, index, &bytes);
        }
        #[cfg(feature = "deflate")]
        if vector.deflate.is_some() {
            // The payloads include their headers, which are garbage to these targets.
            for target in ["deflate_receiver", "deflate_round_trip"] {
                run(target, &bytes);
                keep(target, index, &bytes);
            }
        }
    }
    let vectors = handshake::format::read_folder(&folder("tests/vectors/handshake"));
    for (index, vector) in vectors.iter().enumerate() {
        let bytes = bytes_like(vector);
        if bytes.len() > 8192 {
            continue;
        }
        println!("{}", vector.title);
        // Each endpoint has to handle input meant for the other.
        for target in ["server_handshake", "client_handshake"] {
            run(target, &bytes);
            keep(target, index, &bytes);
        }
    }
}

/// What honest proxies send, and what clients have tried.
#[test]
fn bytes_of_proxies_pass() {
    let tunnels: [&[u8]; 7] = [
        b"\0\x01HTTP/1.1 200 OK\r\n\r\n",
        b"\x02\x02HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nno!",
        b"\0\x03HTTP/1.1 100 x\r\n\r\nHTTP/1.0 503 x\r\n\r\nbusy",
        b"\x01\x01\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50",
        b"\x03\x01\x05\x02\x01\0\x05\0\0\x03\x01p\0\x50",
        b"\x03\x04\x05\x02\x01\x01",
        b"\x01\x05\x05\0\x05\x05\0\x01",
    ];
    let headers: [&[u8]; 5] = [
        b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\nGET /",
        b"PROXY UNKNOWN\r\n",
        b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\x01\xbb",
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ];
    let fields: [&[u8]; 7] = [
        b"\x02192.0.2.9, 10.0.0.9",
        b"\x0010.0.0.1\n10.0.0.2",
        b"\x03for=6.6.6.6;x=\"",
        b"\x03for=6.6.6.6;\"=",
        b"\x03for=\"[2001:db8::1]:1\";host=\"a\\\"b\"",
        b"\x03for=6.6.6.6, for=\"",
        b"\x01for=unknown;by=_x, ,for=1",
    ];
    let targets: [(&str, &[&[u8]]); 3] =
        [("tunnel", &tunnels), ("proxy_header", &headers), ("forwarding_header", &fields)];
    for (target, inputs) in targets {
        for (index, input) in inputs.iter().enumerate() {
            run(target, input);
            keep(target, index, input);
        }
    }
}
