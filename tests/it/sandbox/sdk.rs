//! The vendor's own SDK against the sandbox as the program serves it: `tests/external/sdk/`.

use std::io::Write as _;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// Where CI says that a Python with `tests/external/sdk/requirements.txt` is.
const PYTHON: &str = "ESS_CALLBACKS_SDK_PYTHON";

#[tokio::test]
async fn the_vendor_s_sdk_gets_what_it_expects() {
    let Some(python) = std::env::var_os(PYTHON) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{PYTHON} must be set in CI; tests/external/sdk/run.sh prints it"
        );
        // Not by `println!`, which is swallowed when a test passes.
        let skipped =
            format!("SKIPPED: {PYTHON} is not set; tests/external/sdk/run.sh makes one\n");
        std::io::stderr().write_all(skipped.as_bytes()).ok();
        return;
    };
    // The script asks faster than eSign allows; the limit is tested elsewhere.
    let mut served = Command::new(env!("CARGO_BIN_EXE_ess-callbacks"))
        .args(["sandbox", "--listen", "127.0.0.1:0", "--limit", "0"])
        .args(["--credential", "AKIDsdk:sdk-secret-key"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(served.stdout.take().expect("piped")).lines();
    let first = lines
        .next_line()
        .await
        .expect("a line")
        .expect("not the end");
    let address = first
        .strip_prefix("Listening on http://")
        .expect("where it listens");
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/external/sdk/check.py"
        ))
        .env("SANDBOX_ADDRESS", address)
        .env("SANDBOX_SECRET_ID", "AKIDsdk")
        .env("SANDBOX_SECRET_KEY", "sdk-secret-key")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("Python runs");
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{out}\n{err}");
    println!("{out}");
    served
        .kill()
        .await
        .expect("it runs until it is told to stop");
}
