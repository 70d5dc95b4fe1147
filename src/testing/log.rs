//! A simulated store of numbered records, with the weather of a network between it and its users.
//!
//! Everything it does follows from its seed and the order of the requests. Time passes as tokio's clock says, so
//! tests run it under paused time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use crate::random::SplitMix64;
use crate::state::log::{
    Beginning, Contents, Created, Header, KEPT, Kind, Log, NotCreated, Record, Timing,
};
use crate::state::{Place, StateError, Store};

/// A simulated store that keeps one state. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    store: Arc<Mutex<Shared>>,
    timing: Timing,
    /// Nothing happens to the requests of this handle.
    is_fair: bool,
    /// Nothing of this machine gets through before this moment.
    way: Arc<Mutex<Option<Instant>>>,
}

/// What happens to requests, each in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// A request that never arrives.
    pub lost_requests: u32,
    /// A request that takes effect, and whose answer never arrives.
    pub lost_replies: u32,
    /// A write that takes effect up to two minutes after its sender gave it up.
    pub late: u32,
    /// A write that a proxy sends twice, and whose second answer is the one that arrives.
    pub doubled: u32,
    /// A look at the newest record that shows an older one.
    pub stale: u32,
    /// How long a request takes, at most.
    pub latency: Duration,
}

#[derive(Debug)]
struct Shared {
    records: BTreeMap<u64, Kept>,
    random: SplitMix64,
    weather: Weather,
    /// Whether it ignores the condition of a write.
    overwrites: bool,
    /// Nothing gets through before this moment.
    cut_until: Option<Instant>,
    requests: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    text: Vec<u8>,
    at: Instant,
}

/// What becomes of one request.
enum Fate {
    Done,
    NeverArrives,
    AnswerLost,
    Late(Duration),
    Doubled,
}

impl MemoryLog {
    /// An empty store in fair weather.
    pub fn new(seed: u64) -> Self {
        Self {
            store: Arc::new(Mutex::new(Shared {
                records: BTreeMap::new(),
                random: SplitMix64::new(seed),
                weather: Weather::default(),
                overwrites: false,
                cut_until: None,
                requests: 0,
            })),
            timing: Timing {
                lease: Duration::from_secs(60),
                poll: Duration::from_secs(5),
                watch: Some(Duration::from_secs(5)),
                patience: Duration::from_secs(60),
            },
            is_fair: false,
            way: Arc::default(),
        }
    }

    /// The same store, for another machine.
    #[must_use]
    pub fn from_another_machine(&self) -> Self {
        Self {
            way: Arc::default(),
            ..self.clone()
        }
    }

    /// Lets nothing of this machine through for so long.
    pub fn cut_off(&self, time: Duration) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    fn is_cut_off(&self) -> bool {
        let until = *self.way.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// The same store for one to whose requests nothing happens.
    #[must_use]
    pub fn in_fair_weather(&self) -> Self {
        Self {
            is_fair: true,
            ..self.clone()
        }
    }

    /// The state in it.
    pub fn state(&self) -> Store {
        Store::in_log(Arc::new(self.clone()))
    }

    pub fn set_weather(&self, weather: Weather) {
        self.store().weather = weather;
    }

    /// Lets nothing through for so long.
    pub fn cut(&self, time: Duration) {
        self.store().cut_until = Some(Instant::now() + time);
    }

    /// From now on it accepts every write, whatever is there already.
    pub fn ignore_conditions(&self) {
        self.store().overwrites = true;
    }

    /// Removes a record, as a lifecycle rule does.
    pub fn lose(&self, number: u64) {
        self.store().records.remove(&number);
    }

    /// The numbers of its records, and what each is for.
    pub fn numbers(&self) -> Vec<(u64, String)> {
        let store = self.store();
        let name = |text: &[u8]| {
            let header = Header::decode(&place(), text).ok()?;
            serde_json::to_value(header.kind)
                .ok()?
                .as_str()
                .map(str::to_owned)
        };
        let named = store.records.iter();
        named
            .map(|(number, kept)| (*number, name(&kept.text).unwrap_or_default()))
            .collect()
    }

    /// Its records as they are stored, in order.
    pub fn texts(&self) -> Vec<Vec<u8>> {
        let store = self.store();
        store
            .records
            .values()
            .map(|kept| kept.text.clone())
            .collect()
    }

    /// All of them, in order.
    #[cfg(test)]
    pub(crate) fn records(&self) -> Vec<Record> {
        let store = self.store();
        let decode = |kept: &Kept| Record::decode(&place(), &kept.text).expect("written by us");
        store.records.values().map(decode).collect()
    }

    /// How many requests it got.
    pub fn requests(&self) -> u64 {
        self.store().requests
    }

    fn store(&self) -> MutexGuard<'_, Shared> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Half the time on the way, and what is to become of the request.
    async fn travel(&self) -> Fate {
        let (fate, way) = {
            let mut store = self.store();
            store.requests += 1;
            if self.is_fair {
                return Fate::Done;
            }
            let fate = if self.is_cut_off() {
                Fate::NeverArrives
            } else {
                store.fate()
            };
            let most = u64::try_from(store.weather.latency.as_millis()).unwrap_or(u64::MAX);
            (fate, Duration::from_millis(store.random.below(most.max(1))))
        };
        sleep(way).await;
        fate
    }

    fn put(&self, record: &Record) -> Created {
        let mut store = self.store();
        let number = record.header.number;
        if store.records.contains_key(&number) && !store.overwrites {
            return Created::Taken;
        }
        let kept = Kept {
            text: record.encode(),
            at: Instant::now(),
        };
        store.records.insert(number, kept);
        Created::Now
    }

    /// Answers a question, if it and its answer get through.
    async fn asked<T>(
        &self,
        answer: impl FnOnce(&mut Shared) -> T + Send,
    ) -> Result<T, StateError> {
        match self.travel().await {
            Fate::NeverArrives | Fate::AnswerLost => Err(no_answer("reading")),
            Fate::Done | Fate::Late(_) | Fate::Doubled => Ok(answer(&mut self.store())),
        }
    }
}

impl Shared {
    fn fate(&mut self) -> Fate {
        if self.cut_until.is_some_and(|until| Instant::now() < until) {
            return Fate::NeverArrives;
        }
        let Weather {
            lost_requests,
            lost_replies,
            late,
            doubled,
            stale: _,
            latency: _,
        } = self.weather;
        let roll = u32::try_from(self.random.below(100)).unwrap_or(0);
        let within = |from: u32, share: u32| (from..from + share).contains(&roll);
        if within(0, lost_requests) {
            Fate::NeverArrives
        } else if within(lost_requests, lost_replies) {
            Fate::AnswerLost
        } else if within(lost_requests + lost_replies, late) {
            Fate::Late(Duration::from_millis(self.random.below(120_000)))
        } else if within(lost_requests + lost_replies + late, doubled) {
            Fate::Doubled
        } else {
            Fate::Done
        }
    }

    /// The newest record that is seen.
    fn newest(&mut self, is_fair: bool) -> Option<Vec<u8>> {
        let stale = !is_fair && self.random.below(100) < u64::from(self.weather.stale);
        let back = if stale {
            1 + usize::try_from(self.random.below(3)).unwrap_or(0)
        } else {
            0
        };
        let seen = self
            .records
            .values()
            .rev()
            .nth(back)
            .or(self.records.values().next());
        seen.map(|kept| kept.text.clone())
    }
}

impl Log for MemoryLog {
    fn place(&self) -> Place {
        place()
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>> {
        async {
            let newest = self.asked(|store| store.newest(self.is_fair)).await?;
            newest
                .map(|text| Header::decode(&place(), &text))
                .transpose()
        }
        .boxed()
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>> {
        async {
            let texts = self
                .asked(|store| {
                    let newest = store.newest(self.is_fair)?;
                    let head = Header::decode(&place(), &newest).ok()?;
                    let range = head.since.max(1)..=head.number;
                    let texts = store
                        .records
                        .range(range)
                        .map(|(_, kept)| kept.text.clone());
                    Some(texts.collect::<Vec<_>>())
                })
                .await?;
            let records = texts.unwrap_or_default();
            let records = records.iter().map(|text| Record::decode(&place(), text));
            Contents::fold(&place(), records.collect::<Result<Vec<_>, _>>()?)
        }
        .boxed()
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>> {
        async {
            let texts = self.asked(|store| {
                let texts = store.records.values().rev();
                texts.map(|kept| kept.text.clone()).collect::<Vec<_>>()
            });
            let records = texts.await?;
            let records = records.iter().map(|text| Record::decode(&place(), text));
            let records = records.collect::<Result<Vec<_>, _>>()?.into_iter();
            let snapshots = records.filter(|record| record.header.kind == Kind::Snapshot);
            let parts = snapshots.map(|Record { header, payload }| (header, payload));
            Ok(parts.take(KEPT).collect())
        }
        .boxed()
    }

    fn record(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>> {
        async move {
            let text = self.asked(|store| Some(store.records.get(&number)?.text.clone()));
            let text = text.await?;
            text.map(|text| Record::decode(&place(), &text)).transpose()
        }
        .boxed()
    }

    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>> {
        async {
            match self.travel().await {
                Fate::Done => Ok(self.put(record)),
                Fate::Doubled => {
                    self.put(record);
                    Ok(self.put(record))
                }
                Fate::NeverArrives => Err(NotCreated::Unclear(no_answer("writing"))),
                Fate::AnswerLost => {
                    self.put(record);
                    Err(NotCreated::Unclear(no_answer("writing")))
                }
                Fate::Late(delay) => {
                    let (log, record) = (self.clone(), record.clone());
                    drop(tokio::spawn(async move {
                        sleep(delay).await;
                        log.put(&record);
                    }));
                    Err(NotCreated::Unclear(no_answer("writing")))
                }
            }
        }
        .boxed()
    }

    fn prune<'a>(&'a self, head: &'a Header) -> BoxFuture<'a, Result<(), StateError>> {
        async {
            self.asked(|store| {
                let is_snapshot = |kept: &Kept| {
                    Header::decode(&place(), &kept.text)
                        .is_ok_and(|header| header.kind == Kind::Snapshot)
                };
                let snapshots = store
                    .records
                    .iter()
                    .rev()
                    .filter(|(_, kept)| is_snapshot(kept));
                let kept: Vec<u64> = snapshots.take(KEPT).map(|(number, _)| *number).collect();
                let now = Instant::now();
                store.records.retain(|number, record| {
                    *number >= head.since
                        || kept.contains(number)
                        || now.duration_since(record.at) < Duration::from_secs(3600)
                });
            })
            .await
        }
        .boxed()
    }
}

fn place() -> Place {
    Place::new("memory://state")
}

fn no_answer(doing: &'static str) -> StateError {
    StateError::Remote {
        doing,
        place: place(),
        problem: "no answer".into(),
        advice: "Try again.".into(),
        passing: true,
    }
}
