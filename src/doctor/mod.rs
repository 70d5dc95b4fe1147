//! What `doctor` checks: each check is a decision about something that was read, tried or found.
//!
//! Nothing here reads the network, a file or the clock: `cli` does, in the order of [`CheckName`], and stops where
//! a result says so. The one call that eSign counts as a change is the permission probe, a delete of a URL that
//! no one has ([`Probe`]).
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "decisions about values"
)]

mod connection;
mod credentials;
mod enterprise;
mod member;
mod operator;
mod permission;
mod sample;
pub mod trial;

pub use connection::{Connection, Names, connection};
pub use credentials::{Identity, Lookup, Origin, PassedOver, account, credentials};
pub use enterprise::enterprise;
pub use member::{group_unknown, member};
pub use operator::{operator, roles};
pub use permission::{Next, Probe, Tried, not_sampled, permission, suspended};
pub use sample::sample;

use crate::model::{AccountName, ApiError, Handle};

/// What is checked, in this order: the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckName {
    /// Where calls go.
    Endpoint,
    /// Through what.
    Proxy,
    /// Whether the name has an address.
    Dns,
    /// Whether something there answers.
    Connection,
    Tls,
    /// This machine's clock beside eSign's.
    Clock,
    /// Whether there are some, and from where.
    Credentials,
    /// Which Tencent Cloud account they belong to.
    Account,
    /// Whether the enterprise is verified.
    Enterprise,
    /// Whether a member organization has joined.
    Member,
    /// Whether callbacks may be configured.
    Permission,
    /// Whether the operator exists, is verified and has not left.
    Operator,
    /// Whether the operator's roles cover the member organization.
    Roles,
}

impl CheckName {
    /// Its word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Proxy => "proxy",
            Self::Dns => "dns",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Credentials => "credentials",
            Self::Account => "account",
            Self::Enterprise => "enterprise",
            Self::Member => "member",
            Self::Permission => "permission",
            Self::Operator => "operator",
            Self::Roles => "roles",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    Ok,
    /// It works now, or it could not be learnt and need not be.
    Warning,
    Failed,
    /// It was not done.
    Skipped,
}

impl CheckResult {
    /// Its word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub result: CheckResult,
    pub reason: String,
    /// The reason for people, if one line is too long for it.
    pub lines: Vec<String>,
    /// What to do next.
    pub remedy: Option<String>,
}

impl Finding {
    pub fn ok(reason: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Ok,
            reason: reason.into(),
            lines: Vec::new(),
            remedy: None,
        }
    }

    pub fn warning(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Warning,
            reason: reason.into(),
            lines: Vec::new(),
            remedy: Some(remedy.into()),
        }
    }

    pub fn failed(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Failed,
            reason: reason.into(),
            lines: Vec::new(),
            remedy: Some(remedy.into()),
        }
    }

    pub fn skipped(reason: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Skipped,
            reason: reason.into(),
            lines: Vec::new(),
            remedy: None,
        }
    }

    /// Whether what comes after it makes no sense.
    pub fn has_failed(&self) -> bool {
        self.result == CheckResult::Failed
    }
}

/// A check, of what, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: CheckName,
    pub account: Option<AccountName>,
    pub organization: Option<Handle>,
    pub finding: Finding,
}

/// The checks of everything after a failed one, which were not done.
pub fn skipped_after(
    failed: CheckName,
    rest: &[CheckName],
    account: Option<&AccountName>,
) -> Vec<Check> {
    let skipped = |name: &CheckName| Check {
        name: *name,
        account: account.cloned(),
        organization: None,
        finding: Finding::skipped(format!("the check `{}` failed", failed.word())),
    };
    rest.iter().map(skipped).collect()
}

/// An error in eSign's words and in ours.
pub fn told(error: &ApiError) -> String {
    let ApiError {
        code,
        message,
        request_id,
        meaning,
        advice: _,
    } = error;
    let code = code
        .as_deref()
        .map_or_else(String::new, |code| format!("{code}: "));
    let id = request_id
        .as_ref()
        .map_or_else(String::new, |id| format!(" [request id {id}]"));
    let message = message.trim_end_matches(['。', '.']);
    format!("{meaning} ({code}{message}{id})")
}

/// Advice as a sentence.
fn sentence(advice: &str) -> String {
    let mut letters = advice.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let mut text: String = first.into_iter().chain(letters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod fixtures {
    use std::borrow::Cow;

    use crate::model::{ApiError, RequestId};

    /// An error of eSign's.
    pub(super) fn error(code: Option<&str>, message: &str) -> ApiError {
        ApiError {
            code: code.map(str::to_owned),
            message: message.to_owned(),
            request_id: code.map(|_| RequestId::new("r-1")),
            meaning: Cow::Borrowed("what it means"),
            advice: Cow::Borrowed("do something; then run apply again"),
        }
    }
}
