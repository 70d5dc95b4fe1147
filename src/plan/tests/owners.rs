//! One callback, one owner: moves, what is refused, and who waits for whom.

use super::*;
use crate::model::AccountId;

fn in_account(account: &str, member: Option<&str>) -> Arc<Scope> {
    Arc::new(Scope {
        environment: Environment::Test,
        account: AccountName::new(account),
        organization: member.map(OrganizationId::new),
        app_id: None,
    })
}

fn declared(
    handle: &str,
    scope: &Arc<Scope>,
    numbers: impl IntoIterator<Item = usize>,
) -> Organization {
    let callbacks = numbers.into_iter().map(|n| callback(n, 1)).collect();
    Organization {
        scope: Arc::clone(scope),
        ..organization(handle, callbacks, vec![])
    }
}

/// Proven callbacks of one scope.
fn present(
    recorded: &mut Recorded,
    handle: &str,
    scope: &Arc<Scope>,
    numbers: impl IntoIterator<Item = usize>,
) {
    for number in numbers {
        let identity = Identity {
            scope: Arc::clone(scope),
            url: url(number),
        };
        recorded.insert(identity, entry(handle, Belief::proven(value(1))));
    }
}

fn with_accounts(mut desired: Desired, accounts: &[(&str, Option<&str>, Option<&str>)]) -> Desired {
    for (name, formerly, id) in accounts {
        let account = Account {
            formerly: formerly.map(AccountName::new),
            expect_account_id: id.map(AccountId::new),
            ..Account::of(AccountSource::Profile((*name).to_owned()))
        };
        desired.accounts.insert(AccountName::new(*name), account);
    }
    desired
}

/// The gravest fault that was found: three of ten callbacks moved to an organization under another
/// name of the same account, whose adds and deletes were for the same callbacks.
#[test]
fn what_another_account_declares_is_not_deleted_as_long_as_they_may_be_one() {
    let (a, b) = (in_account("default", None), in_account("second", None));
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "a", &a, 0..10);
    let split = desired(vec![declared("a", &a, 3..10), declared("b", &b, 0..3)]);
    let options = Options {
        allow_deletes: Some(3),
        ..Options::default()
    };
    let shared = Tripped::PerhapsShared {
        handle: Handle::new("a"),
        account: AccountName::new("default"),
        other: AccountName::new("second"),
        callbacks: 3,
    };
    let plan = |desired: &Desired| planned(desired, &recorded, &options).tripped;
    let split = with_accounts(split, &[("second", None, None)]);
    assert_eq!(plan(&split), std::slice::from_ref(&shared));
    // One id alone says nothing of the other; the same id says that they are one.
    let ids = |one, two| {
        with_accounts(
            split.clone(),
            &[("default", None, one), ("second", None, two)],
        )
    };
    assert_eq!(plan(&ids(Some("1"), None)), std::slice::from_ref(&shared));
    assert_eq!(plan(&ids(Some("1"), Some("1"))), [shared]);
    assert_eq!(plan(&ids(Some("1"), Some("2"))), []);
}

/// The second step of someone who adds first and deletes later.
#[test]
fn what_another_account_has_recorded_is_not_deleted_either() {
    let (a, b) = (in_account("default", None), in_account("second", None));
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "a", &a, 0..2);
    present(&mut recorded, "b", &b, 0..1);
    let left = with_accounts(
        desired(vec![declared("a", &a, 1..2), declared("b", &b, 0..1)]),
        &[("second", None, None)],
    );
    let plan = planned(&left, &recorded, &Options::default());
    assert!(matches!(
        plan.tripped[..],
        [Tripped::PerhapsShared { callbacks: 1, .. }]
    ));
    // To delete both is no secret of either.
    let destroy = Options {
        destroy: true,
        allow_deletes: Some(3),
        ..Options::default()
    };
    assert_eq!(planned(&left, &recorded, &destroy).tripped, []);
}

/// A replace deletes too, and what it adds has another key.
#[test]
fn what_another_account_has_or_declares_is_not_replaced_either() {
    let (a, b) = (in_account("default", None), in_account("second", None));
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "a", &a, 0..2);
    let both = |adoption, ids: (Option<&str>, Option<&str>)| {
        let second = Organization {
            adoption,
            ..declared("b", &b, 0..1)
        };
        with_accounts(
            desired(vec![declared("a", &a, 0..2), second]),
            &[("default", None, ids.0), ("second", None, ids.1)],
        )
    };
    let tripped = |desired: &Desired, recorded: &Recorded| {
        planned(desired, recorded, &Options::default()).tripped
    };
    let replaces = both(Adoption::Replace, (None, None));
    assert!(
        matches!(
            tripped(&replaces, &recorded)[..],
            [Tripped::PerhapsShared { callbacks: 1, .. }]
        ),
        "{:?}",
        tripped(&replaces, &recorded)
    );
    assert_eq!(
        tripped(&both(Adoption::Replace, (Some("1"), Some("2"))), &recorded),
        []
    );
    // An add takes nothing away.
    assert_eq!(tripped(&both(Adoption::Keep, (None, None)), &recorded), []);
    // Both, in one first apply: one of the two keys would be gone.
    let mut first = replaces;
    for organization in &mut first.organizations {
        organization.adoption = Adoption::Replace;
    }
    let nothing = Recorded::nothing(Environment::Test);
    assert_eq!(tripped(&first, &nothing).len(), 2);
}

#[test]
fn a_renamed_account_takes_its_record_along() {
    let (old, new) = (in_account("default", None), in_account("main", None));
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "acme", &old, 0..4);
    let renamed = desired(vec![declared("acme", &new, 0..4)]);
    let refused = with_accounts(renamed.clone(), &[("main", None, None)]);
    let refused = planned(&refused, &recorded, &Options::default());
    assert!(matches!(
        refused.tripped[0],
        Tripped::PerhapsShared { callbacks: 4, .. }
    ));

    let named = with_accounts(renamed, &[("main", Some("default"), None)]);
    let plan = planned(&named, &recorded, &Options::default());
    assert!(plan.is_empty() && plan.tripped.is_empty());
    let moved = Move {
        handle: Handle::new("acme"),
        from: Arc::clone(&old),
        to: Arc::clone(&new),
        callbacks: 4,
        renamed: true,
    };
    assert_eq!(plan.moves, [moved]);
    recorded.move_scope(&old, &new);
    let again = planned(&named, &recorded, &Options::default());
    assert!(again.is_empty() && again.moves.is_empty());
}

#[test]
fn a_member_is_one_organization_whichever_account_acts_for_it() {
    let (old, new) = (
        in_account("default", Some("m")),
        in_account("main", Some("m")),
    );
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "m", &old, 0..5);
    let moved = desired(vec![declared("m", &new, 0..4)]);
    let plan = planned(&moved, &recorded, &Options::default());
    assert_eq!(plan.moves.len(), 1);
    // What is not declared is deleted for the account that it belongs to now.
    let deletes: Vec<_> = plan.changes_by_organization().collect();
    assert_eq!(deletes.len(), 1);
    assert_eq!(
        (deletes[0].1.calls(), &deletes[0].0.scope),
        (Calls::Delete, &new)
    );
}

/// A state from before the rule: the same callback under two names.
#[test]
fn what_is_recorded_twice_is_put_together() {
    let (old, new) = (in_account("default", None), in_account("main", None));
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "acme", &old, 0..2);
    present(&mut recorded, "acme", &new, 0..1);
    let named = with_accounts(
        desired(vec![declared("acme", &new, 0..2)]),
        &[("main", Some("default"), None)],
    );
    let plan = planned(&named, &recorded, &Options::default());
    assert!(plan.is_empty());
    assert_eq!(plan.summary.unchanged, 2);
    assert!(recorded.move_scope(&old, &new));
    assert_eq!(recorded.len(), 2);
}

#[test]
fn an_organization_with_another_member_shows_both_and_its_deletes_wait() {
    let (old, new) = (
        in_account("default", Some("m1")),
        in_account("default", Some("m2")),
    );
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "acme", &old, 0..1);
    let changed = desired(vec![declared("acme", &new, 0..1)]);
    let options = Options {
        allow_deletes: Some(1),
        ..Options::default()
    };
    let plan = planned(&changed, &recorded, &options);
    assert_eq!(plan.tripped, []);
    let seen: Vec<_> = plan
        .changes_by_organization()
        .map(|(organization, change)| (&organization.scope, change.calls(), change.reason))
        .collect();
    let because = Reason::ScopeChanged {
        account: false,
        organization: true,
        app: false,
    };
    assert_eq!(
        seen,
        [
            (&old, Calls::Delete, because),
            (&new, Calls::Add, Reason::NotRecorded)
        ]
    );
    assert_eq!(plan.organizations[0].successor, Some(new));
    assert_eq!(plan.deletes_wait_for(), BTreeMap::from([(0, vec![1])]));
}

/// Handle and member both changed: the URL shows what took the place of what.
#[test]
fn deletes_of_an_organization_that_left_wait_for_new_adds_of_their_urls() {
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "old", &scope("old"), 0..2);
    present(&mut recorded, "other", &scope("other"), 1..2);
    let changed = desired(vec![
        organization("new", vec![callback(0, 1)], vec![]),
        organization("other", vec![callback(1, 2)], vec![]),
        organization("third", vec![callback(7, 1)], vec![]),
    ]);
    let plan = planned(&changed, &recorded, &Options::default());
    let handles: Vec<_> = plan
        .organizations
        .iter()
        .map(|one| one.handle.as_str())
        .collect();
    assert_eq!(handles, ["new", "old", "other", "third"]);
    assert_eq!(plan.deletes_wait_for(), BTreeMap::from([(1, vec![0])]));
}

#[test]
fn nothing_is_deleted_while_its_organization_is_suspended_under_another_member() {
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "acme", &scope("m1"), 0..1);
    let suspended = Organization {
        suspend: true,
        ..declared("acme", &scope("m2"), 0..1)
    };
    let plan = planned(&desired(vec![suspended]), &recorded, &Options::default());
    assert!(plan.is_empty() && plan.tripped.is_empty());
    assert_eq!(plan.summary.suspended, 2);
}

#[test]
fn a_callback_that_is_not_enabled_under_another_member_is_not_deleted_under_the_old_one() {
    let mut recorded = Recorded::nothing(Environment::Test);
    present(&mut recorded, "acme", &scope("m1"), 0..2);
    let mut organization = declared("acme", &scope("m2"), 0..2);
    organization.callbacks[0].enabled = false;
    let plan = planned(&desired(vec![organization]), &recorded, &Options::default());
    assert_eq!((plan.summary.disabled, plan.summary.delete), (2, 1));
}
