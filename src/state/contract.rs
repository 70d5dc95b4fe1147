//! What every medium has to keep, whatever it is made of. Each test runs over each medium; those over a real
//! server are beside its code and call [`holds_over`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use rstest::rstest;

use super::format;
use super::journal::{self, Chain};
use super::local::{Local, RealFiles};
use super::log::{Beginning, Contents, Created, Header, Log, Logged, NotCreated, Record, Timing};
use super::medium::{Attempt, Hold, Line, Medium};
use super::testing::{ADD, STATE, applied, intent, lineage, owner};
use super::{LockOwner, StateError};
use crate::model::{CallId, Environment, Recorded};
use crate::testing::{MemoryFiles, MemoryLog};

/// One place that any number of programs open.
trait Place: Send + Sync {
    fn open(&self) -> Arc<dyn Medium>;

    /// Whether an owner on the same machine is seen to be alive or dead.
    fn knows_the_dead(&self) -> bool {
        true
    }
}

impl Place for MemoryFiles {
    fn open(&self) -> Arc<dyn Medium> {
        Arc::new(Local::new(self.clone(), STATE))
    }
}

impl Place for tempfile::TempDir {
    fn open(&self) -> Arc<dyn Medium> {
        Arc::new(Local::new(RealFiles, self.path().join(STATE)))
    }
}

impl Place for MemoryLog {
    fn open(&self) -> Arc<dyn Medium> {
        Arc::new(Logged::new(Arc::new(self.clone())))
    }

    fn knows_the_dead(&self) -> bool {
        false
    }
}

/// A place whose logs wait for real time.
pub(crate) struct Remote(pub(crate) Box<dyn Fn() -> Arc<dyn Log> + Send + Sync>);

impl Place for Remote {
    fn open(&self) -> Arc<dyn Medium> {
        Arc::new(Logged::new(Arc::new(Quick(self.0()))))
    }

    fn knows_the_dead(&self) -> bool {
        false
    }
}

/// Removes what is not needed, as the end of a run does.
pub(crate) async fn prune(log: &dyn Log) -> Result<(), StateError> {
    match log.head().await? {
        Some(head) => log.prune(&head).await,
        None => Ok(()),
    }
}

/// A log with a lease that a test can wait for.
#[derive(Debug)]
struct Quick(Arc<dyn Log>);

impl Log for Quick {
    fn place(&self) -> super::Place {
        self.0.place()
    }

    fn timing(&self) -> Timing {
        Timing {
            lease: Duration::from_secs(2),
            poll: Duration::from_millis(50),
            watch: None,
            patience: Duration::from_secs(20),
        }
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>> {
        self.0.head()
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>> {
        self.0.read()
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>> {
        self.0.snapshots()
    }

    fn record(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>> {
        self.0.record(number)
    }

    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>> {
        self.0.create(record)
    }

    fn prune<'a>(&'a self, head: &'a Header) -> BoxFuture<'a, Result<(), StateError>> {
        self.0.prune(head)
    }
}

/// The whole contract. `place` gives a new place each time.
pub(crate) async fn holds_over(place: impl Fn() -> Remote) {
    what_is_written_is_there_at_once(&place()).await;
    one_holder_at_a_time(&place()).await;
    who_lost_the_hold_writes_no_more(&place()).await;
}

/// Beside the contract, for media that keep what was: all but those whose protocol has no request for it.
pub(crate) async fn keeps_history(place: impl Fn() -> Remote) {
    what_was_is_kept(&place()).await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn every_local_medium_holds_it(
    #[values(simulated_disk, real_files, simulated_log)] place: fn() -> Box<dyn Place>,
) {
    what_is_written_is_there_at_once(&*place()).await;
    one_holder_at_a_time(&*place()).await;
    who_lost_the_hold_writes_no_more(&*place()).await;
    what_was_is_kept(&*place()).await;
}

fn simulated_log() -> Box<dyn Place> {
    Box::new(MemoryLog::new(1))
}

fn simulated_disk() -> Box<dyn Place> {
    Box::new(MemoryFiles::new(1))
}

fn real_files() -> Box<dyn Place> {
    Box::new(tempfile::tempdir().unwrap())
}

impl fmt::Debug for dyn Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place")
    }
}

async fn held(medium: &dyn Medium, id: &str) -> (Box<dyn Hold>, Option<LockOwner>) {
    loop {
        match medium.hold(&owner(id)).await.unwrap() {
            Attempt::Ours(mut hold, left) => {
                hold.prepare().await.unwrap();
                return (hold, left);
            }
            Attempt::Theirs {
                owner: _,
                known_in: Some(wait),
            } => tokio::time::sleep(wait).await,
            Attempt::Theirs {
                owner,
                known_in: None,
            } => panic!("{owner:?} has it"),
        }
    }
}

/// A state with this serial, as text.
fn snapshot(serial: u64) -> Vec<u8> {
    let mut recorded = Recorded::nothing(Environment::Test);
    recorded.lineage = Some(lineage());
    recorded.salt = Some(super::testing::SALT);
    recorded.serial = serial;
    let mut text = Vec::new();
    format::write(&recorded, &mut text).unwrap();
    text
}

/// A journal that continues the snapshot with this serial: its first line, and one for each call.
struct Lines(Chain, u64);

impl Lines {
    fn first(serial: u64) -> (Self, Line) {
        let mut chain = Chain::default();
        let mut text = journal::header(&mut chain, lineage(), serial);
        let mut lines = Self(chain, 0);
        text.extend(lines.call());
        (lines, Line::First(text))
    }

    fn call(&mut self) -> Vec<u8> {
        self.1 += 1;
        let mut records = Vec::new();
        let number = usize::try_from(self.1).unwrap();
        journal::push_intent(&mut records, CallId(self.1), &intent(number, ADD));
        journal::push_outcome(
            &mut records,
            CallId(self.1),
            &applied(),
            super::testing::NOW,
        );
        journal::batch(&mut self.0, &records)
    }

    fn next(&mut self) -> Line {
        Line::Next(self.call())
    }
}

/// The serial, the number of callbacks, and whether there is a journal.
async fn found(place: &dyn Place) -> Option<(u64, usize, bool)> {
    let loaded = place.open().load().await.unwrap()?;
    let recorded = loaded.recorded;
    Some((recorded.serial, recorded.len(), loaded.has_journal))
}

async fn what_is_written_is_there_at_once(place: &dyn Place) {
    assert_eq!(found(place).await, None);
    let medium = place.open();
    let (mut hold, left) = held(&*medium, "1").await;
    assert_eq!(left, None);
    hold.replace(snapshot(1)).await.unwrap();
    assert_eq!(found(place).await, Some((1, 0, false)));
    let (mut lines, first) = Lines::first(1);
    hold.append(first).await.unwrap();
    assert_eq!(found(place).await, Some((3, 1, true)));
    hold.append(lines.next()).await.unwrap();
    assert_eq!(found(place).await, Some((5, 2, true)));
    // A journal that stays is one that is folded in already.
    hold.replace(snapshot(9)).await.unwrap();
    let (serial, callbacks, _) = found(place).await.unwrap();
    assert_eq!((serial, callbacks), (9, 0));
    hold.forget_journal().await.unwrap();
    assert_eq!(found(place).await, Some((9, 0, false)));
    // A journal begins again after a snapshot, and not before.
    assert!(hold.append(lines.next()).await.is_err());
    let (_, first) = Lines::first(9);
    hold.append(first).await.unwrap();
    assert_eq!(found(place).await, Some((11, 1, true)));
    hold.release().await.unwrap();
    assert_eq!(found(place).await, Some((11, 1, true)));
}

async fn what_was_is_kept(place: &dyn Place) {
    let reader = place.open();
    assert_eq!(reader.history().await.unwrap(), []);
    assert_eq!(reader.version(1).await.unwrap(), None);
    for (id, serials) in [("1", [1].as_slice()), ("2", &[5, 7])] {
        let (mut hold, _) = held(&*place.open(), id).await;
        assert!(reader.history().await.unwrap().len() < 2);
        for serial in serials {
            hold.replace(snapshot(*serial)).await.unwrap();
        }
        hold.release().await.unwrap();
    }
    let versions = reader.history().await.unwrap();
    let (first, last) = (versions.first().unwrap(), versions.last().unwrap());
    assert_eq!((first.serial, last.serial), (7, 1));
    // Files don't say who wrote them.
    if !place.knows_the_dead() {
        assert_eq!(versions.len(), 3);
        assert_eq!(last.writer, Some(owner("1")));
        assert_eq!(first.writer, Some(owner("2")));
    }
    for version in versions {
        let recorded = reader.version(version.serial).await.unwrap().unwrap();
        assert_eq!(recorded.serial, version.serial);
    }
    assert_eq!(reader.version(6).await.unwrap(), None);
}

async fn one_holder_at_a_time(place: &dyn Place) {
    let (one, other) = (place.open(), place.open());
    let (hold, _) = held(&*one, "1").await;
    assert_eq!(other.holder().await, Some(owner("1")));
    match other.hold(&owner("2")).await.unwrap() {
        Attempt::Theirs {
            owner: theirs,
            known_in: _,
        } => assert_eq!(theirs, Some(owner("1"))),
        Attempt::Ours(..) => panic!("two holders"),
    }
    hold.release().await.unwrap();
    assert_eq!(other.holder().await, None);
    let (hold, left) = held(&*other, "2").await;
    assert_eq!(left, None);
    // As if its program had died.
    drop(hold);
    let (_hold, left) = held(&*one, "3").await;
    assert_eq!(left, Some(owner("2")));
}

async fn who_lost_the_hold_writes_no_more(place: &dyn Place) {
    let (one, other) = (place.open(), place.open());
    let (mut hold, _) = held(&*one, "1").await;
    hold.replace(snapshot(1)).await.unwrap();
    let (mut lines, first) = Lines::first(1);
    hold.append(first).await.unwrap();
    let wrong = other.break_hold("2", "elsewhere").await.unwrap_err();
    assert!(matches!(wrong, StateError::OtherLock { .. }), "{wrong}");
    if place.knows_the_dead() {
        let here = owner("1").host;
        let alive = other.break_hold("1", &here).await.unwrap_err();
        assert!(matches!(alive, StateError::OwnerAlive { .. }), "{alive}");
    }
    assert_eq!(
        other.break_hold("1", "elsewhere").await.unwrap(),
        owner("1")
    );
    let (mut theirs, _) = held(&*other, "2").await;
    let before = found(place).await;
    for refused in [
        hold.append(lines.next()).await,
        hold.append(Lines::first(1).1).await,
        hold.replace(snapshot(7)).await,
        hold.forget_journal().await,
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, StateError::LockLost { .. }), "{error}");
    }
    assert_eq!(found(place).await, before);
    // Its release takes nothing from the new holder.
    drop(hold.release().await);
    theirs.replace(snapshot(8)).await.unwrap();
    let (serial, callbacks, _) = found(place).await.unwrap();
    assert_eq!((serial, callbacks), (8, 0));
    let other_id = place.open().break_hold("1", "elsewhere").await.unwrap_err();
    assert!(
        matches!(other_id, StateError::OtherLock { .. }),
        "{other_id}"
    );
    theirs.release().await.unwrap();
    let free = one.break_hold("2", "elsewhere").await.unwrap_err();
    assert!(matches!(free, StateError::NotLocked { .. }), "{free}");
}
