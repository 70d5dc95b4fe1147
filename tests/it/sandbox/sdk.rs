//! The vendor's own SDK against the sandbox: `tests/sdk/`.

use std::io::Write as _;
use std::process::Stdio;

use ess_callbacks::sandbox::{Clock, Options, Sandbox};
use tokio::process::Command;

/// Where CI says that a Python with `tests/sdk/requirements.txt` is.
const PYTHON: &str = "ESS_CALLBACKS_SDK_PYTHON";

#[tokio::test]
async fn the_vendor_s_sdk_gets_what_it_expects() {
    let Some(python) = std::env::var_os(PYTHON) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{PYTHON} must be set in CI; tests/sdk/run.sh prints it"
        );
        // Not by `println!`, which is swallowed when a test passes.
        let skipped = format!("SKIPPED: {PYTHON} is not set; tests/sdk/run.sh makes one\n");
        std::io::stderr().write_all(skipped.as_bytes()).ok();
        return;
    };
    let clock = Clock::new(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let micros = now.expect("after 1970").as_micros();
        i64::try_from(micros).expect("before the year 294247")
    });
    let options = Options {
        customers: vec!["AKIDsdk:sdk-secret-key".parse().expect("a pair")],
        // The script asks faster than eSign allows; the limit is tested elsewhere.
        limit: 0,
        ..Options::default()
    };
    let running = Sandbox::embedded(options, clock).await.expect("it starts");
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/check.py"))
        .env("SANDBOX_ADDRESS", running.address().to_string())
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
    running.shutdown().await.expect("it ends");
}
