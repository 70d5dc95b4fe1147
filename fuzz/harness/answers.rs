//! Answers of eSign, or of whatever answers in its place: what is made of them, and that no secret
//! is quoted.
//!
//! The first byte chooses the operation and, of the next two, the status.

use ess_callbacks::client::outcome_of;
use ess_callbacks::model::{Operation, Outcome};
use ess_callbacks::secret::Secret;
use serde_json::Value;

const KEY: &str = "cAnArYkEy+/\"9e51cAnArYkEy7f3a9e5";
const TOKEN: &str = "cAnArYtOkEn-7f3a";

/// Looks at one answer.
pub(crate) fn run(data: &[u8]) {
    let Some((&[choice, high, low], body)) = data.split_first_chunk::<3>() else {
        return;
    };
    let status = if choice & 2 == 0 {
        200
    } else {
        u16::from_be_bytes([high, low])
    };
    let operation = if choice & 1 == 0 {
        Operation::Add {
            key: Some(Secret::new(KEY)),
            token: Some(Secret::new(TOKEN)),
        }
    } else {
        Operation::Delete
    };
    // An echo of the request, which the fuzzer could not guess.
    let body = if choice & 4 == 0 {
        body.to_vec()
    } else {
        let echo = |text: &[u8], mark: u8, secret: &str| -> Vec<u8> {
            text.split(|byte| *byte == mark)
                .collect::<Vec<_>>()
                .join(secret.as_bytes())
        };
        echo(&echo(body, b'$', TOKEN), b'%', KEY)
    };
    let outcome = outcome_of(status, &body, &operation);
    check(&outcome, status, &body, &operation);
}

fn check(outcome: &Outcome, status: u16, body: &[u8], operation: &Operation) {
    let says = serde_json::from_slice::<Value>(body).ok();
    let response = says.as_ref().map(|says| &says["Response"]);
    let is_answer = status == 200 && response.is_some_and(|it| it["RequestId"].is_string());
    let has_error = response.is_some_and(|it| !it["Error"].is_null());
    match outcome {
        Outcome::Applied(_) => assert!(is_answer && !has_error),
        Outcome::AlreadyThere(_) => {
            assert!(is_answer && has_error && matches!(operation, Operation::Add { .. }));
        }
        Outcome::NotThere(_) => {
            assert!(is_answer && has_error && matches!(operation, Operation::Delete));
        }
        Outcome::Throttled(_)
        | Outcome::ClockOff(_)
        | Outcome::TokenExpired(_)
        | Outcome::Rejected(..) => assert!(is_answer && has_error),
        Outcome::NotSent(_) | Outcome::NotSigned(_) => panic!("an answer came, so it was sent"),
        Outcome::Unknown(_) => {}
    }
    if let Some(error) = outcome.error() {
        assert!(!error.meaning.is_empty() && !error.advice.is_empty());
        let id = error.request_id.as_ref().map_or("", |id| id.as_str());
        for text in [&*error.message, error.code.as_deref().unwrap_or(""), id] {
            assert!(text.chars().count() < 300 * 10, "endless: {text}");
            assert!(!text.contains(char::is_control), "controls: {text:?}");
            if matches!(operation, Operation::Add { .. }) {
                let leaks = text.contains(KEY) || text.contains(TOKEN);
                assert!(!leaks, "shows a secret: {text}");
            }
        }
    }
}
