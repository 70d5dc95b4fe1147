//! A state in a bucket of an object store: Amazon S3 and what speaks its protocol, and Tencent COS.
//!
//! # Layout
//!
//! Each record is one object, `<key>/<countdown>-<number>`, where the countdown is `u64::MAX - number` in 20 digits.
//! Stores list in ascending order, so the newest record is the first one, and one request for a list of one object
//! finds it, however many there are. Everything else has a name that follows from a number: only removing old records
//! lists more. Other objects below the key are left alone, and a folder's marker (`<key>/`) is skipped.
//!
//! # The condition
//!
//! A record is created by a PUT with `If-None-Match: *`, on COS with `x-cos-forbid-overwrite: true`; the header is
//! signed. The second PUT for a name is refused, with 412 or (COS) 409. COS ignores the header in a bucket that has or
//! had versioning, so the first write of a run asks for that (`GET ?versioning`) and refuses such a bucket.
//!
//! A run that slept until its next number was used and removed by others could create it again. So a PUT that follows
//! a long silence, by the store's clock, looks afterwards whether newer records are there.
//!
//! A PUT is never sent twice from here. Only reads are, with a back-off. Requests to COS are signed with AWS's
//! Signature Version 4, which COS accepts with a `SecretId`, a `SecretKey` and `x-amz-security-token` (by its
//! documentation of S3 compatibility; not tried against the real service).

mod address;
mod credentials;
mod kept;
mod problem;
mod prune;
mod send;
mod signature;
mod xml;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use self::address::{Address, CORRECT, Dialect};
use self::credentials::Keys;
use self::problem::{Action, Said};
use self::send::{Answer, NoAnswer, Request, Sender};
use self::signature::{encode_path, query};
use self::xml::{Leaves, Page};
use crate::client::ExtraRoots;
use crate::client::credentials::Machine;
use crate::client::retry::delay;
use crate::sign::Credential;
use crate::state::log::{
    Beginning, Contents, Created, Header, LONGEST_HEADER, Log, NotCreated, Record, Timing,
};
use crate::state::{Place, StateError};

/// What `cli` passes in.
#[derive(Debug)]
pub(crate) struct Options {
    /// `s3://…` or `cos://…`.
    pub(crate) address: String,
    /// Where credentials are looked for; its variables also have region and endpoint.
    pub(crate) machine: Machine,
    pub(crate) extra_roots: Option<ExtraRoots>,
}

/// Requests under way at once.
const PARALLEL: usize = 8;
/// How often one request of a read is sent. The engine repeats the read.
const TRIES: u32 = 2;
/// How often a record may vanish between its list and its read.
const VANISHED: u32 = 3;
/// A list or an error is shorter.
const LARGEST_ANSWER: usize = 4 << 20;
/// A record is shorter: a snapshot of a million callbacks.
const LARGEST_RECORD: usize = 1 << 30;
/// More records between two snapshots are no run's.
const LONGEST_RUN: u64 = 1_000_000;
/// The most objects that a list has.
const PAGE: usize = 1000;

/// A state in a bucket.
struct Objects {
    address: Address,
    sender: Sender,
    /// Whether a COS bucket was seen to have no versioning.
    is_unversioned: OnceCell<()>,
    /// When the end of the log was last seen, by the store's clock in seconds; 0 before that.
    seen_at: AtomicI64,
}

/// Checks an address that the user gave.
///
/// # Errors
/// What is wrong with it, and what to write instead. Never with a password in it.
pub(crate) fn check(address: &str) -> Result<(), String> {
    Address::parse(address).map(drop)
}

/// Opens a state in a bucket. Sends nothing yet.
///
/// # Errors
/// The address is invalid, or leaves something open that the environment does not say.
pub(crate) fn open(options: Options) -> Result<Arc<dyn Log>, StateError> {
    Ok(Arc::new(Objects::new(options)?))
}

impl Objects {
    fn new(options: Options) -> Result<Self, StateError> {
        let Options {
            address: text,
            machine,
            extra_roots,
        } = options;
        let wrong = |place: Place, problem: String, advice: &str| StateError::Remote {
            doing: "opening",
            place,
            problem,
            advice: advice.into(),
            passing: false,
        };
        let address = Address::parse(&text).map_err(|problem| {
            let form = "Write s3://bucket/key?region=… or cos://bucket-appid/key?region=….";
            wrong(without_user(&text), problem, form)
        })?;
        let settings = credentials::settings(&machine, address.dialect);
        let (endpoint, region) =
            settings.map_err(|problem| wrong(address.place(), problem, CORRECT))?;
        let target = address.target(endpoint.as_deref(), region.as_deref());
        let target = target.map_err(|(problem, advice)| wrong(address.place(), problem, advice))?;
        let clock = Arc::clone(&machine.clock);
        let keys = match address.dialect {
            Dialect::S3 => Keys::aws(machine, target.region.clone(), extra_roots.clone()),
            Dialect::Cos => Keys::tencent(machine),
        };
        Ok(Self {
            sender: Sender::new(target, keys, clock, extra_roots),
            address,
            is_unversioned: OnceCell::new(),
            seen_at: AtomicI64::new(0),
        })
    }

    /// The key of the object with this record.
    fn name(&self, number: u64) -> String {
        format!("{}/{:020}-{number}", self.address.key, u64::MAX - number)
    }

    /// The number of the record in this object, if it is one.
    fn number(&self, name: &str) -> Option<u64> {
        let (_, number) = name.rsplit_once('-')?;
        let number = number.parse().ok()?;
        (self.name(number) == name).then_some(number)
    }

    fn request(&self, method: Method, number: u64) -> Request {
        Request {
            method,
            path: format!("/{}", encode_path(&self.name(number))),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            largest: LARGEST_ANSWER,
        }
    }

    /// A request about the bucket itself.
    fn of_bucket(&self, query: String) -> Request {
        // `/bucket`, or the root of the bucket's host.
        let path = if self.sender.target.prefix.is_empty() {
            "/"
        } else {
            ""
        };
        Request {
            method: Method::GET,
            path: path.to_owned(),
            query,
            headers: Vec::new(),
            body: Vec::new(),
            largest: LARGEST_ANSWER,
        }
    }

    fn refused(&self, action: Action, credential: &Credential, said: &Said) -> StateError {
        problem::refused(action, &self.address, &self.sender.target, credential, said)
    }

    fn unanswered(&self, action: Action, why: &NoAnswer) -> StateError {
        problem::unanswered(action, &self.address, &self.sender.target, why)
    }

    fn not_a_store(&self, action: Action, what: &str) -> StateError {
        problem::not_a_store(action, &self.address, &self.sender.target, what)
    }

    /// Sends a request that changes nothing, again where another answer can be expected. `None` when there is no
    /// such object.
    async fn ask(&self, action: Action, request: &Request) -> Result<Option<Answer>, StateError> {
        let mut tries = 1;
        loop {
            let error = match self.sender.send(request).await {
                Ok((answer, _)) if matches!(answer.status, 200 | 206) => return Ok(Some(answer)),
                Ok((answer, credential)) => {
                    let said = Said::of(&answer, &credential);
                    if said.status == 404 && said.code == "NoSuchKey" && action == Action::Get {
                        return Ok(None);
                    }
                    let error = self.refused(action, &credential, &said);
                    if said.is_expired() {
                        self.sender.credentials.refuse(&credential);
                    } else if !said.may_pass() {
                        return Err(error);
                    }
                    error
                }
                Err(why) => {
                    let error = self.unanswered(action, &why);
                    if !why.may_pass() {
                        return Err(error);
                    }
                    error
                }
            };
            if tries == TRIES {
                return Err(error);
            }
            sleep(delay(tries, 1.0)).await;
            tries += 1;
        }
    }

    /// The objects after this one, and the store's clock.
    async fn list(&self, after: &str, most: usize) -> Result<(Page, Answer), StateError> {
        let prefix = format!("{}/", self.address.key);
        let most = most.to_string();
        let request = self.of_bucket(query(&[
            ("prefix", &prefix),
            ("marker", after),
            ("max-keys", &most),
        ]));
        let answer = self.ask(Action::List, &request).await?;
        let page = answer.and_then(|answer| Some((Leaves::read(&answer.body)?.page()?, answer)));
        let not_a_list = || self.not_a_store(Action::List, "is not a list of objects");
        let (page, answer) = page.ok_or_else(not_a_list)?;
        // Whatever ignores the order or the beginning would hide the newest record.
        let mut last = after;
        for object in &page.objects {
            if object.key.as_str() <= last || !object.key.starts_with(&prefix) {
                return Err(self.not_a_store(Action::List, "is a list in the wrong order"));
            }
            last = &object.key;
        }
        if page.is_truncated && page.objects.is_empty() {
            return Err(not_a_list());
        }
        Ok((page, answer))
    }

    /// The number of the newest record.
    async fn newest(&self) -> Result<Option<u64>, StateError> {
        // After the marker of a folder, before every digit.
        let mut after = format!("{}/0", self.address.key);
        let mut most = 1;
        loop {
            let (page, answer) = self.list(&after, most).await?;
            self.seen(&answer);
            let found = page
                .objects
                .iter()
                .find_map(|object| self.number(&object.key));
            let last = page.objects.last();
            match (found, last) {
                (Some(number), _) => return Ok(Some(number)),
                (None, Some(last)) if page.is_truncated => after.clone_from(&last.key),
                (None, _) => return Ok(None),
            }
            most = PAGE;
        }
    }

    /// The beginning of a record, or all of it when it is short. `None` when there is none.
    async fn beginning(&self, number: u64) -> Result<Option<(Header, Vec<u8>)>, StateError> {
        let mut request = self.request(Method::GET, number);
        request
            .headers
            .push(("range", format!("bytes=0-{}", LONGEST_HEADER - 1)));
        // Some gateways ignore a range.
        request.largest = LARGEST_RECORD;
        let Some(answer) = self.ask(Action::Get, &request).await? else {
            return Ok(None);
        };
        let header = Header::decode(&self.place(), &answer.body)?;
        self.check_number(&header, number)?;
        Ok(Some((header, answer.body)))
    }

    async fn record_of(&self, number: u64) -> Result<Option<Record>, StateError> {
        let mut request = self.request(Method::GET, number);
        request.largest = LARGEST_RECORD;
        let Some(answer) = self.ask(Action::Get, &request).await? else {
            return Ok(None);
        };
        let record = Record::decode(&self.place(), &answer.body)?;
        self.check_number(&record.header, number)?;
        Ok(Some(record))
    }

    fn check_number(&self, header: &Header, number: u64) -> Result<(), StateError> {
        if header.number == number {
            return Ok(());
        }
        Err(StateError::Damaged {
            place: self.place(),
            problem: format!("the object of record {number} has record {}", header.number),
        })
    }

    /// The newest record, as far as [`Self::beginning`] reads it.
    async fn newest_record(&self) -> Result<Option<(Header, Vec<u8>)>, StateError> {
        for _ in 0..VANISHED {
            let Some(number) = self.newest().await? else {
                return Ok(None);
            };
            if let Some(found) = self.beginning(number).await? {
                return Ok(Some(found));
            }
        }
        Err(StateError::Damaged {
            place: self.place(),
            problem: "its newest record is listed and can't be read".into(),
        })
    }

    async fn contents(&self) -> Result<Option<Contents>, StateError> {
        let place = self.place();
        let mut rest = VANISHED;
        loop {
            let Some((head, body)) = self.newest_record().await? else {
                return Ok(None);
            };
            let from = head.since.max(1);
            if head.number.saturating_sub(from) > LONGEST_RUN {
                return Err(StateError::Damaged {
                    place,
                    problem: format!("its record {} continues one as old as {from}", head.number),
                });
            }
            let before = stream::iter(from..head.number)
                .map(|number| self.record_of(number))
                .buffered(PARALLEL)
                .try_collect::<Vec<_>>()
                .await?;
            let newest = match Record::decode(&place, &body) {
                Ok(record) => Some(record),
                Err(_) => self.record_of(head.number).await?,
            };
            let records = before.into_iter().chain([newest]).collect();
            rest -= 1;
            // A gap may come from a run that wrote a snapshot and removed what was before it.
            if let Some(records) = whole(records, rest == 0) {
                return Contents::fold(&place, records);
            }
        }
    }

    /// Makes sure that the condition of a write is not void.
    async fn check_versioning(&self) -> Result<(), StateError> {
        if self.address.dialect != Dialect::Cos {
            return Ok(());
        }
        let check = async || {
            let request = self.of_bucket(query(&[("versioning", "")]));
            let answer = self.ask(Action::Versioning, &request).await?;
            let leaves = answer.and_then(|answer| Leaves::read(&answer.body));
            let status = leaves.as_ref().and_then(Leaves::versioning);
            match status {
                Some("") => Ok(()),
                Some(status) => Err(problem::versioned(&self.address, status)),
                None => Err(self.not_a_store(
                    Action::Versioning,
                    "does not tell the versioning of the bucket",
                )),
            }
        };
        self.is_unversioned.get_or_try_init(check).await.copied()
    }

    async fn put(&self, record: &Record) -> Result<Created, NotCreated> {
        self.check_versioning().await.map_err(NotCreated::Refused)?;
        let mut request = self.request(Method::PUT, record.header.number);
        request.headers.push(match self.address.dialect {
            Dialect::S3 => ("if-none-match", "*".to_owned()),
            Dialect::Cos => ("x-cos-forbid-overwrite", "true".to_owned()),
        });
        request.body = record.encode();
        let (answer, credential) = match self.sender.send(&request).await {
            Ok(answered) => answered,
            // Without a connection nothing was written; but the store may be back in a moment, and the caller, who
            // looks before it tries again, waits for that only when the outcome is open.
            Err(why @ (NoAnswer::Unsent(_) | NoAnswer::Lost(_) | NoAnswer::TooLarge)) => {
                return Err(NotCreated::Unclear(self.unanswered(Action::Put, &why)));
            }
            Err(why @ (NoAnswer::Credentials(_) | NoAnswer::Unusable(_))) => {
                return Err(NotCreated::Refused(self.unanswered(Action::Put, &why)));
            }
        };
        if matches!(answer.status, 200 | 201 | 204) {
            if answer.etag.is_some() {
                return self.created(record, &answer).await;
            }
            // The page of a proxy, for example. The record may be there all the same.
            let what = "says that the record is written, but has no ETag: it is not the store's";
            return Err(NotCreated::Unclear(self.not_a_store(Action::Put, what)));
        }
        let said = Said::of(&answer, &credential);
        let is_taken = match self.address.dialect {
            Dialect::S3 => said.status == 412,
            Dialect::Cos => {
                said.status == 412 || (said.status == 409 && said.code.contains("AlreadyExist"))
            }
        };
        if is_taken {
            return Ok(Created::Taken);
        }
        let error = self.refused(Action::Put, &credential, &said);
        if said.is_expired() {
            self.sender.credentials.refuse(&credential);
            return Err(NotCreated::Unclear(error));
        }
        let is_open = said.status == 409 || said.code == "RequestTimeout" || said.may_pass();
        Err(if is_open {
            NotCreated::Unclear(error)
        } else {
            NotCreated::Refused(error)
        })
    }
}

/// All records, if none is missing; what there is of them at the last try.
fn whole(records: Vec<Option<Record>>, is_last: bool) -> Option<Vec<Record>> {
    let is_whole = records.iter().all(Option::is_some);
    (is_whole || is_last).then(|| records.into_iter().flatten().collect())
}

/// An address that can't be read, without what is before an `@` and after a `?`: either may be a secret.
fn without_user(text: &str) -> Place {
    let text = text.split('?').next().unwrap_or_default();
    let shown = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        (None, Some((_, rest))) => rest.to_owned(),
        (_, None) => text.to_owned(),
    };
    Place::new(shown)
}

impl Log for Objects {
    fn place(&self) -> Place {
        self.address.place()
    }

    fn timing(&self) -> Timing {
        Timing {
            // With a poll in between, a dead holder is taken over within 120 s.
            lease: Duration::from_secs(110),
            poll: Duration::from_secs(5),
            watch: Some(Duration::from_secs(4)),
            patience: Duration::from_secs(60),
        }
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>> {
        async { Ok(self.newest_record().await?.map(|(header, _)| header)) }.boxed()
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>> {
        self.contents().boxed()
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>> {
        self.kept().boxed()
    }

    fn record(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>> {
        self.record_of(number).boxed()
    }

    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>> {
        self.put(record).boxed()
    }

    fn prune<'a>(&'a self, head: &'a Header) -> BoxFuture<'a, Result<(), StateError>> {
        self.remove_old(head).boxed()
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
