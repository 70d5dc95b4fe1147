//! `state pull` and `state push`: the whole state comes out and goes in, and nothing is lost on the way.

use insta::assert_snapshot;

use crate::support::{Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";
const STATE: &str = "callbacks.state.json";

fn applied() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    (env, served)
}

#[test]
fn what_is_pulled_is_the_state_and_pushing_it_changes_nothing() {
    let (env, _served) = applied();
    let before = env.read(STATE);
    let pulled = env.run(&["state", "pull"]).exits(0);
    assert_eq!((&pulled.stdout, pulled.stderr.as_str()), (&before, ""));
    env.write("pulled.json", &pulled.stdout);
    assert_snapshot!(env.run(&["state", "push", "pulled.json"]), @"
        exit 0
        --- stdout
        Nothing was pushed: the state is the same already, at serial 6.
        ");
    assert_eq!(env.read(STATE), before);
}

#[test]
fn what_is_only_in_the_journal_is_pulled_and_pushed_too() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&["--fault", "slow=60s"]);
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    run.kill();
    let pulled = env.run(&["state", "pull"]).exits(0);
    assert!(pulled.stdout.contains(ONE), "{pulled}");
    assert!(!env.read(STATE).contains(ONE), "only the journal knows");

    env.write("elsewhere/README", "");
    let push = ["--state", "elsewhere/state.json", "state", "push", "-"];
    let said = env.run_with_input(&push, &pulled.stdout);
    assert_snapshot!(said, @"
        exit 0
        --- stdout
        Pushed: the state has 1 callback now, at serial 3.
        ");
    let plan = env.run(&["--state", "elsewhere/state.json", "plan"]);
    assert_eq!(plan.out(), env.run(&["plan"]).out());
    assert!(plan.stdout.contains("has an open call"), "{plan}");
}

#[test]
fn an_older_state_is_refused_until_it_has_the_serial() {
    let (env, served) = applied();
    let old = env.run(&["state", "pull"]).stdout;
    env.write("old.json", &old);
    env.run(&["state", "rm", "acme/*two"]).exits(0);
    let before = env.read(STATE);
    assert_snapshot!(env.run(&["state", "push", "old.json"]), @"
        exit 1
        --- stderr
        error: `old.json` is older than the state (serial 6, which is now at 7); nothing was pushed
          It does not have the later changes. Start again from what `ess-callbacks state pull` prints. To go back to the older state all the same: --older.
        ");
    assert_eq!(env.read(STATE), before);

    let serial = |text: &str| {
        let state: serde_json::Value = serde_json::from_str(text).unwrap();
        state["serial"].as_u64().unwrap()
    };
    let line = |serial: u64| format!("\"serial\": {serial},");
    let meant = old.replace(&line(serial(&old)), &line(serial(&before)));
    env.write("meant.json", meant);
    assert_snapshot!(env.run(&["state", "push", "meant.json"]), @"
        exit 0
        --- stdout
        Pushed: the state has 2 callbacks now, at serial 8.
        ");
    assert_eq!(serial(&env.read(STATE)), serial(&before) + 1);
    assert_eq!(env.read("callbacks.state.json.backup"), before);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(served.arrived(), 2, "no call was made");
}

#[test]
fn what_is_no_state_or_another_s_is_refused() {
    let (env, _served) = applied();
    let before = env.read(STATE);
    env.write("broken.json", before.replace("\"handle\"", "\"handel\""));
    assert_snapshot!(env.run(&["state", "push", "broken.json"]).exits(1).err(), @"
    error: `broken.json` line 12: unknown field `handel`, expected one of `handle`, `account`, `proxy_organization_id`, `app_id`, `url`, `operator`, `protect`, `status`, `evidence`, `exact`, `key`, `token`, `proved_at`, `request_id`, `seen_at`, `missing`, `open`
      Nothing was pushed. Repair the file, or start again from what `ess-callbacks state pull` prints.
    ");
    env.write(
        "production.json",
        before.replace(
            "\"environment\": \"test\"",
            "\"environment\": \"production\"",
        ),
    );
    assert_snapshot!(env.run(&["state", "push", "production.json"]).exits(1).err(), @"
        error: the state is of the test environment, but `production.json` is of the production environment; nothing was pushed
          Use a separate state file for each environment (--state).
        ");
    assert_snapshot!(env.run(&["state", "push", "missing.json"]).exits(1).err(), @"error: the file `missing.json` does not exist");
    let (other, _other_served) = applied();
    env.write("other.json", other.read(STATE));
    assert_snapshot!(env.run(&["state", "push", "other.json"]).exits(1).err(), @"
        error: `other.json` is another state (lineage [UUID], not [UUID]); nothing was pushed
          Give the state that it belongs to with --state. To keep that state too, push it to an empty place, with another --state.
        ");
    assert_eq!(env.read(STATE), before);
}

#[test]
fn a_state_of_another_place_is_not_pushed_and_the_place_is_kept() {
    let (env, _served) = applied();
    let before = env.read(STATE);
    let there = before
        .lines()
        .find(|line| line.contains("destination"))
        .unwrap();
    env.write(
        "sandbox.json",
        before.replace(there, "  \"destination\": \"sandbox\","),
    );
    let said = env.run(&["state", "push", "sandbox.json"]).exits(1);
    assert_snapshot!(said.err(), @"
    error: the state records calls to http://127.0.0.1:[PORT]/, but `sandbox.json` records calls to the sandbox; nothing was pushed
      Give the state that it belongs to with --state.
    ");
    // One of format 1 does not say it, and takes nothing away.
    env.write("old.json", before.replace(&format!("{there}\n"), ""));
    assert_snapshot!(env.run(&["state", "push", "old.json"]), @"
    exit 0
    --- stdout
    Nothing was pushed: the state is the same already, at serial 6.
    ");
    assert_eq!(env.read(STATE), before);
}

#[test]
fn commands_that_write_the_state_can_wait_for_its_lock() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&["--fault", "slow=300ms"]);
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    env.run(&["state", "rm", "acme/*"]).exits(6);
    let said = env.run(&["state", "rm", "acme/*one", "--lock-timeout", "60s"]);
    let said = said.exits(0);
    assert!(
        said.stderr.starts_with("Waiting for the state's lock"),
        "{said}"
    );
    run.wait().exits(0);
    assert_eq!(env.run(&["state", "list"]).stdout, format!("acme/{TWO}\n"));
}

#[test]
fn no_call_that_may_still_arrive_is_pushed_away() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&["--script", "late@15s"]);
    let apply = ["apply", "--auto-approve", "--max-retries", "0"];
    env.run(&apply).exits(4);
    let state = env.run(&["state", "pull"]).exits(0).stdout;
    let before = env.read(STATE);
    let mut edited: serde_json::Value = serde_json::from_str(&state).unwrap();
    edited["callbacks"] = serde_json::json!([]);
    env.write("edited.json", edited.to_string());
    assert_snapshot!(env.run(&["state", "push", "edited.json"]), @"
        exit 1
        --- stderr
        error: an earlier call for acme/https://hooks.example/one got no answer and may still arrive until [CLOCK] UTC; nothing was changed
          Wait until then, or run apply if it is planned: that settles the call. Forgotten now, the call could undo a later one.
        ");
    assert_eq!(env.read(STATE), before);
    // Settled, it may arrive late all the same; the state that knows it is taken.
    env.run(&apply).exits(0);
    env.write("known.json", env.run(&["state", "pull"]).stdout);
    env.write("callbacks.yaml", configuration(&[("renamed", &[ONE])]));
    env.run(&["state", "push", "known.json"]).exits(0);
    env.run(&["state", "push", "edited.json"]).exits(1);
}
