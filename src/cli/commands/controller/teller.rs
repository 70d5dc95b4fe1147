//! Tells people, in chats, what the board says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;

use super::Args;
use super::advice::in_chinese;
use super::delivered;
use super::drifted::Drifted;
use super::messenger::{Messenger, Place};
use super::problems::UNREADABLE;
use super::shared;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::cli::random::random;
use crate::cli::secrets::given::read;
use crate::cli::terminal::log::Log;
use crate::controller::{Board, Problem, WhyWaits};
use crate::model::{Address, Recorded};
use crate::notify::{
    Condition, Given, Kind, Lang, Link, Memory, Notifier, Options, Severity, Target, Wording,
    with_the_same_url,
};

/// Where notices go, and what was told.
#[derive(Debug)]
pub(super) struct Teller {
    memory: Memory,
    notifier: Option<(Notifier, Messenger)>,
    lang: Lang,
    /// Where this replica has the configuration.
    config: PathBuf,
    drifted: Drifted,
}

/// Reads the targets of `--notify`, if there are any.
pub(super) fn notifier(args: &Args, locations: &Locations) -> Result<Option<Notifier>, Failure> {
    let flag = "--notify";
    let link = args.status_url.as_deref().map(|url| {
        Link::parse(url).ok_or_else(|| {
            Failure::usage(
                "--status-url: not an https or http URL, without user, password and credentials",
            )
            .advice("Give the address at which people open the status page.")
        })
    });
    let link = link.transpose()?;
    let mut targets = Vec::new();
    for text in &args.notify {
        let Given {
            service,
            url,
            secret,
        } = Given::parse(text).map_err(|why| Failure::usage(format!("{flag}: {why}")))?;
        let url = read(flag, &url)?;
        let secret = secret.map(|secret| read(flag, &secret)).transpose()?;
        let target = Target::parse(service, &url, secret.as_ref());
        targets.push(target.map_err(|why| Failure::error(format!("{flag}: {why}")))?);
    }
    if targets.is_empty() {
        return Ok(None);
    }
    if let Some((one, other)) = with_the_same_url(&targets) {
        return Err(Failure::usage(format!(
            "{flag}: `{one}` and `{other}` have the same URL, so each message would be sent there twice"
        ))
        .advice("Leave one of them out."));
    }
    let options = Options {
        wording: Wording {
            lang: Lang::of(&args.lang),
            name: Some(locations.config.display().to_string()),
            link,
        },
        clock: Arc::new(|| SystemClock.now()),
        seed: u64::from_be_bytes(random()?),
        extra_roots: locations.extra_roots()?,
    };
    let started = Notifier::start(targets, &options);
    started
        .map(Some)
        .map_err(|error| Failure::error(format!("{flag}: {error}")))
}

impl Teller {
    /// Tells through these targets what no other replica tells.
    pub(super) fn new(
        notifier: Option<Notifier>,
        (lang, config): (&str, &Path),
        place: Place,
    ) -> Self {
        let notifier = notifier.map(|notifier| {
            let messenger = Messenger::start(place, notifier.outlet());
            (notifier, messenger)
        });
        Self {
            memory: Memory::default(),
            notifier,
            lang: Lang::of(lang),
            config: config.to_owned(),
            drifted: Drifted::default(),
        }
    }

    /// A run made calls, and found these callbacks otherwise than recorded.
    pub(super) fn ran(&mut self, drifted: Vec<Address>) {
        if self.notifier.is_some() {
            self.drifted.found(drifted, SystemClock.now());
        }
    }

    /// A round has read the state, which says what others have told.
    pub(super) fn hear(&mut self, recorded: &Recorded) {
        self.memory.hear(&recorded.told, SystemClock.now());
        if let Some((_, messenger)) = &self.notifier {
            messenger.hear(recorded);
        }
    }

    /// Tells what is new, and the board what became of the messages. Never waits.
    pub(super) fn tell(&mut self, board: &Board, log: &Log) {
        self.tell_all(board, log, false);
    }

    fn tell_all(&mut self, board: &Board, log: &Log, ends: bool) {
        let Some((notifier, messenger)) = &self.notifier else {
            return;
        };
        let status = board.status();
        let events = board.take_events().into_iter().map(|event| {
            let mut one = Condition::new(Kind::EsignEvent, event.id, Severity::Notice);
            one.lines = vec![format!("{}: {}", event.kind, event.meaning)];
            one
        });
        let waits = status.waiting.as_ref();
        let mut conditions: Vec<_> = status
            .problems
            .iter()
            .map(|problem| condition(problem, waits.map(|waiting| waiting.why), &self.config))
            .chain(events)
            .collect();
        if let Some(waiting) = waits
            && let Some(one) = conditions
                .iter_mut()
                .find(|one| matches!(one.key.kind, Kind::PlanRefused | Kind::PlanWaiting))
        {
            one.version = Some(waiting.digest.clone());
        }
        if let Some(suspension) = &status.suspended {
            let mut one = Condition::new(Kind::Suspended, "", Severity::Notice);
            one.lines = vec![format!("until {}: {}", suspension.until, suspension.reason)];
            conditions.push(one);
        }
        conditions.extend(self.drifted.due(SystemClock.now(), ends));
        if self.lang == Lang::Zh {
            for line in conditions.iter_mut().flat_map(|one| &mut one.lines) {
                *line = in_chinese(line);
            }
        }
        messenger.tell(self.memory.observe(&conditions, SystemClock.now()));
        let deliveries = notifier.deliveries();
        let now = SystemClock.now();
        for (number, target) in deliveries.iter().enumerate() {
            for line in delivered::news(status.notifications.get(number), target, now) {
                log.say(format_args!("{line}"));
            }
        }
        board.update(|status| status.notifications = deliveries);
    }

    /// Tells what has happened since, and waits for messages that are under way, at most until then.
    pub(super) async fn finish(mut self, (board, log): (&Board, &Log), until: Instant) {
        // What is taken from eSign after this could not be told.
        board.close();
        self.tell_all(board, log, true);
        if let Some((notifier, messenger)) = self.notifier {
            messenger.finish(notifier, until).await;
        }
    }
}

fn condition(problem: &Problem, waits: Option<WhyWaits>, config: &Path) -> Condition {
    let Problem {
        key,
        since: _,
        message,
        details,
        advice,
        version,
    } = problem;
    let (kind, about, severity) = match key.split_once(' ') {
        Some(("file", file)) => (
            Kind::ConfigurationBroken,
            shared::name(file, config),
            Severity::Error,
        ),
        Some(("secrets", file)) => (
            Kind::SecretsUnreadable,
            shared::name(file, config),
            Severity::Error,
        ),
        _ if key == "configuration" => (Kind::ConfigurationBroken, "", Severity::Error),
        _ if key == "waiting" && waits == Some(WhyWaits::Policy) => {
            (Kind::PlanWaiting, "", Severity::Notice)
        }
        _ if key == "waiting" => (Kind::PlanRefused, "", Severity::Error),
        _ if key == UNREADABLE => (Kind::StateUnreadable, "", Severity::Error),
        _ if key == "behind" => (Kind::ReplicaBehind, "", Severity::Error),
        // What failed is in its words.
        _ if key == "round" => (Kind::RunFailed, "", Severity::Error),
        _ if key == "missing" => (Kind::CallbackMissing, "", Severity::Warning),
        _ => (Kind::RunFailed, key.as_str(), Severity::Error),
    };
    let mut condition = Condition::new(kind, about, severity);
    condition.lines.push(message.clone());
    let more = details.iter().chain(advice);
    condition.lines.extend(more.map(|line| format!("  {line}")));
    condition.version = match version {
        Some(version) => Some(version.clone()),
        None => shared::version(&condition.lines, config),
    };
    condition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn problem(key: &str) -> Problem {
        Problem {
            key: key.to_owned(),
            since: Timestamp(0),
            message: "no answer from /srv/a/conf/hr.yaml".to_owned(),
            details: Vec::new(),
            advice: None,
            version: None,
        }
    }

    #[test]
    fn it_has_changed_when_its_version_has_whatever_the_folder_is() {
        let here = Path::new("/srv/a/conf");
        let of = |problem: &Problem| condition(problem, None, here).version;
        let version = Some("no answer from conf/hr.yaml".to_owned());
        assert_eq!(of(&problem("round")), version);
        let calls = Problem {
            version: Some("1".to_owned()),
            ..problem("calls")
        };
        assert_eq!(of(&calls).as_deref(), Some("1"));
    }

    #[test]
    fn a_title_says_what_is_wrong_and_not_only_where() {
        let of = |key: &str| {
            let condition = condition(&problem(key), None, Path::new("/srv/a/conf"));
            condition.key.to_string()
        };
        for (key, expected) in [
            ("behind", "replica-behind"),
            (UNREADABLE, "state-unreadable"),
            ("round", "run-failed"),
            ("calls", "run-failed calls"),
            (
                "file /srv/a/conf/hr.yaml",
                "configuration-broken conf/hr.yaml",
            ),
        ] {
            assert_eq!(of(key), expected);
        }
    }
}
