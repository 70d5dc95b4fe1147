//! Writing a log, while the newest record names us as its holder.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::record::{Header, Kind, Record};
use super::{Created, Log, NotCreated, Timing};
use crate::state::medium::{Done, Hold, Line};
use crate::state::{LockOwner, StateError};

/// The first pause after a request without an answer. Each next one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often at least is looked for a record that is said to be there, however much time has passed: a process that was
/// stopped in between, or a machine that slept, has not waited.
const LOOKS: u32 = 5;

/// The right to create the next record.
pub(super) struct Held {
    end: Arc<Mutex<End>>,
}

/// The end of the log, as far as we wrote it.
struct End {
    log: Arc<dyn Log>,
    owner: LockOwner,
    head: Header,
    /// How many records this hold tried to write: part of their ids.
    tried: u64,
    /// Records with the next number whose fate is not known. One of them may be there, or arrive later.
    unclear: Vec<Header>,
    /// Another writer has taken over, or we have released.
    over: bool,
    /// Whether there is a journal that began in this hold.
    has_journal: bool,
    /// When a record of ours was last known to be durable.
    written: Instant,
    /// Whether the store counts as lost: nothing is waited for again, until a record is durable.
    is_gone: bool,
}

impl Held {
    /// Tries to take over after `head`, and tells the number of the record that says so. `None` when another one
    /// was quicker.
    pub(super) async fn take(
        log: Arc<dyn Log>,
        owner: &LockOwner,
        head: Option<Header>,
    ) -> Result<Option<(Self, u64)>, StateError> {
        let number = head.as_ref().map_or(0, |head| head.number) + 1;
        let id = format!("{}.{number}.0", owner.id);
        let record = Record::after(
            head.as_ref(),
            (id, Kind::Hold),
            Vec::new(),
            Some(owner.clone()),
        );
        let Timing { lease, .. } = log.timing();
        let mut end = End {
            log,
            owner: owner.clone(),
            head: record.header.clone(),
            tried: 0,
            unclear: Vec::new(),
            over: false,
            has_journal: false,
            written: Instant::now(),
            is_gone: false,
        };
        match end.place(&record).await {
            Ok(Placed::Ours(header)) => end.head = header,
            Ok(Placed::Theirs) => return Ok(None),
            Err(error) => return Err(error),
        }
        let number = end.head.number;
        let end = Arc::new(Mutex::new(end));
        drop(tokio::spawn(beat(Arc::downgrade(&end), lease / 3)));
        Ok(Some((Self { end }, number)))
    }

    fn write(&self, kind: Kind, payload: Vec<u8>) -> Done<'_, ()> {
        let end = Arc::clone(&self.end);
        async move { end.lock().await.write(kind, payload).await }.boxed()
    }
}

impl Hold for Held {
    /// Finds out whether the store really refuses a second record with the same number. Without that two
    /// writers would overwrite each other, and neither would know.
    fn prepare(&mut self) -> Done<'_, ()> {
        async { self.end.lock().await.probe().await }.boxed()
    }

    fn append(&mut self, line: Line) -> Done<'_, ()> {
        match line {
            Line::First(lines) => self.write(Kind::First, lines),
            Line::Next(lines) => self.write(Kind::Next, lines),
        }
    }

    fn replace(&mut self, snapshot: Vec<u8>) -> Done<'_, ()> {
        self.write(Kind::Snapshot, snapshot)
    }

    /// A snapshot has folded it in: nothing of it is left.
    fn forget_journal(&mut self) -> Done<'_, ()> {
        async { self.end.lock().await.check() }.boxed()
    }

    fn release(self: Box<Self>) -> Done<'static, ()> {
        async move {
            let mut end = self.end.lock().await;
            let released = end.write(Kind::Release, Vec::new()).await;
            end.over = true;
            if released.is_ok() {
                // What stays is read over. The next run removes it.
                drop(end.log.prune(&end.head).await);
            }
            released
        }
        .boxed()
    }
}

/// Where a record is.
enum Placed {
    /// In the log: this one, or one of ours that had its number before.
    Ours(Header),
    /// Not there: its number is another writer's.
    Theirs,
}

impl End {
    fn check(&self) -> Result<(), StateError> {
        if self.over {
            return Err(self.lost());
        }
        Ok(())
    }

    fn lost(&self) -> StateError {
        StateError::LockLost {
            place: self.log.place(),
        }
    }

    /// Adds a record to the end of the log.
    async fn write(&mut self, kind: Kind, payload: Vec<u8>) -> Result<(), StateError> {
        let mut payload = payload;
        if kind == Kind::Next && !self.has_journal {
            return Err(StateError::Damaged {
                place: self.log.place(),
                problem: "there is no journal that could go on".into(),
            });
        }
        loop {
            self.check()?;
            self.tried += 1;
            let id = format!("{}.{}.{}", self.owner.id, self.head.number + 1, self.tried);
            let holder = (kind != Kind::Release).then(|| self.owner.clone());
            let record = Record::after(Some(&self.head), (id, kind), payload, holder);
            match self.place(&record).await? {
                Placed::Ours(header) => {
                    let is_this = header.id == record.header.id;
                    self.head = header;
                    self.unclear.clear();
                    self.written = Instant::now();
                    self.is_gone = false;
                    self.has_journal = match self.head.kind {
                        Kind::First => true,
                        Kind::Snapshot => false,
                        Kind::Hold | Kind::Beat | Kind::Next | Kind::Release | Kind::Unlock => {
                            self.has_journal
                        }
                    };
                    if is_this {
                        return Ok(());
                    }
                    // An earlier one arrived late and has the number. This one comes after it.
                    payload = record.payload;
                }
                Placed::Theirs => {
                    self.over = true;
                    return Err(self.lost());
                }
            }
        }
    }

    /// Tries to create a record until its fate is known, or the store counts as lost.
    async fn place(&mut self, record: &Record) -> Result<Placed, StateError> {
        self.unclear.push(record.header.clone());
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut may_arrive = false;
        let mut looks = 0;
        loop {
            let error = match self.log.create(record).await {
                Ok(Created::Now) if record.header.kind != Kind::Snapshot => {
                    return Ok(Placed::Ours(record.header.clone()));
                }
                // What everything rests on later is looked at once more.
                Ok(Created::Now) => {
                    may_arrive = true;
                    None
                }
                // By another's, or by a copy of this request that arrived first.
                Ok(Created::Taken) => {
                    may_arrive = true;
                    None
                }
                Err(NotCreated::Refused(error)) => {
                    if !may_arrive {
                        self.unclear.pop();
                    }
                    return Err(error);
                }
                Err(NotCreated::Unclear(error)) => {
                    may_arrive = true;
                    Some(error)
                }
            };
            looks += 1;
            let is_unseen = error.is_none();
            // Never again before it is known who has the number.
            let error = match (self.log.head().await, error) {
                (Ok(Some(head)), _) if head.number >= record.header.number => {
                    let ours = self.unclear.iter().find(|ours| **ours == head);
                    return Ok(match ours {
                        Some(ours) => Placed::Ours(ours.clone()),
                        None => Placed::Theirs,
                    });
                }
                // It says that there is a record with this number, but does not show it yet.
                (Ok(_), None) => StateError::Damaged {
                    place: self.log.place(),
                    problem: format!(
                        "its record {} is there and can't be read",
                        record.header.number
                    ),
                },
                (Ok(_) | Err(_), Some(error)) | (Err(error), None) => error,
            };
            // Whoever was stopped for a while has not waited.
            let waits = is_unseen && looks < LOOKS;
            let is_over = begun.elapsed() + pause > self.log.timing().patience;
            if self.is_gone || (is_over && !waits) {
                self.is_gone = true;
                return Err(error);
            }
            if pause == FIRST_PAUSE {
                // Nothing else happens meanwhile, and whoever watches should know why.
                let seconds = self.log.timing().patience.as_secs();
                tracing::warn!("{error}; trying again for up to {seconds} s");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Writes our newest record a second time, which has to be refused.
    async fn probe(&mut self) -> Result<(), StateError> {
        self.check()?;
        let record = Record {
            header: self.head.clone(),
            payload: Vec::new(),
        };
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.log.create(&record).await {
                Ok(Created::Taken) => return Ok(()),
                Ok(Created::Now) => {
                    return Err(StateError::Unfenced {
                        place: self.log.place(),
                    });
                }
                Err(NotCreated::Refused(error)) => return Err(error),
                Err(NotCreated::Unclear(error)) => {
                    if begun.elapsed() + pause > self.log.timing().patience {
                        return Err(error);
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Writes a sign of life whenever nothing else was written for so long, until the hold is dropped or over.
async fn beat(end: Weak<Mutex<End>>, interval: Duration) {
    loop {
        let rest = {
            let Some(end) = end.upgrade() else { return };
            let mut end = end.lock().await;
            if end.over {
                return;
            }
            let silent = end.written.elapsed();
            if silent >= interval {
                // A failure shows at the next write, if it lasts.
                drop(end.write(Kind::Beat, Vec::new()).await);
                interval
            } else {
                interval.saturating_sub(silent)
            }
        };
        sleep(rest).await;
    }
}
