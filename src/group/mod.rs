//! A group's member organizations, beside what callbacks.yaml declares of them.
//!
//! Everything here is a function of eSign's answers and the declarations. Names of organizations are foreign text,
//! kept as they are; whoever prints them escapes them.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "functions of what was read"
)]

mod coverage;
mod handles;
mod pages;

pub use coverage::{Coverage, Row, rows};
pub use handles::Handles;
pub use pages::{Completeness, Group, Pages};

use crate::model::{OrganizationId, Timestamp};
use crate::wire;

/// An organization of a group, as eSign lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: OrganizationId,
    pub name: String,
    pub status: Status,
    /// Whether it is the group's main organization.
    pub is_main: bool,
    pub licence_expires: Option<Timestamp>,
}

/// How far an organization is on its way into the group, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 5: callbacks can be configured.
    Joined,
    /// 2: authorized, and not active yet.
    Authorized,
    /// 1: asked to join.
    Invited,
    /// 3: it refused.
    Refused,
    /// 4: it has left.
    Left,
    /// A number that is not documented.
    Other(i64),
}

impl Status {
    pub const fn of(number: i64) -> Self {
        match number {
            1 => Self::Invited,
            2 => Self::Authorized,
            3 => Self::Refused,
            4 => Self::Left,
            5 => Self::Joined,
            other => Self::Other(other),
        }
    }

    /// Its word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Authorized => "authorized",
            Self::Invited => "invited",
            Self::Refused => "refused",
            Self::Left => "left",
            Self::Other(_) => "unknown",
        }
    }
}

impl From<wire::Member> for Member {
    fn from(member: wire::Member) -> Self {
        let wire::Member {
            name,
            organization_id,
            status,
            is_main_organization,
            license_expire_time,
        } = member;
        Self {
            id: OrganizationId::new(organization_id),
            name,
            status: Status::of(status),
            is_main: is_main_organization,
            licence_expires: (license_expire_time > 0).then_some(Timestamp(license_expire_time)),
        }
    }
}
