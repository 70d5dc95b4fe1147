//! What a plan that was read back learns of the secrets of now.

use super::*;

/// A callback that stays as it is, a new one, and one that gets another key.
fn wish() -> (Desired, Recorded) {
    let callbacks = vec![callback(0, 1), callback(1, 2), callback(2, 3)];
    let there = [(0, 1), (2, 1)]
        .map(|(number, fp)| ("acme", number, entry("acme", Belief::proven(value(fp)))));
    (
        desired(vec![organization("acme", callbacks, vec![])]),
        recorded(there),
    )
}

fn checks() -> BTreeMap<SecretIndex, Check> {
    [1, 2].map(|n| (SecretIndex(n), Check(0x9c))).into()
}

fn saved(plan: &Plan) -> Plan {
    let mut document = Vec::new();
    write_document(plan, &[], &mut document).unwrap();
    read_document(&String::from_utf8(document).unwrap()).unwrap()
}

fn made() -> Plan {
    let (desired, recorded) = wish();
    Plan {
        checks: checks(),
        ..planned(&desired, &recorded, &Options::default())
    }
}

fn sent(plan: &Plan) -> Vec<Option<Fingerprints>> {
    let adds = plan.changes().filter(|change| change.calls().adds());
    adds.map(|change| change.after().unwrap().fingerprints)
        .collect()
}

fn address(number: usize) -> Address {
    Address {
        handle: Handle::new("acme"),
        url: url(number),
    }
}

#[test]
fn it_learns_what_is_written_to_the_record() {
    let mut plan = saved(&made());
    assert_eq!(sent(&plan), [None, None]);
    assert_eq!(plan.learn(&table(), &checks()), Ok(()));
    assert_eq!(sent(&plan), [Some(value(2)), Some(value(3))]);
    assert_eq!(sent(&plan), sent(&made()));
}

#[test]
fn a_value_with_another_check_is_refused() {
    for (secret, number) in [(1, 1), (2, 2)] {
        let mut now = checks();
        now.insert(SecretIndex(secret), Check(0x9d));
        let refused = saved(&made()).learn(&table(), &now);
        assert_eq!(refused, Err(Unlike::Changed(address(number))));
        now.remove(&SecretIndex(secret));
        let refused = saved(&made()).learn(&table(), &now);
        assert_eq!(refused, Err(Unlike::Changed(address(number))));
    }
}

#[test]
fn what_was_another_value_than_the_recorded_one_must_still_be() {
    let mut now = table();
    now.insert((Some(SecretIndex(2)), None), value(1));
    let refused = saved(&made()).learn(&now, &checks());
    assert_eq!(refused, Err(Unlike::Changed(address(2))));
}

#[test]
fn a_plan_without_secrets_learns_nothing() {
    let (desired, recorded) = wish();
    let secrets = Secrets {
        salt: SALT,
        fingerprints: None,
    };
    let blind = plan(&desired, &recorded, secrets, &Options::default());
    let refused = saved(&blind).learn(&table(), &checks());
    assert_eq!(refused, Err(Unlike::NotPlanned(address(1))));
}
