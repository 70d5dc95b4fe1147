//! The machine under the program misbehaves: signals, full disks, lost folders, two at once. What was
//! called is known afterwards, and the next run finishes.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;
use rstest::rstest;

use crate::support::{Said, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";
const THREE: &str = "https://hooks.example/three";

/// Three adds to make, one after the other, whose answers take a while.
fn three_slow_adds() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO, THREE])]));
    let served = env.serve(&["--fault", "slow=300ms"]);
    (env, served)
}

#[track_caller]
fn the_next_run_finishes(env: &TestEnv, served: &Served) {
    served.faults("", "");
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[rstest]
#[case::ctrl_c("INT")]
#[case::terminated("TERM")]
#[case::hung_up("HUP")]
#[case::quit("QUIT")]
fn the_first_signal_waits_for_what_is_in_flight(#[case] signal: &str) {
    let (env, served) = three_slow_adds();
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    run.signal(signal);
    let said = run.wait().exits(130);
    assert_eq!(served.urls(), [ONE], "no new calls");
    let text = said.err();
    assert!(
        text.starts_with("Interrupted. No new calls; waiting for 1 call in flight."),
        "{text}"
    );
    assert!(
        text.contains("1 added, 0 changed, 0 destroyed. 2 not attempted."),
        "{text}"
    );
    // It has ended well: nothing is open, and no journal is left.
    assert!(!env.exists("callbacks.state.journal"));
    let plan = env.run(&["plan"]).exits(0);
    assert!(
        plan.stdout
            .contains("Plan: 2 to add, 0 to change, 0 to destroy."),
        "{plan}"
    );
    the_next_run_finishes(&env, &served);
    assert_eq!(served.arrived(), 3);
}

/// In the middle of a replace the callback is gone, and has to come back.
#[rstest]
#[case::ctrl_c("INT")]
#[case::terminated("TERM")]
#[case::hung_up("HUP")]
#[case::quit("QUIT")]
fn a_signal_in_a_replace_leaves_no_callback_gone(#[case] signal: &str) {
    let (env, served) = three_slow_adds();
    served.faults("", "");
    env.run(&["apply", "--auto-approve"]).exits(0);
    served.faults("slow=100ms", "");
    // Before its delete, during it, and during its add.
    for call in 1..=4 {
        let before = served.arrived();
        let run = env.start(&["apply", "--auto-approve", "--replace", "acme/*"]);
        served.wait_for(before + call);
        run.signal(signal);
        run.wait().exits(130);
        assert_eq!(served.urls(), [ONE, THREE, TWO], "after call {call}");
    }
    served.faults("", "");
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Whatever it waits for, nothing was called, and it ends at once.
#[rstest]
fn a_signal_ends_every_wait(
    #[values("INT", "TERM", "HUP", "QUIT")] signal: &str,
    #[values("lock", "jitter", "command", "standard input")] wait: &str,
) {
    let (mut env, served) = three_slow_adds();
    served.faults("slow=60s", "");
    let mut flags = vec!["apply", "--auto-approve"];
    let mut holder = None;
    let says = match wait {
        "lock" => {
            holder = Some(env.start(&flags));
            served.wait_for(1);
            flags.extend(["--lock-timeout", "10m"]);
            "Waiting for the state's lock"
        }
        "jitter" => {
            flags.extend(["--jitter", "10h"]);
            "before this run starts"
        }
        "command" => {
            let yaml = env.read("callbacks.yaml");
            let command = "key: { command: [sleep, '600'] }";
            env.write(
                "callbacks.yaml",
                yaml.replacen("key: { env: KEY }", command, 1),
            );
            flags.extend(["--allow-commands", "--command-timeout", "10m"]);
            "sleep"
        }
        _ => {
            // It reads a pipe without a writer.
            flags.extend(["-f", "fifo"]);
            assert!(env.other("mkfifo").arg("fifo").status().unwrap().success());
            env.set("ESS_CALLBACKS_STATE", "callbacks.state.json");
            ""
        }
    };
    let run = env.start(&flags);
    if says.is_empty() {
        // The thread that listens is there as soon as the program waits for the pipe.
        crate::support::eventually("the program has its threads", || {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", run.id())).ok()?;
            (tasks.count() > 1).then_some(())
        });
        crate::support::eventually("it catches signals", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).ok()?;
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
            (caught & 0x4007 == 0x4007).then_some(())
        });
    } else {
        run.wait_until_it_says(says);
    }
    run.signal(signal);
    let said = run.wait().exits(130);
    assert!(said.stderr.to_lowercase().contains("interrupted"), "{said}");
    assert!(said.stderr.contains("nothing was called"), "{said}");
    drop(holder);
}

#[test]
fn a_signal_ends_the_wait_for_a_lost_call() {
    let (env, served) = three_slow_adds();
    served.faults("", "");
    env.run(&["apply", "--auto-approve"]).exits(0);
    served.faults("", "lost-after");
    let flags = ["apply", "--auto-approve", "--replace", "acme/*/one"];
    let run = env.start(&flags);
    run.wait_until_it_says("Waiting until");
    run.signal("HUP");
    let said = run.wait().exits(130);
    assert!(said.stderr.contains("1 unknown"), "{said}");
}

/// What `nohup` is for.
#[test]
fn a_run_under_nohup_survives_its_terminal() {
    let (env, served) = three_slow_adds();
    let mut command = env.other("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" apply --auto-approve"]);
    command.arg(&env.program);
    let run = crate::support::Running::start(command, &env.path(""));
    served.wait_for(1);
    run.signal("HUP");
    run.wait().exits(0);
    assert_eq!(served.urls(), [ONE, THREE, TWO]);
}

/// As in a container: the system does nothing by itself when process 1 gets a signal.
#[rstest]
fn process_1_heeds_signals(#[values("INT", "TERM", "HUP", "QUIT")] signal: &str) {
    let (env, served) = three_slow_adds();
    let unshare = ["--pid", "--fork", "--kill-child"];
    let may = env.other("unshare").args(unshare).arg("true").status();
    if !may.is_ok_and(|status| status.success()) {
        // Only the administrator may, and not everywhere.
        return;
    }
    for flags in [&["--jitter", "10h"][..], &[]] {
        let before = served.arrived();
        let mut command = env.other("unshare");
        command.args(unshare).arg(&env.program);
        command.args(["apply", "--auto-approve"]).args(flags);
        let run = crate::support::Running::start(command, &env.path(""));
        if flags.is_empty() {
            served.wait_for(before + 1);
        } else {
            run.wait_until_it_says("before this run starts");
        }
        let parent = run.id();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let child = std::fs::read_to_string(children).unwrap();
        let script = format!("kill -{signal} {child}");
        assert!(
            env.other("sh")
                .args(["-c", &script])
                .status()
                .unwrap()
                .success()
        );
        run.wait().exits(130);
    }
    assert_eq!(served.urls(), [ONE], "what was in flight was awaited");
}

#[test]
fn the_second_signal_leaves_at_once() {
    let (env, served) = three_slow_adds();
    served.faults("slow=60s", "");
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    run.signal("INT");
    run.wait_until_it_says("Interrupted.");
    run.signal("INT");
    let said = run.wait().exits(130);
    assert_snapshot!(said.err(), @"
    Interrupted. No new calls; waiting for 1 call in flight. Press Ctrl-C again to quit now: the next apply settles these calls.
    Interrupted again; ending at once. 1 change was under way. The state records a call without an answer as open, and the next apply settles it.
    ");
    assert!(env.exists("callbacks.state.journal"), "it has the rest");
    let said = env.run(&["plan"]).exits(0);
    assert!(
        said.stdout
            .contains("the outcome of an earlier add of it is unknown"),
        "{said}"
    );
    the_next_run_finishes(&env, &served);
}

#[test]
fn a_stopped_process_goes_on_where_it_was() {
    let (env, served) = three_slow_adds();
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    run.signal("STOP");
    // It still holds the lock, and the answer comes while it sleeps.
    env.run(&["apply", "--auto-approve"]).exits(6);
    env.run(&["plan"]).exits(0);
    run.signal("CONT");
    run.wait().exits(0);
    assert_eq!(served.arrived(), 3);
    the_next_run_finishes(&env, &served);
}

/// Somebody takes a stopped process for dead and removes the lock, which `unlock` would not do.
#[test]
fn a_process_that_lost_its_lock_calls_no_more() {
    let (env, served) = three_slow_adds();
    served.faults("slow=2s", "");
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    run.signal("STOP");
    std::fs::remove_file(env.path("callbacks.state.lock")).unwrap();
    served.faults("", "");
    env.run(&["apply", "--auto-approve"]).exits(0);
    let (calls, state) = (served.arrived(), env.read("callbacks.state.json"));
    run.signal("CONT");
    let said = run.wait().exits(3);
    assert!(
        said.stderr
            .contains("was broken while this program held it"),
        "{said}"
    );
    assert_eq!(served.arrived(), calls);
    assert_eq!(env.read("callbacks.state.json"), state);
    assert!(!env.exists("callbacks.state.journal"));
    the_next_run_finishes(&env, &served);
}

#[test]
fn of_two_at_once_one_works_and_the_other_finds_nothing_to_do() {
    let (env, served) = three_slow_adds();
    let flags = ["apply", "--auto-approve", "--lock-timeout", "5m"];
    let (one, other) = (env.start(&flags), env.start(&flags));
    let said = [one.wait().exits(0), other.wait().exits(0)];
    let idle = said
        .iter()
        .filter(|said| said.stdout.starts_with("No changes."));
    assert_eq!(idle.count(), 1);
    assert_eq!(served.arrived(), 3, "nothing was called twice");
    the_next_run_finishes(&env, &served);
}

/// Runs an apply with files limited to so few bytes that the journal can't be kept.
fn on_a_full_disk(env: &TestEnv, trap: &str) -> Said {
    // A shell counts in blocks of 512 or 1024 bytes; two of either are too few for the journal.
    let script = format!("{trap} ulimit -f 2; exec \"$0\" \"$@\"");
    let mut command = env.other("sh");
    let flags = ["apply", "--auto-approve", "--rate", "0"];
    command.arg("-c").arg(script).arg(&env.program).args(flags);
    env.said(&mut command)
}

fn twenty() -> Vec<String> {
    (0..20)
        .map(|n| format!("https://hooks.example/{n:02}"))
        .collect()
}

#[rstest]
#[case::an_error("trap '' XFSZ;")]
#[case::a_signal("")]
fn a_full_disk_stops_the_calls_and_loses_none(#[case] trap: &str) {
    let urls = twenty();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut env = TestEnv::new(&configuration(&[("acme", &urls)]));
    let served = env.serve(&[]);
    let said = on_a_full_disk(&env, trap);
    let called = served.arrived();
    assert!(called < 20, "the disk was full: {said}");
    if !trap.is_empty() {
        let said = said.exits(3);
        assert!(
            said.stderr.contains("The journal could not be written"),
            "{said}"
        );
        assert!(said.stderr.contains("can't be written"), "{said}");
    }
    // Every call that left is known.
    let known = env.run(&["state", "list"]);
    for url in served.urls() {
        assert!(known.stdout.contains(&url), "{url} was forgotten: {known}");
    }
    the_next_run_finishes(&env, &served);
    assert_eq!(served.urls(), urls);
}

/// Makes `env` run as a user without privileges, because nothing is read-only for root.
fn without_privileges(env: &mut TestEnv) -> impl Fn(&TestEnv, &[&str]) -> Said + use<> {
    let folder = env.path("");
    let root = std::fs::metadata(&folder).expect("a folder").uid() == 0;
    if root {
        let program = folder.join("program");
        // By another process: a file that this one has open for writing can't be run while another
        // test starts a program, which inherits it for a moment.
        let copied = Command::new("cp").arg(&env.program).arg(&program).status();
        assert!(copied.expect("cp").success());
        env.program = program;
        for path in [PathBuf::from("callbacks.yaml"), PathBuf::from("tmp")] {
            std::os::unix::fs::chown(folder.join(path), Some(65_534), None).expect("it is root");
        }
    }
    move |env, arguments| {
        let mut command = env.command(arguments);
        if root {
            command.uid(65_534).gid(65_534);
        }
        env.said(&mut command)
    }
}

#[test]
fn a_folder_that_can_t_be_written_is_found_before_any_call() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    let run = without_privileges(&mut env);
    let allow = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(env.path(""), mode).unwrap();
    };
    allow(0o555);
    run(&env, &["plan"]).exits(0);
    let said = run(&env, &["apply", "--auto-approve"]);
    assert_snapshot!(said.exits(1).err(), @r"
        error: locking `callbacks.state.lock` failed: Permission denied (os error 13)
          Make the state file and its folder readable and writable for this user, or name another with --state. The folder counts: the state is replaced by a new file.
        ");
    assert_eq!(served.log().len(), 0, "nothing was called");
    allow(0o777);
    run(&env, &["apply", "--auto-approve"]).exits(0);
    // And now with a state that is there.
    allow(0o555);
    run(&env, &["plan", "--detailed-exitcode"]).exits(0);
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, TWO])]));
    let said = run(&env, &["apply", "--auto-approve"]);
    assert!(said.code != Some(0), "{said}");
    assert_eq!(served.urls(), [ONE]);
    allow(0o777);
    run(&env, &["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.urls(), [ONE, TWO]);
}

#[test]
fn a_folder_that_vanishes_meanwhile_stops_the_run_and_comes_back_with_everything() {
    let (mut env, served) = three_slow_adds();
    env.set("ESS_CALLBACKS_STATE", "here/callbacks.state.json");
    std::fs::create_dir(env.path("here")).unwrap();
    let run = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    std::fs::rename(env.path("here"), env.path("gone")).unwrap();
    let said = run.wait();
    assert!(matches!(said.code, Some(3)), "{said}");
    std::fs::rename(env.path("gone"), env.path("here")).unwrap();
    let known = env.run(&["state", "list"]).exits(0);
    for url in served.urls() {
        assert!(known.stdout.contains(&url), "{url} was forgotten: {known}");
    }
    the_next_run_finishes(&env, &served);
}
