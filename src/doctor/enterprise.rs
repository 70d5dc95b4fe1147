//! Whether the enterprise is verified (实名认证).

use super::{Finding, sentence, told};
use crate::model::{ReadError, ReadFailure};
use crate::wire::VerifyStatus;

/// Whether the enterprise is verified. It says nothing about permission: only refused credentials fail here, and
/// everything else that can't be read is left to the probe.
pub fn enterprise(answer: &Result<VerifyStatus, ReadError>) -> Finding {
    match answer {
        Ok(VerifyStatus { verify_status: 2 }) => Finding::ok("it is verified"),
        Ok(VerifyStatus { verify_status: 1 }) => Finding::failed(
            "its verification is under way, so it can't use eSign's API yet",
            "Wait until eSign's console shows the enterprise as verified (已认证).",
        ),
        Ok(VerifyStatus { verify_status: 0 }) => Finding::failed(
            "it is not verified, so it can't use eSign's API",
            "Have the enterprise verified (企业认证) in eSign's console.",
        ),
        Ok(VerifyStatus { verify_status }) => Finding::warning(
            format!("eSign answers the status {verify_status}, which is not documented"),
            "Look at the enterprise in eSign's console.",
        ),
        Err(ReadError { kind, error }) => match kind {
            ReadFailure::Credentials => Finding::failed(told(error), sentence(&error.advice)),
            ReadFailure::NoAnswer
            | ReadFailure::Busy
            | ReadFailure::NotAllowed
            | ReadFailure::Refused => Finding::warning(
                format!("it can't be asked for: {}", told(error)),
                sentence(&error.advice),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{CheckResult, fixtures::error};

    #[test]
    fn each_status_and_each_failure() {
        for (status, result) in [
            (2, CheckResult::Ok),
            (1, CheckResult::Failed),
            (0, CheckResult::Failed),
            (3, CheckResult::Warning),
        ] {
            let answer = Ok(VerifyStatus {
                verify_status: status,
            });
            assert_eq!(enterprise(&answer).result, result, "{status}");
        }
        for (kind, result) in [
            (ReadFailure::Credentials, CheckResult::Failed),
            (ReadFailure::NotAllowed, CheckResult::Warning),
            (ReadFailure::Refused, CheckResult::Warning),
            (ReadFailure::Busy, CheckResult::Warning),
            (ReadFailure::NoAnswer, CheckResult::Warning),
        ] {
            let error = error(Some("AuthFailure.X"), "y");
            assert_eq!(enterprise(&Err(ReadError { kind, error })).result, result);
        }
    }
}
