//! Guards, targets, heals and order by example; the laws are in `laws`.

mod given_twins;
mod heal_only;
mod laws;
mod owners;
mod rotation;
mod saved;
mod twins;
mod updates;

use super::*;
use crate::diag::Place;
use crate::model::{
    AccountSource, Action, Adoption, Belief, Callback, CallbackUrl, DeclaredSecret, Desired, Entry,
    Fingerprint, Fingerprints, Intent, OperatorId, Organization, OrganizationId, Outcome, Presence,
    Presumed, Proof, Recorded, RequestId, SignedWrite, Write,
};

const OPERATOR: &str = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8";
const SALT: Salt = Salt([7; 16]);

fn scope(organization: &str) -> Arc<Scope> {
    Arc::new(Scope {
        environment: Environment::Test,
        account: AccountName::default_account(),
        organization: Some(OrganizationId::new(organization)),
        app_id: None,
    })
}

fn url(number: usize) -> CallbackUrl {
    CallbackUrl::new(format!("https://hooks.example/{number}"))
}

fn value(number: u8) -> Fingerprints {
    Fingerprints {
        key: (number > 0).then_some(Fingerprint([number; 16])),
        token: None,
    }
}

/// Secret number n has the value whose fingerprint is n + 1.
fn table() -> FingerprintTable {
    (0..3)
        .map(|n: u8| ((Some(SecretIndex(u32::from(n))), None), value(n + 1)))
        .collect()
}

fn callback(number: usize, secret: u8) -> Callback {
    Callback {
        enabled: true,
        url: url(number),
        key: secret.checked_sub(1).map(|n| SecretIndex(u32::from(n))),
        token: None,
        protect: false,
        description: None,
        place: Place::default(),
    }
}

fn organization(handle: &str, callbacks: Vec<Callback>, absent: Vec<CallbackUrl>) -> Organization {
    Organization {
        handle: Handle::new(handle),
        scope: scope(handle),
        operator: OperatorId::new(OPERATOR),
        adoption: Adoption::Keep,
        suspend: false,
        callbacks,
        absent,
        place: Place::default(),
    }
}

fn desired(organizations: Vec<Organization>) -> Desired {
    let secret = |n: u32| DeclaredSecret {
        accepted: Vec::new(),
        reference: SecretReference::Env(format!("SECRET_{n}")),
        place: Place::default(),
    };
    Desired {
        environment: Environment::Test,
        accounts: BTreeMap::from([(
            AccountName::default_account(),
            Account::of(AccountSource::Default {}),
        )]),
        organizations,
        secrets: (0..3).map(secret).collect(),
    }
}

fn entry(handle: &str, belief: Belief) -> Entry {
    let mut entry = Entry::untouched(Handle::new(handle), OperatorId::new(OPERATOR), false);
    entry.belief = belief;
    entry
}

fn recorded(entries: impl IntoIterator<Item = (&'static str, usize, Entry)>) -> Recorded {
    let mut recorded = Recorded::nothing(Environment::Test);
    for (handle, number, entry) in entries {
        recorded.insert(
            Identity {
                scope: scope(handle),
                url: url(number),
            },
            entry,
        );
    }
    recorded
}

fn planned(desired: &Desired, recorded: &Recorded, options: &Options) -> Plan {
    let table = table();
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

fn five_of_acme() -> Recorded {
    recorded((0..5).map(|n| ("acme", n, entry("acme", Belief::proven(value(1))))))
}

fn acme_with(numbers: impl IntoIterator<Item = usize>) -> Desired {
    let callbacks = numbers.into_iter().map(|n| callback(n, 1)).collect();
    desired(vec![organization("acme", callbacks, vec![])])
}

#[test]
fn one_of_five_passes_the_guards() {
    assert_eq!(
        planned(&acme_with(0..4), &five_of_acme(), &Options::default()).tripped,
        []
    );
}

#[test]
fn two_of_five_trip_a_guard_that_the_exact_number_lifts() {
    let (desired, recorded) = (acme_with(0..3), five_of_acme());
    let with = |allow_deletes| Options {
        allow_deletes,
        ..Options::default()
    };
    let acme = Tripped::MostOfOrganization {
        handle: Handle::new("acme"),
        deletes: 2,
        recorded: 5,
    };
    assert_eq!(
        planned(&desired, &recorded, &with(None)).tripped,
        std::slice::from_ref(&acme)
    );
    assert_eq!(planned(&desired, &recorded, &with(Some(2))).tripped, []);
    let wrong = Tripped::WrongAllowance {
        allowed: 3,
        deletes: 2,
    };
    assert_eq!(
        planned(&desired, &recorded, &with(Some(3))).tripped,
        [acme, wrong]
    );
}

#[test]
fn an_organizations_last_callback_is_guarded_unless_another_takes_its_place() {
    let recorded = recorded([("acme", 0, entry("acme", Belief::proven(value(1))))]);
    let last = Tripped::LastOfOrganization {
        handle: Handle::new("acme"),
        deletes: 1,
    };
    assert_eq!(
        planned(&acme_with([]), &recorded, &Options::default()).tripped,
        std::slice::from_ref(&last)
    );
    assert_eq!(
        planned(&desired(vec![]), &recorded, &Options::default()).tripped,
        [last]
    );
    assert_eq!(
        planned(&acme_with([1]), &recorded, &Options::default()).tripped,
        []
    );
}

#[test]
fn more_than_ten_and_thirty_percent_of_all_are_guarded() {
    static HANDLES: [&str; 30] = [
        "o00", "o01", "o02", "o03", "o04", "o05", "o06", "o07", "o08", "o09", "o10", "o11", "o12",
        "o13", "o14", "o15", "o16", "o17", "o18", "o19", "o20", "o21", "o22", "o23", "o24", "o25",
        "o26", "o27", "o28", "o29",
    ];
    let all = HANDLES.iter().flat_map(|h| [(*h, 0), (*h, 1)]);
    let recorded = recorded(all.map(|(h, n)| (h, n, entry(h, Belief::proven(value(1))))));
    let keep = |dropping: usize| {
        let each = HANDLES.iter().enumerate().map(|(at, handle)| {
            let callbacks = if at < dropping {
                vec![callback(0, 1)]
            } else {
                vec![callback(0, 1), callback(1, 1)]
            };
            organization(handle, callbacks, vec![])
        });
        desired(each.collect())
    };
    assert_eq!(
        planned(&keep(18), &recorded, &Options::default()).tripped,
        []
    );
    let all = Tripped::MostOfAll {
        deletes: 19,
        recorded: 60,
    };
    assert_eq!(
        planned(&keep(19), &recorded, &Options::default()).tripped,
        [all]
    );
}

#[test]
fn what_absent_lists_passes_the_guards_but_not_when_protected() {
    let mut protected = entry("acme", Belief::proven(value(1)));
    protected.protect = true;
    let recorded = recorded([
        ("acme", 0, entry("acme", Belief::proven(value(1)))),
        ("acme", 1, protected),
    ]);
    let listing = |urls: Vec<_>| desired(vec![organization("acme", vec![], urls)]);
    let options = Options {
        allow_deletes: Some(1),
        ..Options::default()
    };
    let tripped = planned(&listing(vec![url(0), url(1)]), &recorded, &options).tripped;
    let address = Address {
        handle: Handle::new("acme"),
        url: url(1),
    };
    assert_eq!(
        tripped,
        [Tripped::Protected {
            address: address.clone()
        }]
    );
    assert_eq!(
        planned(
            &desired(vec![]),
            &recorded,
            &Options {
                allow_deletes: Some(2),
                ..Options::default()
            }
        )
        .tripped,
        [Tripped::Protected { address }]
    );
}

#[test]
fn replaces_are_no_deletes() {
    let callbacks = (0..5).map(|n| callback(n, 2)).collect();
    let plan = planned(
        &desired(vec![organization("acme", callbacks, vec![])]),
        &five_of_acme(),
        &Options::default(),
    );
    assert_eq!((plan.summary.replace, plan.tripped), (5, vec![]));
}

#[test]
fn destroy_deletes_everything_recorded_and_is_guarded() {
    let options = Options {
        destroy: true,
        ..Options::default()
    };
    // The sixth is declared, but nothing is recorded of it.
    let plan = planned(&acme_with(0..6), &five_of_acme(), &options);
    assert_eq!((plan.summary.delete, plan.summary.add), (5, 0));
    assert_eq!(
        plan.tripped,
        [Tripped::LastOfOrganization {
            handle: Handle::new("acme"),
            deletes: 5
        }]
    );
}

/// Found by the simulation: the delete of a URL that was never ours could hit someone else's.
#[test]
fn destroy_leaves_alone_what_is_declared_but_was_never_recorded() {
    let options = Options {
        destroy: true,
        ..Options::default()
    };
    let acme = organization(
        "acme",
        (0..7).map(|n| callback(n, 1)).collect(),
        vec![url(8)],
    );
    let plan = planned(&desired(vec![acme]), &five_of_acme(), &options);
    assert_eq!((plan.summary.delete, plan.summary.calls), (5, 5));
}

/// Found by the simulation: only the recorded protection counted.
#[test]
fn destroy_respects_a_protection_that_is_only_declared() {
    let options = Options {
        destroy: true,
        allow_deletes: Some(5),
        ..Options::default()
    };
    let mut desired = acme_with(0..5);
    desired.organizations[0].callbacks[3].protect = true;
    let plan = planned(&desired, &five_of_acme(), &options);
    assert!(matches!(
        &*plan.tripped,
        [Tripped::Protected { address }] if address.url == url(3)
    ));
}

#[test]
fn a_suspended_organization_is_left_alone() {
    let mut suspended = organization("acme", vec![callback(9, 1)], vec![]);
    suspended.suspend = true;
    let plan = planned(
        &desired(vec![suspended]),
        &five_of_acme(),
        &Options::default(),
    );
    assert!(plan.is_empty());
    assert_eq!((plan.summary.suspended, plan.tripped), (6, vec![]));
}

#[test]
fn a_callback_that_is_not_enabled_is_left_alone() {
    let off = |number| Callback {
        enabled: false,
        ..callback(number, 1)
    };
    let acme = organization("acme", vec![off(0), callback(1, 1), off(9)], vec![]);
    let options = Options {
        allow_deletes: Some(3),
        ..Options::default()
    };
    let plan = planned(&desired(vec![acme]), &five_of_acme(), &options);
    let called: Vec<_> = plan
        .changes()
        .filter(|change| change.calls() != Calls::Nothing)
        .map(|change| change.reason)
        .collect();
    assert_eq!(called, [Reason::NotDeclared; 3]);
    assert_eq!((plan.summary.disabled, plan.summary.unchanged), (2, 1));
}

#[test]
fn targets_leave_all_else_alone() {
    let options = Options {
        targets: vec![Pattern::parse("acme/https://hooks.example/9").unwrap()],
        ..Options::default()
    };
    let plan = planned(&acme_with([9]), &five_of_acme(), &options);
    assert_eq!(
        (
            plan.summary.add,
            plan.summary.delete,
            plan.changes().count()
        ),
        (1, 0, 1)
    );
}

#[test]
fn heals_are_oldest_first_and_bounded() {
    let proved = |at: i64| {
        let mut entry = entry("acme", Belief::proven(value(1)));
        entry.proof = Some(Proof {
            at: Timestamp(at),
            request_id: RequestId::new("r"),
        });
        entry
    };
    let recorded = recorded([
        ("acme", 0, proved(300)),
        ("acme", 1, proved(100)),
        ("acme", 2, proved(200)),
        ("acme", 3, proved(900)),
    ]);
    let heal = Heal {
        proved_before: Some(Timestamp(500)),
        proved_by: None,
        max_calls: Some(2),
        only: false,
    };
    let options = Options {
        heal: Some(heal),
        ..Options::default()
    };
    let plan = planned(&acme_with(0..4), &recorded, &options);
    let healed: Vec<_> = plan
        .changes()
        .map(|change| change.address.url.as_str().to_owned())
        .collect();
    assert_eq!(
        healed,
        ["https://hooks.example/1", "https://hooks.example/2"]
    );
    assert_eq!(
        (
            plan.summary.heal,
            plan.summary.heal_deferred,
            plan.summary.to_change
        ),
        (2, 1, 2)
    );
}

#[test]
fn adds_come_before_replaces_and_deletes_last() {
    let recorded = recorded([
        ("acme", 0, entry("acme", Belief::proven(value(1)))),
        ("acme", 1, entry("acme", Belief::proven(value(1)))),
        ("acme", 2, entry("acme", Belief::proven(value(1)))),
        ("acme", 3, entry("acme", Belief::proven(value(1)))),
    ]);
    let callbacks = vec![
        callback(1, 2),
        callback(2, 1),
        callback(3, 1),
        callback(9, 1),
    ];
    let plan = planned(
        &desired(vec![organization("acme", callbacks, vec![])]),
        &recorded,
        &Options::default(),
    );
    let actions: Vec<_> = plan.changes().map(|change| change.action).collect();
    assert_eq!(actions, [Action::Add, Action::Replace, Action::Delete]);
}
