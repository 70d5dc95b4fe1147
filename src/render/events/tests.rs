//! Tests of every kind of event, as a line and as JSON.

use insta::assert_snapshot;

use super::*;
use crate::diag::{Code, Diagnostic, Severity};
use crate::model::{
    AccountName, Action, ApiError, Calls, Drift, Event, NotAttempted, Report, RequestId, Tally,
};
use crate::render::fixtures::*;

fn every_event() -> Vec<Event> {
    let address = || address("acme", "https://hooks.acme.example/cb");
    let account = AccountName::default_account;
    let mut events: Vec<Event> = [
        (Action::Add, Calls::Add),
        (Action::Add, Calls::Replace),
        (Action::Delete, Calls::Delete),
        (Action::Replace, Calls::Replace),
        (Action::Heal, Calls::Add),
        (Action::Finish, Calls::Add),
        (Action::Finish, Calls::Delete),
        (Action::Finish, Calls::Replace),
    ]
    .into_iter()
    .map(|(action, calls)| Event::Started {
        address: address(),
        action,
        calls,
    })
    .collect();
    events.extend([
        Event::Completed {
            address: address(),
            action: Action::Add,
            calls: Calls::Add,
            request_id: RequestId::new("s1775c-0001"),
            elapsed_ms: 1012,
            was_there: false,
        },
        Event::Completed {
            address: address(),
            action: Action::Add,
            calls: Calls::Add,
            request_id: RequestId::new("s1775c-0002"),
            elapsed_ms: 90,
            was_there: true,
        },
        Event::Unknown {
            address: address(),
            action: Action::Heal,
            error: api_error(),
        },
        Event::Failed {
            address: address(),
            action: Action::Add,
            error: api_error(),
        },
        Event::Unknown {
            address: address(),
            action: Action::Delete,
            error: ApiError {
                code: None,
                message: "no answer within 40 s".to_owned(),
                request_id: None,
                ..api_error()
            },
        },
        Event::NotAttempted {
            address: address(),
            action: Action::Delete,
            why: NotAttempted::AddsFailed,
        },
        Event::Retrying {
            address: address(),
            error: api_error(),
            attempt: 2,
            delay_ms: 1500,
        },
        Event::Throttled {
            account: account(),
            rate_per_minute: 750,
        },
        Event::FenceWait {
            address: address(),
            until: NOW.plus(184),
            seconds: 184,
        },
        Event::Drifted {
            address: address(),
            drift: Drift::WasGone,
        },
        Event::Drifted {
            address: address(),
            drift: Drift::NeverConfirmed,
        },
        Event::Drifted {
            address: address(),
            drift: Drift::WasThere,
        },
        Event::ClockOffset {
            account: account(),
            seconds: -75,
        },
        Event::AccountStopped {
            account: account(),
            error: api_error(),
        },
        Event::Interrupted { in_flight: 3 },
    ]);
    events
}

#[test]
fn every_event_as_text() {
    let lines: Vec<String> = every_event()
        .iter()
        .filter_map(|event| event_text(event, &plain()))
        .collect();
    assert_snapshot!(lines.join("\n"), @"
    acme/https://hooks.acme.example/cb: Adding...
    acme/https://hooks.acme.example/cb: Adding, after a delete...
    acme/https://hooks.acme.example/cb: Deleting...
    acme/https://hooks.acme.example/cb: Replacing (delete, then add)...
    acme/https://hooks.acme.example/cb: Healing (adding again)...
    acme/https://hooks.acme.example/cb: Finishing an open call (adding)...
    acme/https://hooks.acme.example/cb: Finishing an open call (deleting)...
    acme/https://hooks.acme.example/cb: Finishing an open call (delete, then add)...
    acme/https://hooks.acme.example/cb: Added after 1s [request id s1775c-0001]
    acme/https://hooks.acme.example/cb: Added after 0s [request id s1775c-0002]; it was already there, and its key and token may differ from yours
    acme/https://hooks.acme.example/cb: Unknown (heal): it is unknown whether the call arrived; the callback stays recorded as present: OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]
    acme/https://hooks.acme.example/cb: Failed (add): OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]
    acme/https://hooks.acme.example/cb: Unknown (delete): it is unknown whether the call arrived; the call stays open in the state: no answer within 40 s
    acme/https://hooks.acme.example/cb: Trying again in 1.5s (attempt 2): OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]
    Throttled. Account default: eSign refuses calls for the rate limit; continuing at 12.5 calls/s for a while. Something else may be using the same credentials.
    acme/https://hooks.acme.example/cb: Waiting until 12:03:04 UTC (3 min 4 s): an earlier call that got no answer may still arrive until then, and would undo this one
    acme/https://hooks.acme.example/cb: Drift: it was recorded as present, but eSign did not have it: it was deleted outside ess-callbacks, or these credentials belong to another enterprise. Its messages in between were lost
    acme/https://hooks.acme.example/cb: Drift: it was recorded as present, but eSign did not have it. No answer had confirmed it, so perhaps it was never there, and its messages were lost
    acme/https://hooks.acme.example/cb: Drift: it was recorded as absent, but eSign already had it: it was added outside ess-callbacks, and it keeps the key and token that were set there (--replace ADDRESS sets yours)
    Clock off. Account default: this machine's clock is 1 min 15 s ahead of eSign's; calls are signed with eSign's time. Set the clock (NTP).
    Stopped. Account default: no more calls in this run: OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]. It means: the operator may not change callbacks. What to do: give the employee the role of an application administrator, or name another `operator`.
    Interrupted. No new calls; waiting for 3 calls in flight. Press Ctrl-C again to quit now: the next apply settles these calls.
    ");
}

#[test]
fn every_event_as_json() {
    let lines: Vec<String> = every_event()
        .iter()
        .skip(7)
        .map(|event| event_json(event, NOW))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    {"@level":"info","@message":"acme/https://hooks.acme.example/cb: Finishing an open call (delete, then add)...","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"apply_start","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"action":"finish"}}
    {"@level":"info","@message":"acme/https://hooks.acme.example/cb: Added after 1s [request id s1775c-0001]","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"apply_complete","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"action":"add","request_id":"s1775c-0001","elapsed_ms":1012}}
    {"@level":"info","@message":"acme/https://hooks.acme.example/cb: Added after 0s [request id s1775c-0002]; it was already there, and its key and token may differ from yours","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"apply_complete","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"action":"add","request_id":"s1775c-0002","elapsed_ms":90,"was_there":true}}
    {"@level":"error","@message":"acme/https://hooks.acme.example/cb: Unknown (heal): it is unknown whether the call arrived; the callback stays recorded as present: OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"apply_unknown","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"action":"heal","error":{"code":"OperationDenied.OperatorHasNoPermission","message":"操作人无权限","request_id":"s1775c-0001","meaning":"the operator may not change callbacks","advice":"give the employee the role of an application administrator, or name another `operator`"}}}
    {"@level":"error","@message":"acme/https://hooks.acme.example/cb: Failed (add): OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"apply_errored","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"action":"add","error":{"code":"OperationDenied.OperatorHasNoPermission","message":"操作人无权限","request_id":"s1775c-0001","meaning":"the operator may not change callbacks","advice":"give the employee the role of an application administrator, or name another `operator`"}}}
    {"@level":"error","@message":"acme/https://hooks.acme.example/cb: Unknown (delete): it is unknown whether the call arrived; the call stays open in the state: no answer within 40 s","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"apply_unknown","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"action":"delete","error":{"code":null,"message":"no answer within 40 s","request_id":null,"meaning":"the operator may not change callbacks","advice":"give the employee the role of an application administrator, or name another `operator`"}}}
    {"@level":"warn","@message":"acme/https://hooks.acme.example/cb: Not attempted (delete): an add of its organization did not succeed, and deletes begin only after all adds have","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"not_attempted","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"action":"delete","why":{"because":"adds_failed"}}}
    {"@level":"warn","@message":"acme/https://hooks.acme.example/cb: Trying again in 1.5s (attempt 2): OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"retry","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"error":{"code":"OperationDenied.OperatorHasNoPermission","message":"操作人无权限","request_id":"s1775c-0001","meaning":"the operator may not change callbacks","advice":"give the employee the role of an application administrator, or name another `operator`"},"attempt":2,"delay_ms":1500}}
    {"@level":"warn","@message":"Throttled. Account default: eSign refuses calls for the rate limit; continuing at 12.5 calls/s for a while. Something else may be using the same credentials.","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"throttled","hook":{"account":"default","rate_per_minute":750}}
    {"@level":"info","@message":"acme/https://hooks.acme.example/cb: Waiting until 12:03:04 UTC (3 min 4 s): an earlier call that got no answer may still arrive until then, and would undo this one","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"fence_wait","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"until":"2026-11-23T12:03:04Z","seconds":184}}
    {"@level":"warn","@message":"acme/https://hooks.acme.example/cb: Drift: it was recorded as present, but eSign did not have it: it was deleted outside ess-callbacks, or these credentials belong to another enterprise. Its messages in between were lost","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"drift","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"drift":"was_gone"}}
    {"@level":"warn","@message":"acme/https://hooks.acme.example/cb: Drift: it was recorded as present, but eSign did not have it. No answer had confirmed it, so perhaps it was never there, and its messages were lost","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"drift","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"drift":"never_confirmed"}}
    {"@level":"warn","@message":"acme/https://hooks.acme.example/cb: Drift: it was recorded as absent, but eSign already had it: it was added outside ess-callbacks, and it keeps the key and token that were set there (--replace ADDRESS sets yours)","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"drift","hook":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"drift":"was_there"}}
    {"@level":"warn","@message":"Clock off. Account default: this machine's clock is 1 min 15 s ahead of eSign's; calls are signed with eSign's time. Set the clock (NTP).","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"clock_offset","hook":{"account":"default","seconds":-75}}
    {"@level":"error","@message":"Stopped. Account default: no more calls in this run: OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]. It means: the operator may not change callbacks. What to do: give the employee the role of an application administrator, or name another `operator`.","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"account_stopped","hook":{"account":"default","error":{"code":"OperationDenied.OperatorHasNoPermission","message":"操作人无权限","request_id":"s1775c-0001","meaning":"the operator may not change callbacks","advice":"give the employee the role of an application administrator, or name another `operator`"}}}
    {"@level":"warn","@message":"Interrupted. No new calls; waiting for 3 calls in flight. Press Ctrl-C again to quit now: the next apply settles these calls.","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"interrupted","hook":{"in_flight":3}}
    "#);
}

#[test]
fn the_lines_around_the_events() {
    let plan = plan(vec![replace("acme", "https://a.example/cb")]);
    let diagnostic = Diagnostic {
        severity: Severity::Warning,
        code: Code("W002"),
        message: "no token: anyone can forge events".to_owned(),
        snippet: None,
        help: Some("add `token:`".to_owned()),
    };
    let tally = Tally {
        added: 1,
        destroyed: 1,
        ..Tally::default()
    };
    let report = Report {
        tally,
        ..Report::default()
    };
    let lines = [
        version_json("0.1.0", NOW),
        diagnostic_json(&diagnostic, NOW),
        planned_change_json(
            &plan.organizations[0],
            &plan.organizations[0].changes[0],
            NOW,
        ),
        change_summary_json(&plan, NOW),
        apply_summary_json(&report, NOW),
    ];
    assert_snapshot!(lines.join("\n"), @r#"
    {"@level":"info","@message":"ess-callbacks 0.1.0","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"version","ess_callbacks":"0.1.0","ui":"1.2"}
    {"@level":"warn","@message":"warning: no token: anyone can forge events","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"diagnostic","diagnostic":{"severity":"warning","code":"W002","message":"no token: anyone can forge events","help":"add `token:`"}}
    {"@level":"info","@message":"acme/https://a.example/cb: Plan to replace","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"planned_change","change":{"resource":{"addr":"acme/https://a.example/cb","organization":"acme","url":"https://a.example/cb"},"scope":{"account":"default","proxy_organization_id":"acme"},"action":"replace","reason":{"because":"secret_changed","key":true,"token":false}}}
    {"@level":"info","@message":"Plan: 1 to add, 0 to change, 1 to destroy.","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"change_summary","changes":{"add":1,"change":0,"remove":1,"operation":"plan"},"summary":{"add":0,"replace":1,"delete":0,"heal":0,"finish":0,"unchanged":0,"unproven":0,"missing":0,"unknown":0,"not_checked":0,"suspended":0,"disabled":0,"heal_deferred":0,"oldest_proof":null,"calls":2,"to_add":1,"to_change":0,"to_destroy":1,"deletes_by_omission":0},"digest":"sha256:ae72dc6a2c90d73db57150168d65f416d1525a2d9150daf914c8807bc3b0eeaa"}
    {"@level":"info","@message":"Apply complete! Resources: 1 added, 0 changed, 1 destroyed.","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"change_summary","changes":{"add":1,"change":0,"remove":1,"operation":"apply"}}
    "#);
}

#[test]
fn server_messages_can_not_forge_lines_or_colours() {
    let event = Event::Failed {
        address: address("acme", "https://a.example/cb"),
        action: Action::Add,
        error: ApiError {
            message: "no\n\u{1b}[2Jyes\u{9b}".to_owned(),
            ..api_error()
        },
    };
    let line = event_text(&event, &plain()).unwrap();
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(!event_json(&event, NOW).contains(char::is_control));
}

#[test]
fn when_nothing_is_awaited_it_is_said_so() {
    let text = event_text(&Event::Interrupted { in_flight: 0 }, &plain());
    assert_eq!(
        text.as_deref(),
        Some("Interrupted. No calls are in flight, and no new ones are sent.")
    );
}
