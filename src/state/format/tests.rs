//! Tests of the state file.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{read, read_copy, write, write_copy};
use crate::model::{
    AccountName, AccountSource, Belief, CallbackUrl, Checkout, Destination, Environment,
    Fingerprint, LastCalls, News, Nonce, Notes, Owed, Recorded, RecordedAccount, SignedWrite,
    Suspension, Told, ToldAs, Traces, Write,
};
use crate::state::testing::{
    ADD, NOW, SALT, applied, identity, intent, lineage, some_record, unknown,
};
use crate::state::{EndedCall, Place, Rescue, StateError};

fn written(recorded: &Recorded) -> String {
    let mut text = Vec::new();
    write(recorded, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn parsed(text: &str) -> Result<Recorded, StateError> {
    read(&Place::new("s.json"), text.as_bytes())
}

fn refusal(text: &str) -> String {
    parsed(text).unwrap_err().to_string()
}

/// Three callbacks: a proven one, an open one and one on its way.
fn example() -> Recorded {
    let mut recorded = Recorded::nothing(Environment::Test);
    recorded.lineage = Some(lineage());
    recorded.salt = Some(SALT);
    recorded.destination = Some(Destination::Sandbox);
    recorded.serial = 12;
    for (number, outcome) in [(1, Some(applied())), (2, Some(unknown())), (3, None)] {
        let id = recorded.next_call();
        let mut intent = intent(number, ADD);
        intent.protect = number == 1;
        recorded.open_call(id, &intent);
        if let Some(outcome) = outcome {
            recorded.close_call(id, &outcome, NOW).unwrap();
        }
    }
    recorded
}

#[test]
fn an_emergency_copy_is_a_state_with_the_calls_that_ended() {
    let mut recorded = example();
    recorded.suspension = Some(Suspension {
        reason: "eSign moves".to_owned(),
        until: NOW,
    });
    recorded.checkout = Some(Checkout {
        digest: "sha256:07".to_owned(),
        since: NOW,
    });
    let told = Told {
        is: ToldAs::Present,
        content: "0707".to_owned(),
        since: NOW,
        at: NOW,
        owed: None,
    };
    let owed = Owed {
        to: BTreeSet::from(["slack".to_owned(), "wecom 2".to_owned()]),
        until: NOW,
        news: News::Resolved,
        at: NOW,
        lines: vec!["it \"failed\"".to_owned()],
    };
    let resolved = Told {
        is: ToldAs::Resolved,
        owed: Some(owed),
        ..told.clone()
    };
    recorded.told.insert("drift-found".to_owned(), resolved);
    recorded.told.insert("run-failed calls".to_owned(), told);
    recorded.notes = Some(Notes {
        after: 9,
        until: 12,
    });
    let of = |number| (identity(number), CallbackUrl::new("https://h.example/of"));
    recorded.twins = BTreeMap::from([of(4), of(5)]);
    let ended = [(1, ADD), (2, Write::Delete)].map(|(number, write)| EndedCall {
        identity: identity(number),
        lost: SignedWrite {
            write,
            signed_at: NOW,
        },
        proved_at: (number == 2).then_some(NOW),
    });
    let copy = Rescue {
        recorded,
        ended: ended.to_vec(),
    };
    let mut text = Vec::new();
    write_copy(&copy, &mut text).unwrap();
    let place = Place::new("s.json");
    assert_eq!(read_copy(&place, text.as_slice()).unwrap(), copy);
    let text = String::from_utf8(text).unwrap();
    insta::assert_snapshot!(text.split("\"callbacks\"").next().unwrap(), @r#"
    {
      "version": 2,
      "lineage": "0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e",
      "serial": 12,
      "environment": "test",
      "destination": "sandbox",
      "suspended": {"reason":"eSign moves","until":"2026-09-21T14:13:20Z"},
      "checkout": {"digest":"sha256:07","since":"2026-09-21T14:13:20Z"},
      "told": {
        "drift-found": {"is":"resolved","content":"0707","since":"2026-09-21T14:13:20Z","at":"2026-09-21T14:13:20Z","owed":{"to":["slack","wecom 2"],"until":"2026-09-21T14:13:20Z","news":"resolved","at":"2026-09-21T14:13:20Z","lines":["it \"failed\""]}},
        "run-failed calls": {"is":"present","content":"0707","since":"2026-09-21T14:13:20Z","at":"2026-09-21T14:13:20Z"}
      },
      "notes_after": 9,
      "twins": [
        {"account":"default","url":"https://h.example/4","of":"https://h.example/of"},
        {"account":"default","url":"https://h.example/5","of":"https://h.example/of"}
      ],
      "fingerprint_salt": "07070707070707070707070707070707",
      "ended_calls": [
        {"account":"default","url":"https://h.example/1","lost":{"call":"add","key":"01010101010101010101010101010101","signed_at":"2026-09-21T14:13:20Z"}},
        {"account":"default","url":"https://h.example/2","lost":{"call":"delete","signed_at":"2026-09-21T14:13:20Z"},"proved_at":"2026-09-21T14:13:20Z"}
      ],
    "#);
    // It can be used as the state that it is, also when another tool has formatted it.
    assert_eq!(parsed(&text).unwrap(), copy.recorded);
    let formatted = serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let formatted = serde_json::to_string_pretty(&formatted).unwrap();
    assert_eq!(read_copy(&place, formatted.as_bytes()).unwrap(), copy);
    let bad = text.replacen(
        "\"call\":\"delete\"",
        "\"call\":\"delete\",\"token\":\"07070707070707070707070707070707\"",
        1,
    );
    assert!(refusal(&bad).contains("a delete has no `key` and no `token`"));
}

#[test]
fn one_callback_a_line() {
    insta::assert_snapshot!(written(&example()), @r#"
    {
      "version": 2,
      "lineage": "0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e",
      "serial": 12,
      "environment": "test",
      "destination": "sandbox",
      "fingerprint_salt": "07070707070707070707070707070707",
      "callbacks": [
        {"handle":"acme","account":"default","url":"https://h.example/1","operator":"op","protect":true,"status":"present","evidence":"assumed","key":"01010101010101010101010101010101","proved_at":"2026-09-21T14:13:20Z","request_id":"r-1"},
        {"handle":"acme","account":"default","url":"https://h.example/2","operator":"op","status":"unknown","evidence":"unknown","exact":false,"key":"01010101010101010101010101010101","open":{"lost":{"call":"add","key":"01010101010101010101010101010101","signed_at":"2026-09-21T14:13:20Z"}}},
        {"handle":"acme","account":"default","url":"https://h.example/3","operator":"op","status":"unknown","evidence":"unknown","exact":false,"open":{"pending":{"id":3,"call":{"call":"add","key":"01010101010101010101010101010101","signed_at":"2026-09-21T14:13:20Z"}}}}
      ]
    }
    "#);
}

#[test]
fn whose_credentials_made_the_calls_is_kept_a_line_an_account() {
    let mut recorded = example();
    for (name, number) in [("main", 9), ("other", 7)] {
        let account = RecordedAccount {
            source: AccountSource::Profile(name.to_owned()),
            secret_id: Fingerprint([number; 16]),
            account_id: (number == 9).then(|| crate::model::AccountId::new("100000000001")),
            last_calls: (number == 9).then_some(LastCalls {
                at: NOW,
                count: 20,
                way_there: 45,
            }),
        };
        recorded.accounts.insert(AccountName::new(name), account);
    }
    let text = written(&recorded);
    let lines: Vec<_> = text.lines().skip(6).take(4).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "accounts": {
      "main": {"source":{"profile":"main"},"secret_id":"09090909090909090909090909090909","account_id":"100000000001","last_calls":{"at":"2026-09-21T14:13:20Z","count":20,"way_there":45}},
      "other": {"source":{"profile":"other"},"secret_id":"07070707070707070707070707070707"}
    },
    "#);
    assert_eq!(parsed(&text).unwrap(), recorded);
}

#[test]
fn a_suspension_is_kept_in_one_line() {
    let mut recorded = example();
    recorded.suspension = Some(Suspension {
        reason: "eSign moves\nits data center \u{202e}".to_owned(),
        until: NOW,
    });
    let text = written(&recorded);
    insta::assert_snapshot!(text.lines().nth(6).unwrap(), @r#"  "suspended": {"reason":"eSign moves\nits data center \u202e","until":"2026-09-21T14:13:20Z"},"#);
    assert_eq!(parsed(&text).unwrap(), recorded);
    assert_eq!(recorded.suspended(NOW), None);
    assert!(recorded.suspended(NOW.plus(-1)).is_some());
}

/// Format 1 had no `destination`.
#[test]
fn the_first_format_is_read_and_written_anew() {
    let text = written(&example());
    let first = text
        .replace("\"version\": 2", "\"version\": 1")
        .replace("  \"destination\": \"sandbox\",\n", "");
    let mut recorded = parsed(&first).unwrap();
    assert_eq!(recorded.destination, None);
    recorded.destination = Some(Destination::Sandbox);
    assert_eq!(written(&recorded), text);
}

#[test]
fn an_empty_state_has_the_same_form() {
    let mut recorded = example();
    recorded.scopes.clear();
    let text = written(&recorded);
    assert!(text.ends_with("\"callbacks\": [\n  ]\n}\n"));
    assert!(parsed(&text).unwrap().is_empty());
}

#[test]
fn a_state_without_lineage_is_not_written() {
    let recorded = Recorded::nothing(Environment::Test);
    assert!(write(&recorded, &mut Vec::new()).is_err());
}

#[test]
fn a_call_on_its_way_can_be_settled_after_reading() {
    let mut recorded = parsed(&written(&example())).unwrap();
    let id = recorded.get(&identity(3).scope, &identity(3).url);
    let id = id.unwrap().pending.unwrap().id;
    assert!(recorded.close_call(id, &applied(), NOW).is_some());
    assert!(recorded.next_call() > id);
}

#[test]
fn names_are_kept_once() {
    let recorded = parsed(&written(&example())).unwrap();
    let mut entries = recorded.iter().map(|(_, _, entry)| entry);
    let first = entries.next().unwrap();
    for entry in entries {
        assert!(std::ptr::eq(
            first.operator.as_str(),
            entry.operator.as_str()
        ));
        assert!(std::ptr::eq(first.handle.as_str(), entry.handle.as_str()));
    }
}

#[test]
fn another_layout_is_read_too() {
    let text = written(&example());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for other in [
        serde_json::to_string_pretty(&value).unwrap(),
        serde_json::to_string(&value).unwrap(),
        text.replace('\n', "\r\n"),
        text.replace("    {", "\t{"),
    ] {
        assert_eq!(parsed(&other).unwrap(), parsed(&text).unwrap(), "{other}");
    }
}

#[test]
fn a_newer_version_is_refused_whatever_else_it_has() {
    for other in [
        written(&example()).replace("\"version\": 2", "\"version\": 3"),
        "{\"version\":9,\"news\":[{}]}".to_owned(),
    ] {
        let error = parsed(&other).unwrap_err();
        assert!(matches!(error, StateError::NewerVersion { known: 2, .. }));
    }
}

/// Each change of the example, and what is said of it.
#[test]
fn whatever_is_wrong_is_said_with_its_line() {
    let text = written(&example());
    let cases = [
        ("\"version\": 2", "\"version\": 0"),
        ("\"destination\": \"sandbox\"", "\"destination\": {}"),
        ("\"serial\"", "\"cereal\""),
        ("\"serial\": 12", "\"serial\": 9007199254740993"),
        ("{\"handle\"", "{\"extra\":1,\"handle\""),
        ("h.example/3", "h.example/2"),
        ("https://h.example/2", "ftp://h.example/2"),
        (
            "\"operator\":\"op\",\"protect\"",
            "\"operator\":\"\",\"protect\"",
        ),
        ("\"evidence\":\"assumed\"", "\"evidence\":\"unknown\""),
        ("\"exact\":false,\"key\"", "\"key\""),
        (",\"request_id\":\"r-1\"", ""),
        ("\"proved_at\":\"2026", "\"proved_at\":\"the year 2026"),
        ("\"key\":\"01", "\"key\":\"zz"),
        ("\"call\":\"add\",\"key\"", "\"call\":\"delete\",\"key\""),
        ("\"r-1\"},", "\"r-1\"}"),
        ("}}}}\n", "}}}},\n"),
        ("  ]\n}\n", "  ]\n"),
        ("  ]\n}\n", ""),
        ("  ]\n}\n", "  ]\n}\n{}\n"),
        ("\"serial\": 12,", "\"serial\": 12, \"notes_after\": 12,"),
        (
            "\"version\": 2,",
            "\"version\": 4, \"terraform_version\": \"1.9.0\",",
        ),
    ];
    let said: Vec<String> = cases
        .into_iter()
        .map(|(from, to)| {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text, "{from}");
            refusal(&broken)
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @"
    `s.json`: `version` is 0
    `s.json` line 6: invalid type: map, expected a string
    `s.json` line 4: unknown field `cereal`, expected one of `version`, `lineage`, `serial`, `environment`, `destination`, `accounts`, `suspended`, `checkout`, `told`, `notes_after`, `twins`, `fingerprint_salt`, `ended_calls`, `callbacks`
    `s.json`: `serial` is too large
    `s.json` line 9: unknown field `extra`, expected one of `handle`, `account`, `proxy_organization_id`, `app_id`, `url`, `operator`, `protect`, `status`, `evidence`, `exact`, `key`, `token`, `proved_at`, `request_id`, `seen_at`, `missing`, `open`
    `s.json` line 11: duplicate callback `https://h.example/2` in the same organization
    `s.json` line 10: `url` is not an http or https URL
    `s.json` line 9: `operator` is empty
    `s.json` line 9: `status` and `evidence` contradict each other
    `s.json` line 10: `exact` is missing, which an unknown callback needs
    `s.json` line 9: `proved_at` and `request_id` go together
    `s.json` line 9: `the year 2026-09-21T14:13:20Z` is not a time like 2026-11-23T02:50:02Z
    `s.json` line 9: a fingerprint is 32 hexadecimal digits
    `s.json` line 10: a delete has no `key` and no `token`
    `s.json` line 10: the line before this one has no comma at its end
    `s.json` line 12: trailing comma at the end of the list
    `s.json` line 13: the file ends before its last brace
    `s.json` line 12: the file ends in the middle
    `s.json` line 14: unexpected text after the callbacks
    `s.json`: `notes_after` is 12, and not before `serial`
    `s.json`: it is a state of Terraform, not of ess-callbacks
    ");
}

#[test]
fn two_callbacks_can_not_wait_for_one_call() {
    let text = written(&example());
    let waiting = text.lines().nth(10).unwrap();
    let other = waiting.replace("h.example/3", "h.example/4");
    let both = text.replace(waiting, &format!("{waiting},\n{other}"));
    insta::assert_snapshot!(refusal(&both), @"`s.json` line 12: the call with the `id` 3 is on its way for `https://h.example/3` too; give one of them another number");
    let mended = both.replacen("\"id\":3", "\"id\":4", 1);
    assert_eq!(parsed(&mended).unwrap().len(), 4);
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    let text = written(&example());
    // Without its last newline it is still whole.
    for length in 0..text.len() - 1 {
        let error = parsed(&text[..length]).unwrap_err();
        assert!(matches!(error, StateError::Corrupt { .. }), "{length}");
    }
}

#[test]
fn a_merge_conflict_is_called_by_its_name() {
    let text = written(&example());
    let ours = text.lines().nth(8).unwrap();
    let in_list = text.replace(
        ours,
        &format!("<<<<<<< HEAD\n{ours}\n=======\n{ours}\n>>>>>>> theirs"),
    );
    let in_head = text.replace(
        "  \"serial\": 12,\n",
        "<<<<<<< HEAD\n  \"serial\": 12,\n=======\n  \"serial\": 13,\n>>>>>>> theirs\n",
    );
    assert_eq!(
        [refusal(&in_list), refusal(&in_head)],
        [
            "`s.json` line 9: there is an unresolved merge conflict",
            "`s.json` line 4: there is an unresolved merge conflict"
        ]
    );
}

#[test]
fn lines_may_stand_in_any_order() {
    let text = written(&example());
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(8, 9);
    let swapped = lines.join("\n");
    assert_eq!(parsed(&swapped).unwrap(), parsed(&text).unwrap());
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(recorded in some_record()) {
        let text = written(&recorded);
        let again = parsed(&text).unwrap();
        prop_assert_eq!(&again.scopes, &recorded.scopes);
        prop_assert_eq!(
            (again.lineage, again.serial, again.environment, &again.destination, again.salt),
            (recorded.lineage, recorded.serial, recorded.environment, &recorded.destination, recorded.salt)
        );
        prop_assert_eq!(written(&again), text);
    }

    #[test]
    fn reading_never_panics(text in "[ -~\n]{0,200}") {
        // Whether it is an error does not matter here.
        drop(parsed(&text));
    }
}

#[test]
fn a_lost_call_is_written_with_what_a_witness_needs() {
    let mut recorded = example();
    let identity = identity(2);
    let entry = recorded.get_mut(&identity.scope, &identity.url).unwrap();
    entry.traces = Some(Box::new(Traces {
        before: Belief::ABSENT,
        nonces: vec![Nonce([0xab; 16])],
    }));
    let text = written(&recorded);
    let traces = r#""traces":{"nonces":["abababababababababababababababab"],"before":{"status":"absent","evidence":"proven"}}"#;
    assert!(text.contains(traces), "{text}");
    assert_eq!(parsed(&text).unwrap(), recorded);
    for (bad, why) in [
        (
            text.replace(r#"["abababababababababababababababab"]"#, "[]"),
            "`nonces` is empty",
        ),
        (
            text.replace("abababababababababababababababab", "abab"),
            "32 hexadecimal digits",
        ),
        (text.replace(r#""lost":{"#, r#""lots":{"#), "unknown field"),
    ] {
        assert!(refusal(&bad).contains(why), "{}", refusal(&bad));
    }
}
