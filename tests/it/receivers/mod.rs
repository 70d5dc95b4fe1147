//! Every receiver of this project does the same with the same requests: `listen`, and those in examples/ to copy.

mod contract;
mod http;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

pub(crate) use http::{post, send};

use crate::support::TestEnv;
use contract::{Subject, fulfils};

/// Where a Python with `tests/external/receivers/requirements.txt` is.
const PYTHON: &str = "ESS_CALLBACKS_RECEIVER_PYTHON";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn skip(why: &str) {
    // Not by `println!`, which is swallowed when a test passes.
    std::io::stderr()
        .write_all(format!("SKIPPED: {why}\n").as_bytes())
        .ok();
}

#[test]
fn listen_is_a_receiver() {
    let arguments = [
        "listen",
        "--listen",
        "127.0.0.1:0",
        "--url",
        contract::URL,
        "--receipts",
        "receipts.jsonl",
        "--key-from",
        "env:CALLBACK_KEY",
        "--key-from",
        "env:CALLBACK_KEY_OLD",
        "--token-from",
        "env:CALLBACK_TOKEN",
    ];
    let env = TestEnv::new("");
    let subject = Subject {
        command: env.command(&arguments),
        message: "Unheard, MsgId m1",
        v1: "message in the format V1",
    };
    fulfils(&env, subject);
}

#[test]
fn the_example_with_axum_is_a_receiver() {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--example", "receiver"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let env = TestEnv::new("");
    let program = Path::new(crate::support::PROGRAM)
        .parent()
        .unwrap()
        .join("examples/receiver");
    fulfils(&env, Subject::example(env.other(program)));
}

#[test]
fn the_example_in_python_is_a_receiver() {
    let Some(python) = std::env::var_os(PYTHON) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{PYTHON} must be set in CI; tests/external/receivers/run.sh prints it"
        );
        skip(&format!(
            "{PYTHON} is not set; tests/external/receivers/run.sh makes one"
        ));
        return;
    };
    let env = TestEnv::new("");
    let mut command = env.other(Path::new(&python));
    command.arg(root().join("examples/receivers/receiver.py"));
    fulfils(&env, Subject::example(command));
}

#[test]
fn the_example_in_node_is_a_receiver() {
    let env = TestEnv::new("");
    if env.other("node").arg("--version").output().is_err() {
        skip("there is no node");
        return;
    }
    let mut command = env.other("node");
    command.arg(root().join("examples/receivers/receiver.mjs"));
    fulfils(&env, Subject::example(command));
}
