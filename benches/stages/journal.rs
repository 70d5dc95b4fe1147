//! One durable intent and its outcome, in a state of any size, on a real disk.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ess_callbacks::model::{
    Desired, Environment, Fingerprint, Fingerprints, Identity, Intent, Lineage, Outcome, RequestId,
    SignedWrite, Timestamp, Write,
};
use ess_callbacks::state::{Files, Hindrance, Kind, RealFiles, Store, format};

use super::{Run, again};
use crate::workload::{SALT, owner, recorded};

/// Writes an intent to the journal, durably, and then its outcome.
pub(crate) fn append<F: Files>(files: F, desired: &Desired) -> Run {
    let folder = tempfile::tempdir().expect("a folder for the journal");
    let path = folder.path().join("callbacks.state.json");
    let mut file = File::create(&path).expect("a state file");
    format::write(&recorded(desired, 0), &mut file).expect("a state");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let store = Store::in_files(files, &path);
    let state = runtime
        .block_on(store.lock(Environment::Production, &owner(), Duration::ZERO, |_| {}))
        .expect("no one else has it");
    runtime
        .block_on(state.initialize(Lineage(uuid::Uuid::nil()), SALT))
        .expect("it has a lineage");
    let intent = intent(desired);
    let applied = Outcome::Applied(RequestId::new("f2a4a4c1-3b5e-4a6f-9a2e-3c1d5e7f9a0b"));
    again(move || {
        // The folder goes when the stage does.
        let _kept = &folder;
        let ids = runtime
            .block_on(state.record_intents(vec![intent.clone()]))
            .expect("the disk is not full");
        state.record_outcome(ids[0], &applied, Timestamp(1_790_000_001))
    })
}

fn intent(desired: &Desired) -> Intent {
    let organization = &desired.organizations[0];
    Intent {
        identity: Identity {
            scope: Arc::clone(&organization.scope),
            url: organization.callbacks[0].url.clone(),
        },
        handle: organization.handle.clone(),
        operator: organization.operator.clone(),
        protect: false,
        call: SignedWrite {
            write: Write::Add(Fingerprints {
                key: Some(Fingerprint([1; 16])),
                token: Some(Fingerprint([2; 16])),
            }),
            signed_at: Timestamp(1_790_000_000),
        },
        nonce: None,
    }
}

/// The operating system's files, used without a second thread: how often two threads wait for each
/// other is chance, and instructions are counted to have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inline(RealFiles);

impl Files for Inline {
    type Reader = <RealFiles as Files>::Reader;
    type File = <RealFiles as Files>::File;
    type Lock = <RealFiles as Files>::Lock;

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }

    fn open(&self, path: &Path) -> io::Result<Option<Self::Reader>> {
        self.0.open(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        self.0.kind(path)
    }

    fn hindrance(&self, path: &Path, scratch: &Path) -> io::Result<Option<Hindrance>> {
        self.0.hindrance(path, scratch)
    }

    fn create(&self, path: &Path, like: &Path) -> io::Result<Self::File> {
        self.0.create(path, like)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn duplicate(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.duplicate(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(folder)
    }

    fn try_lock(&self, path: &Path, contents: &[u8]) -> io::Result<Option<(Self::Lock, Vec<u8>)>> {
        self.0.try_lock(path, contents)
    }

    fn still_locked(&self, lock: &Self::Lock) -> io::Result<bool> {
        self.0.still_locked(lock)
    }

    fn unlock(&self, lock: Self::Lock) -> io::Result<()> {
        self.0.unlock(lock)
    }
}
