//! Which URLs may be given for a twin, and what a rotation leaves as it is.

use super::rotation::{CHECK, ORIGINAL, calls, changed, next, of, record};
use super::*;

/// The next plan when the twin of the first callback has this URL.
fn with_twin(desired: &Desired, recorded: &Recorded, twin: &CallbackUrl, begin: bool) -> Rotations {
    let address = Address {
        handle: Handle::new("acme"),
        url: url(1),
    };
    let table = table();
    let secrets = Secrets {
        salt: SALT,
        fingerprints: Some(&table),
    };
    let twins = BTreeMap::from([(address, twin.clone())]);
    rotate(desired, recorded, secrets, &twins, begin)
}

/// A URL that does not show it is a twin if that is recorded.
#[test]
fn a_twin_may_have_any_url() {
    let (desired, mut recorded) = changed(None);
    let other = url(9);
    let there = Belief::proven(value(2));
    record(&mut recorded, "acme", other.clone(), there);
    let identity = Identity {
        scope: scope("acme"),
        url: other.clone(),
    };
    recorded.twins.insert(identity, url(1));
    let plan = with_twin(&desired, &recorded, &other, false).plan;
    let rest = [
        of(ORIGINAL, Calls::Replace),
        of(other.as_str(), Calls::Delete),
    ];
    assert_eq!(calls(&plan), rest);
    assert_eq!(plan.summary.deletes_by_omission, 0);
}

/// It would be deleted at the end.
#[test]
fn what_belongs_to_something_else_is_no_twin() {
    let (file, before) = changed(None);
    let nine = url(9);
    let identity = |handle: &str| Identity {
        scope: scope(handle),
        url: url(9),
    };
    let stage = |desired: &Desired, recorded: &Recorded| {
        let next = with_twin(desired, recorded, &nine, true);
        let rotation = &next.rotations[0];
        if rotation.stage != Stage::Begin {
            assert!(next.plan.is_empty() && rotation.count() == 0);
        }
        rotation.stage
    };
    assert_eq!(stage(&file, &before), Stage::Begin);
    for handle in ["acme", "beta"] {
        // It left the file, or was never in it.
        let mut recorded = before.clone();
        record(&mut recorded, handle, url(9), Belief::proven(value(1)));
        assert_eq!(stage(&file, &recorded), Stage::TwinRecorded);
        // Another organization may have a twin with this URL.
        recorded.twins.insert(identity(handle), url(5));
        let expected = match handle {
            "acme" => Stage::TwinOfAnother,
            _ => Stage::Begin,
        };
        assert_eq!(stage(&file, &recorded), expected);
    }
    let beta = organization("beta", vec![callback(9, 1)], vec![]);
    let mut both = file.clone();
    both.organizations.push(beta);
    assert_eq!(stage(&both, &before), Stage::TwinDeclared);
    let mut absent = file;
    absent.organizations[0].absent.push(url(9));
    assert_eq!(stage(&absent, &before), Stage::TwinDeclared);
}

/// It takes the messages of a callback that is missing.
#[test]
fn a_callback_without_a_rotation_takes_no_other_one_s_twin() {
    let two = vec![callback(1, 1), callback(2, 2)];
    let desired = desired(vec![organization("acme", two, vec![])]);
    let mut recorded = recorded([
        ("acme", 1, entry("acme", Belief::proven(value(1)))),
        ("acme", 2, entry("acme", Belief::ABSENT)),
    ]);
    for twin in [twin(&url(2), CHECK), url(9)] {
        record(
            &mut recorded,
            "acme",
            twin.clone(),
            Belief::proven(value(2)),
        );
        let identity = Identity {
            scope: scope("acme"),
            url: twin.clone(),
        };
        recorded.twins.insert(identity, url(2));
        for begin in [true, false] {
            let next = with_twin(&desired, &recorded, &twin, begin);
            assert_eq!(next.rotations[0].stage, Stage::Nothing);
            assert!(next.plan.is_empty());
        }
    }
}

/// What a rotation does not know of may belong to somebody else, and an apply deletes it under its guards.
#[test]
fn a_rotation_leaves_what_its_organization_has_left() {
    let (desired, mut recorded) = changed(None);
    let mut old = Scope::clone(&scope("acme"));
    old.app_id = Some(crate::model::AppId::new("yDwOld"));
    let identity = Identity {
        scope: Arc::new(old),
        url: url(1),
    };
    recorded.insert(identity, entry("acme", Belief::proven(value(1))));
    for begin in [true, false] {
        let plan = next(&desired, &recorded, begin).plan;
        let deletes = plan
            .changes()
            .filter(|change| change.calls() == Calls::Delete);
        assert_eq!(deletes.count(), 0);
    }
}
