//! Tests of whole reports.

use insta::assert_snapshot;

use super::*;
use crate::model::AccountName;
use crate::render::fixtures::*;

fn text(report: &Report, style: &Style) -> String {
    let mut out = String::new();
    report_text(report, Again::Apply, style, &mut out).unwrap();
    out
}

fn left(n: u32, action: Action, how: HowUnfinished) -> Unfinished {
    Unfinished {
        address: address("acme", &format!("https://hooks.acme.example/{n}")),
        action,
        how,
    }
}

fn lost_answer() -> ApiError {
    ApiError {
        code: None,
        message: "no answer within 40 s".to_owned(),
        request_id: None,
        meaning: "the connection was lost after the call was sent".into(),
        advice: "nothing".into(),
    }
}

fn incomplete() -> Report {
    let not_attempted = |n, why| left(n, Action::Delete, HowUnfinished::NotAttempted(why));
    Report {
        tally: Tally {
            added: 1,
            failed: 1,
            unknown: 2,
            not_attempted: 6,
            ..Tally::default()
        },
        unfinished: vec![
            left(1, Action::Replace, HowUnfinished::Failed(api_error())),
            left(2, Action::Add, HowUnfinished::Unknown(lost_answer())),
            not_attempted(3, NotAttempted::AddsFailed),
            not_attempted(4, NotAttempted::Fenced(NOW.plus(184))),
            not_attempted(
                5,
                NotAttempted::AccountStopped(AccountName::default_account()),
            ),
            not_attempted(6, NotAttempted::OrganizationStopped),
            not_attempted(7, NotAttempted::Interrupted),
            not_attempted(8, NotAttempted::JournalFailed),
            left(9, Action::Heal, HowUnfinished::Unknown(lost_answer())),
        ],
        drifted: vec![
            (address("acme", "https://gone.example/cb"), Drift::WasGone),
            (address("acme", "https://there.example/cb"), Drift::WasThere),
        ],
        were_there: vec![address("acme", "https://first.example/cb")],
        calls: 4,
        throttled: 1,
        interrupted: true,
        fenced: true,
        journal_error: None,
    }
}

#[test]
fn a_complete_apply_is_one_line() {
    let report = Report {
        tally: Tally {
            added: 2,
            destroyed: 2,
            ..Tally::default()
        },
        calls: 4,
        ..Report::default()
    };
    assert_snapshot!(text(&report, &plain()), @"Apply complete! Resources: 2 added, 0 changed, 2 destroyed.");
}

#[test]
fn a_signal_during_the_last_call_leaves_nothing_to_continue() {
    let mut report = Report::default();
    report.tally.added = 1;
    report.interrupted = true;
    assert_snapshot!(text(&report, &plain()), @"
    Apply complete! Resources: 1 added, 0 changed, 0 destroyed.

    Interrupted during the last calls: everything is done, and the state has it.
    ");
}

#[test]
fn what_is_not_done_says_why_and_what_to_do() {
    assert_snapshot!(text(&incomplete(), &plain()), @"
    Apply incomplete! Resources: 1 added, 0 changed, 0 destroyed. 1 failed, 2 unknown, 6 not attempted.

      acme/https://hooks.acme.example/1 (replace): failed
          error:      OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]
          it means:   the operator may not change callbacks
          warning:    a replace deletes first. If the add failed, the callback is missing, and its messages are lost until an apply adds it
          what to do: give the employee the role of an application administrator, or name another `operator`

      acme/https://hooks.acme.example/2 (add): unknown
          error:      no answer within 40 s
          it means:   the connection was lost after the call was sent; it is unknown whether this add took effect, so it stays open in the state
          what to do: run apply again: it sends the same call again. A call with the opposite effect waits until the lost one can't arrive any more, at most about 6 minutes after it was sent (`state show` shows until when)

      acme/https://hooks.acme.example/3 (delete): not attempted
          why:        an add of its organization did not succeed, and deletes begin only after all adds have
          what to do: fix the cause reported for that add, then run apply again

      acme/https://hooks.acme.example/4 (delete): not attempted
          why:        an earlier call that got no answer may still arrive until 2026-11-23 12:03:04 UTC
          what to do: run apply again; it can't finish before then

      acme/https://hooks.acme.example/5 (delete): not attempted
          why:        the credentials of account default were refused
          what to do: correct the credentials of the account, then run apply again

      acme/https://hooks.acme.example/6 (delete): not attempted
          why:        eSign refuses every call for this organization
          what to do: see the error of its other callbacks, then run apply again

      acme/https://hooks.acme.example/7 (delete): not attempted
          why:        the run was interrupted

      acme/https://hooks.acme.example/8 (delete): not attempted
          why:        the journal can't be written, and no call is sent without it
          what to do: follow the error about the state, then run apply again

      acme/https://hooks.acme.example/9 (heal): unknown
          error:      no answer within 40 s
          it means:   the connection was lost after the call was sent; the callback was recorded as present before this heal, and still is: it is there, unless it was deleted outside ess-callbacks
          what to do: run `apply --heal` again, which adds it again

    Drift. eSign was not as recorded for 2 callbacks:
      acme/https://gone.example/cb
          it was recorded as present, but eSign did not have it: it was deleted outside ess-callbacks, or these credentials belong to another enterprise. Its messages in between were lost
      acme/https://there.example/cb
          it was recorded as absent, but eSign already had it: it was added outside ess-callbacks, and it keeps the key and token that were set there (--replace ADDRESS sets yours)

    Already there. eSign had 1 callback before the add:
      acme/https://first.example/cb
    An add does not change the key and token of a callback that is already there, so they may differ from yours. `apply --replace ADDRESS` sets yours.

    Interrupted: no further calls were made, and the state holds every outcome so far. Run apply again to continue.

    Run apply again after 2026-11-23 12:03:04 UTC: until then a lost call may still arrive.

    1 of 4 calls was refused for the rate limit.
    ");
}

#[test]
fn what_many_were_left_out_for_is_told_once() {
    let many = |first: u32, count: u32, why: &NotAttempted| {
        (first..first + count)
            .map(|number| {
                left(
                    number,
                    Action::Delete,
                    HowUnfinished::NotAttempted(why.clone()),
                )
            })
            .collect::<Vec<_>>()
    };
    let mut report = incomplete();
    report.unfinished.truncate(1);
    report.drifted.clear();
    report.throttled = 0;
    report.fenced = false;
    for left_out in [
        many(10, 3, &NotAttempted::Interrupted),
        many(20, 5, &NotAttempted::AddsFailed),
        many(30, 1916, &NotAttempted::Interrupted),
    ] {
        report.unfinished.extend(left_out);
    }
    assert_snapshot!(text(&report, &plain()), @"
    Apply incomplete! Resources: 1 added, 0 changed, 0 destroyed. 1 failed, 2 unknown, 6 not attempted.

      acme/https://hooks.acme.example/1 (replace): failed
          error:      OperationDenied.OperatorHasNoPermission: 操作人无权限 [request id s1775c-0001]
          it means:   the operator may not change callbacks
          warning:    a replace deletes first. If the add failed, the callback is missing, and its messages are lost until an apply adds it
          what to do: give the employee the role of an application administrator, or name another `operator`

      1919 changes: not attempted
          which:      acme/https://hooks.acme.example/10, acme/https://hooks.acme.example/11, acme/https://hooks.acme.example/12 and 1916 more, which `plan` shows
          why:        the run was interrupted

      acme/https://hooks.acme.example/20 (delete): not attempted
          why:        an add of its organization did not succeed, and deletes begin only after all adds have
          what to do: fix the cause reported for that add, then run apply again

      acme/https://hooks.acme.example/21 (delete): not attempted
          why:        an add of its organization did not succeed, and deletes begin only after all adds have
          what to do: fix the cause reported for that add, then run apply again

      acme/https://hooks.acme.example/22 (delete): not attempted
          why:        an add of its organization did not succeed, and deletes begin only after all adds have
          what to do: fix the cause reported for that add, then run apply again

      acme/https://hooks.acme.example/23 (delete): not attempted
          why:        an add of its organization did not succeed, and deletes begin only after all adds have
          what to do: fix the cause reported for that add, then run apply again

      acme/https://hooks.acme.example/24 (delete): not attempted
          why:        an add of its organization did not succeed, and deletes begin only after all adds have
          what to do: fix the cause reported for that add, then run apply again

    Already there. eSign had 1 callback before the add:
      acme/https://first.example/cb
    An add does not change the key and token of a callback that is already there, so they may differ from yours. `apply --replace ADDRESS` sets yours.

    Interrupted: no further calls were made, and the state holds every outcome so far. Run apply again to continue.
    ");
}

#[test]
fn narrow_terminals_keep_the_columns() {
    let mut report = incomplete();
    report.unfinished.truncate(1);
    report.drifted.clear();
    let narrow = Style {
        width: 50,
        ..plain()
    };
    assert_snapshot!(text(&report, &narrow), @"
    Apply incomplete! Resources: 1 added, 0 changed, 0
    destroyed. 1 failed, 2 unknown, 6 not attempted.

      acme/https://hooks.acme.example/1 (replace): failed
          error:      OperationDenied.OperatorHasNoPermission:
                      操作人无权限 [request id
                      s1775c-0001]
          it means:   the operator may not change
                      callbacks
          warning:    a replace deletes first. If the
                      add failed, the callback is
                      missing, and its messages are
                      lost until an apply adds it
          what to do: give the employee the role of an
                      application administrator, or
                      name another `operator`

    Already there. eSign had 1 callback before the add:
      acme/https://first.example/cb
    An add does not change the key and token of a
    callback that is already there, so they may differ
    from yours. `apply --replace ADDRESS` sets yours.

    Interrupted: no further calls were made, and the
    state holds every outcome so far. Run apply again
    to continue.

    Run apply again without --no-wait: it waits until
    no lost call can arrive any more.

    1 of 4 calls was refused for the rate limit.
    ");
}

#[test]
fn the_report_as_json() {
    let mut report = incomplete();
    report.unfinished.truncate(4);
    report.drifted.truncate(1);
    assert_snapshot!(report_json(&report, NOW), @r#"{"@level":"error","@message":"Apply incomplete! Resources: 1 added, 0 changed, 0 destroyed. 1 failed, 2 unknown, 6 not attempted.","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"apply_report","report":{"complete":false,"added":1,"changed":0,"destroyed":0,"failed":1,"unknown":2,"not_attempted":6,"calls":4,"throttled":1,"interrupted":true,"fenced":true,"unfinished":[{"resource":{"addr":"acme/https://hooks.acme.example/1","organization":"acme","url":"https://hooks.acme.example/1"},"action":"replace","outcome":"failed","error":{"code":"OperationDenied.OperatorHasNoPermission","message":"操作人无权限","request_id":"s1775c-0001","meaning":"the operator may not change callbacks","advice":"give the employee the role of an application administrator, or name another `operator`"}},{"resource":{"addr":"acme/https://hooks.acme.example/2","organization":"acme","url":"https://hooks.acme.example/2"},"action":"add","outcome":"unknown","error":{"code":null,"message":"no answer within 40 s","request_id":null,"meaning":"the connection was lost after the call was sent","advice":"nothing"}},{"resource":{"addr":"acme/https://hooks.acme.example/3","organization":"acme","url":"https://hooks.acme.example/3"},"action":"delete","outcome":"not_attempted","why":{"because":"adds_failed"}},{"resource":{"addr":"acme/https://hooks.acme.example/4","organization":"acme","url":"https://hooks.acme.example/4"},"action":"delete","outcome":"not_attempted","why":{"because":"fenced","until":"2026-11-23T12:03:04Z"}}],"drifted":[{"resource":{"addr":"acme/https://gone.example/cb","organization":"acme","url":"https://gone.example/cb"},"drift":"was_gone"}],"were_there":[{"addr":"acme/https://first.example/cb","organization":"acme","url":"https://first.example/cb"}]}}"#);
}

#[test]
fn addresses_can_not_forge_lines() {
    let mut report = incomplete();
    report.unfinished[0].address = Address {
        handle: crate::model::Handle::new("acme\nApply complete!\u{1b}[2J"),
        url: url("https://a.example/\u{202e}"),
    };
    let shown = text(&report, &plain());
    assert!(!shown.contains(['\u{1b}', '\u{202e}']));
    assert!(!shown.contains("\nApply complete!"));
}
