//! The mutations of `tests/mutations`, which take too long for every test run, still fit the source, and
//! the table of docs/reliability.md lists them.

use std::path::Path;
use std::process::Command;

#[test]
fn every_mutation_fits_the_source_and_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        // Its caches would be files that git sees.
        .arg("-B")
        .arg(root.join("tests/mutations/run.py"))
        .arg("--check")
        .output()
        .expect("the tests need Python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
