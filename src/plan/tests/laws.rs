//! The planner's laws, for any desired and recorded.

use proptest::prelude::*;

use super::*;

/// Applies a plan to the record as if every call succeeded and every fence had been waited for.
fn apply_perfectly(plan: &Plan, recorded: &mut Recorded) {
    for organization in &plan.organizations {
        for change in &organization.changes {
            let add = |after: &After| Write::Add(after.fingerprints.unwrap());
            let writes = match &change.steps {
                Steps::Nothing(_) => vec![],
                Steps::Add(after) => vec![add(after)],
                Steps::Delete(_) => vec![Write::Delete],
                Steps::Replace(after) => vec![Write::Delete, add(after)],
            };
            for write in writes {
                make(recorded, organization, change, write);
            }
        }
    }
    for item in &plan.bookkeeping {
        match item {
            Bookkeeping::Forget(identity) => {
                recorded.remove(&identity.scope, &identity.url);
            }
            Bookkeeping::Refresh {
                identity,
                before,
                after,
            } => {
                let entry = recorded.get_mut(&identity.scope, &identity.url).unwrap();
                assert_eq!(
                    (&entry.handle, &entry.operator),
                    (&before.handle, &before.operator)
                );
                entry.handle = after.handle.clone();
                entry.operator = after.operator.clone();
                entry.protect = after.protect;
            }
        }
    }
}

/// Records a call that succeeded.
pub(super) fn make(
    recorded: &mut Recorded,
    organization: &OrganizationPlan,
    change: &Change,
    write: Write,
) {
    let now = Timestamp(1_800_000_000);
    let id = recorded.next_call();
    let identity = Identity {
        scope: Arc::clone(&organization.scope),
        url: change.address.url.clone(),
    };
    let intent = Intent {
        identity,
        handle: change.address.handle.clone(),
        operator: change.operator.clone(),
        protect: false,
        call: SignedWrite {
            write,
            signed_at: now,
        },
        nonce: None,
    };
    recorded.open_call(id, &intent);
    recorded.close_call(id, &Outcome::Applied(RequestId::new("r")), now);
}

const HANDLES: [&str; 3] = ["acme", "beta", "gamma"];

fn any_belief() -> impl Strategy<Value = (Belief, Option<Write>)> {
    let write = prop_oneof![
        Just(Write::Delete),
        (0..4_u8).prop_map(|n| Write::Add(value(n)))
    ];
    let presumed = (0..4_u8, any::<bool>()).prop_map(|(n, exact)| Presumed {
        fingerprints: value(n),
        exact,
    });
    prop_oneof![
        Just((Belief::ABSENT, None)),
        Just((Belief::ABSENT, Some(Write::Delete))),
        (0..4_u8).prop_map(|n| (Belief::proven(value(n)), None)),
        (0..4_u8).prop_map(|n| (Belief::proven(value(n)), Some(Write::Add(value(n))))),
        (0..4_u8).prop_map(|n| (Belief::assumed(value(n)), None)),
        (presumed, write).prop_map(|(presumed, write)| (Belief::unknown(presumed), Some(write))),
    ]
}

pub(super) fn any_recorded() -> impl Strategy<Value = Recorded> {
    let one = (0..3_usize, 0..5_usize, any_belief());
    prop::collection::vec(one, 0..12).prop_map(|entries| {
        let entries = entries.into_iter().map(|(at, number, (belief, lost))| {
            let mut entry = entry(HANDLES[at], belief);
            entry.lost = lost.map(|write| SignedWrite {
                write,
                signed_at: Timestamp(1_700_000_000),
            });
            (HANDLES[at], number, entry)
        });
        recorded(entries)
    })
}

pub(super) fn any_desired() -> impl Strategy<Value = Desired> {
    // For each URL of an organization: not mentioned, absent, or declared with one of four values.
    let urls = prop::collection::vec(
        prop_oneof![
            Just(None),
            Just(Some(None)),
            (0..4_u8).prop_map(|n| Some(Some(n)))
        ],
        5,
    );
    let one = (urls, any::<bool>());
    prop::collection::vec(prop::option::of(one), 3).prop_map(|organizations| {
        let organizations = organizations
            .into_iter()
            .enumerate()
            .filter_map(|(at, declared)| {
                let (urls, adopt) = declared?;
                let absent = |(n, wanted): (usize, &Option<Option<u8>>)| {
                    (*wanted == Some(None)).then(|| url(n))
                };
                let declare = |(n, wanted): (usize, &Option<Option<u8>>)| {
                    Some(callback(n, wanted.flatten()?))
                };
                let mut organization = organization(
                    HANDLES[at],
                    urls.iter().enumerate().filter_map(declare).collect(),
                    urls.iter().enumerate().filter_map(absent).collect(),
                );
                organization.adoption = if adopt {
                    Adoption::Replace
                } else {
                    Adoption::Keep
                };
                Some(organization)
            });
        desired(organizations.collect())
    })
}

proptest! {
    #[test]
    fn planning_after_applying_changes_nothing(desired in any_desired(), mut recorded in any_recorded()) {
        let options = Options::default();
        apply_perfectly(&planned(&desired, &recorded, &options), &mut recorded);
        let again = planned(&desired, &recorded, &options);
        prop_assert!(again.is_empty(), "{:?}", again.changes().collect::<Vec<_>>());
        for organization in &desired.organizations {
            for callback in &organization.callbacks {
                let entry = recorded.get(&organization.scope, &callback.url).unwrap();
                prop_assert_eq!(entry.belief.presence(), Presence::Present);
            }
        }
    }

    #[test]
    fn the_order_of_the_file_does_not_matter(desired in any_desired(), recorded in any_recorded()) {
        let mut reversed = desired.clone();
        reversed.organizations.reverse();
        let options = Options::default();
        prop_assert_eq!(planned(&desired, &recorded, &options), planned(&reversed, &recorded, &options));
    }

    #[test]
    fn no_plan_of_the_planner_contradicts_itself(desired in any_desired(), recorded in any_recorded(), destroy: bool) {
        let options = Options { destroy, ..Options::default() };
        prop_assert_eq!(planned(&desired, &recorded, &options).contradiction(), None);
    }

    #[test]
    fn what_keeps_everything_is_the_same_plan_without_its_deletes(desired in any_desired(), recorded in any_recorded()) {
        let whole = planned(&desired, &recorded, &Options::default());
        let kept = planned(&desired, &recorded, &Options { keep: true, ..Options::default() });
        let others: Vec<_> = whole.changes().filter(|change| change.calls() != Calls::Delete).collect();
        prop_assert_eq!(kept.changes().collect::<Vec<_>>(), others);
        prop_assert_eq!(kept.summary.deletes_by_omission, 0);
        // What a guard still names is not a delete.
        let of_deletes = |one: &Tripped| !matches!(one, Tripped::PerhapsShared { .. });
        prop_assert!(!kept.tripped.iter().any(of_deletes), "{:?}", kept.tripped);
    }

    #[test]
    fn whatever_is_not_the_lost_call_again_is_fenced(desired in any_desired(), recorded in any_recorded()) {
        for organization in &planned(&desired, &recorded, &Options::default()).organizations {
            for change in &organization.changes {
                let lost = recorded.get(&organization.scope, &change.address.url).and_then(|entry| entry.lost);
                let same = match (change.calls(), lost.map(|lost| lost.write)) {
                    (Calls::Nothing, _) | (_, None) | (Calls::Delete, Some(Write::Delete)) => true,
                    (Calls::Add, Some(Write::Add(value))) => {
                        change.after().unwrap().fingerprints == Some(value)
                    }
                    _ => false,
                };
                prop_assert_eq!(change.fence, lost.filter(|_| !same));
            }
        }
    }

    #[test]
    fn only_what_the_file_or_the_record_names_is_touched(desired in any_desired(), recorded in any_recorded()) {
        for organization in &planned(&desired, &recorded, &Options::default()).organizations {
            for change in &organization.changes {
                let recorded = recorded.get(&organization.scope, &change.address.url).is_some();
                let named = desired.organizations.iter().any(|declared| {
                    declared.callbacks.iter().any(|callback| callback.url == change.address.url)
                        || declared.absent.contains(&change.address.url)
                });
                prop_assert!(recorded || named);
            }
        }
    }
}
