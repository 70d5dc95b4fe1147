//! The cloud file, opened, torn, broken and opened again.

use super::*;

const KEY: &str = "canary-key-0123456789ABCDEF01234";

fn place(url: &str) -> Place {
    Place {
        account: "default".to_owned(),
        organization: Some("o".to_owned()),
        app_id: None,
        url: url.to_owned(),
    }
}

fn add(url: &str) -> Change {
    let secrets = Secrets {
        key: Held::Value(Secret::new(KEY)),
        token: Held::Nothing,
    };
    Change::Add(place(url), secrets)
}

fn file(keep_secrets: bool) -> (tempfile::TempDir, CloudFile) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/cloud.json");
    (directory, CloudFile { path, keep_secrets })
}

fn urls(cloud: &Cloud) -> Vec<String> {
    cloud.iter().map(|(place, _)| place.url.clone()).collect()
}

fn key(cloud: &Cloud) -> Held {
    cloud.iter().next().unwrap().1.key.clone()
}

#[test]
fn what_was_appended_is_there_without_closing_and_is_tidied() {
    let (_directory, options) = file(true);
    let (mut store, cloud) = Store::open(&options).unwrap();
    assert_eq!(cloud.len(), 0);
    for change in [add("a"), add("b"), Change::Delete(place("a")), add("c")] {
        store.append(&change).unwrap();
    }
    // As after kill -9: the lock goes with the process, the file stays as it is.
    drop(store);
    let (store, cloud) = Store::open(&options).unwrap();
    assert_eq!(urls(&cloud), ["b", "c"]);
    assert!(matches!(key(&cloud), Held::Value(secret) if secret.expose() == KEY));
    drop(store);
    let text = fs::read_to_string(&options.path).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn secrets_are_written_only_when_asked_for() {
    let (_directory, options) = file(false);
    let (mut store, _) = Store::open(&options).unwrap();
    store.append(&add("a")).unwrap();
    assert!(
        !fs::read_to_string(&options.path)
            .unwrap()
            .contains("canary")
    );
    drop(store);
    let (_store, cloud) = Store::open(&options).unwrap();
    assert!(matches!(key(&cloud), Held::Forgotten));
}

#[test]
fn a_torn_last_line_is_dropped_at_any_byte() {
    let (_directory, options) = file(true);
    let (mut store, _) = Store::open(&options).unwrap();
    store.append(&add("a")).unwrap();
    let before = fs::read(&options.path).unwrap();
    store.append(&add("b")).unwrap();
    drop(store);
    let after = fs::read(&options.path).unwrap();
    for end in before.len()..after.len() {
        fs::write(&options.path, &after[..end]).unwrap();
        let (mut store, cloud) = Store::open(&options).unwrap();
        assert_eq!(urls(&cloud), ["a"], "cut at {end}");
        store.append(&add("c")).unwrap();
        drop(store);
        let (_store, cloud) = Store::open(&options).unwrap();
        assert_eq!(urls(&cloud), ["a", "c"], "cut at {end}");
    }
}

#[test]
fn anything_else_broken_is_an_error_that_quotes_nothing_and_changes_nothing() {
    let (_directory, options) = file(true);
    let (mut store, _) = Store::open(&options).unwrap();
    store.append(&add("a")).unwrap();
    drop(store);
    let good = fs::read_to_string(&options.path).unwrap();
    for bad in [
        good.replace("\"has_key\"", "\"canary\""),
        good.replace("true", "\"canary\""),
        good.replace("\"version\":1", "\"version\":2"),
        good.split_inclusive('\n').rev().collect(),
        format!("{good}{good}"),
        "{\"canary\":1}\n".to_owned(),
        "somebody else's canary".to_owned(),
    ] {
        fs::write(&options.path, &bad).unwrap();
        let error = Store::open(&options).unwrap_err();
        assert!(matches!(error, CloudError::Broken { .. }), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(fs::read_to_string(&options.path).unwrap(), bad);
    }
}

#[test]
fn a_second_sandbox_is_kept_out() {
    let (_directory, options) = file(true);
    let first = Store::open(&options).unwrap();
    assert!(matches!(Store::open(&options), Err(CloudError::InUse(_))));
    drop(first);
    assert!(Store::open(&options).is_ok());
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_directory, options) = file(true);
    let _store = Store::open(&options).unwrap();
    let mode = fs::metadata(&options.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
