//! Rotations: what is planned next, and that one of the two URLs is present at every moment.

use proptest::prelude::*;

use super::*;

pub(super) const CHECK: Option<Check> = Some(Check(0x3f));

pub(super) fn next(desired: &Desired, recorded: &Recorded, begin: bool) -> Rotations {
    let table = table();
    let secrets = Secrets {
        salt: SALT,
        fingerprints: Some(&table),
    };
    rotate(desired, recorded, secrets, &twins(desired), begin)
}

/// Every declared callback, with its twin.
fn twins(desired: &Desired) -> BTreeMap<Address, CallbackUrl> {
    let organizations = desired.organizations.iter();
    organizations
        .flat_map(|one| one.callbacks.iter().map(move |callback| (one, callback)))
        .map(|(one, callback)| {
            let address = Address {
                handle: one.handle.clone(),
                url: callback.url.clone(),
            };
            (address, twin(&callback.url, CHECK))
        })
        .collect()
}

/// The first callback of acme with another key than is recorded, and its twin as recorded.
pub(super) fn changed(twin_belief: Option<Belief>) -> (Desired, Recorded) {
    let desired = desired(vec![organization("acme", vec![callback(1, 2)], vec![])]);
    let mut recorded = recorded([("acme", 1, entry("acme", Belief::proven(value(1))))]);
    if let Some(belief) = twin_belief {
        record(&mut recorded, "acme", twin(&url(1), CHECK), belief);
    }
    (desired, recorded)
}

pub(super) fn record(recorded: &mut Recorded, handle: &str, url: CallbackUrl, belief: Belief) {
    let identity = Identity {
        scope: scope(handle),
        url,
    };
    recorded.insert(identity, entry(handle, belief));
}

/// Its add with the declared key got no answer.
pub(super) fn record_open(recorded: &mut Recorded, url: CallbackUrl) {
    let open = Presumed {
        fingerprints: value(2),
        exact: true,
    };
    let lost = SignedWrite {
        write: Write::Add(value(2)),
        signed_at: Timestamp(0),
    };
    let identity = Identity {
        scope: scope("acme"),
        url,
    };
    let entry = Entry {
        lost: Some(lost),
        ..entry("acme", Belief::unknown(open))
    };
    recorded.insert(identity, entry);
}

pub(super) fn calls(plan: &Plan) -> Vec<(String, Calls)> {
    let change = |change: &Change| (change.address.url.as_str().to_owned(), change.calls());
    plan.changes().map(change).collect()
}

pub(super) fn of(url: &str, calls: Calls) -> (String, Calls) {
    (url.to_owned(), calls)
}

pub(super) const ORIGINAL: &str = "https://hooks.example/1";
pub(super) const TWIN: &str = "https://hooks.example/1?esign-rotation=3f";

pub(super) fn stage(rotations: &Rotations) -> Stage {
    let [Rotation { stage, .. }] = rotations.rotations[..] else {
        panic!("{rotations:?}");
    };
    stage
}

#[test]
fn a_twin_keeps_the_query_and_is_recognized() {
    let made = |text: &str| twin(&CallbackUrl::new(text), CHECK).as_str().to_owned();
    assert_eq!(made("https://h/p"), "https://h/p?esign-rotation=3f");
    assert_eq!(made("https://h/p?a=b"), "https://h/p?a=b&esign-rotation=3f");
    assert_eq!(made("https://h/p?"), "https://h/p?&esign-rotation=3f");
    assert_eq!(made("https://h"), "https://h?esign-rotation=3f");
    assert_eq!(
        twin(&CallbackUrl::new("https://h"), None).as_str(),
        "https://h?esign-rotation=00"
    );
}

/// A rotation adds the twin, then replaces the callback, then deletes the twin.
#[test]
fn the_next_step_follows_from_the_record() {
    let (desired, recorded) = changed(None);
    let first = next(&desired, &recorded, true);
    assert_eq!(stage(&first), Stage::Begin);
    assert_eq!(calls(&first.plan), [of(TWIN, Calls::Add)]);
    assert_eq!(first.rotations[0].count(), 4);
    assert!(next(&desired, &recorded, false).plan.is_empty());

    let (desired, recorded) = changed(Some(Belief::assumed(value(2))));
    let second = next(&desired, &recorded, false);
    assert_eq!(stage(&second), Stage::Finish);
    let rest = [of(ORIGINAL, Calls::Replace), of(TWIN, Calls::Delete)];
    assert_eq!(calls(&second.plan), rest);
    assert_eq!(second.rotations[0].count(), 3);
    assert_eq!(second.plan.tripped, []);
}

/// The plain apply after a crash: the same, and no guard counts the twin.
#[test]
fn any_plan_finishes_a_rotation() {
    let (desired, recorded) = changed(Some(Belief::proven(value(2))));
    let plain = planned(&desired, &recorded, &Options::default());
    let rest = [of(ORIGINAL, Calls::Replace), of(TWIN, Calls::Delete)];
    assert_eq!(calls(&plain), rest);
    let delete = plain.changes().last().unwrap();
    assert_eq!(delete.reason, Reason::RotationEnds);
    let covered = plain.covered();
    let covered: Vec<_> = covered.iter().map(|one| one.url.as_str()).collect();
    assert_eq!(covered, [ORIGINAL]);
    assert_eq!(
        (plain.summary.deletes_by_omission, &plain.tripped[..]),
        (0, &[][..])
    );
}

/// A twin that another key was to be rotated with is deleted at the end too.
#[test]
fn the_twin_of_an_abandoned_rotation_goes_last() {
    let (desired, mut recorded) = changed(None);
    let old = twin(&url(1), Some(Check(1)));
    record(&mut recorded, "acme", old.clone(), Belief::proven(value(3)));
    let first = next(&desired, &recorded, true);
    assert_eq!(calls(&first.plan), [of(TWIN, Calls::Add)]);
    assert_eq!(first.rotations[0].count(), 5);
    let new = twin(&url(1), CHECK);
    record(&mut recorded, "acme", new, Belief::proven(value(2)));
    let rest = [
        of(ORIGINAL, Calls::Replace),
        of(old.as_str(), Calls::Delete),
        of(TWIN, Calls::Delete),
    ];
    assert_eq!(calls(&next(&desired, &recorded, false).plan), rest);
}

/// Two keys may give the twin the same URL.
#[test]
fn a_twin_with_another_key_is_replaced_first() {
    let (desired, recorded) = changed(Some(Belief::proven(value(3))));
    let first = next(&desired, &recorded, true);
    assert_eq!(stage(&first), Stage::Begin);
    assert_eq!(calls(&first.plan), [of(TWIN, Calls::Replace)]);
}

/// A twin that is there covers its callback whatever its key is; one that may be missing does not.
#[test]
fn a_callback_that_may_be_missing_is_not_left_alone() {
    let (mut desired, mut recorded) = changed(Some(Belief::proven(value(3))));
    let open = Belief::unknown(Presumed {
        fingerprints: value(1),
        exact: true,
    });
    record(&mut recorded, "acme", url(1), open);
    let rest = [of(ORIGINAL, Calls::Replace), of(TWIN, Calls::Delete)];
    assert_eq!(calls(&next(&desired, &recorded, true).plan), rest);

    desired.organizations[0].adoption = Adoption::Replace;
    let identity = Identity {
        scope: scope("acme"),
        url: twin(&url(1), CHECK),
    };
    recorded.remove(&identity.scope, &identity.url);
    let first = next(&desired, &recorded, true);
    assert_eq!(calls(&first.plan), [of(TWIN, Calls::Replace)]);
}

/// With the old key in the file again, the callback stays and the twin goes.
#[test]
fn a_rotation_is_rolled_back_by_the_file() {
    let (mut desired, recorded) = changed(Some(Belief::proven(value(2))));
    desired.organizations[0].callbacks = vec![callback(1, 1)];
    for plan in [
        next(&desired, &recorded, true).plan,
        planned(&desired, &recorded, &Options::default()),
    ] {
        assert_eq!(calls(&plan), [of(TWIN, Calls::Delete)]);
        assert_eq!(plan.tripped, []);
    }
}

#[test]
fn what_needs_no_rotation_is_left_as_it_is() {
    let (mut desired, recorded) = changed(None);
    let nothing = |desired: &Desired, recorded: &Recorded, reason: Reason| {
        let next = next(desired, recorded, true);
        assert!(next.plan.is_empty(), "{reason}");
        assert_eq!(next.rotations[0].stage, Stage::Nothing, "{reason}");
        assert_eq!(next.rotations[0].reason, reason);
    };
    let empty = Recorded::nothing(Environment::Test);
    nothing(&desired, &empty, Reason::NotRecorded);
    desired.organizations[0].adoption = Adoption::Replace;
    nothing(&desired, &empty, Reason::Adoption);
    desired.organizations[0].callbacks[0].enabled = false;
    nothing(&desired, &recorded, Reason::Disabled);
    desired.organizations[0].suspend = true;
    nothing(&desired, &recorded, Reason::Suspended);
    desired.organizations[0].suspend = false;
    desired.organizations[0].callbacks = vec![callback(1, 1)];
    nothing(&desired, &recorded, Reason::Unchanged);
}

#[test]
fn a_twin_that_is_declared_is_not_rotated_with() {
    let (mut desired, recorded) = changed(None);
    let declared = Callback {
        url: twin(&url(1), CHECK),
        ..callback(1, 2)
    };
    desired.organizations[0].callbacks.push(declared);
    let next = next(&desired, &recorded, true);
    assert_eq!(next.rotations[0].stage, Stage::TwinDeclared);
    assert!(next.plan.is_empty());
}

/// What refuses the replace refuses the rotation before it begins.
#[test]
fn a_guard_refuses_before_the_twin_is_added() {
    let own = |name: &str, handle: &str| {
        let mut organization = organization(handle, vec![callback(1, 2)], vec![]);
        organization.scope = Arc::new(Scope {
            account: AccountName::new(name),
            organization: None,
            ..Scope::clone(&organization.scope)
        });
        organization
    };
    let desired = desired(vec![own("default", "acme"), own("other", "beta")]);
    let mut recorded = Recorded::nothing(Environment::Test);
    let identity = Identity {
        scope: Arc::clone(&desired.organizations[0].scope),
        url: url(1),
    };
    recorded.insert(identity, entry("acme", Belief::proven(value(1))));
    let next = next(&desired, &recorded, true);
    assert!(matches!(
        next.plan.tripped[..],
        [Tripped::PerhapsShared { .. }]
    ));
}

/// What eSign holds: made of the belief, and absent where that is possible.
fn cloud(recorded: &Recorded) -> BTreeSet<(Handle, CallbackUrl)> {
    let present = recorded
        .iter()
        .filter(|(_, _, entry)| entry.belief.presence() == Presence::Present);
    present
        .map(|(_, url, entry)| (entry.handle.clone(), url.clone()))
        .collect()
}

/// Makes so many of the plan's calls, in order, and says what was wrong with them. `covered`: no callback may be
/// missing.
fn make_calls(
    plan: &Plan,
    recorded: &mut Recorded,
    cloud: &mut BTreeSet<(Handle, CallbackUrl)>,
    most: usize,
    covered: bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut left = most;
    for organization in &plan.organizations {
        for change in &organization.changes {
            let mut writes = Vec::new();
            if change.calls().deletes() {
                writes.push(Write::Delete);
            }
            let added = change.adds().map(|after| after.fingerprints.unwrap());
            writes.extend(added.map(Write::Add));
            for write in writes {
                if left == 0 {
                    return wrong;
                }
                left -= 1;
                laws::make(recorded, organization, change, write);
                let Address { handle, url } = change.address.clone();
                let is_twin = url.as_str().contains("esign-rotation=");
                match write {
                    Write::Add(_) => drop(cloud.insert((handle, url))),
                    Write::Delete => {
                        let was_there = cloud.remove(&(handle.clone(), url.clone()));
                        let text = url.as_str();
                        let (base, _) = text.split_once("?esign-rotation=").unwrap_or((text, ""));
                        let replaced = change.adds().is_some() && change.before.is_some();
                        let is_declared = replaced || change.reason == Reason::RotationEnds;
                        let own = |(h, u): &(Handle, CallbackUrl)| {
                            *h == handle && u.as_str().starts_with(base)
                        };
                        if was_there
                            && is_declared
                            && (covered || is_twin)
                            && !cloud.iter().any(own)
                        {
                            wrong.push(format!("{handle}/{url} is deleted, and the other is gone"));
                        }
                    }
                }
            }
        }
    }
    let identity = |item: &Bookkeeping| item.identity().clone();
    for item in &plan.bookkeeping {
        if let Bookkeeping::Forget(_) = item {
            let identity = identity(item);
            recorded.remove(&identity.scope, &identity.url);
        }
    }
    wrong
}

fn has_twins(recorded: &Recorded) -> bool {
    let mut present = recorded
        .iter()
        .filter(|(_, _, entry)| entry.belief.presence() != Presence::Absent);
    present.any(|(_, url, _)| url.as_str().contains("esign-rotation="))
}

proptest! {
    /// Ended at any call, continued by a rotation or by a plain apply: one of the two is always there.
    #[test]
    fn one_of_the_two_is_always_present(
        desired in laws::any_desired(),
        mut recorded in laws::any_recorded(),
        stops in prop::collection::vec((0..7_usize, any::<bool>()), 0..4),
    ) {
        let mut cloud = cloud(&recorded);
        let endless = std::iter::repeat_n((usize::MAX, true), 3);
        for (most, by_rotation) in stops.into_iter().chain(endless) {
            let next = next(&desired, &recorded, true);
            prop_assert_eq!(next.plan.contradiction(), None);
            let plan = if by_rotation {
                next.plan
            } else {
                // Only a rotation begins one: what has no twin is replaced with a gap.
                let begun = next.rotations.iter().any(|one| one.stage == Stage::Begin);
                if begun { continue; }
                planned(&desired, &recorded, &Options::default())
            };
            let wrong = make_calls(&plan, &mut recorded, &mut cloud, most, true);
            prop_assert!(wrong.is_empty(), "{:?}", wrong);
        }
        let after = next(&desired, &recorded, true);
        prop_assert!(after.plan.is_empty(), "{:?}", after.plan.changes().collect::<Vec<_>>());
        prop_assert!(!has_twins(&recorded));
        for rotation in &after.rotations {
            prop_assert_eq!(rotation.stage, Stage::Nothing);
        }
        // What the rotation leaves, an apply does.
        let rest = planned(&desired, &recorded, &Options::default());
        let replaced = rest.changes().filter(|change| change.calls() == Calls::Replace);
        let known = |change: &Change| change.before.is_none();
        prop_assert!(replaced.into_iter().all(known));
    }

    /// A plain apply at any time: no twin is deleted while its callback is missing, and none is left.
    #[test]
    fn an_apply_finishes_whatever_was_left(
        desired in laws::any_desired(),
        mut recorded in laws::any_recorded(),
        most in 0..9_usize,
    ) {
        let mut cloud = cloud(&recorded);
        let first = next(&desired, &recorded, true).plan;
        let wrong = make_calls(&first, &mut recorded, &mut cloud, most, true);
        prop_assert!(wrong.is_empty(), "{:?}", wrong);
        let rest = planned(&desired, &recorded, &Options::default());
        let wrong = make_calls(&rest, &mut recorded, &mut cloud, usize::MAX, false);
        prop_assert!(wrong.is_empty(), "{:?}", wrong);
        prop_assert!(planned(&desired, &recorded, &Options::default()).is_empty());
        prop_assert!(!has_twins(&recorded));
    }
}
