//! Values for this module's tests.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{LockOwner, Locked, StateError, Store};
use crate::model::{
    AccountName, ApiError, AppId, Belief, CallId, CallbackUrl, Entry, Environment, Fingerprint,
    Fingerprints, Handle, Identity, Intent, Lineage, Nonce, OperatorId, OrganizationId, Outcome,
    Pending, Presumed, Proof, Recorded, RequestId, Salt, Scope, SignedWrite, Timestamp, Traces,
    Write, any_sighting,
};
use crate::testing::MemoryFiles;

pub(super) const STATE: &str = "callbacks.state.json";
pub(super) const JOURNAL: &str = "callbacks.state.journal";
pub(super) const BACKUP: &str = "callbacks.state.json.backup";
pub(super) const LOCK: &str = "callbacks.state.lock";

pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000);
pub(crate) const SALT: Salt = Salt([7; 16]);
pub(crate) const ADD: Write = Write::Add(Fingerprints {
    key: Some(Fingerprint([1; 16])),
    token: None,
});

pub(crate) fn lineage() -> Lineage {
    Lineage(uuid::Uuid::from_u128(
        0x0192_f0c1_7b5e_7c3a_9d4e_5f6a_7b8c_9d0e,
    ))
}

pub(crate) fn owner(id: &str) -> LockOwner {
    LockOwner {
        id: id.into(),
        who: "ci".into(),
        host: "runner-7".into(),
        pid: 4711,
        command: "apply".into(),
        since: NOW,
        job_url: None,
    }
}

pub(super) fn store(files: &MemoryFiles) -> Store {
    Store::in_files(files.clone(), STATE)
}

/// Takes the lock, without waiting, of a state that has a lineage.
pub(crate) async fn lock(store: &Store) -> Result<Locked, StateError> {
    let owner = owner("1");
    let locked = store
        .lock(Environment::Test, &owner, Duration::ZERO, |_| {})
        .await?;
    locked.initialize(lineage(), SALT).await?;
    Ok(locked)
}

pub(super) async fn locked(files: &MemoryFiles) -> Locked {
    lock(&store(files)).await.unwrap()
}

/// Records that the add with this number is about to leave.
pub(super) async fn begin(locked: &Locked, number: usize) -> Result<CallId, StateError> {
    let ids = locked.record_intents(vec![intent(number, ADD)]).await?;
    Ok(ids[0])
}

pub(super) fn identity(number: usize) -> Identity {
    Identity {
        scope: Arc::new(Scope {
            environment: Environment::Test,
            account: AccountName::default_account(),
            organization: None,
            app_id: None,
        }),
        url: CallbackUrl::new(format!("https://h.example/{number}")),
    }
}

pub(crate) fn intent(number: usize, write: Write) -> Intent {
    Intent {
        identity: identity(number),
        handle: Handle::new("acme"),
        operator: OperatorId::new("op"),
        protect: false,
        call: SignedWrite {
            write,
            signed_at: NOW,
        },
        nonce: None,
    }
}

pub(crate) fn applied() -> Outcome {
    Outcome::Applied(RequestId::new("r-1"))
}

pub(super) fn unknown() -> Outcome {
    Outcome::Unknown(error())
}

fn error() -> ApiError {
    ApiError {
        code: Some("InternalError".into()),
        message: "secret words that are for people".into(),
        request_id: Some(RequestId::new("r-2")),
        meaning: "".into(),
        advice: "".into(),
    }
}

/// What the next program makes of a record.
pub(super) fn interrupted(recorded: &Recorded) -> Recorded {
    let mut recorded = recorded.clone();
    recorded.interrupt();
    recorded
}

pub(super) fn some_outcome() -> impl Strategy<Value = Outcome> {
    let id = || RequestId::new("r-3");
    prop_oneof![
        4 => Just(Outcome::Applied(id())),
        1 => Just(Outcome::AlreadyThere(id())),
        1 => Just(Outcome::NotThere(id())),
        1 => Just(Outcome::Throttled(error())),
        1 => Just(Outcome::NotSent(error())),
        2 => Just(Outcome::Unknown(error())),
    ]
}

pub(super) fn some_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        2 => fingerprints().prop_map(Write::Add),
        1 => Just(Write::Delete),
    ]
}

/// Anything that can be recorded.
pub(super) fn some_record() -> impl Strategy<Value = Recorded> {
    let one = (scope(), "[a-zA-Z0-9/?&=%.\"\\\\-]{0,12}", entry());
    (proptest::collection::vec(one, 0..12), 0..1_000_u64).prop_map(|(all, serial)| {
        let mut recorded = Recorded::nothing(Environment::Test);
        recorded.lineage = Some(lineage());
        recorded.salt = Some(SALT);
        recorded.serial = serial;
        for ((scope, path, mut entry), number) in all.into_iter().zip(1..) {
            if let Some(pending) = &mut entry.pending {
                pending.id = CallId(number);
            }
            if !entry.is_untouched() {
                let identity = Identity {
                    scope: Arc::new(scope),
                    url: CallbackUrl::new(format!("https://h.example/{path}")),
                };
                recorded.insert(identity, entry);
            }
        }
        recorded
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let id = || proptest::option::of("[a-b]");
    ("[a-b]", id(), id()).prop_map(|(account, organization, app_id)| Scope {
        environment: Environment::Test,
        account: AccountName::new(account),
        organization: organization.map(OrganizationId::new),
        app_id: app_id.map(AppId::new),
    })
}

fn fingerprints() -> impl Strategy<Value = Fingerprints> {
    let one = || proptest::option::of(any::<[u8; 16]>().prop_map(Fingerprint));
    (one(), one()).prop_map(|(key, token)| Fingerprints { key, token })
}

/// Every belief there is, reached by the functions that make them.
fn belief() -> impl Strategy<Value = Belief> {
    let start = prop_oneof![
        Just(Belief::ANYTHING),
        Just(Belief::ABSENT),
        fingerprints().prop_map(Belief::proven),
        fingerprints().prop_map(Belief::assumed),
        (fingerprints(), any::<bool>()).prop_map(|(fingerprints, exact)| Belief::unknown(
            Presumed {
                fingerprints,
                exact
            }
        )),
    ];
    let calls = proptest::collection::vec((some_write(), any::<bool>()), 0..3);
    (start, calls).prop_map(|(start, calls)| {
        calls.into_iter().fold(start, |belief, (write, lost)| {
            if lost {
                belief.or_after(write)
            } else {
                belief.after(write)
            }
        })
    })
}

fn call() -> impl Strategy<Value = SignedWrite> {
    (some_write(), time()).prop_map(|(write, signed_at)| SignedWrite { write, signed_at })
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-1_000..4_000_000_000_i64).prop_map(Timestamp)
}

fn entry() -> impl Strategy<Value = Entry> {
    let names = ("[a-zé\"\\\\\u{1}]{1,4}", "[a-z 电]{1,4}", any::<bool>());
    let proof = (time(), ".{0,6}").prop_map(|(at, id)| Proof {
        at,
        request_id: RequestId::new(id),
    });
    let nonce = || any::<[u8; 16]>().prop_map(Nonce);
    let traces = (belief(), proptest::collection::vec(nonce(), 1..3))
        .prop_map(|(before, nonces)| Box::new(Traces { before, nonces }));
    let calls = (
        proptest::option::of((call(), proptest::option::of(traces))),
        proptest::option::weighted(0.3, (call(), proptest::option::of(nonce()))),
    );
    let said = (proptest::option::of(proof), any_sighting());
    (names, belief(), calls, said).prop_map(
        |((handle, operator, protect), belief, (lost, pending), (proof, sighting))| Entry {
            handle: Handle::new(handle),
            operator: OperatorId::new(operator),
            protect,
            belief,
            lost: lost.as_ref().map(|(call, _)| *call),
            traces: lost.and_then(|(_, traces)| traces),
            pending: pending.map(|(call, nonce)| Pending {
                id: CallId(0),
                call,
                nonce,
            }),
            proof,
            sighting,
        },
    )
}
