//! Twins in every plan: what waits for them, what shares their fate, and whose they are.

use super::rotation::{
    CHECK, ORIGINAL, TWIN, calls, changed, next, of, record, record_open, stage,
};
use super::*;

/// Nothing is certain to take the messages, so the twin comes first, and a later plan does the rest.
#[test]
fn a_plan_replaces_nothing_while_the_twin_may_be_missing() {
    let (desired, mut recorded) = changed(None);
    record_open(&mut recorded, twin(&url(1), CHECK));
    let plain = planned(&desired, &recorded, &Options::default());
    assert_eq!(calls(&plain), [of(TWIN, Calls::Add)]);
    let waiting = plain.waiting().map(|address| address.url.as_str());
    assert_eq!(waiting.collect::<Vec<_>>(), [ORIGINAL]);

    let asked = |options: Options| calls(&planned(&desired, &recorded, &options));
    let both = [of(ORIGINAL, Calls::Replace), of(TWIN, Calls::Delete)];
    let replaced = Options {
        replace: vec![Pattern::parse("acme/*").unwrap()],
        ..Options::default()
    };
    assert_eq!(asked(replaced), both);
    let destroyed = Options {
        destroy: true,
        ..Options::default()
    };
    assert_eq!(asked(destroyed).len(), 2);

    // The twin of another key is there, and takes the messages.
    let other = twin(&url(1), Some(Check(1)));
    record(&mut recorded, "acme", other, Belief::proven(value(3)));
    let covered = planned(&desired, &recorded, &Options::default());
    assert_eq!(calls(&covered)[0], of(ORIGINAL, Calls::Replace));
    assert_eq!(covered.waiting().count(), 0);
}

/// The same for a twin whose URL does not show it.
#[test]
fn a_plan_waits_for_a_recorded_twin() {
    let (desired, mut recorded) = changed(None);
    record_open(&mut recorded, url(9));
    let plain = |recorded: &Recorded| planned(&desired, recorded, &Options::default());
    let unknown = plain(&recorded);
    assert_eq!(calls(&unknown)[0], of(ORIGINAL, Calls::Replace));
    assert_eq!(unknown.summary.deletes_by_omission, 1);
    let twin = Identity {
        scope: scope("acme"),
        url: url(9),
    };
    recorded.twins.insert(twin, url(1));
    assert_eq!(calls(&plain(&recorded)), [of(url(9).as_str(), Calls::Add)]);
}

/// Between the delete and the add of the callback, nothing but its add can come before the delete of the twin.
#[test]
fn a_twin_is_kept_while_its_callback_may_be_missing() {
    let (mut desired, mut recorded) = changed(Some(Belief::proven(value(2))));
    record(&mut recorded, "acme", url(1), Belief::ABSENT);
    let rest = [of(ORIGINAL, Calls::Add), of(TWIN, Calls::Delete)];
    assert_eq!(
        calls(&planned(&desired, &recorded, &Options::default())),
        rest
    );
    assert_eq!(calls(&next(&desired, &recorded, true).plan), rest);

    let only_twin = Options {
        targets: vec![Pattern::parse(&format!("acme/{TWIN}")).unwrap()],
        ..Options::default()
    };
    let kept = planned(&desired, &recorded, &only_twin);
    assert!(kept.is_empty());
    assert_eq!(
        kept.organizations[0].changes[0].reason,
        Reason::RotationKept
    );

    desired.organizations[0].callbacks[0].enabled = false;
    assert!(planned(&desired, &recorded, &Options::default()).is_empty());
    record(&mut recorded, "acme", url(1), Belief::assumed(value(1)));
    assert!(planned(&desired, &recorded, &Options::default()).is_empty());
}

/// What becomes of a callback is done with its twin, too.
#[test]
fn who_targets_a_callback_targets_its_twin() {
    let (desired, mut recorded) = changed(None);
    record_open(&mut recorded, twin(&url(1), CHECK));
    let targeted = Options {
        targets: vec![Pattern::parse(&format!("acme/{ORIGINAL}")).unwrap()],
        ..Options::default()
    };
    assert_eq!(
        calls(&planned(&desired, &recorded, &targeted)),
        [of(TWIN, Calls::Add)]
    );
    record(
        &mut recorded,
        "acme",
        twin(&url(1), CHECK),
        Belief::proven(value(2)),
    );
    let rest = [of(ORIGINAL, Calls::Replace), of(TWIN, Calls::Delete)];
    assert_eq!(calls(&planned(&desired, &recorded, &targeted)), rest);
}

/// Whichever key it was to have: the twin gets the one of now.
#[test]
fn a_plan_waits_for_a_twin_with_another_key() {
    let (mut desired, mut recorded) = changed(None);
    record_open(&mut recorded, twin(&url(1), CHECK));
    desired.organizations[0].callbacks = vec![callback(1, 3)];
    let plain = planned(&desired, &recorded, &Options::default());
    assert_eq!(calls(&plain), [of(TWIN, Calls::Replace)]);
    assert_eq!(plain.waiting().count(), 1);
}

/// Deleting both is deleting one callback.
#[test]
fn no_guard_counts_the_twin_of_a_callback_that_is_not_declared() {
    let (mut desired, mut recorded) = changed(None);
    let other = entry("acme", Belief::proven(value(1)));
    let identity = |url| Identity {
        scope: scope("acme"),
        url,
    };
    recorded.insert(identity(url(2)), other);
    for given in [false, true] {
        let twin = if given { url(9) } else { twin(&url(1), CHECK) };
        let mut recorded = recorded.clone();
        record(
            &mut recorded,
            "acme",
            twin.clone(),
            Belief::proven(value(2)),
        );
        if given {
            recorded.twins.insert(identity(twin), url(1));
        }
        desired.organizations[0].callbacks = vec![callback(2, 1)];
        let plain = planned(&desired, &recorded, &Options::default());
        assert_eq!(plain.summary.calls, 2);
        assert_eq!(
            (plain.summary.deletes_by_omission, &plain.tripped[..]),
            (1, &[][..])
        );
        // What becomes of a callback is done with its twin, and `--destroy` counts it no more than others do.
        let asked = |destroy, targets: &[&str]| Options {
            destroy,
            targets: targets
                .iter()
                .map(|it| Pattern::parse(it).unwrap())
                .collect(),
            ..Options::default()
        };
        let target = format!("acme/{}", url(1).as_str());
        for (options, calls, deletes) in [
            (asked(false, &[&target]), 2, 1),
            (asked(true, &[&target]), 2, 1),
            (asked(true, &[]), 3, 2),
        ] {
            let plan = planned(&desired, &recorded, &options);
            let numbers = (plan.summary.calls, plan.summary.deletes_by_omission);
            assert_eq!(numbers, (calls, deletes));
        }
        desired.organizations = Vec::new();
        let gone = planned(&desired, &recorded, &asked(false, &[&target]));
        let numbers = (gone.summary.calls, gone.summary.deletes_by_omission);
        assert_eq!(numbers, (2, 1));
        let left = planned(&desired, &recorded, &Options::default());
        assert_eq!(left.summary.deletes_by_omission, 2);
        desired = self::desired(vec![organization("acme", Vec::new(), Vec::new())]);
    }
}

#[test]
fn the_twin_of_another_callback_is_left_alone() {
    let (mut desired, mut recorded) = changed(None);
    desired.organizations[0].callbacks = vec![callback(1, 2), callback(2, 2)];
    let other = entry("acme", Belief::proven(value(1)));
    let identity = |url| Identity {
        scope: scope("acme"),
        url,
    };
    recorded.insert(identity(url(2)), other);
    record(&mut recorded, "acme", url(9), Belief::proven(value(2)));
    recorded.twins.insert(identity(url(9)), url(1));
    let table = table();
    let secrets = Secrets {
        salt: SALT,
        fingerprints: Some(&table),
    };
    let of_form = twin(&url(1), Some(Check(1)));
    for (number, twin, expected) in [
        (1, url(9), Stage::Finish),
        (2, url(9), Stage::TwinOfAnother),
        (2, of_form, Stage::TwinOfAnother),
        (2, url(8), Stage::Begin),
    ] {
        let address = Address {
            handle: Handle::new("acme"),
            url: url(number),
        };
        let twins = BTreeMap::from([(address, twin)]);
        let next = rotate(&desired, &recorded, secrets, &twins, true);
        assert_eq!(stage(&next), expected, "{twins:?}");
    }
}
