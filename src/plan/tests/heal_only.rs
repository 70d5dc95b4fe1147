//! `--heal-only`: what a job without reviewers may do.

use super::*;

/// What was approved before is done; what the file says newly waits.
#[test]
fn only_what_is_recorded_is_added_again_and_only_what_was_called_is_settled() {
    let mut lost = entry("acme", Belief::proven(value(1)));
    lost.belief = lost.belief.or_after(Write::Delete);
    lost.lost = Some(SignedWrite {
        write: Write::Delete,
        signed_at: Timestamp(0),
    });
    let mut added = entry("acme", Belief::proven(value(1)));
    added.belief = Belief::ABSENT.or_after(Write::Add(value(1)));
    added.lost = Some(SignedWrite {
        write: Write::Add(value(1)),
        signed_at: Timestamp(0),
    });
    let mut protected = entry("acme", Belief::proven(value(1)));
    protected.protect = true;
    let mut removed = entry("acme", Belief::proven(value(1)));
    removed.protect = true;
    let recorded = recorded([
        // As declared; absent; another key in the file; left the file; a lost delete of what left it.
        ("acme", 1, protected),
        ("acme", 2, entry("acme", Belief::ABSENT)),
        ("acme", 3, entry("acme", Belief::proven(value(1)))),
        ("acme", 4, removed),
        ("acme", 5, lost),
        // Lost adds, of what is declared and of what left the file.
        ("acme", 7, added.clone()),
        ("acme", 8, added),
        // Its organization left the file.
        ("beta", 6, entry("beta", Belief::proven(value(1)))),
    ]);
    let callbacks = vec![
        callback(1, 1),
        callback(2, 1),
        callback(3, 2),
        callback(7, 1),
        // New.
        callback(9, 1),
    ];
    let desired = desired(vec![organization("acme", callbacks, vec![])]);
    let options = |only| Options {
        heal: Some(Heal {
            only,
            ..Heal::default()
        }),
        ..Options::default()
    };
    let plan = planned(&desired, &recorded, &options(true));
    let made: Vec<_> = plan
        .changes()
        .map(|change| (change.address.url.clone(), change.action))
        .collect();
    assert_eq!(
        made,
        [
            (url(7), Action::Finish),
            (url(1), Action::Heal),
            (url(5), Action::Finish),
        ]
    );
    // Taking protection back is a change of the file.
    assert!(plan.changes().nth(1).unwrap().after().unwrap().protect);
    assert!(plan.tripped.is_empty() && plan.bookkeeping.is_empty());
    assert_eq!(plan.summary.left_for_apply, 6);
    let all = planned(&desired, &recorded, &options(false));
    assert_eq!(all.summary.left_for_apply, 0);
    assert_eq!(all.changes().count(), 9);
    assert!(!all.tripped.is_empty());
}
