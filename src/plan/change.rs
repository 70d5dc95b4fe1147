//! What will be done with one callback.
//!
//! Invariant: an add has what it writes, and a delete has nothing to write ([`Steps`]).

use serde::{Deserialize, Serialize};

use super::Reason;
use crate::model::{
    Action, Address, Belief, Calls, Fingerprints, Missing, OperatorId, SecretIndex, SignedWrite,
    Timestamp,
};

/// What will be done with one callback.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// How people point at it.
    pub address: Address,
    pub operator: OperatorId,
    /// The word for it.
    pub action: Action,
    /// Its calls, with what they need.
    pub steps: Steps,
    pub reason: Reason,
    /// A lost call that must be dead before the first of these calls leaves.
    pub fence: Option<SignedWrite>,
    /// What is believed now; `None` when nothing is recorded.
    pub before: Option<Before>,
}

/// The calls of a change, in order, with what each of them needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Steps {
    /// No call. What is declared of the callback, if it is.
    Nothing(Option<After>),
    Add(After),
    /// A delete and, adjacent to it, an add.
    Replace(After),
    Delete(Deletion),
}

/// What a delete follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// `absent:` lists the callback. It stays recorded, as absent.
    Listed,
    /// callbacks.yaml does not mention it, or `--destroy` asks for it. The guards count it, and its record
    /// is forgotten once it is proven absent.
    Omitted,
    /// It is the twin of a rotation that ends ([`rotation`](super::rotation)). No guard counts it, and its record
    /// is forgotten once it is proven absent.
    Twin,
}

impl Change {
    /// Which calls it makes.
    pub const fn calls(&self) -> Calls {
        self.steps.calls()
    }

    /// What will be there when it is done; `None` when nothing will.
    pub const fn after(&self) -> Option<&After> {
        match &self.steps {
            Steps::Add(after) | Steps::Replace(after) | Steps::Nothing(Some(after)) => Some(after),
            Steps::Nothing(None) | Steps::Delete(_) => None,
        }
    }

    /// The same, to fill in what only the values of its secrets tell.
    pub const fn after_mut(&mut self) -> Option<&mut After> {
        match &mut self.steps {
            Steps::Add(after) | Steps::Replace(after) | Steps::Nothing(Some(after)) => Some(after),
            Steps::Nothing(None) | Steps::Delete(_) => None,
        }
    }

    /// What its add writes, if it has one.
    pub const fn adds(&self) -> Option<&After> {
        match &self.steps {
            Steps::Add(after) | Steps::Replace(after) => Some(after),
            Steps::Nothing(_) | Steps::Delete(_) => None,
        }
    }

    /// Whether it deletes because callbacks.yaml does not mention the callback.
    pub const fn is_by_omission(&self) -> bool {
        matches!(self.steps, Steps::Delete(Deletion::Omitted))
    }

    /// Whether nothing is recorded of the callback once it is proven absent.
    pub const fn forgets(&self) -> bool {
        matches!(
            self.steps,
            Steps::Delete(Deletion::Omitted | Deletion::Twin)
        )
    }

    /// Whether the callback is protected when it is done, or was if it is gone then.
    pub fn is_protected(&self) -> bool {
        let before = || self.before.as_ref().is_some_and(|before| before.protect);
        self.after().map_or_else(before, |after| after.protect)
    }
}

impl Steps {
    /// Which calls these are.
    pub const fn calls(&self) -> Calls {
        match self {
            Self::Nothing(_) => Calls::Nothing,
            Self::Add(_) => Calls::Add,
            Self::Replace(_) => Calls::Replace,
            Self::Delete(_) => Calls::Delete,
        }
    }
}

/// What is recorded of a callback.
#[derive(Clone, Debug, PartialEq)]
pub struct Before {
    /// What may be true of it.
    pub belief: Belief,
    /// Whether it is protected.
    pub protect: bool,
    /// When the belief was last confirmed, by an answer or by a message.
    pub proved_at: Option<Timestamp>,
    /// Messages that others got and it did not.
    pub missing: Option<Missing>,
}

/// What is declared of a callback.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// Its `CallbackKey`, an index into [`Plan::secrets`](super::Plan::secrets).
    pub key: Option<SecretIndex>,
    pub token: Option<SecretIndex>,
    /// Which of them have the recorded values; `None` when the secrets were not resolved.
    pub same: Option<Same>,
    /// Of their values, for the record. Neither shown nor saved: a plan that was read back has none until
    /// its secrets are resolved again.
    pub fingerprints: Option<Fingerprints>,
    /// Whether it is protected.
    pub protect: bool,
}

/// Which of a callback's declared secrets have the values that are recorded of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Same {
    pub key: bool,
    /// The token. Beside another key it can't be compared, and counts as another one.
    pub token: bool,
}

impl Same {
    /// Compares what is declared with what is recorded.
    pub fn of(before: Option<&Before>, declared: Fingerprints) -> Self {
        let recorded = before.and_then(|before| before.belief.presumed());
        recorded.map_or_else(Self::default, |recorded| Self {
            key: recorded.fingerprints.key == declared.key,
            token: recorded.fingerprints.token == declared.token,
        })
    }
}
