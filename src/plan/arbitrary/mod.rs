//! Strategies for arbitrary plans, for the property tests of everything that shows or stores them.
//!
//! They are wider than what planning makes: any text in any name, any belief beside any action.
//! What they keep is what the types' documentation promises: scopes are distinct, and secret
//! indices point at secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

mod accounts;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use self::accounts::{account, source};
use super::{
    After, Before, Bookkeeping, Change, Deletion, Destination, Details, Move, OrganizationPlan,
    Plan, Reason, Same, SourceChange, Steps, Summary, Tripped,
};
use crate::model::{
    Account, AccountName, Action, Address, AppId, Belief, CallbackUrl, Calls, Environment,
    Fingerprint, Fingerprints, Handle, Identity, Lineage, OperatorId, OrganizationId, Presumed,
    Salt, Scope, SecretIndex, SignedWrite, Timestamp, Write, any_sighting,
};
use crate::secret::{Check, SecretReference};

/// Text as hostile as it comes: quotes, control characters, East Asian characters, nothing.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{1,8}",
        1 => "https://[a-z]{1,8}\\.example/[a-z/]{0,8}",
        1 => "[ \"\\\\/\u{1b}\r\n\t\u{202e}\u{7f}\u{85}中文é]{0,6}",
        1 => any::<String>(),
    ]
}

pub(crate) fn fingerprints() -> impl Strategy<Value = Fingerprints> {
    let one = || proptest::option::of(any::<[u8; 16]>().prop_map(Fingerprint));
    (one(), one()).prop_map(|(key, token)| Fingerprints { key, token })
}

fn destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        4 => Just(Destination::Esign),
        1 => Just(Destination::Sandbox),
        1 => "https://[a-z]{1,8}\\.example/".prop_map(Destination::Endpoint),
    ]
}

/// Between 1970 and 2243.
pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0_i64..1 << 33).prop_map(Timestamp)
}

pub(crate) fn belief() -> impl Strategy<Value = Belief> {
    prop_oneof![
        Just(Belief::ABSENT),
        Just(Belief::ANYTHING),
        fingerprints().prop_map(Belief::proven),
        fingerprints().prop_map(Belief::assumed),
        (fingerprints(), any::<bool>()).prop_map(|(fingerprints, exact)| {
            Belief::unknown(Presumed {
                fingerprints,
                exact,
            })
        }),
    ]
}

pub(crate) fn lost_call() -> impl Strategy<Value = SignedWrite> {
    let write = prop_oneof![Just(Write::Delete), fingerprints().prop_map(Write::Add)];
    (write, timestamp()).prop_map(|(write, signed_at)| SignedWrite { write, signed_at })
}

fn environment() -> impl Strategy<Value = Environment> {
    prop_oneof![Just(Environment::Production), Just(Environment::Test)]
}

pub(crate) fn scope() -> impl Strategy<Value = Scope> {
    (
        environment(),
        text(),
        proptest::option::of(text()),
        proptest::option::of(text()),
    )
        .prop_map(|(environment, account, organization, app_id)| Scope {
            environment,
            account: AccountName::new(account),
            organization: organization.map(OrganizationId::new),
            app_id: app_id.map(AppId::new),
        })
}

pub(crate) fn address() -> impl Strategy<Value = Address> {
    (text(), text()).prop_map(|(handle, url)| Address {
        handle: Handle::new(handle),
        url: CallbackUrl::new(url),
    })
}

/// An action, and the calls it may make.
fn action() -> impl Strategy<Value = (Action, Calls)> {
    let action = proptest::sample::select(vec![
        Action::NoOp,
        Action::Add,
        Action::Delete,
        Action::Replace,
        Action::Heal,
        Action::Finish,
    ]);
    let calls = proptest::sample::select(vec![
        Calls::Nothing,
        Calls::Add,
        Calls::Delete,
        Calls::Replace,
    ]);
    (action, calls).prop_filter("they belong together", |(action, calls)| {
        action.may_make(*calls)
    })
}

fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        (any::<bool>(), any::<bool>())
            .prop_map(|(key, token)| Reason::SecretChanged { key, token }),
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(account, organization, app)| {
            Reason::ScopeChanged {
                account,
                organization,
                app,
            }
        }),
        proptest::sample::select(vec![
            Reason::NotRecorded,
            Reason::ProvenAbsent,
            Reason::Adoption,
            Reason::Requested,
            Reason::HealDue,
            Reason::NotDeclared,
            Reason::OrganizationNotDeclared,
            Reason::ListedAbsent,
            Reason::Destroy,
            Reason::OpenAdd,
            Reason::OpenAddOfAnotherValue,
            Reason::OpenDelete,
            Reason::Unchanged,
            Reason::Unproven,
            Reason::Missing,
            Reason::NotChecked,
            Reason::Suspended,
            Reason::Disabled,
            Reason::RotationEnds,
            Reason::RotationKept,
            Reason::RotationWaits,
        ]),
    ]
}

fn before() -> impl Strategy<Value = Before> {
    let proved_at = proptest::option::of(timestamp());
    (belief(), any::<bool>(), proved_at, any_sighting()).prop_map(
        |(belief, protect, proved_at, sighting)| Before {
            belief,
            protect,
            proved_at,
            missing: sighting.missing,
        },
    )
}

fn after(secrets: u32) -> impl Strategy<Value = After> {
    let index = || proptest::option::of((0..secrets).prop_map(SecretIndex));
    (
        index(),
        index(),
        proptest::option::of((any::<bool>(), any::<bool>())),
        any::<bool>(),
    )
        .prop_map(|(key, token, same, protect)| After {
            key,
            token,
            same: same.map(|(key, token)| Same { key, token }),
            fingerprints: None,
            protect,
        })
}

fn change(secrets: u32) -> impl Strategy<Value = Change> {
    (
        (address(), text(), action()),
        (
            reason(),
            proptest::option::of(lost_call()),
            proptest::option::of(before()),
            (any::<bool>(), after(secrets)),
        ),
    )
        .prop_map(
            |((address, operator, (action, calls)), (reason, fence, before, (declared, after)))| {
                let deletion = if reason == Reason::ListedAbsent {
                    Deletion::Listed
                } else if reason == Reason::RotationEnds {
                    Deletion::Twin
                } else {
                    Deletion::Omitted
                };
                Change {
                    address,
                    operator: OperatorId::new(operator),
                    action,
                    steps: match calls {
                        Calls::Nothing => Steps::Nothing(declared.then_some(after)),
                        Calls::Add => Steps::Add(after),
                        Calls::Replace => Steps::Replace(after),
                        Calls::Delete => Steps::Delete(deletion),
                    },
                    reason,
                    fence,
                    before,
                }
            },
        )
}

fn reference() -> impl Strategy<Value = SecretReference> {
    prop_oneof![
        text().prop_map(SecretReference::Env),
        text().prop_map(SecretReference::File),
        vec(text(), 0..3).prop_map(SecretReference::Command),
    ]
}

fn source_change() -> impl Strategy<Value = SourceChange> {
    (text(), source(), source()).prop_map(|(account, before, after)| SourceChange {
        account: AccountName::new(account),
        before,
        after,
    })
}

fn moves() -> impl Strategy<Value = Move> {
    (text(), scope(), scope(), 0_usize..100, any::<bool>()).prop_map(
        |(handle, from, to, callbacks, renamed)| Move {
            handle: Handle::new(handle),
            from: Arc::new(from),
            to: Arc::new(to),
            callbacks,
            renamed,
        },
    )
}

fn bookkeeping() -> impl Strategy<Value = Bookkeeping> {
    let identity = || {
        (scope(), text()).prop_map(|(scope, url)| Identity {
            scope: Arc::new(scope),
            url: CallbackUrl::new(url),
        })
    };
    prop_oneof![
        identity().prop_map(Bookkeeping::Forget),
        (identity(), details(), details()).prop_map(|(identity, before, after)| {
            Bookkeeping::Refresh {
                identity,
                before,
                after,
            }
        }),
    ]
}

fn details() -> impl Strategy<Value = Details> {
    (text(), text(), any::<bool>()).prop_map(|(handle, operator, protect)| Details {
        handle: Handle::new(handle),
        operator: OperatorId::new(operator),
        protect,
    })
}

fn tripped() -> impl Strategy<Value = Tripped> {
    let count = || 0_usize..100;
    prop_oneof![
        (text(), count(), count()).prop_map(|(handle, deletes, recorded)| {
            Tripped::MostOfOrganization {
                handle: Handle::new(handle),
                deletes,
                recorded,
            }
        }),
        (text(), count()).prop_map(|(handle, deletes)| Tripped::LastOfOrganization {
            handle: Handle::new(handle),
            deletes,
        }),
        (count(), count()).prop_map(|(deletes, recorded)| Tripped::MostOfAll { deletes, recorded }),
        address().prop_map(|address| Tripped::Protected { address }),
        (text(), text(), text(), count()).prop_map(|(handle, account, other, callbacks)| {
            Tripped::PerhapsShared {
                handle: Handle::new(handle),
                account: AccountName::new(account),
                other: AccountName::new(other),
                callbacks,
            }
        }),
        (count(), count())
            .prop_map(|(allowed, deletes)| Tripped::WrongAllowance { allowed, deletes }),
    ]
}

fn summary() -> impl Strategy<Value = Summary> {
    (vec(0_usize..1000, 18), proptest::option::of(timestamp())).prop_map(|(n, oldest_proof)| {
        Summary {
            add: n[0],
            replace: n[1],
            delete: n[2],
            heal: n[3],
            finish: n[4],
            unchanged: n[5],
            unproven: n[6],
            unknown: n[7],
            not_checked: n[8],
            suspended: n[9],
            heal_deferred: n[10],
            left_for_apply: 0,
            waiting: 0,
            oldest_proof,
            missing: n[17],
            calls: n[11],
            to_add: n[12],
            to_change: n[13],
            to_destroy: n[14],
            deletes_by_omission: n[15],
            disabled: n[16],
        }
    })
}

fn organizations(secrets: u32) -> impl Strategy<Value = Vec<OrganizationPlan>> {
    btree_map(
        scope(),
        (
            text(),
            proptest::option::of(scope()),
            any::<bool>(),
            vec(change(secrets), 0..4),
        ),
        0..4,
    )
    .prop_map(|organizations| {
        organizations
            .into_iter()
            .map(|(scope, (handle, successor, suspended, mut changes))| {
                changes.sort_by(|one, other| one.address.url.cmp(&other.address.url));
                changes.dedup_by(|one, other| one.address.url == other.address.url);
                OrganizationPlan {
                    handle: Handle::new(handle),
                    scope: Arc::new(scope),
                    successor: successor.map(Arc::new),
                    left: changes
                        .iter()
                        .any(|change| change.reason == Reason::OrganizationNotDeclared),
                    suspended,
                    changes,
                }
            })
            .collect()
    })
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    vec(reference(), 1..4)
        .prop_flat_map(|secrets| {
            let count = u32::try_from(secrets.len()).expect("there are at most three");
            (Just(secrets), organizations(count))
        })
        .prop_flat_map(|(secrets, organizations)| {
            (
                (
                    environment(),
                    destination(),
                    proptest::option::of(any::<u128>()),
                    any::<u64>(),
                    any::<[u8; 16]>(),
                ),
                btree_map(text().prop_map(AccountName::new), account(), 0..3),
                (Just(secrets), Just(organizations)),
                (
                    vec(source_change(), 0..3),
                    vec(moves(), 0..3),
                    vec(bookkeeping(), 0..3),
                    summary(),
                    vec(tripped(), 0..4),
                ),
            )
        })
        .prop_map(assemble)
}

type Parts = (
    (Environment, Destination, Option<u128>, u64, [u8; 16]),
    BTreeMap<AccountName, Account>,
    (Vec<SecretReference>, Vec<OrganizationPlan>),
    (
        Vec<SourceChange>,
        Vec<Move>,
        Vec<Bookkeeping>,
        Summary,
        Vec<Tripped>,
    ),
);

fn assemble(parts: Parts) -> Plan {
    let (
        (environment, destination, lineage, serial, salt),
        accounts,
        (secrets, organizations),
        (sources, moves, bookkeeping, summary, tripped),
    ) = parts;
    Plan {
        environment,
        destination,
        lineage: lineage.map(|bits| Lineage(uuid::Uuid::from_u128(bits))),
        serial,
        salt: Salt(salt),
        accounts,
        // Of some of them, as in a real plan.
        checks: (0..)
            .zip(&salt[..secrets.len() - 1])
            .map(|(n, byte)| (SecretIndex(n), Check(*byte)))
            .collect(),
        secrets,
        organizations,
        sources,
        moves,
        bookkeeping,
        summary,
        tripped,
    }
}
