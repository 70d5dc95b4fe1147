//! CloudAudit (操作审计) as a second witness of what happened at eSign. Experimental: it was only ever tried against the
//! sandbox, and it is not documented whether CloudAudit logs the calls that change callbacks.
//!
//! Pure: [`read`] makes an [`Audited`] of an event and drops its secrets, [`testimonies`] says which lost calls the
//! events settle, [`foreign`] which of them are others' writes.
//!
//! # Invariants
//!
//! * An event settles a call only if it has the call's nonce and nothing in it contradicts the call. An event that is
//!   missing settles nothing.
//! * What a code means is decided where answers are ([`outcome_of`]): what leaves an answered call open leaves a lost
//!   one open.
//! * No key and no token, and no message of eSign, which could quote them, is kept.

mod event;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

pub use self::event::read;
use crate::client::outcome_of;
use crate::model::{
    AppId, Asked, Audited, AuditedAnswer, Nonce, Operation, OrganizationId, Outcome, Recorded,
    RequestId, Sought, Testimony, Write,
};
use crate::wire::{OPERATE_ADD, OPERATE_DELETE};

/// What the events say of lost calls.
pub fn testimonies(events: &[Audited], sought: &[Sought]) -> BTreeMap<Nonce, Testimony> {
    let mut by_nonce: BTreeMap<Nonce, Vec<&Audited>> = BTreeMap::new();
    for event in events {
        if let Some(nonce) = event.nonce {
            by_nonce.entry(nonce).or_default().push(event);
        }
    }
    let mut said = BTreeMap::new();
    for call in sought {
        for nonce in &call.nonces {
            let found = by_nonce.get(nonce).map_or(&[][..], Vec::as_slice);
            // The same event may come twice. Two requests with one nonce are not ours to tell apart.
            if let Some(first) = found.first()
                && found.iter().all(|event| event == first)
                && let Some(testimony) = testimony(first, call)
            {
                said.insert(*nonce, testimony);
            }
        }
    }
    said
}

fn testimony(event: &Audited, call: &Sought) -> Option<Testimony> {
    if contradicts(&event.asked, call) {
        return None;
    }
    let operation = match call.write {
        Write::Add(_) => Operation::Add {
            key: None,
            token: None,
        },
        Write::Delete => Operation::Delete,
    };
    let outcome = outcome(&event.answer, event.request_id.as_ref()?, &operation)?;
    Some(Testimony {
        outcome,
        at: event.at?,
    })
}

/// What the answer would have been taken for.
fn outcome(
    answer: &AuditedAnswer,
    request_id: &RequestId,
    operation: &Operation,
) -> Option<Outcome> {
    let error = match answer {
        AuditedAnswer::Success => None,
        AuditedAnswer::Error(code, message) => Some((code, message)),
        AuditedAnswer::Unclear => return None,
    };
    let mut response = json!({ "RequestId": request_id });
    if let Some((code, message)) = error {
        response["Error"] = json!({ "Code": code, "Message": message });
    }
    let body = json!({ "Response": response }).to_string();
    Some(outcome_of(200, body.as_bytes(), operation))
}

/// Whether the event is of another call. What it leaves out contradicts nothing.
fn contradicts(asked: &Asked, call: &Sought) -> bool {
    let Asked {
        operate_type,
        url,
        organization,
        app_id,
        operator,
    } = asked;
    let scope = &call.identity.scope;
    let operation = u64::from(match call.write {
        Write::Add(_) => OPERATE_ADD,
        Write::Delete => OPERATE_DELETE,
    });
    // An event with parameters has the organization and the application of each call that has one.
    let has_parameters = url.is_some();
    let other_scope = |theirs: Option<&str>, ours: Option<&str>| match theirs {
        None => has_parameters && ours.is_some(),
        Some(_) => theirs != ours,
    };
    operate_type.is_some_and(|theirs| theirs != operation)
        || url
            .as_ref()
            .is_some_and(|theirs| *theirs != call.identity.url)
        || operator
            .as_ref()
            .is_some_and(|theirs| *theirs != call.operator)
        || other_scope(
            organization.as_ref().map(OrganizationId::as_str),
            scope.organization.as_ref().map(OrganizationId::as_str),
        )
        || other_scope(
            app_id.as_ref().map(AppId::as_str),
            scope.app_id.as_ref().map(AppId::as_str),
        )
}

/// The events that are neither marked by this program nor an answer that the state has, the oldest first; and how many
/// others there are.
pub fn foreign(events: Vec<Audited>, recorded: &Recorded) -> (Vec<Audited>, usize) {
    let proofs = recorded
        .iter()
        .filter_map(|(_, _, entry)| entry.proof.as_ref());
    let answers: BTreeSet<_> = proofs.map(|proof| &proof.request_id).collect();
    let is_ours = |event: &Audited| {
        event.nonce.is_some()
            || event
                .request_id
                .as_ref()
                .is_some_and(|id| answers.contains(id))
    };
    let all = events.len();
    let mut foreign: Vec<_> = events.into_iter().filter(|event| !is_ours(event)).collect();
    let own = all - foreign.len();
    foreign.sort_by(|one, two| (one.at, &one.request_id).cmp(&(two.at, &two.request_id)));
    (foreign, own)
}

#[cfg(test)]
mod tests;
