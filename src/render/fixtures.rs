//! Plans and changes for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Context, Style, Subject};
use crate::model::{
    Account, AccountName, AccountSource, Action, Address, ApiError, Belief, CallbackUrl, Calls,
    Environment, Fingerprint, Fingerprints, Handle, Lineage, OperatorId, RequestId, Salt, Scope,
    SecretIndex, SignedWrite, Timestamp, Write,
};
use crate::plan::{
    After, Before, Change, Deletion, Destination, Details, OrganizationPlan, Plan, Reason, Same,
    Steps, Summary,
};
use crate::secret::SecretReference;

/// 2026-11-23T12:00:00Z
pub(super) const NOW: Timestamp = Timestamp(1_795_435_200);

pub(super) fn plain() -> Style {
    Style::plain(NOW)
}

pub(super) fn url(text: &str) -> CallbackUrl {
    CallbackUrl::new(text)
}

pub(super) fn address(handle: &str, text: &str) -> Address {
    Address {
        handle: Handle::new(handle),
        url: url(text),
    }
}

pub(super) fn scope(organization: Option<&str>) -> Arc<Scope> {
    Arc::new(Scope {
        environment: Environment::Production,
        account: AccountName::default_account(),
        organization: organization.map(crate::model::OrganizationId::new),
        app_id: None,
    })
}

/// Fingerprints that begin with these bytes.
pub(super) fn secrets(key: u8, token: u8) -> Fingerprints {
    Fingerprints {
        key: Some(Fingerprint([key; 16])),
        token: Some(Fingerprint([token; 16])),
    }
}

pub(super) fn lost(write: Write, seconds_ago: i64) -> SignedWrite {
    SignedWrite {
        write,
        signed_at: NOW.plus(-seconds_ago),
    }
}

pub(super) fn after(fingerprints: Option<Fingerprints>) -> After {
    After {
        key: Some(SecretIndex(0)),
        token: Some(SecretIndex(1)),
        same: None,
        fingerprints,
        protect: false,
    }
}

pub(super) fn before(belief: Belief) -> Before {
    Before {
        belief,
        protect: false,
        proved_at: Some(NOW.plus(-3 * 86_400)),
        missing: None,
    }
}

/// A change with the steps, reason and values of its action.
pub(super) fn change(
    address: Address,
    action: Action,
    calls: Calls,
    reason: Reason,
    (before, after): (Option<Before>, Option<After>),
) -> Change {
    let steps = match calls {
        Calls::Nothing => Steps::Nothing(after),
        Calls::Add => Steps::Add(after.unwrap()),
        Calls::Replace => Steps::Replace(after.unwrap()),
        Calls::Delete if reason == Reason::ListedAbsent => Steps::Delete(Deletion::Listed),
        Calls::Delete if reason == Reason::RotationEnds => Steps::Delete(Deletion::Twin),
        Calls::Delete => Steps::Delete(Deletion::Omitted),
    };
    compared(Change {
        address,
        operator: OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
        action,
        steps,
        reason,
        fence: None,
        before,
    })
}

/// The change with this comparison of the secrets.
pub(super) fn compared(mut change: Change) -> Change {
    let before = change.before.clone();
    if let Some(after) = change.after_mut() {
        after.same = after
            .fingerprints
            .map(|declared| Same::of(before.as_ref(), declared));
    }
    change
}

pub(super) fn details(handle: &str, operator: &str, protect: bool) -> Details {
    Details {
        handle: Handle::new(handle),
        operator: OperatorId::new(operator),
        protect,
    }
}

pub(super) fn add(handle: &str, text: &str) -> Change {
    change(
        address(handle, text),
        Action::Add,
        Calls::Add,
        Reason::NotRecorded,
        (None, Some(after(Some(secrets(0x9c, 0x77))))),
    )
}

pub(super) fn delete(handle: &str, text: &str) -> Change {
    change(
        address(handle, text),
        Action::Delete,
        Calls::Delete,
        Reason::NotDeclared,
        (Some(before(Belief::proven(secrets(0x9c, 0x77)))), None),
    )
}

pub(super) fn replace(handle: &str, text: &str) -> Change {
    change(
        address(handle, text),
        Action::Replace,
        Calls::Replace,
        Reason::SecretChanged {
            key: true,
            token: false,
        },
        (
            Some(before(Belief::proven(secrets(0x02, 0x77)))),
            Some(after(Some(secrets(0x81, 0x77)))),
        ),
    )
}

/// A plan of these changes, with an organization for each handle.
pub(super) fn plan(changes: Vec<Change>) -> Plan {
    let mut by_handle: BTreeMap<Handle, Vec<Change>> = BTreeMap::new();
    let mut summary = Summary::default();
    for change in changes {
        count(&mut summary, &change);
        by_handle
            .entry(change.address.handle.clone())
            .or_default()
            .push(change);
    }
    Plan {
        environment: Environment::Production,
        destination: Destination::Esign,
        lineage: Some(Lineage(uuid::Uuid::from_u128(7))),
        serial: 7,
        salt: Salt([5; 16]),
        accounts: BTreeMap::from([(
            AccountName::default_account(),
            Account::of(AccountSource::Default {}),
        )]),
        secrets: vec![
            SecretReference::Env("ACME_CALLBACK_KEY".to_owned()),
            SecretReference::File("secrets/acme.token".to_owned()),
        ],
        checks: BTreeMap::new(),
        organizations: by_handle
            .into_iter()
            .map(|(handle, changes)| OrganizationPlan {
                scope: scope(Some(handle.as_str())),
                handle,
                successor: None,
                left: false,
                suspended: false,
                changes,
            })
            .collect(),
        sources: Vec::new(),
        moves: Vec::new(),
        bookkeeping: Vec::new(),
        summary,
        tripped: Vec::new(),
    }
}

fn count(summary: &mut Summary, change: &Change) {
    summary.calls += change.calls().count();
    let (added, changed, destroyed) = match change.action {
        Action::NoOp => (0, 0, 0),
        Action::Add => (1, 0, 0),
        Action::Delete => (0, 0, 1),
        Action::Replace => (1, 0, 1),
        Action::Heal | Action::Finish => (0, 1, 0),
    };
    summary.to_add += added;
    summary.to_change += changed;
    summary.to_destroy += destroyed;
    match change.action {
        Action::NoOp => summary.unchanged += 1,
        Action::Add => summary.add += 1,
        Action::Delete => summary.delete += 1,
        Action::Replace => summary.replace += 1,
        Action::Heal => summary.heal += 1,
        Action::Finish => summary.finish += 1,
    }
}

pub(super) fn api_error() -> ApiError {
    ApiError {
        code: Some("OperationDenied.OperatorHasNoPermission".to_owned()),
        message: "操作人无权限".to_owned(),
        request_id: Some(RequestId::new("s1775c-0001")),
        meaning: "the operator may not change callbacks".into(),
        advice: "give the employee the role of an application administrator, or name another \
                 `operator`"
            .into(),
    }
}

/// The context in a plan without ambiguous handles.
pub(super) const PLAIN: Context<'static> = Context {
    scope: None,
    successor: None,
};

/// The subject of a configuration without a name in the heading.
pub(super) fn subject() -> Subject {
    Subject::of("callbacks.yaml")
}
