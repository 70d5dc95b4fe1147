//! Tests of the journal: what a crash may do to it, and what it may not.

use super::{Chain, Journal, batch, header, push_intent, push_outcome};
use crate::model::{CallId, Environment, Intent, Nonce, Recorded};
use crate::state::testing::{ADD, NOW, SALT, applied, intent, lineage, unknown};
use crate::state::{Place, StateError};

/// A journal of three lines and the record after each of them.
fn example() -> (Vec<u8>, Vec<Recorded>) {
    let mut recorded = Recorded::nothing(Environment::Test);
    recorded.lineage = Some(lineage());
    recorded.salt = Some(SALT);
    let mut history = vec![recorded.clone()];
    let mut chain = Chain::default();
    let mut text = header(&mut chain, lineage(), 12);
    for (numbers, outcome) in [([1, 2], applied()), ([3, 4], unknown())] {
        let mut records = Vec::new();
        for number in numbers {
            let id = recorded.next_call();
            let intent = intent(number, ADD);
            recorded.open_call(id, &intent);
            push_intent(&mut records, id, &intent);
            recorded.close_call(id, &outcome, NOW).unwrap();
            push_outcome(&mut records, id, &outcome, NOW);
        }
        text.extend_from_slice(&batch(&mut chain, &records));
        history.push(recorded.clone());
    }
    (text, history)
}

fn replayed(text: &[u8]) -> Result<(u64, Recorded), StateError> {
    let mut recorded = Recorded::nothing(Environment::Test);
    recorded.lineage = Some(lineage());
    recorded.salt = Some(SALT);
    let place = Place::new("j");
    let journal = Journal::open(&place, text)?;
    assert_eq!(journal.header.base_serial, 12);
    let records = journal.replay(&mut recorded)?;
    Ok((records, recorded))
}

fn line_ends(text: &[u8]) -> Vec<usize> {
    text.iter()
        .zip(1..)
        .filter_map(|(byte, place)| (*byte == b'\n').then_some(place))
        .collect()
}

#[test]
fn one_line_is_what_one_sync_made_durable() {
    let (text, _) = example();
    insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
    {"version":1,"lineage":"0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e","base_serial":12,"sum":"03a6434fa2bbee2e"}
    {"records":[{"intent":{"id":1,"handle":"acme","account":"default","url":"https://h.example/1","operator":"op","call":{"call":"add","key":"01010101010101010101010101010101","signed_at":"2026-09-21T14:13:20Z"}}},{"outcome":{"id":1,"kind":"applied","at":"2026-09-21T14:13:20Z","request_id":"r-1"}},{"intent":{"id":2,"handle":"acme","account":"default","url":"https://h.example/2","operator":"op","call":{"call":"add","key":"01010101010101010101010101010101","signed_at":"2026-09-21T14:13:20Z"}}},{"outcome":{"id":2,"kind":"applied","at":"2026-09-21T14:13:20Z","request_id":"r-1"}}],"sum":"1d7c3c94c1cc8fec"}
    {"records":[{"intent":{"id":3,"handle":"acme","account":"default","url":"https://h.example/3","operator":"op","call":{"call":"add","key":"01010101010101010101010101010101","signed_at":"2026-09-21T14:13:20Z"}}},{"outcome":{"id":3,"kind":"unknown","at":"2026-09-21T14:13:20Z","request_id":"r-2","code":"InternalError"}},{"intent":{"id":4,"handle":"acme","account":"default","url":"https://h.example/4","operator":"op","call":{"call":"add","key":"01010101010101010101010101010101","signed_at":"2026-09-21T14:13:20Z"}}},{"outcome":{"id":4,"kind":"unknown","at":"2026-09-21T14:13:20Z","request_id":"r-2","code":"InternalError"}}],"sum":"1ee90509122b63f9"}
    "#);
}

#[test]
fn replaying_is_what_happened() {
    let (text, history) = example();
    assert_eq!(replayed(&text).unwrap(), (8, history[2].clone()));
}

#[test]
fn wherever_it_is_cut_the_whole_lines_count() {
    let (text, history) = example();
    let ends = line_ends(&text);
    for length in 0..text.len() {
        let whole = ends.iter().filter(|end| **end <= length).count();
        match (whole, replayed(&text[..length])) {
            (0, outcome) => assert!(matches!(
                outcome.unwrap_err(),
                StateError::Corrupt { line: Some(1), .. }
            )),
            (whole, outcome) => assert_eq!(outcome.unwrap().1, history[whole - 1], "{length}"),
        }
    }
}

#[test]
fn a_changed_byte_is_noticed_and_only_a_torn_last_line_may_be_lost() {
    let (text, history) = example();
    let ends = line_ends(&text);
    for place in 0..text.len() {
        let mut changed = text.clone();
        changed[place] ^= 1;
        let outcome = replayed(&changed);
        // What is still JSON was edited; a crash can't have left it so.
        let last = &changed[ends[1]..];
        let torn =
            !last.ends_with(b"\n") || serde_json::from_slice::<serde_json::Value>(last).is_err();
        if place >= ends[1] && torn {
            assert_eq!(outcome.unwrap().1, history[1], "{place}");
        } else {
            assert!(
                matches!(outcome.unwrap_err(), StateError::Corrupt { .. }),
                "{place}"
            );
        }
    }
}

#[test]
fn a_hole_in_the_last_line_is_a_torn_line() {
    let (mut text, history) = example();
    let start = line_ends(&text)[1];
    text[start..start + 100].fill(0);
    assert_eq!(replayed(&text).unwrap().1, history[1]);
}

#[test]
fn a_missing_line_is_noticed() {
    let (text, _) = example();
    let ends = line_ends(&text);
    let mut without = text[..ends[0]].to_vec();
    without.extend_from_slice(&text[ends[1]..]);
    without.extend_from_slice(&text[ends[1]..]);
    let error = replayed(&without).unwrap_err();
    assert!(matches!(error, StateError::Corrupt { line: Some(2), .. }));
}

#[test]
fn a_line_that_was_edited_or_came_after_a_missing_one_is_not_taken_for_torn() {
    let (text, _) = example();
    let ends = line_ends(&text);
    let text = String::from_utf8(text).unwrap();
    let edited = text.replace("h.example/4", "h.example/5");
    let without = format!("{}{}", &text[..ends[0]], &text[ends[1]..]);
    for (journal, line) in [(edited, 3), (without, 2)] {
        let error = replayed(journal.as_bytes()).unwrap_err();
        let StateError::Corrupt { line: found, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(found, Some(line));
    }
}

#[test]
fn two_calls_can_not_have_one_number() {
    let begun = |number| {
        let mut records = Vec::new();
        push_intent(&mut records, CallId(7), &intent(number, ADD));
        records
    };
    let mut chain = Chain::default();
    let mut text = header(&mut chain, lineage(), 12);
    text.extend_from_slice(&batch(&mut chain, &begun(1)));
    assert_eq!(replayed(&text).unwrap().0, 1);
    text.extend_from_slice(&batch(&mut chain, &begun(2)));
    insta::assert_snapshot!(replayed(&text).unwrap_err(), @"`j` line 3: the call with the `id` 7 begins a second time");
}

#[test]
fn a_newer_version_is_refused() {
    let error = replayed(b"{\"version\":2,\"news\":[]}\n").unwrap_err();
    assert!(matches!(error, StateError::NewerVersion { found: 2, .. }));
}

#[test]
fn an_unknown_record_is_not_skipped() {
    let mut chain = Chain::default();
    let mut text = header(&mut chain, lineage(), 12);
    text.extend_from_slice(&batch(&mut chain, b",{\"news\":{}}"));
    let error = replayed(&text).unwrap_err();
    assert!(matches!(error, StateError::Corrupt { line: Some(2), .. }));
}

#[test]
fn the_words_of_an_error_are_not_kept() {
    let mut records = Vec::new();
    let mut recorded = Recorded::nothing(Environment::Test);
    push_outcome(&mut records, recorded.next_call(), &unknown(), NOW);
    let text = String::from_utf8(records).unwrap();
    assert!(text.contains("InternalError") && !text.contains("secret words"));
}

#[test]
fn a_call_that_was_killed_on_its_way_keeps_its_nonce() {
    let mut recorded = Recorded::nothing(Environment::Test);
    let id = recorded.next_call();
    let nonce = Nonce([0xab; 16]);
    let intent = Intent {
        nonce: Some(nonce),
        ..intent(1, ADD)
    };
    let (mut chain, mut records) = (Chain::default(), Vec::new());
    let mut text = header(&mut chain, lineage(), 12);
    push_intent(&mut records, id, &intent);
    text.extend_from_slice(&batch(&mut chain, &records));
    let line = String::from_utf8(text.clone()).unwrap();
    assert!(line.contains(&format!(r#""nonce":"{nonce}""#)), "{line}");
    let (_, mut read) = replayed(&text).unwrap();
    read.interrupt();
    let sought = read.sought();
    assert_eq!(sought.len(), 1);
    assert_eq!(sought[0].nonces, [nonce]);
}
