//! Which events settle a call, and which are others' writes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::model::{
    AccountName, CallbackUrl, Environment, Fingerprints, Identity, OperatorId, Scope, Timestamp,
};
use crate::wire::AuditEvent;

const NONCE: Nonce = Nonce([0xab; 16]);
const URL: &str = "https://hooks.example/cb";

fn sought(write: Write) -> Sought {
    Sought {
        identity: Identity {
            scope: Arc::new(Scope {
                environment: Environment::Production,
                account: AccountName::default_account(),
                organization: Some(OrganizationId::new("yDmember")),
                app_id: None,
            }),
            url: CallbackUrl::new(URL),
        },
        operator: OperatorId::new("operator"),
        write,
        signed_at: Timestamp(1000),
        nonces: vec![NONCE],
    }
}

/// The details of an event of that call.
fn details() -> Value {
    json!({
        "apiErrorCode": 0,
        "errorCode": 0,
        "eventTime": 1001,
        "requestID": "r-1",
        "userAgent": NONCE.mark(),
        "requestParameters": {
            "OperateType": 1,
            "Operator": { "UserId": "operator" },
            "Agent": { "ProxyOrganizationId": "yDmember" },
            "CallbackInfo": { "CallbackUrl": URL, "CallbackKey": "canary" },
        },
    })
}

fn event(details: &Value) -> Audited {
    read(&AuditEvent {
        cloud_audit_event: Some(details.to_string()),
        ..AuditEvent::default()
    })
}

/// What an event with this in the place of one member says of the add.
fn says(pointer: &str, value: Value) -> Option<Outcome> {
    let mut details = details();
    *details.pointer_mut(pointer).unwrap() = value;
    let said = testimonies(&[event(&details)], &[sought(ADD)]);
    said.into_values().next().map(|testimony| testimony.outcome)
}

const ADD: Write = Write::Add(Fingerprints {
    key: None,
    token: None,
});

#[test]
fn an_event_of_the_call_says_what_its_answer_said() {
    let applied = Some(Outcome::Applied(RequestId::new("r-1")));
    for none in [json!(0), json!("0"), json!("")] {
        assert_eq!(says("/apiErrorCode", none), applied);
    }
    let refused = says("/apiErrorCode", json!("OperationDenied.NoApiAuth"));
    assert!(
        matches!(refused, Some(Outcome::Rejected(..))),
        "{refused:?}"
    );
    let unknown = says("/apiErrorCode", json!("InternalError.System"));
    assert!(matches!(unknown, Some(Outcome::Unknown(_))), "{unknown:?}");
    let unknown = says("/apiErrorCode", json!("Neverheard.Of"));
    assert!(matches!(unknown, Some(Outcome::Unknown(_))), "{unknown:?}");
    let mut absent = details();
    absent["apiErrorCode"] = json!("FailedOperation");
    absent["apiErrorMessage"] = json!("当前配置不存在: canary");
    absent["requestParameters"]["OperateType"] = json!("2");
    let said = testimonies(&[event(&absent)], &[sought(Write::Delete)]);
    let said = said.into_values().next().unwrap();
    assert_eq!(said.outcome, Outcome::NotThere(RequestId::new("r-1")));
    assert_eq!(said.at, Timestamp(1001));
}

#[test]
fn what_contradicts_the_call_or_is_unclear_says_nothing() {
    for (pointer, value) in [
        ("/userAgent", json!("SDK_GO_1.0.374")),
        ("/userAgent", json!(Nonce([1; 16]).mark())),
        ("/requestParameters/OperateType", json!(2)),
        (
            "/requestParameters/CallbackInfo/CallbackUrl",
            json!("https://hooks.example/cb/"),
        ),
        (
            "/requestParameters/Agent/ProxyOrganizationId",
            json!("yDother"),
        ),
        ("/requestParameters/Agent", json!({})),
        (
            "/requestParameters/Agent",
            json!({ "ProxyOrganizationId": "yDmember", "AppId": "app" }),
        ),
        ("/requestParameters/Operator/UserId", json!("another")),
        ("/apiErrorCode", Value::Null),
        ("/apiErrorCode", json!(7)),
        ("/errorCode", json!(4102)),
        ("/requestID", json!("a b")),
        ("/eventTime", json!("yesterday")),
    ] {
        assert_eq!(says(pointer, value.clone()), None, "{pointer} {value}");
    }
}

#[test]
fn parameters_may_be_text_or_missing() {
    let whole = details()["requestParameters"].to_string();
    assert!(says("/requestParameters", json!(whole)).is_some());
    assert!(says("/requestParameters", Value::Null).is_some());
}

#[test]
fn two_events_with_one_nonce_must_be_one() {
    let one = event(&details());
    let mut other = one.clone();
    other.request_id = Some(RequestId::new("r-2"));
    let count = |events: &[Audited]| testimonies(events, &[sought(ADD)]).len();
    assert_eq!(count(&[one.clone(), one.clone()]), 1);
    assert_eq!(count(&[one, other]), 0);
}

#[test]
fn what_is_kept_of_an_event_has_no_secret() {
    let mut all = details();
    all["apiErrorMessage"] = json!("the key canary is wrong");
    all["userIdentity"] = json!({ "secretId": "AKIDabcdefghijkl" });
    let event = event(&all);
    assert!(event.shows_secrets);
    let shown = format!("{event:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert_eq!(event.caller.secret_id.as_deref(), Some("AKIDabcd…"));
    all["requestParameters"]["CallbackInfo"]["CallbackKey"] = json!("ca****ry");
    assert!(
        !read(&AuditEvent {
            cloud_audit_event: Some(all.to_string()),
            ..AuditEvent::default()
        })
        .shows_secrets
    );
}

#[test]
fn what_this_program_marked_is_no_one_elses() {
    let ours = event(&details());
    let mut theirs = details();
    theirs["userAgent"] = json!("SDK_GO_1.0.374");
    let theirs = event(&theirs);
    let recorded = Recorded::nothing(Environment::Production);
    let (found, own) = foreign(vec![ours, theirs.clone()], &recorded);
    assert_eq!((found, own), (vec![theirs], 1));
}

proptest::proptest! {
    #[test]
    fn no_event_is_too_odd_to_read(text: String, code in "[0-9a-zA-Z.]{0,8}") {
        let odd = json!({ "apiErrorCode": code, "userAgent": text, "eventTime": text });
        let read = event(&odd);
        proptest::prop_assert!(read.at.is_none() || text.parse::<i64>().is_ok());
        event(&Value::String(text));
    }
}
