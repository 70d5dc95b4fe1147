//! The laws of the memory.

use proptest::prelude::*;

use super::*;
use crate::notify::condition::Kind;

const START: Timestamp = Timestamp(1_790_000_000);
const MINUTE: i64 = 60;

fn condition(line: &str) -> Condition {
    Condition {
        lines: vec![line.to_owned()],
        ..Condition::new(Kind::RunFailed, "acme", Severity::Warning)
    }
}

/// What is reported of one condition: at which minute, and why. `is` says what there is in each minute.
fn told(
    memory: &mut Memory,
    minutes: std::ops::Range<i64>,
    is: impl Fn(i64) -> Option<Condition>,
) -> Vec<(i64, News)> {
    let mut told = Vec::new();
    for minute in minutes {
        let current: Vec<_> = is(minute).into_iter().collect();
        let notices = memory.observe(&current, START.plus(minute * MINUTE));
        told.extend(notices.into_iter().map(|notice| (minute, notice.news)));
    }
    told
}

#[test]
fn it_is_told_once_daily_and_when_resolved() {
    let is = |minute| (minute < 3000).then(|| condition("a"));
    let told = told(&mut Memory::default(), 0..6000, is);
    assert_eq!(
        told,
        [
            (0, News::Appeared),
            (1440, News::Lasting),
            (2880, News::Lasting),
            (3010, News::Resolved),
        ]
    );
}

#[test]
fn a_change_is_told_at_once_after_a_rest_and_later_without() {
    let is = |minute| {
        Some(condition(match minute {
            0..30 => "a",
            30..32 => "b",
            // Changed and back: no one needs to know.
            32 => "c",
            33..35 => "b",
            _ => "d",
        }))
    };
    assert_eq!(
        told(&mut Memory::default(), 0..120, is),
        [
            (0, News::Appeared),
            (30, News::Changed),
            (50, News::Changed)
        ]
    );
}

#[test]
fn a_higher_severity_is_told_at_once() {
    let is = |minute| {
        Some(Condition {
            severity: if minute < 2 {
                Severity::Warning
            } else {
                Severity::Error
            },
            ..condition("a")
        })
    };
    assert_eq!(
        told(&mut Memory::default(), 0..60, is),
        [(0, News::Appeared), (2, News::Changed)]
    );
}

#[test]
fn what_comes_and_goes_within_minutes_is_told_once() {
    let is = |minute| (minute % 9 < 4).then(|| condition("a"));
    assert_eq!(
        told(&mut Memory::default(), 0..1400, is),
        [(0, News::Appeared)]
    );
}

#[test]
fn each_return_makes_the_next_resolution_slower() {
    // Absent for half an hour, then there for a minute.
    let is = |minute| (minute % 31 == 0).then(|| condition("a"));
    assert_eq!(
        told(&mut Memory::default(), 0..1400, is),
        [
            (0, News::Appeared),
            (11, News::Resolved),
            (31, News::Appeared),
            (52, News::Resolved),
            (62, News::Appeared),
        ]
    );
}

#[test]
fn after_a_quiet_day_it_is_new() {
    let mut memory = Memory::default();
    let is = |minute| (minute == 0).then(|| condition("a"));
    told(&mut memory, 0..1500, is);
    assert_eq!(memory, Memory::default());
}

#[test]
fn an_event_is_told_once_however_often_it_is_delivered() {
    let event = Condition::new(Kind::EsignEvent, "id", Severity::Notice);
    let is = |minute| matches!(minute, 0 | 5 | 700).then(|| event.clone());
    let mut memory = Memory::default();
    assert_eq!(told(&mut memory, 0..1500, is), [(0, News::Appeared)]);
    told(&mut memory, 1500..2200, |_| None);
    assert_eq!(memory, Memory::default());
}

#[test]
fn what_cannot_be_seen_is_not_resolved() {
    let broken = |about| Condition::new(Kind::ConfigurationBroken, about, Severity::Error);
    let unreadable = Condition::new(Kind::StateUnreadable, "", Severity::Error);
    let mut memory = Memory::default();
    let mut told = Vec::new();
    for minute in 0..200 {
        let current = match minute {
            // First all of the configuration, then one of its files.
            0..5 => vec![broken("")],
            5..60 => vec![broken("conf/hr.yaml")],
            60..100 => vec![unreadable.clone()],
            _ => Vec::new(),
        };
        for notice in memory.observe(&current, START.plus(minute * MINUTE)) {
            told.push((minute, notice.news, notice.condition.key.to_string()));
        }
    }
    let (whole, part) = ("configuration-broken", "configuration-broken conf/hr.yaml");
    let expected = [
        (0, News::Appeared, whole),
        (5, News::Appeared, part),
        (60, News::Appeared, "state-unreadable"),
        (110, News::Resolved, whole),
        (110, News::Resolved, part),
        (110, News::Resolved, "state-unreadable"),
    ];
    let mut told: Vec<_> = told
        .iter()
        .map(|(minute, news, key)| (*minute, *news, &**key))
        .collect();
    told.sort_by_key(|(minute, _, key)| (*minute, *key));
    assert_eq!(told, expected);
}

#[test]
fn a_clock_that_is_set_back_silences_nothing() {
    let mut memory = Memory::default();
    let future = START.plus(1_000 * DAY);
    assert_eq!(memory.observe(&[condition("a")], future).len(), 1);
    let told = told(&mut memory, 0..1441, |_| Some(condition("a")));
    assert_eq!(told, [(1440, News::Lasting)]);
}

#[test]
fn of_two_with_one_key_one_is_told() {
    let mut memory = Memory::default();
    let both = [condition("a"), condition("b")];
    assert_eq!(memory.observe(&both, START).len(), 1);
    assert_eq!(memory.observe(&both, START.plus(DAY - 1)).len(), 0);
}

/// How far apart the calls are in which the laws are checked, in minutes.
const STEP: i64 = 5;

/// What there is for so many steps: nothing, or a condition with one of few contents.
fn phases() -> impl Strategy<Value = Vec<(i64, Option<Condition>)>> {
    let severity = prop_oneof![
        Just(Severity::Notice),
        Just(Severity::Warning),
        Just(Severity::Error)
    ];
    let condition = ("[abc]", severity).prop_map(|(line, severity)| Condition {
        severity,
        ..condition(&line)
    });
    let steps = prop_oneof![4 => 1..4_i64, 4 => 1..40_i64, 1 => 200..400_i64];
    prop::collection::vec((steps, prop::option::of(condition)), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn its_laws_hold(phases in phases()) {
        let mut memory = Memory::default();
        let mut minute = 0;
        let mut messages: Vec<(i64, Notice)> = Vec::new();
        for (steps, is) in &phases {
            for _ in 0..*steps {
                let now = START.plus(minute * MINUTE);
                let current: Vec<_> = is.clone().into_iter().collect();
                let notices = memory.observe(&current, now);
                // Asking again at once tells nothing.
                prop_assert!(memory.observe(&current, now).is_empty());
                prop_assert!(notices.len() <= 1);
                let last = messages.last().map(|(_, notice)| notice);
                for notice in &notices {
                    let first = last.is_none_or(|last| last.news == News::Resolved);
                    // Appearances and resolutions alternate.
                    prop_assert_eq!(first, notice.news == News::Appeared);
                    // The time before a resolution is reported is no part of what lasted.
                    let settled = notice.news == News::Resolved && now.seconds_since(notice.at) >= SETTLES;
                    prop_assert!(notice.since <= notice.at && (notice.at == now || settled));
                    if notice.news != News::Resolved {
                        prop_assert_eq!(Some(&notice.condition), is.as_ref());
                    }
                }
                messages.extend(notices.into_iter().map(|notice| (minute, notice)));
                let last = messages.last().map(|(_, notice)| notice);
                if let Some(is) = is {
                    // It is never there without having been reported, nor more severe than reported.
                    let last = last.unwrap();
                    prop_assert!(last.news != News::Resolved);
                    prop_assert!(last.condition.severity >= is.severity);
                    // A day without a message is a day without the condition.
                    prop_assert!(now.seconds_since(last.at) < DAY);
                }
                minute += STEP;
            }
        }
        // No day holds more than a few messages.
        for (from, _) in &messages {
            let day = messages.iter().filter(|(at, _)| (*from..from + 1440).contains(at));
            prop_assert!(day.count() <= 32);
        }
        // Whatever happened, two quiet days end it, with a resolution if one was due.
        told(&mut memory, minute..minute + 2 * 1440 + 2, |_| None);
        prop_assert_eq!(memory, Memory::default());
    }
}
