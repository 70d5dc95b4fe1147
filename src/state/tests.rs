//! Crashes at every operation, and what must be left: never less than was promised, never something
//! that did not happen.
//!
//! The oracle is exact. The serial counts changes, so what is found after a crash must be precisely
//! what was recorded at that serial, with the calls on their way counted as lost; and the serial must
//! not be smaller than that of the last change which was said to be durable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::testing::{
    ADD, BACKUP, JOURNAL, NOW, STATE, applied, intent, interrupted, lock, some_outcome, some_write,
    store, unknown,
};
use super::{Files, Hindrance, Kind, Locked, StateError, Store, format};
use crate::model::Environment::Test;
use crate::model::{CallId, Outcome, Recorded, Write};
use crate::testing::{MemoryFile, MemoryFiles, MemoryLock};

/// One thing that an apply does.
#[derive(Clone, Debug)]
enum Step {
    /// Begin calls for these callbacks.
    Begin(Vec<(usize, Write)>),
    /// Settle one of the calls on their way.
    Settle(usize, Outcome),
    Flush,
    Save,
    /// Protect every callback, and save.
    Edit,
    /// End the program properly and start another.
    Restart,
}

/// What ought to be on disk.
#[derive(Default)]
struct Expected {
    /// By serial.
    history: BTreeMap<u64, Recorded>,
    /// The serial of the last change that was said to be durable.
    promised: u64,
}

impl Expected {
    fn note(&mut self, recorded: &Recorded) {
        self.history.insert(recorded.serial, interrupted(recorded));
    }

    fn promise(&mut self, serial: u64) {
        self.promised = self.promised.max(serial);
    }

    /// Checks what the next program finds.
    async fn check(&self, files: &MemoryFiles) {
        let found = store(files).read(Test).await;
        self.check_found(&found.expect("whatever a crash leaves can be read"));
        if let Some(backup) = files.contents(BACKUP) {
            format::read(&Path::new(BACKUP).into(), &*backup).expect("the backup is whole");
        }
    }

    /// What the next program goes on from after a power cut: what is there is durable.
    async fn after(self, files: &MemoryFiles) -> Self {
        let mut new = self.after_a_kill(files).await;
        let found = store(files).read(Test).await.unwrap();
        new.promised = found.serial;
        new
    }

    /// What the next program goes on from.
    async fn after_a_kill(mut self, files: &MemoryFiles) -> Self {
        let found = store(files).read(Test).await.unwrap();
        // What was recorded after that never was; the same serials will mean something else.
        drop(self.history.split_off(&(found.serial + 1)));
        self
    }

    fn check_found(&self, found: &Recorded) {
        assert!(found.serial >= self.promised, "a promise was broken");
        if found.serial > 0 {
            let then = self.history.get(&found.serial);
            let then = then.expect("nothing else was ever recorded");
            assert_eq!(found.scopes, then.scopes);
            assert_eq!(found.lineage, then.lineage);
        }
    }
}

/// Runs the steps until they end or fail.
async fn run(store: &Store, steps: &[Step], expected: &mut Expected) -> Result<(), StateError> {
    // What initializing will write.
    let mut first = Recorded::nothing(Test);
    first.lineage = Some(super::testing::lineage());
    first.salt = Some(super::testing::SALT);
    first.serial = 1;
    expected.note(&first);
    let is_new = store.read(Test).await?.lineage.is_none();
    let mut locked = lock(store).await?;
    expected.promise(u64::from(is_new));
    let mut on_their_way: Vec<CallId> = Vec::new();
    for step in steps {
        match step {
            Step::Begin(calls) => begin(&locked, calls, &mut on_their_way, expected).await?,
            Step::Settle(which, outcome) => {
                if !on_their_way.is_empty() {
                    let id = on_their_way.swap_remove(which % on_their_way.len());
                    drop(locked.record_outcome(id, outcome, NOW));
                    locked.read(|now| expected.note(now));
                }
            }
            Step::Flush => {
                let serial = locked.read(|now| now.serial);
                locked.flush().await?;
                expected.promise(serial);
            }
            Step::Save => save(&locked, expected).await?,
            Step::Edit => {
                locked.edit(|recorded| {
                    let urls = recorded.scopes.values_mut().flat_map(BTreeMap::values_mut);
                    let mut any = false;
                    for entry in urls {
                        any |= !std::mem::replace(&mut entry.protect, true);
                    }
                    any
                });
                locked.read(|now| expected.note(now));
                save(&locked, expected).await?;
            }
            Step::Restart => {
                save(&locked, expected).await?;
                locked.release().await?;
                on_their_way.clear();
                locked = lock(store).await?;
            }
        }
    }
    locked.release().await
}

async fn begin(
    locked: &Locked,
    calls: &[(usize, Write)],
    on_their_way: &mut Vec<CallId>,
    expected: &mut Expected,
) -> Result<(), StateError> {
    let intents: Vec<_> = calls.iter().map(|(n, write)| intent(*n, *write)).collect();
    // One after the other, to know the record after each.
    let mut model = locked.read(Clone::clone);
    for intent in &intents {
        let id = model.next_call();
        model.open_call(id, intent);
        model.serial += 1;
        expected.note(&model);
    }
    let outcome = locked.record_intents(intents).await;
    locked.read(|now| expected.note(now));
    on_their_way.extend(outcome?);
    expected.promise(model.serial);
    Ok(())
}

async fn save(locked: &Locked, expected: &mut Expected) -> Result<(), StateError> {
    locked.save().await?;
    expected.promise(locked.read(|now| now.serial));
    Ok(())
}

/// A bit of everything.
fn scenario() -> Vec<Step> {
    vec![
        Step::Begin(vec![(1, ADD)]),
        Step::Begin(vec![(2, ADD), (3, Write::Delete)]),
        Step::Settle(0, applied()),
        Step::Begin(vec![(4, ADD)]),
        Step::Settle(1, unknown()),
        Step::Flush,
        Step::Save,
        Step::Begin(vec![(1, Write::Delete)]),
        Step::Edit,
        Step::Settle(0, applied()),
        Step::Restart,
        Step::Begin(vec![(2, ADD), (5, ADD), (6, ADD)]),
        Step::Settle(2, applied()),
        Step::Begin(vec![(7, ADD)]),
        Step::Save,
        Step::Begin(vec![(8, ADD)]),
    ]
}

/// Runs a scenario on a new disk that crashes at this operation.
async fn crashed(steps: &[Step], floor: u64, operation: u64) -> (MemoryFiles, Expected) {
    let files = MemoryFiles::new(operation);
    let expected = crash(&files, Expected::default(), steps, floor, operation).await;
    (files, expected)
}

/// Runs a scenario on a disk that crashes at this operation.
async fn crash(
    files: &MemoryFiles,
    mut expected: Expected,
    steps: &[Step],
    floor: u64,
    operation: u64,
) -> Expected {
    files.crash_at(operation);
    let store = store(files).checkpoint_above(floor);
    // It fails where the disk crashes.
    let outcome = run(&store, steps, &mut expected).await;
    assert_eq!(outcome.is_err(), files.has_crashed());
    expected
}

async fn length(steps: &[Step], floor: u64) -> u64 {
    let (files, expected) = crashed(steps, floor, 0).await;
    expected.check(&files).await;
    files.operations()
}

/// The next program takes the lock, makes a call and saves.
async fn goes_on(files: &MemoryFiles) {
    let before = store(files).read(Test).await.unwrap();
    let locked = lock(&store(files)).await.unwrap();
    assert_eq!(locked.read(|now| now.scopes.clone()), before.scopes);
    let ids = locked.record_intents(vec![intent(99, ADD)]).await.unwrap();
    assert!(locked.record_outcome(ids[0], &applied(), NOW).is_some());
    locked.save().await.unwrap();
    let after = locked.read(Clone::clone);
    locked.release().await.unwrap();
    let found = store(files).read(Test).await.unwrap();
    assert_eq!(found.scopes, after.scopes);
    assert!(found.serial > before.serial);
    assert_eq!(files.contents(JOURNAL), None);
}

#[tokio::test]
async fn a_crash_at_any_operation_loses_nothing() {
    for floor in [0, u64::MAX] {
        let steps = scenario();
        for operation in 1..=length(&steps, floor).await {
            let (files, expected) = crashed(&steps, floor, operation).await;
            let killed = files.killed();
            expected.check(&killed).await;
            goes_on(&killed).await;
            for seed in 0..12 {
                let dark = files.power_cut(seed);
                expected.check(&dark).await;
                goes_on(&dark).await;
            }
        }
    }
}

/// What a program does that finds what another left.
fn again() -> [Vec<Step>; 2] {
    let calls = vec![
        Step::Begin(vec![(1, ADD), (2, Write::Delete)]),
        Step::Settle(0, applied()),
        Step::Begin(vec![(3, ADD)]),
        Step::Edit,
    ];
    [vec![Step::Save], calls]
}

#[tokio::test]
async fn a_crash_while_recovering_from_a_crash_loses_nothing() {
    let steps = scenario();
    for operation in 1..=length(&steps, u64::MAX).await {
        for second in 1..=20 {
            let (files, expected) = crashed(&steps, u64::MAX, operation).await;
            let files = files.power_cut(operation * second);
            let expected = expected.after(&files).await;
            let expected = crash(&files, expected, &again()[1], u64::MAX, second).await;
            expected.check(&files.killed()).await;
            for seed in 0..3 {
                expected.check(&files.power_cut(seed)).await;
            }
        }
    }
}

/// What a killed program did not sync may still be lost while the next one runs, or right after it.
#[tokio::test]
async fn a_power_cut_after_a_kill_loses_nothing() {
    let steps = scenario();
    for operation in 1..=length(&steps, u64::MAX).await {
        for again in again() {
            for second in 1.. {
                let (files, expected) = crashed(&steps, u64::MAX, operation).await;
                let files = files.killed();
                let expected = expected.after_a_kill(&files).await;
                let expected = crash(&files, expected, &again, u64::MAX, second).await;
                for seed in 0..6 {
                    expected.check(&files.power_cut(seed)).await;
                }
                if !files.has_crashed() {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_full_disk_at_any_operation_loses_nothing() {
    let steps = scenario();
    for operation in 1..=length(&steps, 0).await {
        let files = MemoryFiles::new(operation);
        files.fail_at(operation);
        let mut expected = Expected::default();
        let store = store(&files).checkpoint_above(0);
        // Some failures don't matter: of what is only tidied up.
        drop(run(&store, &steps, &mut expected).await);
        expected.check(&files.killed()).await;
        for seed in 0..6 {
            expected.check(&files.power_cut(seed)).await;
        }
        goes_on(&files.killed()).await;
    }
}

/// The disk at one moment for the journal, and at a later one for everything else: what a reader
/// sees that a writer overtakes.
#[derive(Clone)]
struct Overtaken {
    journal: MemoryFiles,
    rest: MemoryFiles,
}

impl Files for Overtaken {
    type Reader = <MemoryFiles as Files>::Reader;
    type File = MemoryFile;
    type Lock = MemoryLock;

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.rest.run(work).await
    }

    fn open(&self, path: &Path) -> std::io::Result<Option<Self::Reader>> {
        if path == Path::new(JOURNAL) {
            self.journal.open(path)
        } else {
            self.rest.open(path)
        }
    }

    fn kind(&self, path: &Path) -> std::io::Result<Kind> {
        self.rest.kind(path)
    }

    fn hindrance(&self, path: &Path, scratch: &Path) -> std::io::Result<Option<Hindrance>> {
        self.rest.hindrance(path, scratch)
    }

    fn create(&self, path: &Path, like: &Path) -> std::io::Result<MemoryFile> {
        self.rest.create(path, like)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.rest.rename(from, to)
    }

    fn duplicate(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.rest.duplicate(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.rest.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> std::io::Result<()> {
        self.rest.sync_folder(folder)
    }

    fn try_lock(&self, path: &Path, what: &[u8]) -> std::io::Result<Option<(MemoryLock, Vec<u8>)>> {
        self.rest.try_lock(path, what)
    }

    fn still_locked(&self, lock: &MemoryLock) -> std::io::Result<bool> {
        self.rest.still_locked(lock)
    }

    fn unlock(&self, lock: MemoryLock) -> std::io::Result<()> {
        self.rest.unlock(lock)
    }
}

#[tokio::test]
async fn a_reader_sees_one_moment_however_a_writer_overtakes_it() {
    let steps = scenario();
    let mut moments = Vec::new();
    let mut all = Expected::default();
    for operation in 1..=length(&steps, 0).await {
        let (files, expected) = crashed(&steps, 0, operation).await;
        moments.push(files.killed());
        all.history.extend(expected.history);
    }
    for (earlier, journal) in moments.iter().enumerate() {
        for rest in &moments[earlier..] {
            let (journal, rest) = (journal.clone(), rest.clone());
            let overtaken = Overtaken { journal, rest };
            let found = Store::in_files(overtaken, PathBuf::from(STATE))
                .read(Test)
                .await;
            all.check_found(&found.expect("a reader never meets a conflict"));
        }
    }
}

fn some_step() -> impl Strategy<Value = Step> {
    let calls = proptest::collection::vec((0..6_usize, some_write()), 1..4);
    prop_oneof![
        5 => calls.prop_map(Step::Begin),
        5 => (0..8_usize, some_outcome()).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        1 => Just(Step::Flush),
        1 => Just(Step::Save),
        1 => Just(Step::Edit),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn any_run_survives_any_crash(
        steps in proptest::collection::vec(some_step(), 1..25),
        floor in prop_oneof![Just(0), Just(500), Just(u64::MAX)],
        more in proptest::collection::vec(some_step(), 1..8),
        place in 0.0..1.0_f64,
        second in 1..40_u64,
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let length = length(&steps, floor).await;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a place somewhere in the run"
            )]
            let operation = 1 + (place * length as f64) as u64;
            let (files, expected) = crashed(&steps, floor, operation).await;
            expected.check(&files.killed()).await;
            let dark = files.power_cut(seed);
            expected.check(&dark).await;
            let expected = expected.after(&dark).await;
            let expected = crash(&dark, expected, &more, floor, second).await;
            let dark = dark.power_cut(seed);
            expected.check(&dark).await;
            goes_on(&dark).await;
        });
    }
}
