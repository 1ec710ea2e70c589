//! The configurations in `docs/deploying.md` are those that `interop/run` tests.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_page_shows_the_configurations_that_are_tested() {
    let page = read("docs/deploying.md");
    let shown = page.split("```").skip(1).step_by(2);
    let shown = shown.filter_map(|block| {
        let (language, text) = block.split_once('\n')?;
        ["nginx", "haproxy"].contains(&language).then_some(text)
    });
    let tested = ["nginx.conf", "haproxy.cfg", "haproxy-tcp.cfg"]
        .map(|name| read(&format!("interop/proxies/{name}")));
    assert_eq!(shown.collect::<Vec<_>>(), tested);
}
