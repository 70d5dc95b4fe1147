//! Looking at the state, repairing it, importing into it, and its lock.

use insta::assert_snapshot;

use crate::support::{Served, TestEnv, configuration, eventually};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

fn applied() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    (env, served)
}

#[test]
fn the_state_before_the_last_run_can_be_looked_at() {
    let (env, _served) = applied();
    assert_snapshot!(env.run(&["state", "history"]), @"
    exit 0
    --- stdout
    6  callbacks.state.json
    1  callbacks.state.json.backup
    ");
    env.run(&["state", "rm", "*/*two"]).exits(0);
    assert_snapshot!(env.run(&["state", "history"]), @"
    exit 0
    --- stdout
    7  callbacks.state.json
    6  callbacks.state.json.backup
    ");
    assert_snapshot!(env.run(&["state", "history", "--json"]), @r#"
    exit 0
    --- stdout
    {"serial":7,"place":"callbacks.state.json"}
    {"serial":6,"place":"callbacks.state.json.backup"}
    "#);
    let now = env.run(&["state", "pull"]).exits(0);
    assert_eq!(env.run(&["state", "history", "7"]).out(), now.out());
    let before = env.run(&["state", "history", "6"]).exits(0);
    assert!(before.stdout.contains(TWO), "{before}");
    assert_snapshot!(env.run(&["state", "history", "3"]), @"
    exit 1
    --- stderr
    error: no state with serial 3 is kept
      `ess-callbacks state history` lists those that are.
    ");
    // A damaged state is no obstacle: that is when an older one is wanted.
    let whole = env.read("callbacks.state.json");
    env.write("callbacks.state.json", b"{}");
    assert_eq!(env.run(&["state", "history", "6"]).out(), before.out());
    env.write("callbacks.state.json", whole);
    // The way back.
    env.write("old.json", before.stdout.as_bytes());
    assert_snapshot!(env.run(&["state", "push", "old.json"]), @"
    exit 1
    --- stderr
    error: `old.json` is older than the state (serial 6, which is now at 7); nothing was pushed
      It does not have the later changes. Start again from what `ess-callbacks state pull` prints. To go back to the older state all the same: --older.
    ");
    env.run(&["state", "push", "old.json", "--older"]).exits(0);
    env.run(&["state", "list", "*/*two"]).exits(0);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn listing_and_showing() {
    let (env, _served) = applied();
    assert_snapshot!(env.run(&["state", "list", "*/*two"]), @r"
        exit 0
        --- stdout
        acme/https://hooks.example/two
        ");
    assert_snapshot!(env.run(&["show"]), @r#"
    exit 0
    --- stdout
    # acme/https://hooks.example/one
    callback {
        url          = "https://hooks.example/one"
        status       = present
        evidence     = assumed (perhaps with another key or token)
        key          = (secret, fp [FP], assumed)
        token        = (secret, fp [FP], assumed)
        environment  = test
        account      = "default"
        organization = the account's own
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        confirmed    = [AGO] ([TIME], request id [UUID])
    }

    # acme/https://hooks.example/two
    callback {
        url          = "https://hooks.example/two"
        status       = present
        evidence     = assumed (perhaps with another key or token)
        key          = (secret, fp [FP], assumed)
        token        = (secret, fp [FP], assumed)
        environment  = test
        account      = "default"
        organization = the account's own
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        confirmed    = [AGO] ([TIME], request id [UUID])
    }

    2 callbacks in 1 organization: 2 assumed.
    Environment test (sandbox at http://127.0.0.1:[PORT]/), lineage [UUID], serial 6.
    "#);
    let by_name = env.run(&["show", "callbacks.state.json"]).exits(0);
    assert_eq!(by_name.out(), env.run(&["show"]).out());
    assert_snapshot!(env.run(&["state", "show", "acme/nothing"]), @"
        exit 1
        --- stderr
        error: no recorded callback matches `acme/nothing`
          `ess-callbacks state list` lists them all.
        ");
    let json = env.run(&["show", "--format", "json"]).exits(0);
    let state: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(state["callbacks"][1]["url"], TWO);
}

#[test]
fn forgetting_calls_nothing() {
    let (env, served) = applied();
    assert_snapshot!(env.run(&["state", "rm", "--dry-run", "acme/*"]), @r"
        exit 0
        --- stdout
        Would forget acme/https://hooks.example/one
        Would forget acme/https://hooks.example/two
        --- stderr
        Would forget 2 callbacks. Nothing was called: what eSign has, it still has.
        ");
    assert_snapshot!(env.run(&["state", "rm", "acme/*/one"]), @r"
        exit 0
        --- stdout
        Forgot acme/https://hooks.example/one
        --- stderr
        Forgot 1 callback. Nothing was called: what eSign has, it still has.
        ");
    assert_snapshot!(env.run(&["state", "list"]), @r"
        exit 0
        --- stdout
        acme/https://hooks.example/two
        ");
    assert_eq!(served.urls(), [ONE, TWO]);
    assert_eq!(served.arrived(), 2);
    assert!(env.read("callbacks.state.json.backup").contains(ONE));
}

#[test]
fn moving_records_a_callback_elsewhere() {
    let (env, served) = applied();
    env.write(
        "callbacks.yaml",
        configuration(&[("corp", &[ONE]), ("branch", &[TWO])]),
    );
    assert_snapshot!(env.run(&["state", "mv", "acme/*/two", "branch"]), @r"
        exit 0
        --- stdout
        Moved acme/https://hooks.example/two to branch/https://hooks.example/two
        ");
    assert_snapshot!(env.run(&["state", "mv", "acme/*/one", "nobody"]), @"
        exit 1
        --- stderr
        error: the configuration has no organization `nobody`
          Declare it first: mv records a callback under a declared organization.
        ");
    assert_snapshot!(env.run(&["state", "mv", "acme/*/one", &format!("corp/{TWO}")]), @r"
        exit 64
        --- stderr
        error: mv can't change a URL: `https://hooks.example/one` and `corp/https://hooks.example/two` differ
          eSign can't rename a callback. Declare the new URL; plan then adds it and deletes the old one.
        ");
    // Onto itself is no change, so the serial stays.
    let before = env.read("callbacks.state.json");
    assert_snapshot!(env.run(&["state", "mv", "branch/*", "branch"]), @"
        exit 0
        --- stdout
        Unchanged: branch/https://hooks.example/two is recorded there already
        ");
    assert_eq!(env.read("callbacks.state.json"), before);
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_snapshot!(env.run(&["state", "list"]), @"
    exit 0
    --- stdout
    branch/https://hooks.example/two
    corp/https://hooks.example/one
    ");
    assert_eq!(served.arrived(), 2, "handles are for people only");
}

#[test]
fn importing_records_as_assumed_without_a_call() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&[]);
    assert_snapshot!(env.run(&["import", &format!("acme/{ONE}")]), @"
        exit 0
        --- stdout
        Import complete! Recorded 1 callback as assumed, without a call.
        --- stderr
        eSign can't be asked whether it has them, or with which key and token. `apply --replace ADDRESS` confirms both, with a gap of about one round trip.
        ");
    assert_snapshot!(env.run(&["import", "--all"]), @"
        exit 0
        --- stdout
        Import complete! Recorded 1 callback as assumed, without a call. 1 was recorded already.
        --- stderr
        eSign can't be asked whether it has them, or with which key and token. `apply --replace ADDRESS` confirms both, with a gap of about one round trip.
        ");
    assert_snapshot!(env.run(&["import", "acme/https://unknown.example/"]), @"
        exit 1
        --- stderr
        error: no declared callback matches `acme/https://unknown.example/`
          Declare it in the configuration first: import records declared callbacks.
        ");
    assert_snapshot!(env.run(&["plan", "--detailed-exitcode"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    2 unchanged, 2 unproven.
    ");
    assert_eq!(served.log().len(), 0);
}

#[test]
fn there_must_be_a_state_to_look_at() {
    let env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    assert_snapshot!(env.run(&["state", "list"]), @"
        exit 1
        --- stderr
        error: there is no state `callbacks.state.json`
          The first apply or import creates it. Name another state with --state.
        ");
    assert_snapshot!(env.run(&["show"]), @"
        exit 1
        --- stderr
        error: there is no state `callbacks.state.json`
          The first apply or import creates it. Name another state with --state.
        ");
    assert_snapshot!(env.run(&["show", "callbacks.yaml"]), @"
        exit 1
        --- stderr
        error: `callbacks.yaml` is neither a saved plan nor a state
          `plan --out FILE` saves a plan, and `apply` writes the state. To show what callbacks.yaml declares, use `plan`.
        ");
    assert_snapshot!(env.run(&["show", "missing.json"]), @r"
        exit 1
        --- stderr
        error: `missing.json` can't be read: No such file or directory (os error 2)
          Without a file, `show` shows the state.
        ");
}

#[test]
fn environments_are_never_mixed() {
    let (env, _served) = applied();
    let production = env
        .read("callbacks.yaml")
        .replace("environment: test", "environment: production");
    env.write("callbacks.yaml", production);
    for arguments in [
        &["plan"][..],
        &["apply", "--auto-approve"],
        &["import", "--all"],
    ] {
        let said = env.run(arguments).exits(1);
        assert!(
            said.stderr.contains("records the test environment"),
            "{said}"
        );
    }
    assert_snapshot!(env.run(&["plan"]), @"
    exit 1
    --- stderr
    error: `callbacks.state.json` records the test environment, but the configuration says production
      Use a separate state file for each environment (--state), or correct `environment:` in the configuration.
    ");
}

#[test]
fn a_newer_or_broken_state_is_left_as_it_is() {
    let (env, _served) = applied();
    let good = env.read("callbacks.state.json");
    for (from, to) in [
        ("\"version\": 2", "\"version\": 9"),
        ("\"serial\": 6", "\"serial\": x"),
        ("{", "<<<<<<< ours\n{"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from} stands in it");
        env.write("callbacks.state.json", &bad);
        for arguments in [
            &["plan"][..],
            &["apply", "--auto-approve"],
            &["state", "rm", "acme/*"],
        ] {
            env.run(arguments).exits(1);
        }
        assert_eq!(env.read("callbacks.state.json"), bad);
        let said = env.run(&["plan"]);
        match to {
            "\"version\": 9" => assert_snapshot!(said, @r"
                exit 1
                --- stderr
                error: `callbacks.state.json` was written by a newer version of ess-callbacks (format 9; this one knows 2)
                  Use at least the version that wrote it. The file was left as it is.
                "),
            "\"serial\": x" => assert_snapshot!(said, @"
            exit 1
            --- stderr
            error: `callbacks.state.json` line 4: expected value
              The file was left as it is. Restore it from version control or from the `.backup` beside the state file, or fix the line by hand; then run `plan`.
            "),
            _ => assert_snapshot!(said, @r"
                exit 1
                --- stderr
                error: `callbacks.state.json` line 1: there is an unresolved merge conflict
                  Resolve it so that each callback has one line, keep the larger serial, and run `plan`. Of two lines for one callback, keep the one of the later apply.
                "),
        }
    }
}

#[test]
fn one_apply_a_state() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&["--fault", "slow=60s"]);
    let first = env.start(&["-f", "callbacks.yaml", "apply", "--auto-approve"]);
    served.wait_for(1);
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).exits(6).err(), @r"
        error: the state is locked by tester@[HOST], process [PID] (`apply`), since [TIME], lock id [LOCK]
          Wait for it, or let the command wait longer, such as with `--lock-timeout 5m`. A lock frees itself when its owner dies; if it does not, run `ess-callbacks unlock [LOCK]`.
        ");
    env.run(&["import", "--all"]).exits(6);
    env.run(&["state", "rm", "acme/*"]).exits(6);
    // Planning needs no lock, and sees what is under way.
    let said = env.run(&["plan"]).exits(0);
    assert!(
        said.stdout
            .contains("the outcome of an earlier add of it is unknown"),
        "{said}"
    );
    assert_snapshot!(said.err(), @"Note: the state's lock names tester@[HOST], process [PID] (`apply`), since [TIME], lock id [LOCK]. If that run is still in progress, this plan may be out of date.");
    assert_snapshot!(env.run(&["show"]).exits(0).err(), @"Note: the state's lock names tester@[HOST], process [PID] (`apply`), since [TIME], lock id [LOCK]. If that run is still in progress, what is shown may be out of date.");
    // Whatever the format, it is on standard error.
    assert_eq!(
        env.run(&["plan", "--format", "json"]).exits(0).err(),
        said.err()
    );
    let said = env.run(&["unlock", "000000000000"]).exits(1);
    assert!(
        said.stderr
            .contains("error: no lock has the id `000000000000`; the state's lock names tester@"),
        "{said}"
    );
    assert!(!said.stderr.contains("unlock "), "{said}");

    let waiting = env.start(&["apply", "--auto-approve", "--lock-timeout", "5m"]);
    waiting.wait_until_it_says("Waiting for the state's lock, held by tester@");
    served.faults("", "");
    first.kill();
    waiting.wait().exits(0);
    let said = env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(said.stderr, "");
}

#[test]
fn the_lock_of_a_live_process_is_not_broken() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&["--fault", "slow=60s"]);
    let first = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    let id = eventually("the lock names its owner", || {
        let lock = std::fs::read_to_string(env.path("callbacks.state.lock")).ok()?;
        let owner: serde_json::Value = serde_json::from_str(&lock).ok()?;
        owner["id"].as_str().map(str::to_owned)
    });
    assert_snapshot!(env.run(&["unlock", &id]).exits(1).err(), @r"
        error: the state is in use by tester@[HOST], process [PID] (`apply`), since [TIME], lock id [LOCK]
          Wait for it or end process [PID]: the lock is free when it has ended.
        ");
    first.kill();
    // The file still names it, and nothing is running.
    assert!(env.read("callbacks.state.lock").contains(&id));
    assert_eq!(env.run(&["plan"]).exits(0).stderr, "");
    assert_snapshot!(env.run(&["unlock", &id]), @r"
        exit 0
        --- stdout
        Unlocked. The owner was tester@[HOST], process [PID] (`apply`), since [TIME], lock id [LOCK].
        ");
    served.faults("", "");
    env.run(&["apply", "--auto-approve"]).exits(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_lock_s_owner_without_a_name_has_a_number() {
    use std::os::unix::fs::MetadataExt as _;
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&["--fault", "slow=300ms"]);
    env.unset("USER");
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    let said = env.run(&["apply", "--auto-approve"]).exits(6);
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    assert!(said.stderr.contains(&format!("uid {uid}@")), "{said}");
    run.wait().exits(0);
}
