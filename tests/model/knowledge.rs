//! What is recorded of one URL, in abstract time; its changes and the decisions are the real ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use ess_callbacks::diag::Place;
use ess_callbacks::model::{
    Account, AccountName, AccountSource, Adoption, ApiError, Belief, CallId, Callback, CallbackUrl,
    Calls, DeclaredSecret, Desired, Entry, Environment, Fingerprint, Fingerprints, Handle,
    Identity, OperatorId, Organization, Outcome, Pending, Recorded, RequestId, Salt, Scope,
    SecretIndex, SignedWrite, Timestamp, Write,
};
use ess_callbacks::plan::{FingerprintTable, Options, Secrets, plan};
use ess_callbacks::secret::SecretReference;

/// How many ticks the gateway admits a signature.
pub(crate) const ADMITTED: u8 = 2;

/// How many ticks after it was signed a call may take effect: once admitted it has another tick.
pub(crate) const LIFE: u8 = ADMITTED + 1;

/// Seconds in a tick: a call with a tick left is not dead, one with none is.
const TICK: i64 = 111;

/// What a URL must be: there with the value of this number, or not there.
pub(crate) type Wanted = Option<u8>;

/// What is recorded of one URL. Calls carry the ticks they have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Known {
    pub(crate) belief: Belief,
    pub(crate) lost: Option<(Write, u8)>,
    pub(crate) pending: Option<(Write, u8)>,
}

pub(crate) const UNTOUCHED: Known = Known {
    belief: Belief::ANYTHING,
    lost: None,
    pending: None,
};

/// An answer, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Applied,
    AlreadyThere,
    NotThere,
    Refused,
    None,
}

pub(crate) fn value(number: u8) -> Fingerprints {
    Fingerprints {
        key: Some(Fingerprint([number + 1; 16])),
        token: None,
    }
}

impl Known {
    /// Through the real transitions, at time 0.
    fn change(self, change: impl FnOnce(&mut Entry)) -> Self {
        let mut entry = self.entry();
        change(&mut entry);
        Self {
            belief: entry.belief,
            lost: entry.lost.map(ticks),
            pending: entry.pending.map(|pending| ticks(pending.call)),
        }
    }

    fn entry(self) -> Entry {
        let mut entry = Entry::untouched(Handle::new("o"), OperatorId::new("operator"), false);
        entry.belief = self.belief;
        entry.lost = self.lost.map(seconds);
        entry.pending = self.pending.map(|call| Pending {
            id: CallId(1),
            call: seconds(call),
            nonce: None,
        });
        entry
    }

    pub(crate) fn begin(self, write: Write) -> Self {
        self.change(|entry| entry.open_call(CallId(1), seconds((write, LIFE)), None))
    }

    /// Nothing when there is nothing to remember.
    pub(crate) fn settle(self, answer: Answer) -> Option<Self> {
        let id = RequestId::new("r");
        let outcome = match answer {
            Answer::Applied => Outcome::Applied(id),
            Answer::AlreadyThere => Outcome::AlreadyThere(id),
            Answer::NotThere => Outcome::NotThere(id),
            Answer::Refused => Outcome::NotSent(error()),
            Answer::None => Outcome::Unknown(error()),
        };
        let known = self.change(|entry| {
            entry.close_call(&outcome, Timestamp(0));
        });
        (!known.entry().is_untouched()).then_some(known)
    }

    pub(crate) fn interrupt(self) -> Self {
        self.change(Entry::interrupt)
    }

    pub(crate) fn forget_dead(self) -> Self {
        self.change(|entry| entry.forget_dead(Timestamp(0)))
    }

    /// A tick passes.
    pub(crate) fn older(self) -> Self {
        let older =
            |call: Option<(Write, u8)>| call.map(|(write, left)| (write, left.saturating_sub(1)));
        Self {
            belief: self.belief,
            lost: older(self.lost),
            pending: older(self.pending),
        }
    }

    /// Whether a lost call that is not `same` has more than so many ticks left.
    pub(crate) fn is_fenced(self, same: Option<Write>, spared: u8) -> bool {
        self.lost
            .is_some_and(|(write, left)| left > spared && Some(write) != same)
    }
}

const fn seconds((write, left): (Write, u8)) -> SignedWrite {
    let life =
        SignedWrite::SIGNATURE_LIFE + SignedWrite::GATEWAY_TIMEOUT + SignedWrite::CLOCK_MARGIN;
    SignedWrite {
        write,
        signed_at: Timestamp(left as i64 * TICK - life),
    }
}

fn ticks(call: SignedWrite) -> (Write, u8) {
    let left = call.dead_at().0.div_euclid(TICK).max(0);
    (
        call.write,
        u8::try_from(left).expect("a life has few ticks"),
    )
}

fn error() -> ApiError {
    ApiError {
        code: None,
        message: String::new(),
        request_id: None,
        meaning: "".into(),
        advice: "".into(),
    }
}

/// What the real planner does with this URL.
pub(crate) fn decide(known: Option<Known>, wanted: Wanted) -> Calls {
    type Memory = Mutex<HashMap<(Option<Known>, Wanted), Calls>>;
    static MEMORY: LazyLock<Memory> = LazyLock::new(Mutex::default);
    let mut memory = MEMORY.lock().expect("nothing panics while it is held");
    *memory
        .entry((known, wanted))
        .or_insert_with(|| plan_one(known, wanted))
}

fn plan_one(known: Option<Known>, wanted: Wanted) -> Calls {
    let scope = Arc::new(Scope {
        environment: Environment::Test,
        account: AccountName::default_account(),
        organization: None,
        app_id: None,
    });
    let url = CallbackUrl::new("https://u.example/");
    let mut recorded = Recorded::nothing(Environment::Test);
    if let Some(known) = known {
        let identity = Identity {
            scope: Arc::clone(&scope),
            url: url.clone(),
        };
        recorded.insert(identity, known.entry());
    }
    let callback = |number: u8| Callback {
        url: url.clone(),
        key: Some(SecretIndex(u32::from(number))),
        token: None,
        enabled: true,
        protect: false,
        description: None,
        place: Place::default(),
    };
    let desired = Desired {
        environment: Environment::Test,
        accounts: BTreeMap::from([(
            AccountName::default_account(),
            Account::of(AccountSource::Default {}),
        )]),
        organizations: vec![Organization {
            handle: Handle::new("o"),
            scope,
            operator: OperatorId::new("operator"),
            adoption: Adoption::Keep,
            suspend: false,
            callbacks: wanted.map(callback).into_iter().collect(),
            absent: Vec::new(),
            place: Place::default(),
        }],
        secrets: (0..2)
            .map(|number| DeclaredSecret {
                accepted: Vec::new(),
                reference: SecretReference::Env(format!("S{number}")),
                place: Place::default(),
            })
            .collect(),
    };
    let table: FingerprintTable = (0..2_u8)
        .map(|number| ((Some(SecretIndex(u32::from(number))), None), value(number)))
        .collect();
    let secrets = Secrets {
        salt: Salt([7; 16]),
        fingerprints: Some(&table),
    };
    let options = Options {
        allow_deletes: Some(1),
        ..Options::default()
    };
    plan(&desired, &recorded, secrets, &options)
        .changes()
        .next()
        .map_or(Calls::Nothing, ess_callbacks::plan::Change::calls)
}
