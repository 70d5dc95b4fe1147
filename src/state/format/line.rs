//! One callback as the state file has it, and its way to and from an [`Entry`].

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::facts::{BeliefParts, WriteParts, WriteWord};
use crate::model::{
    AccountName, AppId, Belief, CallId, CallbackUrl, Entry, Environment, Evidence, Fingerprint,
    Fingerprints, Identity, Missing, Nonce, OrganizationId, Pending, Presence, Presumed, Proof,
    Recorded, RequestId, Scope, Sighting, SignedWrite, Timestamp, Traces, Write,
};
use crate::state::EndedCall;

/// A text, borrowed from the line where the JSON has no escapes in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::state) struct Text<'a>(#[serde(borrow)] pub(in crate::state) Cow<'a, str>);

/// One line under `callbacks`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackLine<'a> {
    #[serde(borrow)]
    pub(super) handle: Text<'a>,
    #[serde(borrow)]
    pub(super) account: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) proxy_organization_id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) app_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) url: Text<'a>,
    #[serde(borrow)]
    pub(super) operator: Text<'a>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) protect: bool,
    status: Presence,
    evidence: Evidence,
    /// Only of an unknown one; of a present one the evidence says it. (`exact` in the plan document is of both.)
    #[serde(rename = "exact", default, skip_serializing_if = "Option::is_none")]
    exact_if_present: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proved_at: Option<Timestamp>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    request_id: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Missing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Open>,
}

/// The calls whose outcome is open.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    /// Its answer will never be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<CallRecord>,
    /// How a witness can recognise it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traces: Option<TracesRecord>,
    /// On its way when the file was written; the journal may have its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<PendingRecord>,
}

/// A call of an emergency copy that has ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndedLine<'a> {
    #[serde(borrow)]
    account: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    proxy_organization_id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    app_id: Option<Text<'a>>,
    #[serde(borrow)]
    url: Text<'a>,
    lost: CallRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proved_at: Option<Timestamp>,
}

impl<'a> EndedLine<'a> {
    pub(super) fn of(call: &'a EndedCall) -> Self {
        let EndedCall {
            identity: Identity { scope, url },
            lost,
            proved_at,
        } = call;
        Self {
            account: Text::of(scope.account.as_str()),
            proxy_organization_id: scope.organization.as_ref().map(|id| Text::of(id.as_str())),
            app_id: scope.app_id.as_ref().map(|id| Text::of(id.as_str())),
            url: Text::of(url.as_str()),
            lost: CallRecord::of(*lost),
            proved_at: *proved_at,
        }
    }

    pub(super) fn call(&self, environment: Environment) -> Result<EndedCall, String> {
        let Self {
            account,
            proxy_organization_id,
            app_id,
            url: Text(url),
            lost,
            proved_at,
        } = self;
        let ids = (proxy_organization_id.as_ref(), app_id.as_ref());
        check_ids(ids.0, ids.1)?;
        let scope = scope(environment, account, ids);
        Ok(EndedCall {
            identity: Identity {
                scope: Arc::new(scope),
                url: CallbackUrl::new(&**url),
            },
            lost: lost.call()?,
            proved_at: *proved_at,
        })
    }
}

/// A call, by what it does and when it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::state) struct CallRecord {
    call: WriteWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Fingerprint>,
    signed_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingRecord {
    id: CallId,
    call: CallRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Nonce>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TracesRecord {
    nonces: Vec<Nonce>,
    before: BeliefRecord,
}

/// A belief, as a callback's own line has it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BeliefRecord {
    status: Presence,
    evidence: Evidence,
    /// Only of an unknown one; of a present one the evidence says it. (`exact` in the plan document is of both.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exact: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Fingerprint>,
}

impl<'a> CallbackLine<'a> {
    /// How an entry is written.
    pub(super) fn of(scope: &'a Scope, url: &'a CallbackUrl, entry: &'a Entry) -> Self {
        let Scope {
            environment: _,
            account,
            organization,
            app_id,
        } = scope;
        let Entry {
            handle,
            operator,
            protect,
            belief,
            lost,
            traces,
            pending,
            proof,
            sighting: Sighting { seen_at, missing },
        } = entry;
        let BeliefRecord {
            status,
            evidence,
            exact,
            key,
            token,
        } = BeliefRecord::of(*belief);
        let open = Open {
            lost: lost.map(CallRecord::of),
            traces: traces.as_deref().map(TracesRecord::of),
            pending: pending.map(|Pending { id, call, nonce }| PendingRecord {
                id,
                call: CallRecord::of(call),
                nonce,
            }),
        };
        Self {
            handle: Text::of(handle.as_str()),
            account: Text::of(account.as_str()),
            proxy_organization_id: organization.as_ref().map(|id| Text::of(id.as_str())),
            app_id: app_id.as_ref().map(|id| Text::of(id.as_str())),
            url: Text::of(url.as_str()),
            operator: Text::of(operator.as_str()),
            protect: *protect,
            status,
            evidence,
            exact_if_present: exact,
            key,
            token,
            proved_at: proof.as_ref().map(|proof| proof.at),
            request_id: proof
                .as_ref()
                .map(|proof| Text::of(proof.request_id.as_str())),
            seen_at: *seen_at,
            missing: *missing,
            open: (open.lost.is_some() || open.pending.is_some()).then_some(open),
        }
    }

    /// See [`check_names`] and [`check_ids`].
    pub(super) fn check_names(&self) -> Result<(), String> {
        check_ids(self.proxy_organization_id.as_ref(), self.app_id.as_ref())?;
        check_names(
            &self.url.0,
            &self.handle.0,
            &self.account.0,
            &self.operator.0,
        )
    }

    /// The belief that status, evidence and fingerprints express.
    pub(super) fn belief(&self) -> Result<Belief, String> {
        let record = BeliefRecord {
            status: self.status,
            evidence: self.evidence,
            exact: self.exact_if_present,
            key: self.key,
            token: self.token,
        };
        record.belief()
    }

    /// The answer that last confirmed the belief.
    pub(super) fn proof(&self) -> Result<Option<Proof>, String> {
        match (self.proved_at, &self.request_id) {
            (Some(at), Some(Text(id))) => Ok(Some(Proof {
                at,
                request_id: RequestId::new(&**id),
            })),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => {
                Err("`proved_at` and `request_id` go together".into())
            }
        }
    }

    /// What messages said.
    pub(super) const fn sighting(&self) -> Sighting {
        Sighting {
            seen_at: self.seen_at,
            missing: self.missing,
        }
    }

    /// The calls whose outcome is open.
    pub(super) fn open(&self) -> Result<OpenCalls, String> {
        let Some(Open {
            lost,
            traces,
            pending,
        }) = &self.open
        else {
            return Ok(OpenCalls::default());
        };
        if lost.is_none() && pending.is_none() {
            return Err("`open` is empty".into());
        }
        if lost.is_none() && traces.is_some() {
            return Err("`traces` needs a `lost` call".into());
        }
        let pending = pending
            .map(|PendingRecord { id, call, nonce }| {
                check_number("id", id.0)?;
                let call = call.call()?;
                Ok::<_, String>(Pending { id, call, nonce })
            })
            .transpose()?;
        Ok(OpenCalls {
            lost: lost.map(CallRecord::call).transpose()?,
            traces: traces.as_ref().map(TracesRecord::traces).transpose()?,
            pending,
        })
    }
}

/// The calls of a callback whose outcome is open.
#[derive(Debug, Default)]
pub(super) struct OpenCalls {
    pub(super) lost: Option<SignedWrite>,
    pub(super) traces: Option<Box<Traces>>,
    pub(super) pending: Option<Pending>,
}

impl TracesRecord {
    fn of(traces: &Traces) -> Self {
        let Traces { before, nonces } = traces;
        Self {
            nonces: nonces.clone(),
            before: BeliefRecord::of(*before),
        }
    }

    fn traces(&self) -> Result<Box<Traces>, String> {
        let Self { nonces, before } = self;
        if nonces.is_empty() {
            return Err("`nonces` is empty; leave `traces` out if there are none".into());
        }
        Ok(Box::new(Traces {
            before: before.belief()?,
            nonces: nonces.clone(),
        }))
    }
}

impl BeliefRecord {
    fn of(belief: Belief) -> Self {
        let BeliefParts {
            presence,
            evidence,
            fingerprints,
            exact,
        } = BeliefParts::from(belief);
        Self {
            status: presence,
            evidence,
            exact: exact.filter(|_| presence == Presence::Unknown),
            key: fingerprints.and_then(|of| of.key),
            token: fingerprints.and_then(|of| of.token),
        }
    }

    fn belief(self) -> Result<Belief, String> {
        let fingerprints = Fingerprints {
            key: self.key,
            token: self.token,
        };
        let none = fingerprints == Fingerprints::default();
        match (self.status, self.evidence, self.exact) {
            (Presence::Present, Evidence::Proven, None) => Ok(Belief::proven(fingerprints)),
            (Presence::Present, Evidence::Assumed, None) => Ok(Belief::assumed(fingerprints)),
            (Presence::Absent, Evidence::Proven, None) if none => Ok(Belief::ABSENT),
            (Presence::Absent, Evidence::Proven, None) => {
                Err("an absent callback has no `key` and no `token`".into())
            }
            (Presence::Unknown, Evidence::Unknown, Some(exact)) => Ok(Belief::unknown(Presumed {
                fingerprints,
                exact,
            })),
            (Presence::Unknown, Evidence::Unknown, None) => {
                Err("`exact` is missing, which an unknown callback needs".into())
            }
            (
                Presence::Present | Presence::Absent,
                Evidence::Proven | Evidence::Assumed | Evidence::Unknown,
                Some(_),
            ) => Err("`exact` is allowed only with the status `unknown`".into()),
            (Presence::Present, Evidence::Unknown, None)
            | (Presence::Absent, Evidence::Assumed | Evidence::Unknown, None)
            | (Presence::Unknown, Evidence::Proven | Evidence::Assumed, _) => {
                Err("`status` and `evidence` contradict each other".into())
            }
        }
    }
}

impl CallRecord {
    /// How a call is written.
    pub(in crate::state) fn of(call: SignedWrite) -> Self {
        let SignedWrite { write, signed_at } = call;
        let WriteParts { word, fingerprints } = WriteParts::from(write);
        let Fingerprints { key, token } = fingerprints.unwrap_or_default();
        Self {
            call: word,
            key,
            token,
            signed_at,
        }
    }

    /// The call that was written.
    pub(in crate::state) fn call(self) -> Result<SignedWrite, String> {
        let Self {
            call,
            key,
            token,
            signed_at,
        } = self;
        let write = match call {
            WriteWord::Add => Write::Add(Fingerprints { key, token }),
            WriteWord::Delete if key.is_none() && token.is_none() => Write::Delete,
            WriteWord::Delete => return Err("a delete has no `key` and no `token`".into()),
        };
        Ok(SignedWrite { write, signed_at })
    }
}

impl<'a> Text<'a> {
    pub(in crate::state) const fn of(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// The scope with this account, and these ids of an organization and an application.
pub(in crate::state) fn scope(
    environment: Environment,
    Text(account): &Text<'_>,
    (organization, app_id): (Option<&Text<'_>>, Option<&Text<'_>>),
) -> Scope {
    Scope {
        environment,
        account: AccountName::new(&**account),
        organization: organization.map(|Text(id)| OrganizationId::new(&**id)),
        app_id: app_id.map(|Text(id)| AppId::new(&**id)),
    }
}

/// The largest number that JSON tools keep exactly.
const LARGEST: u64 = 1 << 53;

/// Checks a serial or a call's number.
pub(in crate::state) fn check_number(field: &str, number: u64) -> Result<(), String> {
    if number > LARGEST {
        return Err(format!("`{field}` is too large"));
    }
    Ok(())
}

/// More than any run counts.
const ROOM: u64 = 1 << 32;

/// Checks that a run can count on from here and what it writes can still be read.
pub(in crate::state) fn check_room(recorded: &Recorded) -> Result<(), String> {
    for (field, number) in [("serial", recorded.serial), ("id", recorded.last_call().0)] {
        if number > LARGEST - ROOM {
            return Err(format!("`{field}` is too large to count on from it"));
        }
    }
    Ok(())
}

/// Checks the ids of a scope. An empty one is not the same as none, and eSign knows no such thing.
pub(in crate::state) fn check_ids(
    organization: Option<&Text<'_>>,
    app_id: Option<&Text<'_>>,
) -> Result<(), String> {
    for (field, id) in [("proxy_organization_id", organization), ("app_id", app_id)] {
        if id.is_some_and(|Text(id)| id.is_empty()) {
            return Err(format!("`{field}` is empty; leave it out if there is none"));
        }
    }
    Ok(())
}

/// Checks the names of a callback. Reading refuses what writing refuses, and the other way round,
/// so that nothing can be written which can't be read.
pub(in crate::state) fn check_names(
    url: &str,
    handle: &str,
    account: &str,
    operator: &str,
) -> Result<(), String> {
    for (field, text) in [
        ("handle", handle),
        ("account", account),
        ("operator", operator),
    ] {
        if text.is_empty() {
            return Err(format!("`{field}` is empty"));
        }
    }
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err("`url` is not an http or https URL".into());
    }
    Ok(())
}
