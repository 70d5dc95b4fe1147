//! Where the state lies: what is missing there, what is in the way, and what can't be replaced.

use insta::assert_snapshot;

use crate::support::{Said, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const STATE: &str = "callbacks.state.json";
const BACKUP: &str = "callbacks.state.json.backup";
const APPLY: [&str; 2] = ["apply", "--auto-approve"];
const HEAL: [&str; 3] = ["apply", "--auto-approve", "--heal"];

/// A state that was saved twice.
fn applied() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.run(&APPLY).exits(0);
    env.run(&HEAL).exits(0);
    assert_eq!(served.arrived(), 2);
    (env, served)
}

#[test]
fn a_state_that_is_gone_is_not_an_empty_one() {
    let (env, served) = applied();
    let state = env.path(STATE);
    std::fs::remove_file(&state).unwrap();
    assert_snapshot!(env.run(&["plan"]), @"
    exit 1
    --- stderr
    error: the state file `callbacks.state.json` is missing, but its backup `callbacks.state.json.backup` is there
      Without it everything would be planned as if nothing were recorded, and added again.
      Restore it from version control, or copy the backup, which is the state before the last run that changed it: `cp callbacks.state.json.backup callbacks.state.json`.
      To begin again with nothing recorded, move the backup away.
    ");
    env.write("good.json", env.read(BACKUP));
    for arguments in [
        &APPLY[..],
        &["import", "--all"],
        &["show"],
        &["state", "list"],
        &["state", "show", "acme/*"],
        &["state", "rm", "acme/*"],
        &["state", "pull"],
        &["state", "push", "good.json"],
    ] {
        let said = env.run(arguments).exits(1);
        assert!(said.stderr.contains("is missing, but its backup"), "{said}");
    }
    assert!(!env.exists(STATE));
    assert_eq!(served.arrived(), 2);
    std::fs::copy(env.path(BACKUP), &state).unwrap();
    let plan = env.run(&["plan"]).exits(0);
    assert!(plan.stdout.starts_with("No changes."), "{plan}");
    // Or from the beginning.
    std::fs::remove_file(&state).unwrap();
    std::fs::remove_file(env.path(BACKUP)).unwrap();
    let plan = env.run(&["plan"]).exits(0);
    assert!(plan.stdout.contains("1 to add"), "{plan}");
}

#[test]
fn what_is_not_ours_is_not_overwritten() {
    let (env, served) = applied();
    env.write(BACKUP, "precious");
    assert_snapshot!(env.run(&HEAL), @"
        exit 1
        --- stderr
        error: `callbacks.state.json.backup` would be overwritten with the state's backup, but ess-callbacks did not write what is in it; nothing was changed
          The file was left as it is. Move it away, or name another state with --state.
        ");
    assert_eq!(env.read(BACKUP), "precious");
    std::fs::remove_file(env.path(BACKUP)).unwrap();
    std::fs::create_dir(env.path("callbacks.state.journal.tmp")).unwrap();
    let said = env.run(&HEAL).exits(1);
    assert!(said.stderr.contains("it is a folder"), "{said}");
    assert_eq!(served.arrived(), 2);
}

#[test]
fn a_mistyped_folder_is_not_made() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    let with = |command: &[&str]| {
        let place = ["--state", "staet/prod.json"];
        env.run(&[&place[..], command].concat())
    };
    assert_snapshot!(with(&["plan"]), @"
        exit 1
        --- stderr
        error: the folder `staet` of the state `staet/prod.json` does not exist
          Correct --state, mount the disk that the folder is on, or create it: `mkdir -p staet`. A state in a new folder begins with nothing recorded.
        ");
    for command in [
        &APPLY[..],
        &["import", "--all"],
        &["state", "list"],
        &["unlock", "1"],
    ] {
        let said = with(command).exits(1);
        assert!(said.stderr.contains("`staet` of the state"), "{said}");
    }
    assert!(!env.exists("staet"));
    assert_eq!(served.arrived(), 0);
    // Validating reads no state.
    with(&["validate"]).exits(0);
    // The sandbox's own folder is made.
    env.unset("ESS_CALLBACKS_ENDPOINT");
    env.run(&["--sandbox", "plan"]).exits(0);
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
}

#[test]
fn copies_that_a_synchronized_folder_made_are_reported() {
    let (env, _served) = applied();
    let copy = "callbacks.state (conflicted copy 2026-11-26).json";
    env.write(copy, env.read(STATE));
    for arguments in [&["plan"][..], &HEAL] {
        let said = env.run(arguments).exits(0);
        assert!(said.stderr.contains(copy), "{said}");
        assert!(said.stderr.contains("two machines"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn outputs_are_not_written_over_what_a_link_leads_to() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(env.path(target), env.path(name)).unwrap();
    };
    env.write("shared/other.txt", "");
    link("shared/prod.json", STATE);
    link("shared/prod.json.journal", "link.jsonl");
    for file in [
        STATE,
        "shared/prod.json",
        "shared/prod.json.tmp",
        "shared/prod.json.journal",
        "shared/prod.json.journal.tmp",
        "shared/prod.json.lock",
        "shared/prod.json.backup",
        "link.jsonl",
    ] {
        for flag in ["--json-into", "--metrics-file"] {
            env.run(&[&APPLY[..], &[flag, file]].concat()).exits(64);
        }
        env.run(&["plan", "--out", file]).exits(64);
    }
    assert_eq!(served.arrived(), 0);
    env.run(&APPLY).exits(0);
    assert!(env.path(STATE).is_symlink());
    let plan = env.run(&["plan"]).exits(0);
    assert!(plan.stdout.starts_with("No changes."), "{plan}");
}

/// Runs the program as a user who is not root, if we are.
#[cfg(unix)]
fn as_user(env: &TestEnv, arguments: &[&str]) -> Said {
    use std::os::unix::process::CommandExt as _;

    let mut command = env.command(arguments);
    if is_root() {
        command.uid(54321).gid(54321);
    }
    env.said(&mut command)
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;

    // Our own files are ours.
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().metadata().unwrap().uid() == 0
}

#[cfg(unix)]
fn allow(env: &TestEnv, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(env.path(name), permissions).unwrap();
}

#[cfg(unix)]
#[test]
fn a_lock_of_another_user_is_reported() {
    let (env, served) = applied();
    for (name, mode) in [("", 0o777), (STATE, 0o666), ("callbacks.state.lock", 0o444)] {
        allow(&env, name, mode);
    }
    let said = as_user(&env, &HEAL).exits(1);
    let uid = said.err().replace(|c: char| c.is_ascii_digit(), "0");
    assert!(uid.contains("it belongs to uid 0"), "{said}");
    assert!(said.stderr.contains("no program holds it"), "{said}");
    assert!(
        said.stderr.contains("remove it, or let its owner"),
        "{said}"
    );
    // The error names its holder, as always.
    allow(&env, "callbacks.state.lock", 0o644);
    served.faults("slow=60s", "");
    let owner = env.start(&HEAL);
    served.wait_for(3);
    allow(&env, "callbacks.state.lock", 0o444);
    let said = as_user(&env, &HEAL).exits(6);
    assert!(said.stderr.contains("tester@"), "{said}");
    owner.kill();
    // Or nothing can be seen.
    allow(&env, "callbacks.state.lock", 0o000);
    let said = as_user(&env, &HEAL).exits(1);
    assert!(said.stderr.contains("can't be seen"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_reported_before_any_call() {
    let (env, served) = applied();
    for (name, mode) in [("", 0o555), (STATE, 0o666), ("callbacks.state.lock", 0o666)] {
        allow(&env, name, mode);
    }
    let said = as_user(&env, &HEAL);
    allow(&env, "", 0o755);
    let said = said.exits(1);
    assert!(
        said.stderr
            .contains("creating `callbacks.state.json.tmp` failed"),
        "{said}"
    );
    assert!(said.stderr.contains("The folder counts"), "{said}");
    assert_eq!(served.arrived(), 2);
}

/// Only root can give a file away, so that another finds it in a sticky folder.
#[cfg(unix)]
#[test]
fn a_sticky_folder_is_reported_before_any_call() {
    if !is_root() {
        return;
    }
    let (env, served) = applied();
    for (name, mode) in [
        ("", 0o1777),
        (STATE, 0o666),
        ("callbacks.state.lock", 0o666),
    ] {
        allow(&env, name, mode);
    }
    std::os::unix::fs::chown(env.path("callbacks.state.lock"), Some(54321), None).unwrap();
    assert_snapshot!(as_user(&env, &HEAL), @"
    exit 1
    --- stderr
    error: the state `callbacks.state.json` can't be replaced by a new version: it belongs to another user (uid 0), and its folder has the sticky bit; nothing was changed
      In such a folder, like /tmp, only its owner may replace a file. Keep the state in a folder that this user owns, or in one that a group shares and that has no sticky bit (`chmod -t`).
    ");
    assert_eq!(served.arrived(), 2);
}

/// Mounts need rights, and a system that gives them; elsewhere `state::replace` alone tests this.
#[cfg(target_os = "linux")]
#[test]
fn a_state_that_is_mounted_by_itself_is_reported_before_any_call() {
    let (env, served) = applied();
    env.write("mounted.json", env.read(STATE));
    let script = format!(
        "mount --bind callbacks.state.json mounted.json || exit 99; exec '{}' --state mounted.json apply \
         --auto-approve --heal",
        env.program.display()
    );
    let mut command = env.other("/usr/bin/unshare");
    let Ok(output) = command.args(["-m", "sh", "-c", &script]).output() else {
        return;
    };
    let said = Said::of(&output, &env.path(""));
    let refused = said.stderr.contains("unshare failed");
    if said.code == Some(99) || refused {
        return;
    }
    assert_snapshot!(said, @"
        exit 1
        --- stderr
        error: the state `mounted.json` can't be replaced by a new version: it is mounted by itself; nothing was changed
          A state is saved by putting a new file in its place, which no system allows for a file that is mounted by itself. Mount its folder `.` instead (in Kubernetes a volume without `subPath`).
        ");
    assert_eq!(served.arrived(), 2);
}

#[test]
fn a_journal_that_failed_is_not_said_to_hold_every_outcome() {
    let mut env = TestEnv::new(&configuration(&[(
        "acme",
        &[ONE, "https://hooks.example/two"],
    )]));
    let served = env.serve(&["--fault", "slow=1s"]);
    let run = env.start(&APPLY);
    served.wait_for(1);
    // Neither the journal nor the state is written without the lock.
    std::fs::remove_file(env.path("callbacks.state.lock")).unwrap();
    let said = run.wait().exits(3);
    assert!(said.stderr.contains("not every outcome"), "{said}");
    assert!(
        !said.stderr.contains("Nothing is lost: the journal"),
        "{said}"
    );
    served.faults("", "");
    env.run(&APPLY).exits(0);
    assert_eq!(served.urls().len(), 2);
}

/// 300 calls at once would need 300 connections, and there are 64 files and connections for all.
#[cfg(unix)]
#[test]
fn connections_leave_room_for_the_state() {
    let urls: Vec<String> = (0..300).map(|n| format!("{ONE}/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut env = TestEnv::new(&configuration(&[("acme", &urls)]));
    let served = env.serve(&["--fault", "slow=200ms"]);
    env.write("few", "ulimit -n 64; exec \"$0\" \"$@\"\n");
    let run = |more: &[&str]| {
        let mut command = env.other("/bin/sh");
        let flags = ["--rate", "0", "--parallelism", "900", "--auto-approve"];
        command.arg("-c").arg(env.read("few")).arg(&env.program);
        env.said(command.arg("apply").args(flags).args(more))
            .exits(0)
    };
    let said = run(&[]);
    assert!(said.stdout.contains("300 added"), "{said}");
    let note = "Note: at most 24 calls are in flight at once for each account";
    assert!(said.stderr.contains(note), "{said}");
    assert_eq!(served.urls().len(), 300);
    // Each once: none was lost or sent again.
    assert_eq!(served.arrived(), 300);
    let said = run(&["--replace", "acme/*"]);
    assert!(
        said.stdout.contains("300 added, 0 changed, 300 destroyed"),
        "{said}"
    );
    let plan = env.run(&["plan"]).exits(0);
    assert!(plan.stdout.starts_with("No changes."), "{plan}");
}

/// Of a sparse file as large as the disk nothing is read either.
#[test]
fn a_file_that_is_too_large_is_not_read_and_its_size_is_said() {
    let env = TestEnv::new("");
    std::fs::create_dir(env.path("conf")).unwrap();
    env.write("conf/common.yaml", "version: 1\nenvironment: test\n");
    let large = std::fs::File::create(env.path("conf/large.yaml")).unwrap();
    large.set_len(300 << 30).unwrap();
    for path in ["conf", "conf/large.yaml"] {
        let said = env.run(&["-f", path, "validate"]).exits(1);
        let expected = "error[E004]: `conf/large.yaml` has 307200 MiB; at most 64 MiB are allowed";
        assert!(said.stderr.contains(expected), "{said}");
        assert!(said.stderr.contains("help: split it"), "{said}");
    }
}
