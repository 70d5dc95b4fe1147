//! A callback, and why a call or a change did not succeed.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::{
    AccountName, Address, ApiError, Drift, Handle, NotAttempted, RequestId, Timestamp,
};

/// A callback, by its address; a credential in the URL is masked.
#[derive(Debug, Serialize)]
pub(crate) struct ResourceJson<'a> {
    addr: &'a Address,
    organization: &'a Handle,
    url: Cow<'a, str>,
}

impl<'a> From<&'a Address> for ResourceJson<'a> {
    fn from(address: &'a Address) -> Self {
        let Address { handle, url } = address;
        Self {
            addr: address,
            organization: handle,
            url: url.shown(),
        }
    }
}

/// An error as eSign sent it, and its meaning.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorJson<'a> {
    code: Option<&'a str>,
    message: &'a str,
    request_id: Option<&'a RequestId>,
    meaning: &'a str,
    advice: &'a str,
}

impl<'a> From<&'a ApiError> for ErrorJson<'a> {
    fn from(error: &'a ApiError) -> Self {
        let ApiError {
            code,
            message,
            request_id,
            meaning,
            advice,
        } = error;
        Self {
            code: code.as_deref(),
            message,
            request_id: request_id.as_ref(),
            meaning,
            advice,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub(crate) enum WhyJson<'a> {
    AccountStopped { account: &'a AccountName },
    AccountUnreachable { account: &'a AccountName },
    OrganizationStopped,
    AddsFailed,
    WaitsForTwin,
    Unverified,
    Refused,
    Interrupted,
    Fenced { until: Timestamp },
    FencedWithoutClock,
    JournalFailed,
}

impl<'a> From<&'a NotAttempted> for WhyJson<'a> {
    fn from(why: &'a NotAttempted) -> Self {
        match why {
            NotAttempted::AccountStopped(account) | NotAttempted::AccountUnsigned(account, _) => {
                Self::AccountStopped { account }
            }
            NotAttempted::AccountUnreachable(account, _) => Self::AccountUnreachable { account },
            NotAttempted::OrganizationStopped => Self::OrganizationStopped,
            NotAttempted::AddsFailed => Self::AddsFailed,
            NotAttempted::WaitsForTwin => Self::WaitsForTwin,
            NotAttempted::Unverified => Self::Unverified,
            NotAttempted::Refused => Self::Refused,
            NotAttempted::Interrupted => Self::Interrupted,
            NotAttempted::Fenced(until) => Self::Fenced { until: *until },
            NotAttempted::FencedWithoutClock => Self::FencedWithoutClock,
            NotAttempted::JournalFailed => Self::JournalFailed,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DriftWord {
    WasGone,
    NeverConfirmed,
    WasThere,
}

impl From<Drift> for DriftWord {
    fn from(drift: Drift) -> Self {
        match drift {
            Drift::WasGone => Self::WasGone,
            Drift::NeverConfirmed => Self::NeverConfirmed,
            Drift::WasThere => Self::WasThere,
        }
    }
}
