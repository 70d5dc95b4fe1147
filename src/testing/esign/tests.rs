//! The fake behaves as eSign is documented to.

use super::*;
use crate::model::{Environment, Operation, OperatorId};

const NOW: Timestamp = Timestamp(1_800_000_000);
const URL: &str = "https://a.example/";

fn scope() -> Scope {
    Scope {
        environment: Environment::Test,
        account: AccountName::default_account(),
        organization: None,
        app_id: None,
    }
}

fn call(operation: Operation) -> Call {
    Call {
        scope: Arc::new(scope()),
        operator: OperatorId::new("operator"),
        url: CallbackUrl::new(URL),
        operation,
        nonce: None,
        new_connection: false,
    }
}

fn add(key: &str) -> Call {
    call(Operation::Add {
        key: Some(Secret::new(key)),
        token: None,
    })
}

#[tokio::test(start_paused = true)]
async fn an_add_of_what_is_there_changes_nothing() {
    for exists in [Exists::Success, Exists::Error] {
        let api = FakeApi::new(NOW).with_exists(exists);
        let first = api.attempt(&add("one"), NOW).await.outcome;
        assert!(matches!(first, Outcome::Applied(_)));
        let second = api.attempt(&add("two"), NOW).await.outcome;
        assert_eq!(
            matches!(second, Outcome::AlreadyThere(_)),
            exists == Exists::Error
        );
        assert!(api.held(&scope(), URL).unwrap().is(Some("one"), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_call_may_have_happened_or_not() {
    let api = FakeApi::new(NOW);
    api.script([Fault::LostBefore, Fault::LostAfter]);
    let before = api.attempt(&add("one"), NOW).await;
    assert!(matches!(before.outcome, Outcome::Unknown(_)));
    assert!(api.held(&scope(), URL).is_none());
    let after = api.attempt(&add("one"), NOW).await;
    assert!(matches!(after.outcome, Outcome::Unknown(_)));
    assert!(api.held(&scope(), URL).is_some());
    let gone = api.attempt(&call(Operation::Delete), NOW).await;
    assert!(matches!(gone.outcome, Outcome::Applied(_)));
    let again = api.attempt(&call(Operation::Delete), NOW).await;
    assert!(matches!(again.outcome, Outcome::NotThere(_)));
}

#[tokio::test(start_paused = true)]
async fn a_late_call_takes_effect_until_its_signature_expires() {
    for (delay, arrives) in [(290, true), (310, false)] {
        let api = FakeApi::new(NOW);
        api.script([Fault::Late(Duration::from_secs(delay))]);
        let reply = api.attempt(&add("one"), NOW).await;
        assert!(matches!(reply.outcome, Outcome::Unknown(_)));
        assert!(api.held(&scope(), URL).is_none());
        sleep(Duration::from_secs(400)).await;
        assert_eq!(api.held(&scope(), URL).is_some(), arrives, "{delay}");
        assert_eq!(api.arrivals()[0].carried_out, arrives);
    }
}

#[tokio::test(start_paused = true)]
async fn clock_and_limit_are_checked_on_arrival() {
    let api = FakeApi::new(NOW).with_limit(2);
    api.set_clock(NOW.plus(301));
    let reply = api.attempt(&add("one"), NOW).await;
    assert!(matches!(reply.outcome, Outcome::ClockOff(_)));
    let server = reply.server_time.unwrap();
    assert_eq!(server, NOW.plus(301));
    let second = api.attempt(&add("one"), server).await;
    assert!(matches!(second.outcome, Outcome::Applied(_)));
    let third = api.attempt(&add("one"), server).await;
    assert!(matches!(third.outcome, Outcome::Throttled(_)));
    assert_eq!(api.identities().len(), 1);
}
