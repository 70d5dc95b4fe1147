//! The state on real files: locks between processes, permissions, and a killed owner.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ess_callbacks::model::{
    AccountName, CallId, CallbackUrl, Environment, Evidence, Fingerprints, Handle, Identity,
    Intent, Lineage, OperatorId, Outcome, RequestId, Salt, Scope, SignedWrite, Timestamp, Write,
};
use ess_callbacks::state::{ErrorKind, LockOwner, Locked, Paths, StateError, Store};

const NOW: Timestamp = Timestamp(1_790_000_000);

/// Where the killed program keeps its state.
const CHILD_STATE: &str = "ESS_CALLBACKS_TEST_CHILD_STATE";

fn owner(id: &str) -> LockOwner {
    LockOwner {
        id: id.into(),
        who: "tester".into(),
        host: "here".into(),
        pid: std::process::id(),
        command: "test".into(),
        since: NOW,
        job_url: None,
    }
}

fn store(folder: &Path) -> Store {
    Store::on_disk(folder.join("callbacks.state.json"))
}

fn paths(folder: &Path) -> Paths {
    Paths::of(&folder.join("callbacks.state.json"))
}

async fn lock(store: &Store, id: &str) -> Result<Locked, StateError> {
    let owner = owner(id);
    let locked = store
        .lock(Environment::Test, &owner, Duration::ZERO, |_| {})
        .await?;
    let lineage = Lineage(uuid::Uuid::from_u128(7));
    locked.initialize(lineage, Salt([1; 16])).await?;
    Ok(locked)
}

fn add(number: usize) -> Intent {
    Intent {
        identity: Identity {
            scope: Arc::new(Scope {
                environment: Environment::Test,
                account: AccountName::default_account(),
                organization: None,
                app_id: None,
            }),
            url: CallbackUrl::new(format!("https://h.example/{number}")),
        },
        handle: Handle::new("acme"),
        operator: OperatorId::new("op"),
        protect: false,
        call: SignedWrite {
            write: Write::Add(Fingerprints::default()),
            signed_at: NOW,
        },
        nonce: None,
    }
}

async fn add_and_settle(locked: &Locked, number: usize) -> CallId {
    let begun = locked.record_intents(vec![add(number)]).await;
    let ids = begun.expect("the journal can be written");
    let outcome = Outcome::Applied(RequestId::new("r"));
    assert!(locked.record_outcome(ids[0], &outcome, NOW).is_some());
    ids[0]
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder is there")
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_run_leaves_snapshot_backup_and_an_empty_lock_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for number in 0..2 {
        let locked = lock(&store, "1").await.unwrap();
        add_and_settle(&locked, number).await;
        locked.flush().await.unwrap();
        assert!(paths(folder.path()).journal.exists());
        let during = store.read(Environment::Test).await.unwrap();
        locked.save().await.unwrap();
        locked.release().await.unwrap();
        let after = store.read(Environment::Test).await.unwrap();
        assert_eq!((during.serial, during.scopes), (after.serial, after.scopes));
        assert_eq!(
            names(folder.path()),
            [
                "callbacks.state.json",
                "callbacks.state.json.backup",
                "callbacks.state.lock"
            ]
        );
        assert_eq!(fs::read(&paths(folder.path()).lock).unwrap(), b"");
    }
    let lines = |path| fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(
        lines(&paths(folder.path()).state),
        lines(&paths(folder.path()).backup) + 1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_begun_at_once_are_all_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let locked = lock(&store, "1").await.unwrap();
    let calls = (0..500).map(|number| add_and_settle(&locked, number));
    futures_util::future::join_all(calls).await;
    locked.flush().await.unwrap();
    let crashed = store.read(Environment::Test).await.unwrap();
    assert_eq!(crashed.len(), 500);
    assert_eq!(crashed.scopes, locked.read(|now| now.scopes.clone()));
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_of_the_state_are_kept() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let locked = lock(&store, "1").await.unwrap();
    // As other programs make their files, and not for the owner alone.
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    assert_eq!(mode(&paths(folder.path()).state), mode(&plain) & 0o644);
    fs::set_permissions(
        &paths(folder.path()).state,
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    locked.record_intents(vec![add(1)]).await.unwrap();
    assert_eq!(mode(&paths(folder.path()).journal), 0o640);
    locked.save().await.unwrap();
    assert_eq!(mode(&paths(folder.path()).state), 0o640);
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    fs::create_dir(&there).unwrap();
    let locked = lock(&store(&there), "1").await.unwrap();
    locked.release().await.unwrap();
    let link = folder.path().join("callbacks.state.json");
    std::os::unix::fs::symlink("there/callbacks.state.json", &link).unwrap();
    let locked = lock(&store(folder.path()), "2").await.unwrap();
    add_and_settle(&locked, 1).await;
    locked.save().await.unwrap();
    assert!(link.is_symlink());
    let recorded = store(&there).read(Environment::Test).await.unwrap();
    assert_eq!(recorded.len(), 1);
}

#[tokio::test]
async fn a_folder_that_is_gone_stops_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("deep/er")).unwrap();
    let store = store(&folder.path().join("deep/er"));
    let locked = lock(&store, "1").await.unwrap();
    fs::remove_dir_all(folder.path().join("deep")).unwrap();
    let error = locked.record_intents(vec![add(1)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
}

/// Not a test: the program that `a_killed_owner…` kills.
#[tokio::test]
#[ignore = "run by the test below"]
async fn child() {
    let state = std::env::var_os(CHILD_STATE).expect("the test below sets it");
    let store = Store::on_disk(state);
    let locked = lock(&store, "child").await.unwrap();
    locked.record_intents(vec![add(1)]).await.unwrap();
    println!("begun");
    std::future::pending::<()>().await;
    drop(locked);
}

fn start_child(state: &Path) -> std::io::Result<Child> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "state::child", "--ignored", "--nocapture"])
        .env(CHILD_STATE, state)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("begun")));
    Ok(child)
}

#[tokio::test]
async fn a_killed_owner_frees_the_lock_and_leaves_its_call_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let mut child = start_child(&paths(folder.path()).state).unwrap();

    let error = lock(&store, "2").await.unwrap_err();
    let StateError::Locked {
        owner: Some(holder),
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((&*holder.id, holder.pid), ("child", child.id()));
    let refused = store.unlock("child", "here").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unlock);

    child.kill().unwrap();
    child.wait().unwrap();
    let locked = lock(&store, "2").await.unwrap();
    assert_eq!(locked.taken_over(), Some(&*holder));
    let evidence = locked.read(|now| now.iter().next().unwrap().2.belief.evidence());
    assert_eq!(evidence, Evidence::Unknown);
    let ids = locked.record_intents(vec![add(1)]).await.unwrap();
    let outcome = Outcome::Applied(RequestId::new("r"));
    locked.record_outcome(ids[0], &outcome, NOW).unwrap();
    locked.save().await.unwrap();
    locked.release().await.unwrap();
    let recorded = store.read(Environment::Test).await.unwrap();
    assert!(!recorded.iter().next().unwrap().2.is_open());
}
