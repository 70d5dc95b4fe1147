//! Why a change is planned, for people: no decision follows from it.

use std::fmt;

/// Why a change is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Reason {
    /// Nothing is recorded of it.
    NotRecorded,
    /// It is proven absent.
    ProvenAbsent,
    /// Nothing is recorded of it, and `adoption: replace` asks for certainty.
    Adoption,
    /// The value of its key or token changed.
    SecretChanged {
        key: bool,
        token: bool,
    },
    Requested,
    /// Its last proof is older than `--heal` allows.
    HealDue,
    /// Messages that others got did not arrive there.
    Missing,
    /// It is not in callbacks.yaml.
    NotDeclared,
    /// Its organization is not in callbacks.yaml.
    OrganizationNotDeclared,
    /// Its organization has another scope now.
    ScopeChanged {
        account: bool,
        organization: bool,
        app: bool,
    },
    ListedAbsent,
    Destroy,
    /// The outcome of an add of this value is open.
    OpenAdd,
    /// The outcome of an add of another value is open.
    OpenAddOfAnotherValue,
    /// The outcome of a delete is open.
    OpenDelete,
    Unchanged,
    /// Nothing to do, but key and token are assumed only.
    Unproven,
    /// The secrets were not resolved, so a rotation would not be seen.
    NotChecked,
    /// Its organization is suspended.
    Suspended,
    /// It is not enabled.
    Disabled,
    /// It is the twin of a rotation that ends with this plan.
    RotationEnds,
    /// It is the twin of a callback that is not certain to be present when the plan is done, or is not enabled.
    RotationKept,
    /// A rotation of it was interrupted, and its twin is not certain to be there. A later plan replaces it.
    RotationWaits,
}

impl fmt::Display for Reason {
    /// The words after "because".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NotRecorded => "nothing is recorded of it",
            Self::ProvenAbsent => "it is recorded as absent",
            Self::Adoption => "it is new here and `adoption: replace` asks for proof",
            Self::SecretChanged {
                key: true,
                token: true,
            } => "its key and token changed",
            Self::SecretChanged {
                key: true,
                token: false,
            } => "its key changed",
            Self::SecretChanged {
                key: false,
                token: _,
            } => "its token changed",
            Self::Requested => "--replace names it",
            Self::HealDue => "--heal asserts it again",
            Self::Missing => "messages that went to others did not arrive there",
            Self::NotDeclared => "it is not in callbacks.yaml",
            Self::OrganizationNotDeclared => "its organization is not in callbacks.yaml",
            Self::ScopeChanged {
                account,
                organization,
                app,
            } => return f.write_str(&scope_changed(account, organization, app)),
            Self::ListedAbsent => "it is listed under `absent`",
            Self::Destroy => "of --destroy",
            Self::OpenAdd => "the outcome of an earlier add of it is unknown",
            Self::OpenAddOfAnotherValue => {
                "the outcome of an earlier add with another key or token is unknown"
            }
            Self::OpenDelete => "the outcome of an earlier delete of it is unknown",
            Self::Unchanged => "nothing changed",
            Self::Unproven => "nothing changed, but its key and token are not proven",
            Self::NotChecked => "nothing changed as far as is known without its secrets",
            Self::Suspended => "its organization is suspended",
            Self::Disabled => "it has `enabled: false`",
            Self::RotationEnds => "the rotation that it was added for ends",
            Self::RotationKept => "it waits for the callback that it was added for",
            Self::RotationWaits => "the twin of its rotation is added first",
        })
    }
}

fn scope_changed(account: bool, organization: bool, app: bool) -> String {
    let changed = [
        (account, "`account`"),
        (organization, "`proxy_organization_id`"),
        (app, "`app_id`"),
    ];
    let changed: Vec<_> = changed
        .into_iter()
        .filter_map(|(changed, name)| changed.then_some(name))
        .collect();
    format!("its organization has another {} now", changed.join(" and "))
}
