//! A state on a server instead of a file: the same commands, and moving between the two.

use ess_callbacks::testing::{Flavour, TerraformServer};
use insta::assert_snapshot;
use tokio::runtime::Runtime;

use crate::support::{Said, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

const APPLY: [&str; 2] = ["apply", "--auto-approve"];

/// Two declared callbacks, an eSign, and a server for states.
struct World {
    env: TestEnv,
    served: Served,
    states: TerraformServer,
    _runtime: Runtime,
}

impl World {
    fn new(flavour: Flavour, script: &str) -> Self {
        let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
        let served = env.serve(&["--script", script]);
        let runtime = Runtime::new().unwrap();
        let states = runtime.block_on(TerraformServer::start(flavour)).unwrap();
        env.set("TF_HTTP_USERNAME", TerraformServer::USER);
        env.set("TF_HTTP_PASSWORD", TerraformServer::PASSWORD);
        Self {
            env,
            served,
            states,
            _runtime: runtime,
        }
    }

    /// With the state there by default.
    fn at_server(flavour: Flavour, script: &str) -> Self {
        let mut world = Self::new(flavour, script);
        let url = world.states.url("prod");
        world.env.set("ESS_CALLBACKS_STATE", &url);
        world
    }

    /// Applies, and loses the store for a while when the first call has left.
    fn lose_the_store(&self) -> Said {
        self.served.faults("slow=1s", "");
        let run = self
            .env
            .start(&[&APPLY[..], &["--parallelism", "1"]].concat());
        self.served.wait_for(1);
        // The next record, and the snapshot at the end.
        self.states.answer(2, 403, "no", false);
        let said = run.wait().exits(3);
        self.states.answer(0, 200, "", true);
        self.served.faults("", "");
        said
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let said = self.env.run(arguments);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains(TerraformServer::PASSWORD), "{said}");
        said
    }
}

#[test]
fn every_command_works_on_it() {
    for flavour in [Flavour::GitLab, Flavour::Gitea] {
        let world = World::at_server(flavour, "ok");
        world.run(&["plan", "--detailed-exitcode"]).exits(2);
        assert_eq!(
            world.states.documents("prod").len(),
            0,
            "plan writes nothing"
        );
        world.run(&APPLY).exits(0);
        world.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert_eq!(world.served.urls(), [ONE, TWO]);
        let listed = world.run(&["state", "list"]).exits(0);
        assert_eq!(listed.stdout, format!("acme/{ONE}\nacme/{TWO}\n"));
        world.run(&["state", "show", "*/*one"]).exits(0);
        world.run(&["state", "rm", "*/*one"]).exits(0);
        let pulled = world.run(&["state", "pull"]).exits(0);
        world.env.write("pulled.json", pulled.stdout.as_bytes());
        world.run(&["state", "push", "pulled.json"]).exits(0);
        let left = world.run(&["state", "list"]).exits(0);
        assert_eq!(left.stdout, format!("acme/{TWO}\n"));
        world.run(&["plan", "--detailed-exitcode"]).exits(2);
        // Nothing of a state is beside the configuration.
        let files = world.env.files();
        let ours = files
            .iter()
            .filter(|(path, _)| path.to_string_lossy().contains(".state."));
        assert_eq!(ours.count(), 0, "{files:?}");
    }
}

#[test]
fn an_address_without_a_state_is_named() {
    let mut world = World::at_server(Flavour::GitLab, "ok");
    let note = "Note: there is no state in `http://127.0.0.1:";
    let ends = "/state/prod` yet, so everything counts as new.\n";
    let said = world.run(&["plan"]).exits(0);
    assert!(
        said.stderr.starts_with(note) && said.stderr.ends_with(ends),
        "{said}"
    );
    assert!(!world.run(&["plan", "--json"]).stderr.contains("Note:"));
    for command in [&APPLY[..], &["import", "--all"], &["plan"]] {
        let said = world.run(command).exits(0);
        let is_first = command == APPLY;
        assert_eq!(said.stderr.contains(note), is_first, "{said}");
    }
    // A mistyped name is another state.
    world
        .env
        .set("ESS_CALLBACKS_STATE", &world.states.url("prdo"));
    let said = world.run(&["import", "--all"]).exits(0);
    assert!(
        said.stderr
            .contains("/state/prdo` yet, so everything counts as new."),
        "{said}"
    );
    // A new file is beside the configuration.
    let said = world.run(&["plan", "--state", "new.json"]).exits(0);
    assert_eq!(said.stderr, "");
}

#[test]
fn a_state_moves_to_a_server_and_back() {
    let world = World::new(Flavour::GitLab, "ok");
    world.run(&APPLY).exits(0);
    let url = world.states.url("prod");
    assert_snapshot!(world.run(&["state", "migrate", &url]), @"
    exit 0
    --- stdout
    Moved 2 callbacks to `http://127.0.0.1:[PORT]/state/prod`, at serial 7. A note in `callbacks.state.json` points there; commit it if the file is in a repository. Use --state 'http://127.0.0.1:[PORT]/state/prod', or set ESS_CALLBACKS_STATE, wherever the state is used.
    ");
    // The old place says where it is, and can't be used by mistake.
    assert_snapshot!(world.run(&["plan"]), @"
    exit 1
    --- stderr
    error: the state is not in `callbacks.state.json` any more: it was moved to `http://127.0.0.1:[PORT]/state/prod`
      Use it there: --state 'http://127.0.0.1:[PORT]/state/prod'.
    ");
    world.run(&APPLY).exits(1);
    world
        .run(&["plan", "--detailed-exitcode", "--state", &url])
        .exits(0);
    // The server has one already.
    let other = ["state", "migrate", &url, "--state", "other.json"];
    world
        .run(&["apply", "--auto-approve", "--state", "other.json"])
        .exits(0);
    assert_snapshot!(world.run(&other), @"
    exit 1
    --- stderr
    error: there is a state in `http://127.0.0.1:[PORT]/state/prod` already; nothing was changed
      Give another place. To see what is there, run `state list` with that --state.
    ");
    world.run(&["plan", "--state", "other.json"]).exits(0);
    let back = ["state", "migrate", "callbacks.state.json", "--state", &url];
    world.run(&back).exits(0);
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
    world.run(&["plan", "--state", &url]).exits(1);
    world
        .run(&["state", "migrate", "callbacks.state.json"])
        .exits(64);
    // It can be written there again, though what was before is only the note, and move once more.
    world.run(&["state", "rm", "*/*one"]).exits(0);
    world.run(&["state", "migrate", &url]).exits(0);
    world.run(&back).exits(0);
    world.run(&APPLY).exits(0);
    // The address is the argument, and no --state.
    assert_snapshot!(world.run(&["state", "migrate", "s3://bucket/key"]), @"
    exit 1
    --- stderr
    error: opening `s3://bucket/key` failed: there is no region
      Add `?region=…` to the address, or set AWS_REGION.
    ");
}

#[test]
fn a_version_that_was_downloaded_from_the_server_is_a_state() {
    let world = World::at_server(Flavour::GitLab, "ok");
    world.run(&APPLY).exits(0);
    assert_snapshot!(world.run(&["state", "history"]), @"
    exit 1
    --- stderr
    error: reading older versions from `http://127.0.0.1:[PORT]/state/prod` failed: Terraform's protocol has no request for them
      GitLab lists them under Operate > Terraform states. `state push FILE` takes a version that was downloaded there, after its checks.
    ");
    let mut documents = world.states.documents("prod").into_values();
    let (first, last) = (documents.next().unwrap(), documents.next_back().unwrap());
    world.env.write("first.json", first.to_string().as_bytes());
    assert_snapshot!(world.run(&["state", "push", "first.json"]), @"
    exit 1
    --- stderr
    error: `first.json`: it is of the time before anything was recorded
      Nothing was pushed. Repair the file, or start again from what `ess-callbacks state pull` prints.
    ");
    world.env.write("last.json", last.to_string().as_bytes());
    assert_snapshot!(world.run(&["state", "push", "last.json"]), @"
    exit 0
    --- stdout
    Nothing was pushed: the state is the same already, at serial 6.
    ");
    let elsewhere = ["state", "push", "last.json", "--state", "copy.json"];
    world.run(&elsewhere).exits(0);
    world
        .run(&["plan", "--detailed-exitcode", "--state", "copy.json"])
        .exits(0);
}

#[test]
fn a_damaged_version_is_not_pushed() {
    let world = World::at_server(Flavour::GitLab, "ok");
    world.run(&APPLY).exits(0);
    let documents = world.states.documents("prod");
    // The last before the snapshot at the end: it has a journal.
    let with_journal = documents
        .values()
        .rev()
        .find(|document| !document["ess_callbacks"]["journal"].is_null())
        .unwrap();
    let push = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut document = with_journal.clone();
        change(&mut document);
        world.env.write(name, document.to_string().as_bytes());
        let said = world.run(&["state", "push", name, "--state", &format!("{name}.state")]);
        (said.code == Some(0), said.stderr)
    };
    assert!(push("whole.json", &|_| {}).0);
    let ours = |document: &mut serde_json::Value, name: &str, value: serde_json::Value| {
        document["ess_callbacks"][name] = value;
    };
    let text = |document: &serde_json::Value, name: &str| {
        document["ess_callbacks"][name].as_str().unwrap().to_owned()
    };
    let (pushed, why) = push("cut.json", &|document| {
        let journal = text(document, "journal");
        ours(document, "journal", journal[..journal.len() - 20].into());
    });
    assert!(!pushed && why.contains("damaged"), "{why}");
    let (pushed, why) = push("other.json", &|document| {
        let snapshot = text(document, "snapshot").replace("\"serial\": 1,", "\"serial\": 15,");
        ours(document, "snapshot", snapshot.into());
    });
    assert!(!pushed && why.contains("continues serial 1"), "{why}");
    let (pushed, why) = push("newer.json", &|document| {
        document["ess_callbacks"]["header"]["version"] = 99.into();
    });
    assert!(!pushed && why.contains("newer version"), "{why}");
    let (pushed, why) = push("terraform.json", &|document| {
        document.as_object_mut().unwrap().remove("ess_callbacks");
    });
    assert!(!pushed && why.contains("a state of Terraform"), "{why}");
}

#[test]
fn a_state_does_not_move_onto_itself() {
    let world = World::new(Flavour::GitLab, "ok");
    world.run(&APPLY).exits(0);
    for name in ["json.tmp", "json.backup", "journal", "lock"] {
        let beside = format!("./callbacks.state.{name}");
        let said = world.run(&["state", "migrate", &beside]).exits(64);
        assert!(said.stderr.contains("of the state in"), "{said}");
    }
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
    let url = world.states.url("prod");
    world.run(&["state", "migrate", &url]).exits(0);
    let again = url.replace("127.0.0.1", "localhost");
    let said = world.run(&["state", "migrate", &again, "--state", &url]);
    assert!(said.stderr.contains("are one state"), "{said}");
    world
        .run(&["plan", "--detailed-exitcode", "--state", &url])
        .exits(0);
}

/// What became of the calls that were under way is written to a file, and brought home from there.
#[test]
fn a_store_that_is_lost_loses_no_outcome() {
    let world = World::at_server(Flavour::GitLab, "ok");
    let said = world.lose_the_store();
    assert_snapshot!(said.err(), @"
    Note: there is no state in `http://127.0.0.1:[PORT]/state/prod` yet, so everything counts as new.
    Apply incomplete! Resources: 1 added, 0 changed, 0 destroyed. 1 not attempted.

      acme/https://hooks.example/two (add): not attempted
          why:        the journal can't be written, and no call is sent without it
          what to do: follow the error about the state, then run apply again

    The journal could not be written, so no further call was made: writing `http://127.0.0.1:[PORT]/state/prod` failed: the server answers 403 Forbidden: no. It has every call that was made, but perhaps not every outcome. If an error follows, do what it says. Otherwise fix the cause, and run apply again.
    error: the calls were made, but writing `http://127.0.0.1:[PORT]/state/prod` failed: the server answers 403 Forbidden: no
      The user may not do this.
      On GitLab reading needs the role Developer, writing Maintainer.
      Every call is recorded, but not every outcome: `callbacks.emergency-4.json` has the others, and no secrets.
      Next: 1) make sure that no other apply runs; 2) run `ess-callbacks state push callbacks.emergency-4.json`, which records 1 outcome; 3) run `ess-callbacks apply`.
      Without the second step nothing goes wrong, but apply takes those calls for lost and repeats them.
    ");
    let files = world.env.files();
    let names = files.iter().map(|(path, _)| path.to_string_lossy());
    let copy = names
        .map(String::from)
        .find(|name| name.contains("emergency"))
        .unwrap();
    assert_snapshot!(world.run(&["state", "push", &copy]), @"
    exit 0
    --- stdout
    How the last calls for 1 callback ended is recorded now.
    `[DIR]/callbacks.emergency-4.json` is not needed any more.
    ");
    let calls = world.served.log().len();
    world.run(&APPLY).exits(0);
    // The outcome was known: only what had not been called was.
    assert_eq!(world.served.log().len(), 2);
    assert_eq!(calls, 1);
    assert_snapshot!(world.run(&["state", "push", &copy]), @"
    exit 0
    --- stdout
    How the last calls for 1 callback ended is known already.
    `[DIR]/callbacks.emergency-4.json` is not needed any more.
    ");
    // Into an empty place it goes as the whole state that it is.
    let elsewhere = ["state", "push", "--state", "elsewhere.json", &copy];
    world.run(&elsewhere).exits(0);
    assert!(world.env.read("elsewhere.json").contains(ONE));
}

#[test]
fn without_its_emergency_copy_a_run_s_last_calls_are_repeated() {
    let world = World::at_server(Flavour::GitLab, "ok");
    world.lose_the_store();
    assert_eq!(world.served.log().len(), 1);
    world.run(&APPLY).exits(0);
    assert_eq!(world.served.log().len(), 3);
    assert_eq!(world.served.urls(), [ONE, TWO]);
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
}

/// The state is in its new place, and the old one does not say so yet.
#[test]
fn a_migration_that_was_killed_is_finished_by_the_next() {
    let world = World::new(Flavour::GitLab, "ok");
    world.run(&APPLY).exits(0);
    let before = world.env.read("callbacks.state.json");
    let url = world.states.url("prod");
    world.run(&["state", "migrate", &url]).exits(0);
    world.env.write("callbacks.state.json", &before);
    world.run(&["plan"]).exits(0);
    world.run(&["state", "migrate", &url]).exits(0);
    world.run(&["plan"]).exits(1);
    world
        .run(&["plan", "--detailed-exitcode", "--state", &url])
        .exits(0);
    // Once one of them was used, there are two states.
    world.env.write("callbacks.state.json", &before);
    world.run(&["state", "rm", "*/*one"]).exits(0);
    world.run(&["state", "migrate", &url]).exits(1);
}

#[test]
fn a_dead_run_is_unlocked_by_hand_or_waited_out() {
    let world = World::at_server(Flavour::Gitea, "slow@60s");
    let first = world.env.start(&APPLY);
    world.served.wait_for(1);
    drop(first.kill());
    let second = world.env.start(&APPLY);
    second.wait_until_it_says("lock id ");
    let said = second.so_far().stderr;
    let wait = "If that run was killed, this one takes over in about 180 s.";
    assert!(said.contains(wait), "{said}");
    let (_, id) = said.split_once("lock id ").unwrap();
    let id = id
        .split([' ', ','])
        .next()
        .unwrap()
        .trim_end_matches('\u{2026}')
        .trim();
    world.run(&["unlock", id]).exits(0);
    second.wait().exits(0);
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(world.served.urls(), [ONE, TWO]);
}

#[test]
fn a_server_that_fails_is_explained_and_nothing_is_called() {
    let world = World::at_server(Flavour::GitLab, "ok");
    world
        .states
        .answer(u32::MAX, 503, "<html>busy</html>", false);
    assert_snapshot!(world.run(&["plan"]), @"
    exit 1
    --- stderr
    error: reading `http://127.0.0.1:[PORT]/state/prod` failed: the server answers 503 Service Unavailable
      The server has a problem. Run the command again; it finds out what was written.
    ");
    assert_snapshot!(world.run(&APPLY), @"
    exit 1
    --- stderr
    error: reading `http://127.0.0.1:[PORT]/state/prod` failed: the server answers 503 Service Unavailable
      The server has a problem. Run the command again; it finds out what was written.
    ");
    assert_eq!(world.served.arrived(), 0);
}

#[test]
fn an_address_that_can_t_be_used_is_refused() {
    let env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    for address in [
        "ftp://host/x",
        "https://ann:canary@host/x",
        "http://host.example/x",
        "https://host.example",
        "postgres:esign?name=x",
        "s3:bucket/key",
        "s3://bucket/../x?region=r",
        "s3://bucket/a/%2e%2e/b?region=r",
        "cos://bucket/x?region=r",
    ] {
        let said = env.run(&["plan", "--state", address]).exits(64);
        assert!(!said.stderr.contains("canary"), "{said}");
    }
    assert_snapshot!(env.run(&["plan", "--state", "ftp://host/x"]), @"
    exit 64
    --- stderr
    error: --state: a state can't be kept at `ftp://`; write a path, s3:// or cos:// for a bucket, postgres:// for a database, or https:// for a server with Terraform's HTTP protocol
    ");
}
