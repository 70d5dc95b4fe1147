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
    let mut removed = entry("acme", Belief::proven(value(1)));
    removed.protect = true;
    let recorded = recorded([
        // As declared; half of a replace; another key in the file; left the file; a lost delete of what left it.
        ("acme", 1, entry("acme", Belief::proven(value(1)))),
        ("acme", 2, entry("acme", Belief::ABSENT)),
        ("acme", 3, entry("acme", Belief::proven(value(1)))),
        ("acme", 4, removed),
        ("acme", 5, lost),
        // Its organization left the file.
        ("beta", 6, entry("beta", Belief::proven(value(1)))),
    ]);
    let callbacks = vec![
        callback(1, 1),
        callback(2, 1),
        callback(3, 2),
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
            (url(2), Action::Add),
            (url(1), Action::Heal),
            (url(5), Action::Finish),
        ]
    );
    assert!(plan.tripped.is_empty() && plan.bookkeeping.is_empty());
    assert_eq!(plan.summary.left_for_apply, 4);
    let all = planned(&desired, &recorded, &options(false));
    assert_eq!(all.summary.left_for_apply, 0);
    assert_eq!(all.changes().count(), 7);
    assert!(!all.tripped.is_empty());
}
