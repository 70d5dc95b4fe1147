//! From an answer to an [`Outcome`]: what is known of a call once something came back.
//!
//! The rule: a call *happened* only if eSign says so in its own form; it *did not happen* only if
//! eSign refuses it with a code that is known to mean that. Everything else leaves the outcome unknown.

use std::borrow::Cow;

use super::codes::{Says, look_up};
use super::redact::Redactor;
use crate::model::{ApiError, Blast, Operation, Outcome, RequestId};
use crate::wire::{Answer, ErrorBody, NOT_CONFIGURED};

/// Codes with which eSign may say that an added URL is there already. It is not known which of them,
/// if any, it uses.
const EXISTS: [&str; 2] = ["InvalidParameter.DataExists", "OperationDenied.AlreadyHas"];
/// The generic code that means something only together with its message.
const FAILED: &str = "FailedOperation";
/// "Already exists".
const EXISTS_MESSAGE: &str = "已存在";

/// What an HTTP answer to this operation says. Nothing that the outcome quotes holds the operation's
/// secrets.
///
/// [`HttpApi`](super::HttpApi) does the same with the account's secrets taken out as well. This is
/// for callers that have an answer and no connection: replayed traffic, and the fuzz targets.
pub fn outcome_of(status: u16, body: &[u8], operation: &Operation) -> Outcome {
    let (key, token) = operation.secrets();
    classify(
        status,
        body,
        operation,
        &Redactor::new(key.into_iter().chain(token)),
    )
}

/// What an HTTP answer to this operation says.
pub(super) fn classify(
    status: u16,
    body: &[u8],
    operation: &Operation,
    redactor: &Redactor,
) -> Outcome {
    if status != 200 {
        return Outcome::Unknown(foreign(status, body, redactor));
    }
    // As text first: in members that were not asked for, the parser does not check that it is UTF-8.
    let answer = str::from_utf8(body).map(serde_json::from_str::<Answer>);
    let Ok(Ok(Answer { response })) = answer else {
        return Outcome::Unknown(foreign(status, body, redactor));
    };
    let request_id = RequestId::new(redactor.clean(&response.request_id));
    match response.error {
        None => Outcome::Applied(request_id),
        Some(error) => refusal(&error, request_id, operation, redactor),
    }
}

fn refusal(
    error: &ErrorBody,
    request_id: RequestId,
    operation: &Operation,
    redactor: &Redactor,
) -> Outcome {
    let ErrorBody { code, message } = error;
    match operation {
        Operation::Add { key: _, token: _ } if says_exists(code, message) => {
            return Outcome::AlreadyThere(request_id);
        }
        Operation::Delete if code == FAILED && message.contains(NOT_CONFIGURED) => {
            return Outcome::NotThere(request_id);
        }
        Operation::Add { key: _, token: _ } | Operation::Delete => {}
    }
    let says = look_up(code).map_or(Says::Unknown, |known| known.says);
    let error = error_in_our_words(error, request_id, redactor);
    match says {
        Says::Throttled => Outcome::Throttled(error),
        Says::Unknown => Outcome::Unknown(error),
        Says::ClockOff => Outcome::ClockOff(error),
        Says::TokenExpired => Outcome::TokenExpired(error),
        Says::Refused(blast) => Outcome::Rejected(blast, error),
    }
}

/// An error with what it means and what to do.
pub(super) fn error_in_our_words(
    error: &ErrorBody,
    request_id: RequestId,
    redactor: &Redactor,
) -> ApiError {
    let ErrorBody { code, message } = error;
    let known = look_up(code);
    ApiError {
        code: Some(redactor.clean(code)),
        message: redactor.clean(message),
        request_id: Some(request_id),
        meaning: Cow::Borrowed(known.map_or(
            "this program does not know the code; the call may have been carried out",
            |known| known.meaning,
        )),
        advice: Cow::Borrowed(known.map_or(
            "run apply again: it settles the open call; if it persists, give the RequestId to eSign's support",
            |known| known.advice,
        )),
    }
}

fn says_exists(code: &str, message: &str) -> bool {
    EXISTS.contains(&code) || (code == FAILED && message.contains(EXISTS_MESSAGE))
}

/// An answer that is not eSign's.
fn foreign(status: u16, body: &[u8], redactor: &Redactor) -> ApiError {
    let excerpt = redactor.clean(&String::from_utf8_lossy(body));
    let body = if excerpt.is_empty() {
        "an empty body".to_owned()
    } else {
        format!("the body: {excerpt}")
    };
    let (meaning, advice) = match status {
        300..=399 => (
            "a redirect, which eSign never sends and which is not followed; something on the way answered instead, and the call may have arrived all the same",
            "check --endpoint and the proxy; then run apply again: it settles the open call",
        ),
        407 => (
            "a proxy on the way asks for a password; the call may have arrived all the same",
            "check HTTPS_PROXY; then run apply again: it settles the open call",
        ),
        _ => (
            "an answer that is not eSign's: its gateway or a proxy on the way failed, and the call may have been carried out",
            "run apply again: it settles the open call; if it persists, check --endpoint and the proxy",
        ),
    };
    ApiError {
        code: None,
        message: format!("HTTP status {status} with {body}"),
        request_id: None,
        meaning: Cow::Borrowed(meaning),
        advice: Cow::Borrowed(advice),
    }
}

/// A call that can't be made because nothing can sign it.
pub(super) fn no_credentials(account: &crate::model::AccountName) -> Outcome {
    Outcome::Rejected(
        Blast::Account,
        ApiError {
            code: None,
            message: format!("no credentials for account `{account}`"),
            request_id: None,
            meaning: Cow::Borrowed("nothing can sign calls for this account; nothing was sent"),
            advice: Cow::Borrowed("declare the account under `accounts:` and set its credentials"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const ADD: Operation = Operation::Add {
        key: None,
        token: None,
    };

    fn answer(code: &str, message: &str) -> String {
        serde_json::json!({"Response": {"Error": {"Code": code, "Message": message}, "RequestId": "r-1"}})
            .to_string()
    }

    fn verdict(operation: &Operation, code: &str, message: &str) -> String {
        let outcome = classify(
            200,
            answer(code, message).as_bytes(),
            operation,
            &Redactor::default(),
        );
        if let Some(error) = outcome.error() {
            assert_eq!(error.code.as_deref(), Some(code));
            assert_eq!(error.request_id, Some(RequestId::new("r-1")));
        }
        word(&outcome).to_owned()
    }

    const fn word(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Applied(_) => "applied",
            Outcome::AlreadyThere(_) => "already there",
            Outcome::NotThere(_) => "not there",
            Outcome::Throttled(_) => "throttled",
            Outcome::NotSent(_) => "not sent",
            Outcome::NotSigned(_) => "not signed",
            Outcome::ClockOff(_) => "clock",
            Outcome::TokenExpired(_) => "token",
            Outcome::Rejected(Blast::Call, _) => "call",
            Outcome::Rejected(Blast::Organization, _) => "organization",
            Outcome::Rejected(Blast::Account, _) => "account",
            Outcome::Unknown(_) => "unknown",
        }
    }

    /// The documented codes, the same for an add and a delete.
    #[test]
    fn every_code() {
        for (code, expected) in [
            ("RequestLimitExceeded", "throttled"),
            ("RequestLimitExceeded.UinLimitExceeded", "throttled"),
            (
                "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
                "throttled",
            ),
            ("RequestLimitExceeded.IPLimitExceeded", "throttled"),
            ("RequestLimitExceeded.New", "throttled"),
            ("FailedOperation.RequestLimitExceeded", "throttled"),
            ("ResourceInUse", "unknown"),
            ("ResourceInsufficient", "unknown"),
            ("ResourceUnavailable", "unknown"),
            ("ServiceUnavailable", "unknown"),
            ("InternalError", "unknown"),
            ("InternalError.System", "unknown"),
            ("InternalError.Db", "unknown"),
            ("AuthFailure.SignatureExpire", "clock"),
            ("AuthFailure.TokenFailure", "token"),
            ("AuthFailure", "account"),
            ("AuthFailure.SecretIdNotFound", "account"),
            ("AuthFailure.SignatureFailure", "account"),
            ("AuthFailure.InvalidSecretId", "account"),
            ("AuthFailure.InvalidAuthorization", "account"),
            ("AuthFailure.MFAFailure", "account"),
            ("AuthFailure.UnauthorizedOperation", "account"),
            ("IpInBlacklist", "account"),
            ("IpNotInWhitelist", "account"),
            ("UnauthorizedOperation", "organization"),
            ("UnauthorizedOperation.NoPermissionFeature", "organization"),
            ("OperationDenied.NoApiAuth", "organization"),
            ("OperationDenied.OperatorHasNoPermission", "organization"),
            ("OperationDenied.UserNotInOrganization", "organization"),
            ("OperationDenied.SubOrgNotJoin", "organization"),
            ("OperationDenied.LicenseHasExpired", "organization"),
            ("OperationDenied.OrganizationClosing", "organization"),
            ("OperationDenied.NoIdentityVerify", "organization"),
            ("OperationDenied.NotFoundLicense", "organization"),
            ("OperationDenied.NoLogin", "organization"),
            ("InvalidParameter.InvalidOperatorId", "organization"),
            ("ResourceNotFound.Organization", "organization"),
            ("OperationDenied.Forbid", "call"),
            ("OperationDenied", "call"),
            ("OperationDenied.Other", "call"),
            ("ResourceNotFound", "call"),
            ("ResourceNotFound.Application", "call"),
            ("InvalidParameter", "call"),
            ("InvalidParameter.CallbackUrl", "call"),
            ("InvalidParameterValue", "call"),
            ("InvalidParameterValue.Mask", "call"),
            ("MissingParameter", "call"),
            ("MissingParameter.Operator", "call"),
            ("UnknownParameter", "call"),
            ("InvalidAction", "call"),
            ("NoSuchVersion", "call"),
            ("UnsupportedOperation", "call"),
            ("UnsupportedRegion", "call"),
            ("LimitExceeded", "call"),
            ("RequestSizeLimitExceeded", "call"),
            ("UnsupportedProtocol", "call"),
            ("ResponseSizeLimitExceeded", "unknown"),
            ("FailedOperation", "call"),
            ("FailedOperation.Other", "call"),
            ("NeverSeen", "unknown"),
            ("NeverSeen.FailedOperation", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(verdict(&ADD, code, "message"), expected, "add: {code}");
            assert_eq!(
                verdict(&Operation::Delete, code, "message"),
                expected,
                "delete: {code}"
            );
        }
    }

    /// Code and message, and what they mean for an add and for a delete.
    #[test]
    fn absence_and_presence_need_code_and_message_and_the_right_operation() {
        for (code, message, add, delete) in [
            ("FailedOperation", "当前配置不存在", "call", "not there"),
            ("FailedOperation", "当前配置不存在。", "call", "not there"),
            ("FailedOperation", "something else", "call", "call"),
            ("FailedOperation.Other", "当前配置不存在", "call", "call"),
            ("InternalError", "当前配置不存在", "unknown", "unknown"),
            ("ResourceNotFound", "当前配置不存在", "call", "call"),
            ("InvalidParameter.DataExists", "m", "already there", "call"),
            ("OperationDenied.AlreadyHas", "m", "already there", "call"),
            ("FailedOperation", "回调地址已存在", "already there", "call"),
            ("InvalidParameter", "已存在", "call", "call"),
        ] {
            assert_eq!(verdict(&ADD, code, message), add, "add: {code} {message}");
            assert_eq!(
                verdict(&Operation::Delete, code, message),
                delete,
                "delete: {code} {message}"
            );
        }
    }

    #[test]
    fn only_esigns_own_form_is_success() {
        for (status, body, expected) in [
            (200, r#"{"Response":{"RequestId":"r"}}"#, "applied"),
            (
                200,
                r#"{"Response":{"RequestId":"r","Error":null,"New":1},"X":2}"#,
                "applied",
            ),
            (200, "", "unknown"),
            (200, "{}", "unknown"),
            (200, "null", "unknown"),
            (200, r#"{"Response":{}}"#, "unknown"),
            (200, r#"{"Response":{"RequestId":"r"}"#, "unknown"),
            (200, r#"{"Response":{"RequestId":"r"}}x"#, "unknown"),
            (
                200,
                r#"{"Response":{"RequestId":"r","Error":{}}}"#,
                "unknown",
            ),
            (200, "<html>welcome to the hotel</html>", "unknown"),
            (200, "\u{0}\u{1}", "unknown"),
            (201, r#"{"Response":{"RequestId":"r"}}"#, "unknown"),
            (302, "", "unknown"),
            (407, "", "unknown"),
            (502, "<html>Bad Gateway</html>", "unknown"),
            (
                500,
                r#"{"Response":{"RequestId":"r","Error":{"Code":"FailedOperation","Message":"当前配置不存在"}}}"#,
                "unknown",
            ),
        ] {
            let outcome = classify(
                status,
                body.as_bytes(),
                &Operation::Delete,
                &Redactor::default(),
            );
            assert_eq!(word(&outcome), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_unreadable_answer_is_quoted_safely() {
        let secret = Secret::new("canary-canary-canary-canary-3210");
        let redactor = Redactor::new([&secret]);
        let outcome = classify(
            502,
            b"<html>\x1b[31mBad Gateway\xff canary-canary-canary-canary-3210</html>",
            &ADD,
            &redactor,
        );
        insta::assert_snapshot!(outcome.error().unwrap().message, @r"HTTP status 502 with the body: <html>\u{1b}[31mBad Gateway� (secret)</html>");
        let empty = classify(302, b" \n", &ADD, &redactor);
        insta::assert_snapshot!(empty.error().unwrap().message, @"HTTP status 302 with an empty body");
    }

    #[test]
    fn a_secret_in_any_field_of_the_answer_is_taken_out() {
        let secret = Secret::new("canary-canary-canary-canary-3210");
        let redactor = Redactor::new([&secret]);
        let value = secret.expose();
        let body = serde_json::json!({"Response": {
            "Error": {"Code": format!("InvalidParameter.{value}"), "Message": format!("{value}!")},
            "RequestId": value,
        }});
        let outcome = classify(200, body.to_string().as_bytes(), &ADD, &redactor);
        assert_eq!(word(&outcome), "call");
        assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
    }
}
