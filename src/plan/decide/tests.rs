//! Each cell of the decision table, by name.

use super::*;
use crate::model::{Belief, Fingerprint, Handle, OperatorId, Presumed, SignedWrite, Timestamp};

const X: Fingerprints = Fingerprints {
    key: Some(Fingerprint([1; 16])),
    token: None,
};
const Y: Fingerprints = Fingerprints {
    key: Some(Fingerprint([2; 16])),
    token: None,
};

fn entry(belief: Belief, lost: Option<Write>) -> Entry {
    let mut entry = Entry::untouched(Handle::new("acme"), OperatorId::new("op"), false);
    entry.belief = belief;
    entry.lost = lost.map(|write| SignedWrite {
        write,
        signed_at: Timestamp(1_700_000_000),
    });
    entry
}

fn open(fingerprints: Fingerprints, lost: Write) -> Entry {
    entry(
        Belief::unknown(Presumed {
            fingerprints,
            exact: true,
        }),
        Some(lost),
    )
}

fn declared(fingerprints: Fingerprints) -> Wanted {
    Wanted::Declared {
        value: Value::Known(fingerprints),
        adoption: Adoption::Keep,
        forced: false,
    }
}

const OMITTED: Wanted = Wanted::Gone(Deletion::Omitted, Reason::NotDeclared);
const ABSENT: Wanted = Wanted::Gone(Deletion::Listed, Reason::ListedAbsent);

#[track_caller]
fn check(
    recorded: impl Into<Option<Entry>>,
    wanted: Wanted,
    action: Action,
    calls: Calls,
    fenced: bool,
) {
    let recorded = recorded.into();
    let verdict = decide(recorded.as_ref(), wanted);
    assert_eq!(
        (verdict.action, verdict.calls, verdict.fenced),
        (action, calls, fenced),
        "{verdict:?}"
    );
}

#[test]
fn nothing_recorded_declared() {
    check(None, declared(X), Action::Add, Calls::Add, false);
}

#[test]
fn nothing_recorded_declared_with_adoption_replace() {
    let wanted = Wanted::Declared {
        value: Value::Known(X),
        adoption: Adoption::Replace,
        forced: false,
    };
    check(None, wanted, Action::Replace, Calls::Replace, false);
}

#[test]
fn nothing_recorded_absent() {
    check(None, ABSENT, Action::Delete, Calls::Delete, false);
}

#[test]
fn proven_absent_declared() {
    check(
        Some(entry(Belief::ABSENT, None)),
        declared(X),
        Action::Add,
        Calls::Add,
        false,
    );
}

#[test]
fn proven_absent_not_declared() {
    check(
        Some(entry(Belief::ABSENT, None)),
        OMITTED,
        Action::NoOp,
        Calls::Nothing,
        false,
    );
}

#[test]
fn proven_absent_absent() {
    check(
        Some(entry(Belief::ABSENT, None)),
        ABSENT,
        Action::NoOp,
        Calls::Nothing,
        false,
    );
}

#[test]
fn proven_present_same() {
    check(
        Some(entry(Belief::proven(X), None)),
        declared(X),
        Action::NoOp,
        Calls::Nothing,
        false,
    );
}

#[test]
fn proven_present_changed() {
    check(
        Some(entry(Belief::proven(X), None)),
        declared(Y),
        Action::Replace,
        Calls::Replace,
        false,
    );
}

#[test]
fn proven_present_not_declared() {
    check(
        Some(entry(Belief::proven(X), None)),
        OMITTED,
        Action::Delete,
        Calls::Delete,
        false,
    );
}

#[test]
fn proven_present_absent() {
    check(
        Some(entry(Belief::proven(X), None)),
        ABSENT,
        Action::Delete,
        Calls::Delete,
        false,
    );
}

#[test]
fn assumed_present_same_is_unproven() {
    let verdict = decide(Some(&entry(Belief::assumed(X), None)), declared(X));
    assert_eq!(
        (verdict.action, verdict.reason),
        (Action::NoOp, Reason::Unproven)
    );
}

#[test]
fn assumed_present_changed() {
    check(
        Some(entry(Belief::assumed(X), None)),
        declared(Y),
        Action::Replace,
        Calls::Replace,
        false,
    );
}

#[test]
fn assumed_present_not_declared() {
    check(
        Some(entry(Belief::assumed(X), None)),
        OMITTED,
        Action::Delete,
        Calls::Delete,
        false,
    );
}

#[test]
fn assumed_present_absent() {
    check(
        Some(entry(Belief::assumed(X), None)),
        ABSENT,
        Action::Delete,
        Calls::Delete,
        false,
    );
}

#[test]
fn open_add_of_this_value_same() {
    check(
        Some(open(X, Write::Add(X))),
        declared(X),
        Action::Finish,
        Calls::Add,
        false,
    );
}

#[test]
fn open_add_of_this_value_changed() {
    check(
        Some(open(X, Write::Add(X))),
        declared(Y),
        Action::Finish,
        Calls::Replace,
        true,
    );
}

#[test]
fn open_add_of_this_value_not_declared() {
    check(
        Some(open(X, Write::Add(X))),
        OMITTED,
        Action::Finish,
        Calls::Delete,
        true,
    );
}

#[test]
fn open_add_of_this_value_absent() {
    check(
        Some(open(X, Write::Add(X))),
        ABSENT,
        Action::Finish,
        Calls::Delete,
        true,
    );
}

#[test]
fn open_add_of_another_value_same() {
    check(
        Some(open(X, Write::Add(Y))),
        declared(X),
        Action::Finish,
        Calls::Replace,
        true,
    );
}

#[test]
fn open_add_of_another_value_changed() {
    let third = Fingerprints {
        key: None,
        token: None,
    };
    check(
        Some(open(X, Write::Add(Y))),
        declared(third),
        Action::Finish,
        Calls::Replace,
        true,
    );
}

#[test]
fn open_add_of_another_value_not_declared() {
    check(
        Some(open(X, Write::Add(Y))),
        OMITTED,
        Action::Finish,
        Calls::Delete,
        true,
    );
}

#[test]
fn open_add_of_another_value_absent() {
    check(
        Some(open(X, Write::Add(Y))),
        ABSENT,
        Action::Finish,
        Calls::Delete,
        true,
    );
}

#[test]
fn open_delete_same() {
    check(
        Some(open(X, Write::Delete)),
        declared(X),
        Action::Finish,
        Calls::Add,
        true,
    );
}

#[test]
fn open_delete_changed() {
    check(
        Some(open(X, Write::Delete)),
        declared(Y),
        Action::Finish,
        Calls::Replace,
        true,
    );
}

#[test]
fn open_delete_not_declared() {
    check(
        Some(open(X, Write::Delete)),
        OMITTED,
        Action::Finish,
        Calls::Delete,
        false,
    );
}

#[test]
fn open_delete_absent() {
    check(
        Some(open(X, Write::Delete)),
        ABSENT,
        Action::Finish,
        Calls::Delete,
        false,
    );
}

#[test]
fn a_lost_call_fences_the_opposite_even_after_its_repetition_was_answered() {
    let added = || Some(entry(Belief::proven(X), Some(Write::Add(X))));
    check(added(), declared(X), Action::NoOp, Calls::Nothing, false);
    check(added(), OMITTED, Action::Delete, Calls::Delete, true);
    check(added(), declared(Y), Action::Replace, Calls::Replace, true);
    let deleted = || Some(entry(Belief::ABSENT, Some(Write::Delete)));
    check(deleted(), declared(X), Action::Add, Calls::Add, true);
    check(deleted(), ABSENT, Action::NoOp, Calls::Nothing, false);
}

#[test]
fn forced_replaces_whatever_is_recorded() {
    let forced = Wanted::Declared {
        value: Value::Known(X),
        adoption: Adoption::Keep,
        forced: true,
    };
    for recorded in [
        None,
        Some(entry(Belief::proven(X), None)),
        Some(entry(Belief::assumed(X), None)),
    ] {
        check(recorded, forced, Action::Replace, Calls::Replace, false);
    }
    check(
        Some(open(X, Write::Add(X))),
        forced,
        Action::Finish,
        Calls::Replace,
        true,
    );
}

#[test]
fn without_secrets_a_rotation_is_not_checked_but_a_new_kind_of_secret_is_seen() {
    let unresolved = |key, token| Wanted::Declared {
        value: Value::Shape { key, token },
        adoption: Adoption::Keep,
        forced: false,
    };
    let verdict = decide(
        Some(&entry(Belief::proven(X), None)),
        unresolved(true, false),
    );
    assert_eq!(
        (verdict.action, verdict.reason),
        (Action::NoOp, Reason::NotChecked)
    );
    let verdict = decide(
        Some(&entry(Belief::proven(X), None)),
        unresolved(true, true),
    );
    assert_eq!(
        verdict.reason,
        Reason::SecretChanged {
            key: false,
            token: true
        }
    );
}

#[test]
fn a_new_key_does_not_blame_the_token() {
    let both = |key, token| Fingerprints {
        key: Some(Fingerprint([key; 16])),
        token: Some(Fingerprint([token; 16])),
    };
    let verdict = decide(
        Some(&entry(Belief::proven(both(1, 1)), None)),
        declared(both(2, 2)),
    );
    assert_eq!(
        verdict.reason,
        Reason::SecretChanged {
            key: true,
            token: false
        }
    );
    let verdict = decide(
        Some(&entry(Belief::proven(both(1, 1)), None)),
        declared(both(1, 2)),
    );
    assert_eq!(
        verdict.reason,
        Reason::SecretChanged {
            key: false,
            token: true
        }
    );
}
