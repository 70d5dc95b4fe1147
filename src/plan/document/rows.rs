//! The rows of the document, and their conversion from and to a plan's values.
//!
//! Each is written and read by the same type, so both formats agree. Names are shared, so a row costs a few
//! reference counts.

use serde::{Deserialize, Serialize};

use crate::facts::{BeliefParts, Contradiction, ScopeJson, WriteParts, WriteWord};
use crate::model::{
    Action, Address, Belief, CallbackUrl, Calls, Evidence, Fingerprints, Handle, Missing,
    OperatorId, Presence, SecretIndex, SignedWrite, Timestamp, Write,
};
use crate::plan::{After, Before, Change, Deletion, OrganizationPlan, Reason, Same, Steps};

/// One of `organizations`; the next `changes` of the list of changes belong to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationRow {
    pub(super) organization: Handle,
    pub(super) scope: ScopeJson,
    /// The current scope of the handle in callbacks.yaml, if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) successor: Option<ScopeJson>,
    pub(super) suspended: bool,
    pub(super) changes: usize,
}

impl From<&OrganizationPlan> for OrganizationRow {
    fn from(plan: &OrganizationPlan) -> Self {
        let OrganizationPlan {
            handle,
            scope,
            successor,
            left: _,
            suspended,
            changes,
        } = plan;
        Self {
            organization: handle.clone(),
            scope: ScopeJson::from(&**scope),
            successor: successor.as_deref().map(ScopeJson::from),
            suspended: *suspended,
            changes: changes.len(),
        }
    }
}

/// One word of `actions`, or one of `calls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    NoOp,
    Add,
    Delete,
    Heal,
    Finish,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<Word>", into = "Vec<Word>")]
struct Actions(Action);

impl From<Actions> for Vec<Word> {
    fn from(actions: Actions) -> Self {
        match actions.0 {
            Action::NoOp => vec![Word::NoOp],
            Action::Add => vec![Word::Add],
            Action::Delete => vec![Word::Delete],
            Action::Replace => vec![Word::Delete, Word::Add],
            Action::Heal => vec![Word::Heal],
            Action::Finish => vec![Word::Finish],
        }
    }
}

impl TryFrom<Vec<Word>> for Actions {
    type Error = &'static str;

    fn try_from(words: Vec<Word>) -> Result<Self, Self::Error> {
        Ok(Self(match words.as_slice() {
            [Word::NoOp] => Action::NoOp,
            [Word::Add] => Action::Add,
            [Word::Delete] => Action::Delete,
            [Word::Delete, Word::Add] => Action::Replace,
            [Word::Heal] => Action::Heal,
            [Word::Finish] => Action::Finish,
            _ => return Err("these `actions` can't be combined"),
        }))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<Word>", into = "Vec<Word>")]
struct CallsRow(Calls);

impl From<CallsRow> for Vec<Word> {
    fn from(calls: CallsRow) -> Self {
        match calls.0 {
            Calls::Nothing => Self::new(),
            Calls::Add => vec![Word::Add],
            Calls::Delete => vec![Word::Delete],
            Calls::Replace => vec![Word::Delete, Word::Add],
        }
    }
}

impl TryFrom<Vec<Word>> for CallsRow {
    type Error = &'static str;

    fn try_from(words: Vec<Word>) -> Result<Self, Self::Error> {
        Ok(Self(match words.as_slice() {
            [] => Calls::Nothing,
            [Word::Add] => Calls::Add,
            [Word::Delete] => Calls::Delete,
            [Word::Delete, Word::Add] => Calls::Replace,
            _ => return Err("these `calls` can't be combined"),
        }))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeRow {
    address: String,
    organization: Handle,
    scope: ScopeJson,
    url: CallbackUrl,
    operator: OperatorId,
    actions: Actions,
    calls: CallsRow,
    reason: Reason,
    before: Option<BeforeRow>,
    after: Option<AfterRow>,
    fence: Option<FenceRow>,
}

impl ChangeRow {
    pub(super) fn new(organization: &OrganizationPlan, change: &Change) -> Self {
        let Change {
            address,
            operator,
            action,
            steps: _,
            reason,
            fence,
            before,
        } = change;
        Self {
            // With credentials, because a saved plan is applied.
            address: format!("{}/{}", address.handle, address.url.as_str()),
            organization: organization.handle.clone(),
            scope: ScopeJson::from(&*organization.scope),
            url: address.url.clone(),
            operator: operator.clone(),
            actions: Actions(*action),
            calls: CallsRow(change.calls()),
            reason: *reason,
            before: before.as_ref().map(BeforeRow::from),
            after: change.after().map(AfterRow::from),
            fence: fence.map(FenceRow::from),
        }
    }

    /// The change of this organization. `secrets` is the number of secrets in the document.
    pub(super) fn into_change(
        self,
        organization: &OrganizationRow,
        secrets: usize,
    ) -> Result<Change, String> {
        let Self {
            address,
            organization: handle,
            scope,
            url,
            operator,
            actions,
            calls,
            reason,
            before,
            after,
            fence,
        } = self;
        if handle != organization.organization || scope != organization.scope {
            return Err(format!(
                "`{address}` is listed among the changes of `{}`",
                organization.organization
            ));
        }
        let Some(handle) = address
            .strip_suffix(url.as_str())
            .and_then(|rest| rest.strip_suffix('/'))
        else {
            return Err(format!("`{address}` is not the address of {url}"));
        };
        let after = after.map(|row| row.into_after(secrets)).transpose()?;
        let steps =
            steps(calls.0, reason, after).map_err(|problem| format!("`{address}` is {problem}"))?;
        if !actions.0.may_make(calls.0) {
            return Err(format!(
                "the `actions` of `{address}` don't match its `calls`"
            ));
        }
        Ok(Change {
            address: Address {
                handle: Handle::new(handle),
                url,
            },
            operator,
            action: actions.0,
            steps,
            reason,
            fence: fence.map(FenceRow::into_lost).transpose()?,
            before: before.map(BeforeRow::into_before).transpose()?,
        })
    }
}

/// An add has an `after`, and a delete has none. What a delete follows from is in the reason.
fn steps(calls: Calls, reason: Reason, after: Option<After>) -> Result<Steps, &'static str> {
    match (calls, after) {
        (Calls::Nothing, after) => Ok(Steps::Nothing(after)),
        (Calls::Add, Some(after)) => Ok(Steps::Add(after)),
        (Calls::Replace, Some(after)) => Ok(Steps::Replace(after)),
        (Calls::Delete, None) if reason == Reason::ListedAbsent => {
            Ok(Steps::Delete(Deletion::Listed))
        }
        (Calls::Delete, None) if reason == Reason::RotationEnds => {
            Ok(Steps::Delete(Deletion::Twin))
        }
        (Calls::Delete, None) => Ok(Steps::Delete(Deletion::Omitted)),
        (Calls::Add | Calls::Replace, None) => Err("added, but its `after` is missing"),
        (Calls::Delete, Some(_)) => Err("deleted, but its `after` is set"),
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BeforeRow {
    presence: Presence,
    evidence: Evidence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprints: Option<Fingerprints>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exact: Option<bool>,
    protect: bool,
    proved_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Missing>,
}

impl From<&Before> for BeforeRow {
    fn from(before: &Before) -> Self {
        let Before {
            belief,
            protect,
            proved_at,
            missing,
        } = before;
        let BeliefParts {
            presence,
            evidence,
            fingerprints,
            exact,
        } = BeliefParts::from(*belief);
        Self {
            presence,
            evidence,
            fingerprints,
            exact,
            protect: *protect,
            proved_at: *proved_at,
            missing: *missing,
        }
    }
}

impl BeforeRow {
    fn into_before(self) -> Result<Before, String> {
        let Self {
            presence,
            evidence,
            fingerprints,
            exact,
            protect,
            proved_at,
            missing,
        } = self;
        let parts = BeliefParts {
            presence,
            evidence,
            fingerprints,
            exact,
        };
        let belief = Belief::try_from(parts).map_err(|contradiction| match contradiction {
            Contradiction::Parts => "a `before` contradicts itself",
            Contradiction::Evidence => "a `before` has evidence that does not match it",
        })?;
        Ok(Before {
            belief,
            protect,
            proved_at,
            missing,
        })
    }
}

/// `after`. `key` and `token` are indices into `secrets`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AfterRow {
    key: Option<u32>,
    token: Option<u32>,
    /// `None` if the secrets were not resolved.
    same: Option<Same>,
    protect: bool,
}

impl From<&After> for AfterRow {
    fn from(after: &After) -> Self {
        let After {
            key,
            token,
            same,
            fingerprints: _,
            protect,
        } = after;
        Self {
            key: key.map(|index| index.0),
            token: token.map(|index| index.0),
            same: *same,
            protect: *protect,
        }
    }
}

impl AfterRow {
    fn into_after(self, secrets: usize) -> Result<After, String> {
        let Self {
            key,
            token,
            same,
            protect,
        } = self;
        for index in [key, token].into_iter().flatten() {
            if index as usize >= secrets {
                return Err(format!("there is no secret number {index}"));
            }
        }
        Ok(After {
            key: key.map(SecretIndex),
            token: token.map(SecretIndex),
            same,
            fingerprints: None,
            protect,
        })
    }
}

/// `fence`: the lost call, and when it can't arrive any more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FenceRow {
    lost: WriteWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprints: Option<Fingerprints>,
    signed_at: Timestamp,
    until: Timestamp,
}

impl From<SignedWrite> for FenceRow {
    fn from(lost: SignedWrite) -> Self {
        let WriteParts { word, fingerprints } = WriteParts::from(lost.write);
        Self {
            lost: word,
            fingerprints,
            signed_at: lost.signed_at,
            until: lost.dead_at(),
        }
    }
}

impl FenceRow {
    fn into_lost(self) -> Result<SignedWrite, String> {
        let parts = WriteParts {
            word: self.lost,
            fingerprints: self.fingerprints,
        };
        let write = Write::try_from(parts).map_err(|_| "a `fence` contradicts itself")?;
        Ok(SignedWrite {
            write,
            signed_at: self.signed_at,
        })
    }
}
