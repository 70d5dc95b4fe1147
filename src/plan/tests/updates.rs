//! What a plan changes in the record alone.

use super::*;

/// The callbacks 0 to 3 of `acme`, the last one protected, recorded under `was` with another operator.
fn plan_of(protect: bool, change: impl Fn(&mut Entry)) -> Plan {
    let callbacks = (0..4).map(|number| Callback {
        protect: number == 3 && protect,
        ..callback(number, 1)
    });
    let there = (0..4).map(|number| {
        let mut entry = entry("acme", Belief::proven(value(1)));
        entry.protect = number == 3;
        change(&mut entry);
        ("acme", number, entry)
    });
    let desired = desired(vec![organization("acme", callbacks.collect(), vec![])]);
    planned(&desired, &recorded(there), &Options::default())
}

fn fields(plan: &Plan) -> Vec<Updated<'_>> {
    plan.updates().iter().map(|update| update.field).collect()
}

#[test]
fn what_an_organization_has_in_common_is_one_update() {
    let plan = plan_of(true, |entry| {
        entry.handle = Handle::new("was");
        entry.operator = OperatorId::new("left");
    });
    let (was, acme) = (Handle::new("was"), Handle::new("acme"));
    let (left, operator) = (OperatorId::new("left"), OperatorId::new(OPERATOR));
    assert_eq!(
        fields(&plan),
        [
            Updated::Handle {
                before: &was,
                after: &acme,
                callbacks: 4
            },
            Updated::Operator {
                before: &left,
                after: &operator,
                callbacks: 4
            },
        ]
    );
    assert_eq!(plan.bookkeeping.len(), 4);
    assert!(plan.is_empty() && plan.records_something());
}

#[test]
fn each_old_operator_is_an_update_with_its_count() {
    let plan = plan_of(true, |entry| {
        let operator = if entry.protect { "one" } else { "three" };
        entry.operator = OperatorId::new(operator);
    });
    let counts: Vec<_> = plan
        .updates()
        .iter()
        .map(|update| match update.field {
            Updated::Operator {
                before, callbacks, ..
            } => (before.to_string(), callbacks),
            Updated::Handle { .. } | Updated::Protect { .. } => panic!("{update:?}"),
        })
        .collect();
    assert_eq!(counts, [("one".to_owned(), 1), ("three".to_owned(), 3)]);
}

#[test]
fn protection_is_an_update_of_its_callback() {
    let taken = plan_of(false, |_| ());
    let last = url(3);
    let protect = |before, after| Updated::Protect {
        url: &last,
        before,
        after,
    };
    assert_eq!(fields(&taken), [protect(true, false)]);
    assert!(taken.is_empty() && taken.records_something());
    let set = plan_of(true, |entry| entry.protect = false);
    assert_eq!(fields(&set), [protect(false, true)]);
    let same = plan_of(true, |_| ());
    assert_eq!(fields(&same), []);
    assert!(!same.records_something());
}
