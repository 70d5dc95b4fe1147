//! Tests of what may lie where a state's files are written.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::model::Environment::Test;
use crate::state::local::check_folder;
use crate::state::testing::{
    ADD, BACKUP, JOURNAL, LOCK, NOW, SALT, STATE, applied, intent, lineage,
};
use crate::state::testing::{lock, owner, store};
use crate::state::{StateError, Store};
use crate::testing::MemoryFiles;

/// A disk with a state that was saved twice, so that it has a backup.
async fn saved_twice() -> MemoryFiles {
    let files = MemoryFiles::new(0);
    for number in 1..=2 {
        let locked = lock(&store(&files)).await.unwrap();
        let id = locked
            .record_intents(vec![intent(number, ADD)])
            .await
            .unwrap()[0];
        locked.record_outcome(id, &applied(), NOW).unwrap();
        locked.save().await.unwrap();
        locked.release().await.unwrap();
    }
    files
}

#[tokio::test]
async fn a_state_that_is_gone_is_not_an_empty_one() {
    let files = saved_twice().await;
    let backup = files.contents(BACKUP).unwrap();
    let files = MemoryFiles::new(0);
    files.put(BACKUP, backup.clone());
    let store = store(&files);
    for error in [
        store.read(Test).await.unwrap_err(),
        lock(&store).await.unwrap_err(),
    ] {
        assert!(matches!(error, StateError::OnlyBackup { .. }), "{error}");
        let advice = error.advice();
        assert!(advice.contains(&format!("cp {BACKUP} {STATE}")), "{advice}");
    }
    assert_eq!(files.contents(STATE), None);
    files.put(STATE, backup);
    assert_eq!(store.read(Test).await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_crash_leaves_a_backup_without_its_state() {
    // The first run dies before the name of its state is durable.
    for operation in 1..20 {
        let files = MemoryFiles::new(operation);
        files.crash_at(operation);
        drop(lock(&store(&files)).await);
        let files = files.killed();
        let again = files.clone();
        for second in 1..30 {
            let files = again.killed();
            files.crash_at(second);
            if let Ok(locked) = lock(&store(&files)).await {
                locked.edit(|_| true);
                drop(locked.save().await);
            }
            for seed in 0..8 {
                let dark = files.power_cut(seed);
                store(&dark).read(Test).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_placeholder_is_not_an_empty_state() {
    let files = MemoryFiles::new(0);
    files.put(".callbacks.state.json.icloud", b"bplist".to_vec());
    let error = store(&files).read(Test).await.unwrap_err();
    assert!(matches!(error, StateError::NotDownloaded { .. }), "{error}");
}

#[tokio::test]
async fn what_a_crash_left_is_no_obstacle() {
    let files = saved_twice().await;
    let state = files.contents(STATE).unwrap();
    let zeros = vec![0; 100];
    let torn = [&state[..20], &zeros].concat();
    for name in [STATE, BACKUP] {
        let again = [&state[..3], &state[..9]].concat();
        for left in [&b""[..], &state[..5], &state, &zeros, &torn, &again] {
            files.put(format!("{name}.tmp"), left);
            let locked = lock(&store(&files)).await.unwrap();
            locked.edit(|_| true);
            locked.save().await.unwrap();
            locked.release().await.unwrap();
        }
    }
    for left in [&b""[..], b"{\"version\":1,\"lin", b"\0\0"] {
        files.put(format!("{JOURNAL}.tmp"), left);
        let locked = lock(&store(&files)).await.unwrap();
        locked.record_intents(vec![intent(3, ADD)]).await.unwrap();
        locked.release().await.unwrap();
    }
    // An edited state becomes a backup that is formatted in another way.
    let edited: serde_json::Value = serde_json::from_slice(&state).unwrap();
    for name in [BACKUP, "callbacks.state.json.backup.tmp"] {
        files.put(name, edited.to_string());
        drop(lock(&store(&files)).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let files = saved_twice().await;
    let names = [STATE, JOURNAL, LOCK, BACKUP].map(|name| format!("{name}.tmp"));
    for name in names.into_iter().chain([BACKUP.to_owned()]) {
        let files = files.killed();
        files.put(&name, b"precious".to_vec());
        let error = lock(&store(&files)).await.unwrap_err();
        assert!(matches!(error, StateError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains(&name), "{error}");
        assert_eq!(files.contents(&name).unwrap(), b"precious");
        // The lock is free again.
        files.put(&name, Vec::new());
        drop(lock(&store(&files)).await.unwrap());
    }
}

async fn take(state: &Path) -> Result<(), StateError> {
    let store: Store = Store::on_disk(state);
    let locked = store
        .lock(Test, &owner("1"), Duration::ZERO, |_| {})
        .await?;
    locked.initialize(lineage(), SALT).await?;
    locked.edit(|_| true);
    locked.save().await?;
    locked.release().await
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_folders_are_not_replaced() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    take(&at(STATE)).await.unwrap();
    fs::write(at("precious"), "precious").unwrap();
    for name in [
        "callbacks.state.json.backup",
        "callbacks.state.json.tmp",
        "callbacks.state.json.backup.tmp",
        "callbacks.state.journal.tmp",
        "callbacks.state.lock.tmp",
    ] {
        drop(fs::remove_file(at(name)));
        for target in ["precious", "nothing", "callbacks.state.json"] {
            symlink(at(target), at(name)).unwrap();
            let error = take(&at(STATE)).await.unwrap_err();
            assert!(error.to_string().contains("symbolic link"), "{error}");
            fs::remove_file(at(name)).unwrap();
        }
        fs::create_dir(at(name)).unwrap();
        let error = take(&at(STATE)).await.unwrap_err();
        assert!(error.to_string().contains("it is a folder"), "{error}");
        fs::remove_dir(at(name)).unwrap();
    }
    assert_eq!(fs::read_to_string(at("precious")).unwrap(), "precious");
    take(&at(STATE)).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_followed_before_its_target_is_there() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["project", "elsewhere"] {
        fs::create_dir(at(name)).unwrap();
    }
    let link = at("project/callbacks.state.json");
    symlink("../elsewhere/next.json", &link).unwrap();
    symlink("prod.json", at("elsewhere/next.json")).unwrap();
    for _ in 0..2 {
        take(&link).await.unwrap();
    }
    assert!(link.is_symlink());
    let names = |name: &str| {
        let entries = fs::read_dir(at(name)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("project"), ["callbacks.state.json"]);
    let beside = [
        "next.json",
        "prod.json",
        "prod.json.backup",
        "prod.json.lock",
    ];
    assert_eq!(names("elsewhere"), beside);
    assert!(at("elsewhere/prod.json").is_file());
}

#[cfg(unix)]
#[tokio::test]
async fn links_in_a_circle_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink(at("two"), at("one")).unwrap();
    std::os::unix::fs::symlink(at("one"), at("two")).unwrap();
    let store = Store::on_disk(at("one"));
    for error in [
        store.read(Test).await.unwrap_err(),
        take(&at("one")).await.unwrap_err(),
    ] {
        assert!(error.advice().contains("in a circle"), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for (name, problem) in [
        ("no/such/state.json", "does not exist"),
        ("file/state.json", "is not a folder"),
    ] {
        let state = folder.path().join(name);
        let error = check_folder(&state).unwrap_err();
        assert!(error.to_string().ends_with(problem), "{error}");
        assert!(take(&state).await.is_err());
    }
    assert!(!folder.path().join("no").exists());
}
