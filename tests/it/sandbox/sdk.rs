//! The vendor's own SDK against the sandbox as the program serves it: `tests/external/sdk/`.

use std::io::Write as _;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

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
    let (mut served, address) = serve(&[]).await;
    let enterprise = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/external/sdk/enterprise.json"
    );
    let (mut described, described_address) = serve(&["--enterprise", enterprise]).await;
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/external/sdk/check.py"
        ))
        .env("SANDBOX_ADDRESS", address)
        .env("ENTERPRISE_ADDRESS", described_address)
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
    for running in [&mut served, &mut described] {
        let ended = running.kill().await;
        ended.expect("it runs until it is told to stop");
    }
}

/// A served sandbox with these arguments, and its address.
async fn serve(arguments: &[&str]) -> (Child, String) {
    // The script asks faster than eSign allows; the limit is tested elsewhere.
    let mut served = Command::new(env!("CARGO_BIN_EXE_ess-callbacks"))
        .args(["sandbox", "--listen", "127.0.0.1:0", "--limit", "0"])
        .args(["--credential", "AKIDsdk:sdk-secret-key"])
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(served.stdout.take().expect("piped")).lines();
    let first = lines.next_line().await.expect("a line");
    let first = first.expect("not the end");
    let address = first.strip_prefix("Listening on http://");
    let address = address.expect("where it listens").to_owned();
    (served, address)
}
