//! [`Reader`]: the actions that read, for one account.
//!
//! Reads change nothing, so one may be repeated: a few times, with growing pauses, when eSign was busy. Each
//! action has the time limit of eSign's gateway, and a little more for the way.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codes::{Says, look_up};
use super::{HttpApi, Pace, retry};
use crate::model::{AccountName, ApiError, Blast, ReadError, ReadFailure, Timestamp};
use crate::wire;

/// How often a read is sent at most.
const ATTEMPTS: u32 = 4;
/// The gateway's 30 s, and the way.
const USUAL: Duration = Duration::from_secs(35);
/// Of the action that the gateway gives 5 s.
const SHORT: Duration = Duration::from_secs(8);

/// Reads for one account.
#[derive(Debug)]
pub struct Reader<'a> {
    api: &'a HttpApi,
    account: &'a AccountName,
    pace: Pace,
    now: fn() -> Timestamp,
}

impl<'a> Reader<'a> {
    /// Reads at this pace; `now` is the time of day, to sign with.
    pub const fn new(
        api: &'a HttpApi,
        account: &'a AccountName,
        pace: Pace,
        now: fn() -> Timestamp,
    ) -> Self {
        Self {
            api,
            account,
            pace,
            now,
        }
    }

    /// A page of the group's members.
    pub async fn group(&self, request: &wire::GroupRequest) -> Result<wire::GroupPage, ReadError> {
        self.read(wire::GROUP, request, USUAL).await
    }

    /// Whether an enterprise is verified.
    pub async fn verify_status(
        &self,
        request: &wire::VerifyRequest,
    ) -> Result<wire::VerifyStatus, ReadError> {
        self.read(wire::VERIFY_STATUS, request, SHORT).await
    }

    /// The employees that match.
    pub async fn employees(
        &self,
        request: &wire::EmployeesRequest,
    ) -> Result<wire::Employees, ReadError> {
        self.read(wire::EMPLOYEES, request, USUAL).await
    }

    /// A page of an organization's roles.
    pub async fn roles(&self, request: &wire::RolesRequest) -> Result<wire::Roles, ReadError> {
        self.read(wire::ROLES, request, USUAL).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        action: &'static str,
        body: &(impl Serialize + Sync),
        timeout: Duration,
    ) -> Result<T, ReadError> {
        let mut attempt = 1;
        loop {
            let sent = self.pace.acquire().await.start().await;
            let asked = self
                .api
                .ask_within(self.account, action, body, (self.now)(), timeout);
            let error = match asked.await {
                Ok(answer) => {
                    self.pace.answered(sent);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let says = says(&error);
            if says == Some(Says::Throttled) {
                self.pace.throttled(sent);
            }
            if attempt == ATTEMPTS || !is_worth_repeating(says) {
                return Err(of_read(action, error, says));
            }
            tokio::time::sleep(retry::delay(attempt, 0.5)).await;
            attempt += 1;
        }
    }
}

/// What the code says; `None` without one, or when it is not known.
fn says(error: &ApiError) -> Option<Says> {
    look_up(error.code.as_deref()?).map(|known| known.says)
}

const fn is_worth_repeating(says: Option<Says>) -> bool {
    matches!(says, Some(Says::Throttled | Says::Unknown))
}

/// The same error, in words that are right where nothing can have changed.
fn of_read(action: &'static str, error: ApiError, says: Option<Says>) -> ReadError {
    const CAM: &str = "AuthFailure.UnauthorizedOperation";
    let kind = match (&error.code, says) {
        (None, _) => ReadFailure::NoAnswer,
        (Some(code), _) if code == CAM => ReadFailure::NotAllowed,
        (Some(_), Some(Says::Throttled | Says::Unknown)) => ReadFailure::Busy,
        (Some(_), Some(Says::ClockOff | Says::TokenExpired | Says::Refused(Blast::Account))) => {
            ReadFailure::Credentials
        }
        (Some(_), Some(Says::Refused(Blast::Call | Blast::Organization)) | None) => {
            ReadFailure::Refused
        }
    };
    let (meaning, advice): (Cow<'static, str>, Cow<'static, str>) = match kind {
        ReadFailure::Busy if says == Some(Says::Throttled) => (
            error.meaning,
            "try again in a minute; if it keeps happening, something else uses the same credentials".into(),
        ),
        ReadFailure::Busy => (
            "a failure inside eSign; nothing was learnt, and nothing was changed".into(),
            "try again; if it persists, give the RequestId to eSign's support".into(),
        ),
        ReadFailure::NotAllowed => (
            format!("CAM does not allow these credentials to call {action}").into(),
            format!("allow `ess:{action}` in the CAM policy of the sub-account").into(),
        ),
        ReadFailure::Refused if says.is_none() => (
            "this program does not know the code; nothing was changed".into(),
            "give the RequestId to eSign's support".into(),
        ),
        ReadFailure::NoAnswer | ReadFailure::Credentials | ReadFailure::Refused => {
            (error.meaning, error.advice)
        }
    };
    ReadError {
        kind,
        error: ApiError {
            meaning,
            advice,
            ..error
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::classify::error_in_our_words;
    use super::super::redact::Redactor;
    use super::*;
    use crate::model::RequestId;
    use crate::wire::ErrorBody;

    fn read(code: &str) -> ReadError {
        let body = ErrorBody {
            code: code.to_owned(),
            message: "x".to_owned(),
        };
        let error = error_in_our_words(&body, RequestId::new("r"), &Redactor::default());
        let says = says(&error);
        of_read(wire::GROUP, error, says)
    }

    #[test]
    fn a_failed_read_is_classified_and_never_said_to_have_changed_anything() {
        for (code, kind) in [
            ("RequestLimitExceeded", ReadFailure::Busy),
            ("InternalError.System", ReadFailure::Busy),
            ("AuthFailure.SecretIdNotFound", ReadFailure::Credentials),
            ("AuthFailure.SignatureExpire", ReadFailure::Credentials),
            ("AuthFailure.TokenFailure", ReadFailure::Credentials),
            ("AuthFailure.UnauthorizedOperation", ReadFailure::NotAllowed),
            ("OperationDenied.Forbid", ReadFailure::Refused),
            (
                "UnauthorizedOperation.NoPermissionFeature",
                ReadFailure::Refused,
            ),
            ("Quite.New", ReadFailure::Refused),
        ] {
            let ReadError { kind: found, error } = read(code);
            assert_eq!(found, kind, "{code}");
            for text in [&error.meaning, &error.advice] {
                assert!(!text.contains("run apply again"), "{code}: {text}");
                assert!(!text.contains("carried out"), "{code}: {text}");
                assert!(!text.contains("ModifyApplication"), "{code}: {text}");
            }
        }
        assert!(
            read("AuthFailure.UnauthorizedOperation")
                .error
                .advice
                .contains(wire::GROUP)
        );
    }

    #[test]
    fn only_a_busy_server_is_asked_again() {
        for (code, again) in [
            ("RequestLimitExceeded", true),
            ("InternalError", true),
            ("AuthFailure", false),
            ("FailedOperation", false),
            ("Quite.New", false),
        ] {
            let says = look_up(code).map(|known| known.says);
            assert_eq!(is_worth_repeating(says), again, "{code}");
        }
    }
}
