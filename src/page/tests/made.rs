//! A page with everything on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::Severity;
use crate::model::{
    AccountName, Action, Address, AppId, Belief, CallbackUrl, Destination, Entry, Environment,
    Fingerprint, Fingerprints, Handle, Identity, Lineage, OperatorId, OrganizationId, Proof,
    Recorded, RequestId, Salt, Scope, SignedWrite, Suspension, Tally, Timestamp, Write,
};
use crate::page::{Keeping, Next, Page, Problem, Run, RunEnd};
use crate::plan::{
    After, Before, Change, Deletion, OrganizationPlan, Plan, Reason, Steps, Summary, Tripped,
};
use crate::state::LockOwner;

/// 2026-11-23T12:00:00Z
pub(super) const NOW: Timestamp = Timestamp(1_795_435_200);

const DAY: i64 = 86_400;

/// As the controller of `conf` says it.
pub(super) const KEEPING: Keeping<'static> = Keeping {
    configuration: "conf",
    knows_environment: true,
    last_round: Some(NOW),
    behind: None,
    next: Next::Round,
};

/// Everything that a page borrows.
#[derive(Clone)]
pub(super) struct World {
    pub(super) place: String,
    pub(super) recorded: Recorded,
    pub(super) plan: Plan,
    pub(super) problems: Vec<Problem>,
    pub(super) runs: Vec<Run>,
    pub(super) lease: LockOwner,
    pub(super) seen: BTreeMap<Identity, Timestamp>,
    pub(super) descriptions: BTreeMap<Identity, Arc<str>>,
}

impl World {
    /// What the state alone tells.
    pub(super) fn bare(&self) -> Page<'_> {
        Page::of(&self.recorded, &self.place, NOW)
    }

    pub(super) fn page(&self) -> Page<'_> {
        Page {
            plan: Some(&self.plan),
            keeping: Some(KEEPING),
            problems: &self.problems,
            runs: Some(&self.runs),
            lease: Some(&self.lease),
            seen: Some(&self.seen),
            descriptions: Some(&self.descriptions),
            ..self.bare()
        }
    }

    /// The same with this text wherever text comes from elsewhere.
    pub(super) fn of(text: &str) -> Self {
        Self::named(text, text)
    }

    /// The same, with `name` wherever a name or an id is expected.
    pub(super) fn named(name: &str, text: &str) -> Self {
        let scope = Arc::new(Scope {
            environment: Environment::Production,
            account: AccountName::new(name),
            organization: Some(OrganizationId::new(name)),
            app_id: Some(AppId::new(name)),
        });
        let url = CallbackUrl::new(text);
        let identity = || Identity {
            scope: Arc::clone(&scope),
            url: url.clone(),
        };
        let mut recorded = Recorded::nothing(Environment::Production);
        let open = SignedWrite {
            write: Write::Delete,
            signed_at: NOW.plus(-60),
        };
        let mut entry = entry(name, Belief::assumed(secrets(1)).or_after(open.write));
        entry.operator = OperatorId::new(name);
        entry.lost = Some(open);
        recorded.insert(identity(), entry);
        recorded.suspension = Some(Suspension {
            reason: text.to_owned(),
            until: NOW.plus(60),
        });
        let mut plan = plan(vec![organization(
            &scope,
            name,
            vec![change(name, text, Action::Replace, Reason::Requested)],
        )]);
        plan.tripped = vec![Tripped::Protected {
            address: Address {
                handle: Handle::new(name),
                url: url.clone(),
            },
        }];
        Self {
            place: text.to_owned(),
            recorded,
            plan,
            problems: vec![Problem {
                severity: Severity::Error,
                headline: text.to_owned(),
                details: vec![text.to_owned()],
                remedy: Some(text.to_owned()),
            }],
            runs: vec![Run {
                why: Some(text.to_owned()),
                end: RunEnd::Failed(text.to_owned()),
                ..run(0)
            }],
            lease: LockOwner {
                id: name.to_owned(),
                who: name.to_owned(),
                host: name.to_owned(),
                pid: 1,
                command: name.to_owned(),
                since: NOW,
                job_url: Some(text.to_owned()),
            },
            seen: BTreeMap::from([(identity(), NOW)]),
            descriptions: BTreeMap::from([(identity(), text.into())]),
        }
    }

    /// As it may be in a bad week.
    pub(super) fn eventful() -> Self {
        let (acme, beta) = (scope("yDacme"), scope("yDbeta"));
        let mut recorded = Recorded::nothing(Environment::Production);
        recorded.serial = 412;
        recorded.lineage = Some(Lineage(uuid::Uuid::from_u128(7)));
        recorded.destination = Some(Destination::Esign);
        recorded.suspension = Some(Suspension {
            reason: "the receivers are being moved".to_owned(),
            until: NOW.plus(7_200),
        });
        let mut add = |scope: &Arc<Scope>, url: &str, entry: Entry| {
            let identity = Identity {
                scope: Arc::clone(scope),
                url: CallbackUrl::new(url),
            };
            recorded.insert(identity, entry);
        };
        for (number, age) in [0, 1, 3, 12, 40].into_iter().enumerate() {
            let mut entry = entry("acme", Belief::proven(secrets(1)));
            entry.proof = Some(proof(age * DAY + 60));
            entry.protect = number == 0;
            add(
                &acme,
                &format!("https://hooks.acme.example/esign/{number}"),
                entry,
            );
        }
        let assumed = entry("beta-trade", Belief::assumed(secrets(2)));
        add(&beta, "https://cb.beta.example/esign", assumed);
        let lost = SignedWrite {
            write: Write::Delete,
            signed_at: NOW.plus(-60),
        };
        let mut open = entry(
            "beta-trade",
            Belief::proven(secrets(2)).or_after(lost.write),
        );
        open.lost = Some(lost);
        open.proof = Some(proof(3 * DAY));
        add(
            &beta,
            "https://old.beta.example/esign?token=abcdef0123456789",
            open,
        );
        add(
            &beta,
            "https://gone.beta.example/esign",
            entry("beta-trade", Belief::ABSENT),
        );
        let changes = vec![
            change(
                "acme",
                "https://hooks.acme.example/esign/9",
                Action::Add,
                Reason::NotRecorded,
            ),
            change(
                "acme",
                "https://hooks.acme.example/esign/4",
                Action::Delete,
                Reason::NotDeclared,
            ),
        ];
        let mut plan = plan(vec![organization(&acme, "acme", changes)]);
        plan.summary.not_checked = 4;
        let seen = |url: &str, age: i64| {
            let url = CallbackUrl::new(url);
            (
                Identity {
                    scope: Arc::clone(&acme),
                    url,
                },
                NOW.plus(-age),
            )
        };
        Self {
            place: "s3://esign-state/production".to_owned(),
            plan,
            problems: vec![Problem {
                severity: Severity::Warning,
                headline: "eSign refuses the calls of the organization `beta-trade`".to_owned(),
                details: Vec::new(),
                remedy: Some("Give the operator the role of an administrator.".to_owned()),
            }],
            runs: (0..60).map(run).collect(),
            lease: LockOwner {
                id: "9f1c".to_owned(),
                who: "deploy".to_owned(),
                host: "ci-7".to_owned(),
                pid: 4211,
                command: "apply".to_owned(),
                since: NOW.plus(-42),
                job_url: Some("https://ci.example/jobs/8812".to_owned()),
            },
            seen: BTreeMap::from([seen("https://hooks.acme.example/esign/1", 300)]),
            descriptions: BTreeMap::from([(
                seen("https://hooks.acme.example/esign/2", 0).0,
                "合同回调, legal".into(),
            )]),
            recorded,
        }
    }

    /// Lets a guard refuse the plan.
    pub(super) fn refuse(&mut self) {
        self.plan.summary.deletes_by_omission = 1;
        self.plan.tripped = vec![Tripped::LastOfOrganization {
            handle: Handle::new("acme"),
            deletes: 1,
        }];
    }

    /// The same once everything is done.
    pub(super) fn settled() -> Self {
        let mut world = Self::eventful();
        let beta = scope("yDbeta");
        world.recorded.scopes.remove(&*beta);
        world.recorded.suspension = None;
        world.plan = plan(Vec::new());
        world.problems.clear();
        world.runs.truncate(3);
        world
    }
}

fn scope(organization: &str) -> Arc<Scope> {
    Arc::new(Scope {
        environment: Environment::Production,
        account: AccountName::default_account(),
        organization: Some(OrganizationId::new(organization)),
        app_id: None,
    })
}

fn secrets(byte: u8) -> Fingerprints {
    Fingerprints {
        key: Some(Fingerprint([byte; 16])),
        token: Some(Fingerprint([0xa0 + byte; 16])),
    }
}

fn proof(age: i64) -> Proof {
    Proof {
        at: NOW.plus(-age),
        request_id: RequestId::new("s1775c-0001"),
    }
}

fn entry(handle: &str, belief: Belief) -> Entry {
    let operator = OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8");
    let mut entry = Entry::untouched(Handle::new(handle), operator, false);
    entry.belief = belief;
    entry
}

fn change(handle: &str, url: &str, action: Action, reason: Reason) -> Change {
    let after = After {
        key: None,
        token: None,
        same: None,
        fingerprints: None,
        protect: false,
    };
    Change {
        address: Address {
            handle: Handle::new(handle),
            url: CallbackUrl::new(url),
        },
        operator: OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
        action,
        steps: match action {
            Action::Add => Steps::Add(after),
            Action::Delete => Steps::Delete(Deletion::Omitted),
            Action::Replace => Steps::Replace(after),
            Action::NoOp | Action::Heal | Action::Finish => Steps::Nothing(None),
        },
        reason,
        fence: None,
        before: Some(Before {
            belief: Belief::proven(secrets(1)),
            protect: false,
            proved_at: None,
            missing: None,
        }),
    }
}

fn organization(scope: &Arc<Scope>, handle: &str, changes: Vec<Change>) -> OrganizationPlan {
    OrganizationPlan {
        handle: Handle::new(handle),
        scope: Arc::clone(scope),
        successor: None,
        left: false,
        suspended: false,
        changes,
    }
}

fn plan(organizations: Vec<OrganizationPlan>) -> Plan {
    let changes = || organizations.iter().flat_map(|one| &one.changes);
    let effect = |of: fn(&Change) -> usize| changes().map(of).sum();
    let summary = Summary {
        calls: changes().map(|change| change.calls().count()).sum(),
        to_add: effect(|change| change.calls().effect(change.action).added),
        to_destroy: effect(|change| change.calls().effect(change.action).destroyed),
        ..Summary::default()
    };
    Plan {
        environment: Environment::Production,
        destination: Destination::Esign,
        lineage: None,
        serial: 412,
        salt: Salt([5; 16]),
        accounts: BTreeMap::new(),
        secrets: Vec::new(),
        checks: BTreeMap::new(),
        organizations,
        sources: Vec::new(),
        moves: Vec::new(),
        bookkeeping: Vec::new(),
        summary,
        tripped: Vec::new(),
    }
}

fn run(number: usize) -> Run {
    let calls = if number.is_multiple_of(9) {
        40 + number
    } else {
        number % 4
    };
    let since_the_newest = i64::try_from(60 - number).unwrap_or(0);
    Run {
        began: NOW.plus(-300 * since_the_newest),
        elapsed_ms: 800 + 350 * calls as u64,
        why: Some(if number.is_multiple_of(9) {
            "the configuration changed".to_owned()
        } else {
            "the interval is over".to_owned()
        }),
        end: match number % 20 {
            7 => RunEnd::Failed("the state's store does not answer".to_owned()),
            13 => RunEnd::Incomplete,
            _ => RunEnd::Complete,
        },
        tally: Tally {
            added: calls / 2,
            failed: usize::from(number % 20 == 13),
            ..Tally::default()
        },
        calls,
        throttled: calls / 12,
    }
}
