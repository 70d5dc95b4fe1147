//! A small world to apply plans in: a fake eSign, a disk in memory, paused time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ess_callbacks::apply::{Lanes, Settings, Sink, WallClock};
use ess_callbacks::client::Rate;
use ess_callbacks::config::{Source, parse};
use ess_callbacks::model::{
    AccountName, Desired, Destination, Environment, Event, Lineage, Recorded, Report, Salt, Scope,
    SecretIndex, Timestamp,
};
use ess_callbacks::plan::{FingerprintTable, Options, Plan, Secrets, plan};
use ess_callbacks::run::{Caller, Connection, Ended, Owners, Request, Start, run, signers};
use ess_callbacks::secret::{Fingerprinter, Secret, SecretReference};
use ess_callbacks::state::{LockOwner, StateError, Store};
use ess_callbacks::testing::MemoryFiles;
use ess_callbacks::testing::esign::FakeApi;
use tokio::sync::watch;

pub(crate) const START: Timestamp = Timestamp(1_800_000_000);
const SALT: Salt = Salt([3; 16]);

/// Our clock, which may be off.
#[derive(Debug)]
pub(crate) struct Wall {
    begun: tokio::time::Instant,
    offset: i64,
}

impl WallClock for Wall {
    fn now(&self) -> Timestamp {
        START.plus(self.offset + i64::try_from(self.begun.elapsed().as_secs()).unwrap())
    }
}

/// Whether the user presses Ctrl-C at this event.
type StopAt = fn(&Event) -> bool;

/// Keeps every event, and may ask to stop at one.
struct Scenario<'w> {
    world: &'w World,
    desired: &'w Desired,
    options: &'w Options,
    seen: Vec<Event>,
    stop: watch::Sender<bool>,
    stop_at: Option<StopAt>,
}

impl Sink for Scenario<'_> {
    fn event(&mut self, event: Event) {
        if self.stop_at.is_some_and(|stops| stops(&event)) {
            self.stop.send_replace(true);
        }
        self.seen.push(event);
    }
}

impl Caller for Scenario<'_> {
    type Api = FakeApi;
    type Wall = Wall;
    type Error = StateError;

    fn plan(&mut self, recorded: &Recorded) -> Result<Plan, StateError> {
        Ok(planned(self.desired, recorded, self.options))
    }

    async fn connect(&mut self, plan: &Plan) -> Result<Connection<FakeApi>, StateError> {
        Ok(Connection {
            api: self.world.api.clone(),
            signers: signers(plan, plan.accounts.keys().map(|name| (name, name.as_str()))),
            unidentified: BTreeSet::new(),
            secrets: values(self.desired),
        })
    }

    async fn owners(&mut self, _plan: &Plan) -> Owners {
        Owners::new()
    }

    async fn approve(
        &mut self,
        _plan: &Plan,
        _unproven: &[AccountName],
    ) -> Result<bool, StateError> {
        Ok(true)
    }

    fn start(&mut self, _plan: &Plan) -> Result<Start, StateError> {
        Ok(Start {
            settings: self.world.settings.clone(),
            lineage: Lineage(uuid::Uuid::from_u128(7)),
        })
    }
}

pub(crate) struct World {
    pub(crate) api: FakeApi,
    pub(crate) files: MemoryFiles,
    pub(crate) settings: Settings,
    pub(crate) rate: Rate,
    pub(crate) events: Mutex<Vec<Event>>,
    wall: Wall,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            api: FakeApi::new(START),
            files: MemoryFiles::new(1),
            settings: Settings::default(),
            rate: Rate::ESIGN,
            events: Mutex::default(),
            wall: Wall {
                begun: tokio::time::Instant::now(),
                offset: 0,
            },
        }
    }

    pub(crate) fn with_api(mut self, change: impl FnOnce(FakeApi) -> FakeApi) -> Self {
        self.api = change(self.api);
        self
    }

    /// Our clock is ahead of eSign's by so many seconds.
    pub(crate) fn with_clock_ahead(mut self, seconds: i64) -> Self {
        self.wall.offset = seconds;
        self
    }

    pub(crate) fn store(&self) -> Store {
        Store::in_files(self.files.clone(), "/state/callbacks.state.json")
    }

    pub(crate) async fn recorded(&self) -> Recorded {
        self.store().read(Environment::Test).await.unwrap()
    }

    pub(crate) async fn plan(&self, desired: &Desired, options: &Options) -> Plan {
        planned(desired, &self.recorded().await, options)
    }

    /// Plans and applies.
    pub(crate) async fn apply(&self, desired: &Desired, options: &Options) -> Report {
        self.apply_until(desired, options, None).await
    }

    /// The same, asking to stop at the first event of a kind.
    pub(crate) async fn apply_until(
        &self,
        desired: &Desired,
        options: &Options,
        stop_at: Option<StopAt>,
    ) -> Report {
        let lanes = &mut Lanes::default();
        self.apply_in(lanes, desired, options, stop_at).await
    }

    /// The same, in a process that has these lanes.
    pub(crate) async fn apply_in(
        &self,
        lanes: &mut Lanes,
        desired: &Desired,
        options: &Options,
        stop_at: Option<StopAt>,
    ) -> Report {
        let owner = LockOwner {
            id: "1".to_owned(),
            who: "test".to_owned(),
            host: "here".to_owned(),
            pid: 1,
            command: "apply".to_owned(),
            since: START,
            job_url: None,
        };
        let stop = watch::Sender::new(false);
        let request = Request {
            environment: Environment::Test,
            destination: &Destination::Esign,
            owner: &owner,
            lock_timeout: Duration::ZERO,
            expected_digest: None,
            rate: self.rate,
            wall: &self.wall,
            stop: &stop.subscribe(),
        };
        let mut scenario = Scenario {
            world: self,
            desired,
            options,
            seen: Vec::new(),
            stop: stop.clone(),
            stop_at,
        };
        let ended = run(&self.store(), &request, lanes, &mut scenario).await;
        self.events.lock().unwrap().append(&mut scenario.seen);
        match ended.unwrap() {
            Ended::Called { report, .. } => report,
            Ended::NothingToCall(_) => Report::default(),
            Ended::Refused(plan, why) => panic!("{why:?}: {:?}", plan.tripped),
            Ended::Interrupted => panic!("it was asked to stop too early"),
            Ended::Elsewhere(there) => panic!("the state is of {there}"),
        }
    }

    /// Applying is done: planning again changes nothing, and eSign holds exactly this.
    #[track_caller]
    pub(crate) fn holds(&self, expected: &[&str]) {
        let held: Vec<String> = self
            .api
            .identities()
            .iter()
            .map(|(_, url)| url.to_string())
            .collect();
        assert_eq!(held, expected);
    }

    pub(crate) async fn assert_settled(&self, desired: &Desired) {
        let again = self.plan(desired, &Options::default()).await;
        assert!(
            again.is_empty(),
            "{:?}",
            again.changes().collect::<Vec<_>>()
        );
    }
}

fn planned(desired: &Desired, recorded: &Recorded, options: &Options) -> Plan {
    let table = table(desired);
    plan(
        desired,
        recorded,
        Secrets {
            salt: SALT,
            fingerprints: Some(&table),
        },
        options,
    )
}

/// A secret's value is 32 characters made of its variable's name.
fn values(desired: &Desired) -> BTreeMap<SecretIndex, Secret> {
    let value = |reference: &SecretReference| match reference {
        SecretReference::Env(name) => {
            Secret::new(name.chars().cycle().take(32).collect::<String>())
        }
        SecretReference::File(_) | SecretReference::Command(_) => unreachable!("tests use env"),
    };
    (0..)
        .map(SecretIndex)
        .zip(
            desired
                .secrets
                .iter()
                .map(|secret| value(&secret.reference)),
        )
        .collect()
}

fn table(desired: &Desired) -> FingerprintTable {
    let values = values(desired);
    let callbacks = desired
        .organizations
        .iter()
        .flat_map(|organization| &organization.callbacks);
    let pairs: BTreeSet<_> = callbacks
        .map(|callback| (callback.key, callback.token))
        .collect();
    let value = |index: Option<SecretIndex>| index.and_then(|index| values.get(&index));
    let made = |(key, token)| Fingerprinter::new(SALT).fingerprints(value(key), value(token));
    pairs.into_iter().map(|pair| (pair, made(pair))).collect()
}

/// The configuration with these organizations, in short: `acme: [/a KEY_A, /b]` a line, `-` before a
/// URL that shall be absent.
pub(crate) fn desired(lines: &str) -> Desired {
    let mut yaml = String::from(
        "version: 1\nenvironment: test\ndefaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }\n\
         accounts: { default: {}, partner: { env: { secret_id: A, secret_key: B } } }\norganizations:\n",
    );
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        yaml.push_str(&organization(line));
    }
    let source = Source {
        name: Arc::from("callbacks.yaml"),
        text: yaml.clone().into_bytes(),
    };
    parse(&[source])
        .unwrap_or_else(|problems| panic!("{problems:#?}\n{yaml}"))
        .desired
}

fn organization(line: &str) -> String {
    let (handle, urls) = line.split_once(':').unwrap();
    let account = if handle.starts_with("partner") {
        "partner"
    } else {
        "default"
    };
    let urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
    let (absent, declared): (Vec<_>, Vec<_>) = urls.partition(|url| url.starts_with('-'));
    let declare = |url: &&str| {
        let (path, key) = url.split_once(' ').unwrap_or((url, "KEY"));
        format!("{{ url: \"https://{handle}.example{path}\", key: {{ env: {key} }} }}")
    };
    let declared: Vec<String> = declared.iter().map(declare).collect();
    let absent: Vec<String> = absent
        .iter()
        .map(|url| format!("\"https://{handle}.example{}\"", &url[1..]))
        .collect();
    format!(
        "  {handle}: {{ account: {account}, proxy_organization_id: id-{handle}, callbacks: [{}], absent: [{}] }}\n",
        declared.join(", "),
        absent.join(", ")
    )
}

/// The scope of an organization made by [`desired`].
pub(crate) fn scope(desired: &Desired, handle: &str) -> Arc<Scope> {
    let organization = desired
        .organizations
        .iter()
        .find(|organization| organization.handle.as_str() == handle)
        .unwrap();
    Arc::clone(&organization.scope)
}
