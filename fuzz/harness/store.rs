//! State and journal on a simulated disk: whatever is accepted can be worked with, and whatever is
//! not stays as it is.
//!
//! The first byte chooses: the journal's bytes as they are or with fitting sums, the state as it is
//! or the one below. State and journal are split at 0xFF; without one, all is journal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ess_callbacks::model::{
    AccountName, CallbackUrl, Environment, Fingerprints, Handle, Identity, Intent, Lineage,
    OperatorId, Outcome, Recorded, RequestId, Salt, Scope, SignedWrite, Timestamp, Write,
};
use ess_callbacks::state::{LockOwner, Locked, Paths, StateError, Store};
use ess_callbacks::testing::MemoryFiles;
use sha2::{Digest as _, Sha256};

const STATE: &str = "callbacks.state.json";
const JOURNAL: &str = "callbacks.state.journal";
const NOW: Timestamp = Timestamp(1_790_000_000);

/// A state that a journal with `base_serial` 12 continues.
const SNAPSHOT: &str = r#"{
  "version": 1,
  "lineage": "0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e",
  "serial": 12,
  "environment": "test",
  "fingerprint_salt": "00112233445566778899aabbccddeeff",
  "callbacks": [
    {"handle":"acme","account":"default","url":"https://a.example/1","operator":"op","status":"present","evidence":"proven","key":"00112233445566778899aabbccddeeff","proved_at":"2026-11-23T12:00:00Z","request_id":"r-1"},
    {"handle":"acme","account":"default","url":"https://a.example/2","operator":"op","status":"present","evidence":"proven","proved_at":"2026-11-23T12:00:00Z","request_id":"r-2","open":{"pending":{"id":7,"call":{"call":"delete","signed_at":"2026-11-23T12:00:00Z"}}}},
    {"handle":"acme","account":"default","url":"https://a.example/3","operator":"op","status":"unknown","evidence":"unknown","exact":true,"open":{"lost":{"call":"add","signed_at":"2026-11-23T12:00:00Z"}}}
  ]
}
"#;

/// Puts these files on the disk and works with them.
pub(crate) fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let mut parts = data.rsplitn(2, |byte| *byte == 0xff);
    let journal = parts.next().unwrap_or_default();
    let state = match parts.next() {
        Some(state) if choice & 2 != 0 => state,
        _ => SNAPSHOT.as_bytes(),
    };
    let journal = if choice & 1 == 0 {
        journal.to_vec()
    } else {
        sealed(journal)
    };
    let files = MemoryFiles::new(0);
    files.put(STATE, state);
    if !journal.is_empty() {
        files.put(JOURNAL, journal);
    }
    RUNTIME.with(|runtime| runtime.block_on(work(&files)));
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O needs nothing");
}

async fn work(files: &MemoryFiles) {
    let store = Store::in_files(files.clone(), STATE);
    let before = files.all();
    let recorded = match store.peek().await {
        Ok(recorded) => recorded.expect("there is a state file"),
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.advice().is_empty());
            assert_eq!(files.all(), before, "reading changed something");
            let refused = lock(&store, Environment::Test).await;
            assert!(refused.is_err(), "locked what can't be read");
            assert_untouched(files, before);
            return;
        }
    };
    assert!(
        recorded.iter().all(|(_, _, entry)| entry.pending.is_none()),
        "a call waits for its answer for ever"
    );
    let again = store.peek().await.expect("it was read before");
    assert_eq!(again.as_ref(), Some(&recorded));
    let locked = match lock(&store, recorded.environment).await {
        Ok(locked) => locked,
        Err(error) => {
            // No run could count on from there.
            assert!(error.to_string().contains("too large"), "{error}");
            assert_untouched(files, before);
            return;
        }
    };
    assert!(locked.read(|now| *now == recorded));
    carry_on(&locked, &recorded).await;
    let after = store
        .peek()
        .await
        .expect("what was written can be read")
        .expect("it was written");
    assert!(after.serial > recorded.serial);
    let urls = |recorded: &Recorded| -> BTreeSet<_> {
        recorded
            .iter()
            .filter(|(_, _, entry)| !entry.is_untouched())
            .map(|(scope, url, _)| (Arc::clone(scope), url.clone()))
            .collect()
    };
    assert!(
        urls(&recorded).is_subset(&urls(&after)),
        "a callback is lost"
    );
}

/// Nothing is there but what was there before, and a lock that is free.
fn assert_untouched(files: &MemoryFiles, mut before: BTreeMap<PathBuf, Vec<u8>>) {
    before.insert(Paths::beside(STATE).lock, Vec::new());
    assert_eq!(files.all(), before, "what was refused was changed");
}

/// One call, written to the journal; then the snapshot; then one more call that is interrupted.
async fn carry_on(locked: &Locked, recorded: &Recorded) {
    let ids = locked
        .record_intents(vec![intent(recorded, "https://new.example/1")])
        .await
        .expect("the disk is good");
    let outcome = Outcome::Applied(RequestId::new("r"));
    assert!(locked.record_outcome(ids[0], &outcome, NOW).is_some());
    locked.save().await.expect("the disk is good");
    locked
        .record_intents(vec![intent(recorded, "https://new.example/2")])
        .await
        .expect("the disk is good");
}

fn intent(recorded: &Recorded, url: &str) -> Intent {
    Intent {
        identity: Identity {
            scope: Arc::new(Scope {
                environment: recorded.environment,
                account: AccountName::default_account(),
                organization: None,
                app_id: None,
            }),
            url: CallbackUrl::new(url),
        },
        handle: Handle::new("new"),
        operator: OperatorId::new("op"),
        protect: false,
        call: SignedWrite {
            write: Write::Add(Fingerprints::default()),
            signed_at: NOW,
        },
        nonce: None,
    }
}

async fn lock(store: &Store, environment: Environment) -> Result<Locked, StateError> {
    let owner = LockOwner {
        id: "1".into(),
        who: "ci".into(),
        host: "here".into(),
        pid: 1,
        command: "apply".into(),
        since: NOW,
        job_url: None,
    };
    let locked = store
        .lock(environment, &owner, Duration::ZERO, |_| {})
        .await?;
    let nil =
        Lineage(serde_json::from_str(r#""00000000-0000-0000-0000-000000000000""#).expect("a UUID"));
    locked.initialize(nil, Salt([0; 16])).await?;
    Ok(locked)
}

/// The lines with sums that fit, so that mutations get behind the check.
fn sealed(journal: &[u8]) -> Vec<u8> {
    let mut sum = [0_u8; 8];
    let mut all = Vec::new();
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            // What a crash cut off.
            all.extend_from_slice(line);
            break;
        };
        let mark = br#","sum":""#;
        let end = line
            .windows(mark.len())
            .rposition(|bytes| bytes == mark)
            .or_else(|| line.iter().rposition(|byte| *byte == b'}'))
            .unwrap_or(line.len());
        let line = &line[..end];
        let digest = Sha256::new()
            .chain_update(sum)
            .chain_update(line)
            .finalize();
        sum.copy_from_slice(&digest[..8]);
        all.extend_from_slice(line);
        all.extend_from_slice(mark);
        all.extend_from_slice(hex::encode(sum).as_bytes());
        all.extend_from_slice(b"\"}\n");
    }
    all
}
