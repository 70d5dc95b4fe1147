//! A state as a log of numbered records: the log is the lock.
//!
//! A [`Log`] is a store that many machines reach. It can do one thing that matters: create the record with the
//! next number, for one writer only. Everything else follows from that:
//!
//! * Who wants to write creates a record that says so. The holder creates every record after it. Whoever creates
//!   the next record in the holder's place has taken over, and from then on the old holder can record nothing.
//!   A call leaves only after its intent is a record, so it can send nothing new either. What it had recorded
//!   before, the new holder reads, and treats as lost: the signature bounds it (see the fences of `apply`).
//! * No clock is trusted for that. The *lease* is only for liveness: a holder writes at least every third of it,
//!   and an observer that saw nothing new for the whole of it, by its own clock, takes over.
//! * A record that was sent without an answer is not sent again blindly. The newest record is read first; what
//!   carries our id is ours. If it is not there, the *same* record is sent again, which changes nothing when the
//!   first one arrives late.
//! * A number is used once. Old records are removed only an hour after they were written, so that no writer that
//!   was held up for less can create one again.
//!
//! [`Logged`] is the medium over any log; `docs/state.md` describes the protocol for people.

mod held;
mod record;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

pub(crate) use self::record::{Contents, Header, Kind, LONGEST_HEADER, Record};

use self::held::Held;
use super::journal::Journal;
use super::load::{Loaded, load};
use super::medium::{Attempt, Done, Medium};
use super::{LockOwner, Place, StateError, Version, history};
use crate::model::Recorded;

/// A store of numbered records.
///
/// Nothing here repeats a request whose answer was lost: [`Log::create`] says that it does not know.
pub(crate) trait Log: fmt::Debug + Send + Sync + 'static {
    /// What it is called in messages, without credentials.
    fn place(&self) -> Place;

    fn timing(&self) -> Timing;

    /// The header of the newest record; `None` when there is none.
    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>>;

    /// The records that say what is recorded, folded.
    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>>;

    /// The newest [`KEPT`] snapshots, the newest first: the header of each, and at least
    /// [`BEGINNING`](crate::state::history::BEGINNING) bytes of its payload if it has so many.
    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>>;

    /// The record with this number, if it was not removed.
    fn record(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>>;

    /// Creates a record, unless there is one with its number.
    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>>;

    /// Removes records that are not needed any more and older than an hour by the store's clock, but not
    /// the newest [`KEPT`] snapshots. `head` is a record that was the newest.
    fn prune<'a>(&'a self, head: &'a Header) -> BoxFuture<'a, Result<(), StateError>>;
}

/// The header of a record, and the beginning of its payload.
pub(crate) type Beginning = (Header, Vec<u8>);

/// How many snapshots stay, so that an older state can still be looked at in the store.
pub(crate) const KEPT: usize = 20;

/// Between questions that got no answer.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// Between looks at a store that shows an older view than before. That passes; what is really lost stays so.
const VIEWS: [Duration; 6] = [
    PAUSES[0],
    PAUSES[1],
    PAUSES[2],
    Duration::from_secs(4),
    Duration::from_secs(4),
    Duration::from_secs(4),
];

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is durable.
    Now,
    /// There is one with its number already: another's, or the same from before.
    Taken,
}

/// Why it is not known to be durable.
#[derive(Clone, Debug)]
pub(crate) enum NotCreated {
    /// It certainly is not.
    Refused(StateError),
    /// It may be, or may become so later.
    Unclear(StateError),
}

/// The times that suit a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// A holder that wrote nothing for so long is dead.
    pub(crate) lease: Duration,
    /// How often a taken lock is looked at.
    pub(crate) poll: Duration,
    /// How often to look at the newest record all the time; `None` when that costs too much.
    pub(crate) watch: Option<Duration>,
    /// How long a write is tried before the store counts as lost.
    pub(crate) patience: Duration,
}

/// A state in a log.
pub(in crate::state) struct Logged {
    log: Arc<dyn Log>,
    /// What was seen of a holder, and since when it has not changed.
    seen: Mutex<Option<Seen>>,
    /// The newest record that is known to be there. What is read has to reach it: a store may show an older
    /// view for a while, and who holds the log would write over what is missing in that.
    known: AtomicU64,
}

#[derive(Clone, Debug)]
struct Seen {
    number: u64,
    since: Instant,
    /// Whether the holder wrote something since it was seen first.
    alive: bool,
}

impl Logged {
    pub(in crate::state) fn new(log: Arc<dyn Log>) -> Self {
        Self {
            log,
            seen: Mutex::new(None),
            known: AtomicU64::new(0),
        }
    }

    /// How long nothing new was seen of the holder, and whether it ever wrote since it was seen first.
    fn observe(&self, head: &Header) -> (Duration, bool) {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.as_mut() {
            // What is older is an older view, and no sign of life.
            Some(seen) if head.number <= seen.number => {
                (now.duration_since(seen.since), seen.alive)
            }
            before => {
                let alive = before.is_some();
                *seen = Some(Seen {
                    number: head.number,
                    since: now,
                    alive,
                });
                (Duration::ZERO, alive)
            }
        }
    }

    /// Asks until there is an answer, or a failure that will not pass by itself. Reading changes nothing, so it can be
    /// repeated.
    async fn asked<'a, T>(
        &'a self,
        ask: impl Fn(&'a dyn Log) -> BoxFuture<'a, Result<T, StateError>>,
    ) -> Result<T, StateError> {
        for pause in PAUSES {
            match ask(&*self.log).await {
                Err(StateError::Remote { passing: true, .. }) => sleep(pause).await,
                answer => return answer,
            }
        }
        ask(&*self.log).await
    }

    /// Everything up to the newest record that is known.
    async fn read(&self) -> Result<Option<Contents>, StateError> {
        let mut pauses = VIEWS.into_iter();
        loop {
            let contents = self.asked(|log| log.read()).await?;
            let found = contents.as_ref().map_or(0, |contents| contents.head.number);
            let known = self.known.fetch_max(found, Ordering::SeqCst);
            if found >= known {
                return Ok(contents);
            }
            let Some(pause) = pauses.next() else {
                return Err(StateError::Damaged {
                    place: self.log.place(),
                    problem: format!("its record {known} was there, and the newest is {found} now"),
                });
            };
            sleep(pause).await;
        }
    }

    /// The snapshots that are kept, each with the number of its record.
    async fn versions(&self) -> Result<Vec<(u64, Version)>, StateError> {
        let snapshots = self.asked(|log| log.snapshots()).await?;
        let version = |(header, beginning): Beginning| {
            let version = Version {
                serial: history::serial(&beginning)?,
                place: self.log.place(),
                writer: header.holder,
            };
            Some((header.number, version))
        };
        Ok(snapshots.into_iter().filter_map(version).collect())
    }

    async fn try_hold(&self, owner: &LockOwner) -> Result<Attempt, StateError> {
        let head = self.asked(|log| log.head()).await?;
        let left = head.as_ref().and_then(|head| head.holder.clone());
        // A hold of ours that was taken without our knowing it: its answer was lost.
        let left = left.filter(|holder| holder.id != owner.id);
        if let (Some(head), Some(holder)) = (&head, &left) {
            let (silent, alive) = self.observe(head);
            let rest = self.log.timing().lease.saturating_sub(silent);
            if !rest.is_zero() {
                return Ok(Attempt::Theirs {
                    owner: Some(holder.clone()),
                    known_in: (!alive).then_some(rest),
                });
            }
        }
        match Held::take(Arc::clone(&self.log), owner, head).await? {
            Some((held, number)) => {
                self.known.fetch_max(number, Ordering::SeqCst);
                Ok(Attempt::Ours(Box::new(held), left))
            }
            // Another one was quicker; who, shows at the next try.
            None => Ok(Attempt::Theirs {
                owner: None,
                known_in: None,
            }),
        }
    }

    async fn end_hold(&self, id: &str, host: &str) -> Result<LockOwner, StateError> {
        loop {
            let head = self.asked(|log| log.head()).await?;
            let Some(owner) = head.as_ref().and_then(|head| head.holder.clone()) else {
                return Err(StateError::NotLocked {
                    place: self.log.place(),
                });
            };
            if owner.id != id {
                return Err(StateError::OtherLock {
                    given: id.to_owned(),
                    owner: Box::new(owner),
                });
            }
            let number = head.as_ref().map_or(0, |head| head.number) + 1;
            let name = format!("{id}.unlock.{host}.{number}");
            let record = Record::after(head.as_ref(), (name, Kind::Unlock), Vec::new(), None);
            match self.log.create(&record).await {
                Ok(Created::Now) => return Ok(owner),
                // The owner is alive and wrote, or another `unlock` was quicker.
                Ok(Created::Taken) => {}
                Err(NotCreated::Refused(error) | NotCreated::Unclear(error)) => return Err(error),
            }
        }
    }
}

/// What a log says; `None` before its first snapshot.
fn folded(place: &Place, contents: &Contents) -> Result<Option<Loaded>, StateError> {
    let Some(snapshot) = &contents.snapshot else {
        return Ok(None);
    };
    let journal = (!contents.journal.is_empty()).then_some(contents.journal.as_slice());
    if let Some(journal) = journal {
        check_journal(place, journal, snapshot)?;
    }
    load((place, snapshot.as_slice()), (place, journal)).map(Some)
}

/// In a log the journal continues exactly the snapshot before it, and each of its lines is whole. In files a crash may
/// have left an older one, or half a line.
fn check_journal(place: &Place, journal: &[u8], snapshot: &[u8]) -> Result<(), StateError> {
    let damaged = |problem: String| {
        Err(StateError::Damaged {
            place: place.clone(),
            problem,
        })
    };
    if !journal.ends_with(b"\n") {
        return damaged("its journal ends in the middle of a line".into());
    }
    let continued = Journal::open(place, journal)?.header.base_serial;
    match history::serial(snapshot) {
        Some(serial) if serial != continued => damaged(format!(
            "its journal continues serial {continued}, but its snapshot has serial {serial}"
        )),
        Some(_) | None => Ok(()),
    }
}

/// What a log says is recorded; `None` before its first snapshot.
///
/// # Errors
/// Its snapshot or journal can't be read.
pub(crate) fn recorded(place: &Place, contents: &Contents) -> Result<Option<Recorded>, StateError> {
    Ok(folded(place, contents)?.map(|loaded| loaded.recorded))
}

impl Medium for Logged {
    fn place(&self) -> Place {
        self.log.place()
    }

    fn poll(&self) -> Duration {
        self.log.timing().poll
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.log.timing().lease)
    }

    fn watch(&self) -> Option<Duration> {
        self.log.timing().watch
    }

    fn load(&self) -> Done<'_, Option<Loaded>> {
        async {
            match self.read().await? {
                Some(contents) => folded(&self.log.place(), &contents),
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn history(&self) -> Done<'_, Vec<Version>> {
        async {
            let versions = self.versions().await?;
            Ok(versions.into_iter().map(|(_, version)| version).collect())
        }
        .boxed()
    }

    fn version(&self, serial: u64) -> Done<'_, Option<Recorded>> {
        async move {
            let mut versions = self.versions().await?.into_iter();
            let Some((number, _)) = versions.find(|(_, version)| version.serial == serial) else {
                return Ok(None);
            };
            match self.asked(|log| log.record(number)).await? {
                Some(record) => history::version(&self.log.place(), &*record.payload, serial),
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn hold<'a>(&'a self, owner: &'a LockOwner) -> Done<'a, Attempt> {
        self.try_hold(owner).boxed()
    }

    fn holder(&self) -> BoxFuture<'_, Option<LockOwner>> {
        async {
            let head = self.log.head().await.ok()??;
            // Who looks first and wants the hold later has waited already.
            if head.holder.is_some() {
                self.observe(&head);
            }
            head.holder
        }
        .boxed()
    }

    fn break_hold<'a>(&'a self, id: &'a str, host: &'a str) -> Done<'a, LockOwner> {
        self.end_hold(id, host).boxed()
    }
}

impl fmt::Debug for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logged")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}
