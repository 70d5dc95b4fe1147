//! The lists of the document besides the changes: changes of the record alone, and tripped guards.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::facts::ScopeJson;
use crate::model::{AccountName, Address, CallbackUrl, Handle, Identity, OperatorId, Scope};
use crate::plan::{Bookkeeping, Details, Move, Tripped};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveRow {
    organization: Handle,
    from: ScopeJson,
    to: ScopeJson,
    callbacks: usize,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    renamed: bool,
}

impl From<&Move> for MoveRow {
    fn from(item: &Move) -> Self {
        let Move {
            handle,
            from,
            to,
            callbacks,
            renamed,
        } = item;
        Self {
            organization: handle.clone(),
            from: ScopeJson::from(&**from),
            to: ScopeJson::from(&**to),
            callbacks: *callbacks,
            renamed: *renamed,
        }
    }
}

impl From<MoveRow> for Move {
    fn from(row: MoveRow) -> Self {
        let MoveRow {
            organization,
            from,
            to,
            callbacks,
            renamed,
        } = row;
        Self {
            handle: organization,
            from: Arc::new(Scope::from(from)),
            to: Arc::new(Scope::from(to)),
            callbacks,
            renamed,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record", deny_unknown_fields)]
pub(super) enum BookkeepingRow {
    Refresh {
        scope: ScopeJson,
        url: CallbackUrl,
        before: DetailsRow,
        after: DetailsRow,
    },
    Forget {
        scope: ScopeJson,
        url: CallbackUrl,
    },
}

/// The fields that a refresh changes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetailsRow {
    organization: Handle,
    operator: OperatorId,
    protect: bool,
}

impl From<Details> for DetailsRow {
    fn from(details: Details) -> Self {
        let Details {
            handle,
            operator,
            protect,
        } = details;
        Self {
            organization: handle,
            operator,
            protect,
        }
    }
}

impl From<DetailsRow> for Details {
    fn from(row: DetailsRow) -> Self {
        let DetailsRow {
            organization,
            operator,
            protect,
        } = row;
        Self {
            handle: organization,
            operator,
            protect,
        }
    }
}

impl From<&Bookkeeping> for BookkeepingRow {
    fn from(item: &Bookkeeping) -> Self {
        match item.clone() {
            Bookkeeping::Refresh {
                identity,
                before,
                after,
            } => Self::Refresh {
                scope: ScopeJson::from(&*identity.scope),
                url: identity.url,
                before: before.into(),
                after: after.into(),
            },
            Bookkeeping::Forget(identity) => Self::Forget {
                scope: ScopeJson::from(&*identity.scope),
                url: identity.url,
            },
        }
    }
}

impl From<BookkeepingRow> for Bookkeeping {
    fn from(row: BookkeepingRow) -> Self {
        let identity = |scope, url| Identity {
            scope: Arc::new(Scope::from(scope)),
            url,
        };
        match row {
            BookkeepingRow::Refresh {
                scope,
                url,
                before,
                after,
            } => Self::Refresh {
                identity: identity(scope, url),
                before: before.into(),
                after: after.into(),
            },
            BookkeepingRow::Forget { scope, url } => Self::Forget(identity(scope, url)),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "guard", deny_unknown_fields)]
pub(super) enum TrippedRow {
    MostOfOrganization {
        organization: Handle,
        deletes: usize,
        recorded: usize,
    },
    LastOfOrganization {
        organization: Handle,
        deletes: usize,
    },
    MostOfAll {
        deletes: usize,
        recorded: usize,
    },
    Protected {
        organization: Handle,
        url: CallbackUrl,
    },
    PerhapsShared {
        organization: Handle,
        account: AccountName,
        other: AccountName,
        callbacks: usize,
    },
    WrongAllowance {
        allowed: usize,
        deletes: usize,
    },
}

impl From<&Tripped> for TrippedRow {
    fn from(tripped: &Tripped) -> Self {
        match tripped.clone() {
            Tripped::MostOfOrganization {
                handle,
                deletes,
                recorded,
            } => Self::MostOfOrganization {
                organization: handle,
                deletes,
                recorded,
            },
            Tripped::LastOfOrganization { handle, deletes } => Self::LastOfOrganization {
                organization: handle,
                deletes,
            },
            Tripped::MostOfAll { deletes, recorded } => Self::MostOfAll { deletes, recorded },
            Tripped::Protected { address } => Self::Protected {
                organization: address.handle,
                url: address.url,
            },
            Tripped::PerhapsShared {
                handle,
                account,
                other,
                callbacks,
            } => Self::PerhapsShared {
                organization: handle,
                account,
                other,
                callbacks,
            },
            Tripped::WrongAllowance { allowed, deletes } => {
                Self::WrongAllowance { allowed, deletes }
            }
        }
    }
}

impl From<TrippedRow> for Tripped {
    fn from(row: TrippedRow) -> Self {
        match row {
            TrippedRow::MostOfOrganization {
                organization,
                deletes,
                recorded,
            } => Self::MostOfOrganization {
                handle: organization,
                deletes,
                recorded,
            },
            TrippedRow::LastOfOrganization {
                organization,
                deletes,
            } => Self::LastOfOrganization {
                handle: organization,
                deletes,
            },
            TrippedRow::MostOfAll { deletes, recorded } => Self::MostOfAll { deletes, recorded },
            TrippedRow::Protected { organization, url } => Self::Protected {
                address: Address {
                    handle: organization,
                    url,
                },
            },
            TrippedRow::PerhapsShared {
                organization,
                account,
                other,
                callbacks,
            } => Self::PerhapsShared {
                handle: organization,
                account,
                other,
                callbacks,
            },
            TrippedRow::WrongAllowance { allowed, deletes } => {
                Self::WrongAllowance { allowed, deletes }
            }
        }
    }
}
