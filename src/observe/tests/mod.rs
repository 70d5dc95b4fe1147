//! What receipts prove, and what they don't.

mod weather;

use super::*;
use crate::envelope::{content_signature, encrypt};
use crate::model::{
    AccountName, Belief, Entry, Environment, Fingerprint, Fingerprints, Handle, Identity, Missing,
    OperatorId, Proof, Recorded, RequestId,
};

const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";
const OTHER_KEY: &str = "FEDCBA9876543210FEDCBA9876543210";
const TOKEN: &str = "a-token";
const NOW: Timestamp = Timestamp(2_000_000_000);
const SOURCE: Source = Source(0);

fn scope(organization: &str) -> Arc<Scope> {
    Arc::new(Scope {
        environment: Environment::Test,
        account: AccountName::new("default"),
        organization: Some(crate::model::OrganizationId::new(organization)),
        app_id: None,
    })
}

/// A callback of an organization, with `KEY` and `TOKEN`.
fn declared(handle: &str, url: &str) -> Declared {
    Declared {
        address: Address {
            handle: Handle::new(handle),
            url: CallbackUrl::new(url),
        },
        scope: scope(handle),
        secrets: Secrets::new(Some(Secret::new(KEY)), Some(Secret::new(TOKEN))).unwrap(),
        there_since: Some(Timestamp(0)),
    }
}

fn receipt(url: &str, at: i64, body: &str, token: Option<&str>) -> Receipt {
    let signature = token.map(|token| content_signature(&Secret::new(token), body.as_bytes()));
    Receipt::new(
        Timestamp(at),
        CallbackUrl::new(url),
        body.as_bytes(),
        signature.as_deref(),
    )
    .unwrap()
}

fn message(url: &str, at: i64, id: &str, key: &str, token: &str) -> Receipt {
    let text = format!(r#"{{"MsgId":"{id}","MsgType":"FlowStatusChange","MsgData":{{}}}}"#);
    let body = encrypt(&Secret::new(key), &text).unwrap();
    receipt(url, at, &body, Some(token))
}

fn observed(declared: &[Declared], receipts: &[Receipt]) -> Observed {
    let older = [OlderKey {
        name: Arc::from("env:OLD"),
        key: Secret::new(OTHER_KEY),
    }];
    let mut observer = Observer::new(declared, &older, BTreeMap::new(), GRACE);
    for receipt in receipts {
        observer.take(SOURCE, receipt, NOW);
    }
    observer.observed()
}

/// A time after which messages count.
const LATER: i64 = GRACE + 1;

fn count(messages: u64, last: i64, streak: u64) -> Count {
    Count {
        messages,
        last: Some(Timestamp(LATER + last)),
        streak,
    }
}

#[test]
fn each_message_says_what_its_secrets_show() {
    let url = "https://a.example/cb";
    let third = "0000000000000000000000000000000K";
    let callbacks = [declared("acme", url)];
    let clear = r#"{"MsgId":"7","MsgType":"X"}"#;
    let made = |at: i64, id: &str, key: &str, token: &str| message(url, LATER + at, id, key, token);
    let sent = |at: i64, body: &str, token| receipt(url, LATER + at, body, token);
    let told = observed(
        &callbacks,
        &[
            message(url, GRACE, "0", OTHER_KEY, TOKEN),
            made(1, "1", KEY, TOKEN),
            made(2, "1", KEY, TOKEN),
            made(3, "2", KEY, TOKEN),
            made(4, "3", OTHER_KEY, TOKEN),
            made(5, "4", third, TOKEN),
            made(6, "5", third, "another"),
            sent(7, clear, Some(TOKEN)),
            sent(8, clear, None),
            sent(9, "{}", None),
            sent(10, "{}", Some(TOKEN)),
            made(11, "ess-callbacks-verify-1", KEY, TOKEN),
            sent(12, "<html>", Some(TOKEN)),
            // Again the same bytes.
            sent(13, "<html>", Some(TOKEN)),
            receipt("https://x.example/", LATER, clear, None),
            receipt("https://y.example/", LATER, "{}", Some(TOKEN)),
            message("https://y.example/", LATER, "9", KEY, TOKEN),
            message("https://y.example/", LATER, "10", KEY, TOKEN),
        ],
    );
    let expected = Tally {
        proven: count(2, 3, 2),
        shared: Count::default(),
        before: Count {
            messages: 1,
            last: Some(Timestamp(GRACE)),
            streak: 1,
        },
        older: BTreeMap::from([(0, count(1, 4, 1))]),
        other_key: count(1, 5, 1),
        clear_text: count(1, 7, 1),
        wrong_signature: count(2, 8, 2),
        unproven: Count::default(),
        unreadable: count(1, 12, 1),
    };
    assert_eq!(told.subjects[0].tally, expected);
    assert_eq!((told.receipts, told.repeated, told.probes), (18, 2, 3));
    let undeclared: Vec<_> = told
        .undeclared
        .iter()
        .map(|(url, found)| (url.as_str(), found.count.messages, found.secrets_of))
        .collect();
    assert_eq!(
        undeclared,
        [
            ("https://x.example/", 1, None),
            ("https://y.example/", 3, Some(0))
        ]
    );
    assert!(told.is_drift());
}

/// Whoever has an old message can send it again.
#[test]
fn a_few_messages_with_another_key_prove_nothing() {
    let url = "https://a.example/cb";
    let callbacks = [declared("acme", url)];
    let old = |id: i64| message(url, LATER + id, &id.to_string(), OTHER_KEY, TOKEN);
    let drift = |receipts: &[Receipt]| observed(&callbacks, receipts).is_drift();
    assert!(!drift(&[old(1), old(2)]));
    assert!(drift(&[old(1), old(2), old(3)]));
    let own = message(url, LATER + 9, "9", KEY, TOKEN);
    assert!(!drift(&[old(1), old(2), old(3), own]));
    let again = [old(1), old(1), old(1), old(1)];
    assert!(!drift(&again));
    // From before the last call.
    let early = |id: i64| message(url, id, &id.to_string(), OTHER_KEY, TOKEN);
    assert!(!drift(&[early(1), early(2), early(3)]));
}

/// Where there is no token, the key alone shows who made a message; where there is neither, nothing does.
#[test]
fn without_a_token_the_key_proves_and_without_both_nothing_does() {
    let url = "https://a.example/cb";
    let mut callback = declared("acme", url);
    callback.secrets = Secrets::new(Some(Secret::new(KEY)), None).unwrap();
    let body = encrypt(&Secret::new(KEY), r#"{"MsgId":"1","MsgType":"X"}"#).unwrap();
    let tally = |callback: &Declared, receipt: Receipt| {
        let told = observed(std::slice::from_ref(callback), &[receipt]);
        let Tally {
            proven, unproven, ..
        } = told.subjects[0].tally.clone();
        (proven.messages, unproven.messages)
    };
    assert_eq!(tally(&callback, receipt(url, 1, &body, None)), (1, 0));
    // eSign has a token that is not declared, or someone sends it again.
    assert_eq!(tally(&callback, receipt(url, 1, &body, Some("t"))), (0, 1));
    let other = encrypt(&Secret::new(KEY.replace('0', "1")), "{}").unwrap();
    assert_eq!(tally(&callback, receipt(url, 1, &other, None)), (0, 1));
    callback.secrets = Secrets::new(None, None).unwrap();
    let clear = r#"{"MsgId":"1","MsgType":"X"}"#;
    assert_eq!(tally(&callback, receipt(url, 1, clear, None)), (0, 1));
}

#[test]
fn what_may_be_anothers_proves_nothing() {
    let url = "https://a.example/cb";
    let both = [declared("acme", url), declared("beta", url)];
    let told = observed(&both, &[message(url, 1, "1", KEY, TOKEN)]);
    for subject in &told.subjects {
        assert_eq!(
            (subject.tally.proven.messages, subject.tally.shared.messages),
            (0, 1)
        );
    }
    // Other secrets tell them apart.
    let mut beta = declared("beta", url);
    let third = KEY.replace('0', "9");
    beta.secrets = Secrets::new(Some(Secret::new(&*third)), Some(Secret::new("b"))).unwrap();
    let both = [declared("acme", url), beta];
    let told = observed(&both, &[message(url, 1, "1", &third, "b")]);
    let proven = |at: usize| told.subjects[at].tally.proven.messages;
    assert_eq!((proven(0), proven(1)), (0, 1));
}

/// Of two URLs of one application, in minutes: who got a message then. `a` and `b` together, or one of them, or `.` for a
/// line of no message.
fn missing(there_since: i64, script: &[(i64, &str)]) -> Vec<(usize, u32, i64, Confidence)> {
    let mut gaps = Gaps::new(
        GRACE,
        &[
            Some((0, Some(Timestamp(there_since * 60)))),
            Some((0, Some(Timestamp(there_since * 60)))),
        ],
    );
    for (number, (minute, who)) in script.iter().enumerate() {
        let at = Timestamp(minute * 60);
        let key = Message::V1(crate::receiver::V1 {
            data: number.to_string(),
        })
        .dedupe_key();
        for one in who.chars() {
            match one {
                'a' => gaps.alive(SOURCE, at),
                _ => gaps.alive(Source(1), at),
            }
        }
        for one in who.chars() {
            match one {
                'a' => gaps.arrived(0, (key, 1), (SOURCE, at)),
                'b' => gaps.arrived(1, (key, 1), (Source(1), at)),
                _ => {}
            }
        }
    }
    gaps.missing()
        .map(|(at, Missing { since, messages }, confidence)| {
            (at, messages.get(), since.0 / 60, confidence)
        })
        .collect()
}

#[test]
fn a_url_that_gets_nothing_is_missing_after_a_while() {
    let day = 24 * 60;
    let mut script = vec![(0, "ab"), (20, "ab")];
    script.extend((1..=5).map(|hour| (hour * 60, "a.")));
    assert_eq!(missing(-day, &script), [], "the grace is not over");
    script.push((5 * 60 + 359, "a."));
    assert_eq!(missing(-day, &script), [], "one is not late yet");
    script.push((5 * 60 + 360, "a."));
    assert_eq!(missing(-day, &script), [(1, 5, 60, Confidence::High)]);
    // One that comes ends it.
    script.push((5 * 60 + 361, "b"));
    assert_eq!(missing(-day, &script), []);
}

#[test]
fn what_else_explains_a_gap_is_no_alarm() {
    let day = 24 * 60;
    let end = (12 * 60, "a.");
    let with = |middle: &[(i64, &'static str)]| {
        let mut script = vec![(0, "ab"), (20, "ab")];
        script.extend(middle);
        script.push(end);
        script
    };
    let hours = |who| [(60, who), (120, who), (180, who), (240, who), (300, who)];
    assert_eq!(missing(-day, &with(&hours("a."))).len(), 1);
    // Its receiver wrote nothing: perhaps it was down.
    assert_eq!(
        missing(-day, &with(&hours("a"))),
        [(1, 5, 60, Confidence::Low)]
    );
    // It is new.
    assert_eq!(missing(0, &with(&hours("a."))), []);
    // All in one batch.
    let batch = [(60, "a."), (61, "a."), (62, "a."), (63, "a."), (64, "a.")];
    assert_eq!(missing(-day, &with(&batch)), []);
    // Never did both get the same message: perhaps they are of different kinds.
    let mut script = vec![(0, "a"), (20, "b")];
    script.extend(hours("a."));
    script.push(end);
    assert_eq!(missing(-day, &script), []);
}

fn identity(callback: &Declared) -> Identity {
    Identity {
        scope: Arc::clone(&callback.scope),
        url: callback.address.url.clone(),
    }
}

#[test]
fn the_record_learns_what_is_proven() {
    let urls = [
        "https://a.example/",
        "https://b.example/",
        "https://c.example/",
    ];
    let callbacks: Vec<_> = urls.iter().map(|url| declared("acme", url)).collect();
    let own = Fingerprints {
        key: Some(Fingerprint([1; 16])),
        token: Some(Fingerprint([2; 16])),
    };
    let old = Fingerprints {
        key: Some(Fingerprint([3; 16])),
        ..own
    };
    let mut recorded = Recorded::nothing(Environment::Test);
    let entry = |belief| Entry {
        belief,
        proof: Some(Proof {
            at: Timestamp(1000),
            request_id: RequestId::new("r"),
        }),
        ..Entry::untouched(Handle::new("acme"), OperatorId::new("operator"), false)
    };
    recorded.insert(identity(&callbacks[0]), entry(Belief::assumed(own)));
    recorded.insert(identity(&callbacks[1]), entry(Belief::proven(own)));
    let at = 1000 + 7 * 3600;
    let mut receipts = vec![
        message(urls[0], at, "1", KEY, TOKEN),
        message(urls[2], at, "1", KEY, TOKEN),
    ];
    receipts.extend((1..=3).map(|id| message(urls[1], at + id, &id.to_string(), OTHER_KEY, TOKEN)));
    let told = observed(&callbacks, &receipts);
    let secrets = |_, older: Option<usize>| if older.is_some() { old } else { own };
    let lessons = learn(&mut recorded, &callbacks, &told, secrets);
    let of = |at: usize| callbacks[at].address.clone();
    assert_eq!(
        lessons.lessons,
        [(of(0), Lesson::Proven), (of(1), Lesson::Changed)]
    );
    // It may have been deleted since, by a call that is forgotten.
    assert_eq!(lessons.unrecorded, [of(2)]);
    let belief = |at: usize| {
        let entry = recorded.get(&callbacks[at].scope, &callbacks[at].address.url);
        entry.map(|entry| entry.belief)
    };
    assert_eq!(
        [belief(0), belief(1), belief(2)],
        [Some(Belief::proven(own)), Some(Belief::proven(old)), None]
    );
    assert!(learn(&mut recorded, &callbacks, &told, secrets).is_empty());
}
