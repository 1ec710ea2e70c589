//! What the fuzzer once found, and what it starts from.
#![cfg(feature = "std")]

mod runner;

use runner::{check::check, format::read_folder, scenario::Scenario};
use std::{fs, path::Path};

fn folder(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Each file of `fuzz/regressions` made the fuzz target fail, before something was mended.
#[test]
fn regressions_stay_mended() {
    for file in fs::read_dir(folder("fuzz/regressions")).unwrap() {
        let path = file.unwrap().path();
        if let Some(scenario) = Scenario::read(&fs::read(&path).unwrap()) {
            println!("{}", path.display());
            check(&scenario);
        }
    }
}

/// Every vector, as the scenario that comes closest to it.
///
/// With `SANSOCKET_SEEDS` set to a folder these are also written there, for the fuzzer to start
/// from.
#[test]
fn seeds_of_the_fuzzer_pass() {
    let seeds = std::env::var_os("SANSOCKET_SEEDS");
    for (index, vector) in read_folder(&folder("tests/vectors")).iter().enumerate() {
        let bytes = Scenario::bytes_like(vector);
        if bytes.len() > 4096 {
            continue;
        }
        println!("{}", vector.title);
        check(&Scenario::read(&bytes).unwrap());
        if let Some(seeds) = &seeds {
            fs::create_dir_all(seeds).unwrap();
            fs::write(Path::new(seeds).join(format!("vector-{index:04}")), &bytes).unwrap();
        }
    }
}
