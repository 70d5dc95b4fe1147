//! What the log says of the messages to a target.

use super::words::moment;
use crate::model::Timestamp;
use crate::notify::Deliveries;

/// What is new since the last look.
pub(super) fn news(before: Option<&Deliveries>, now: &Deliveries, time: Timestamp) -> Vec<String> {
    let place = now.place();
    let had_failed = before.is_some_and(|before| before.problem.is_some());
    let was_repeated = before.is_some_and(|before| before.repeated_until.is_some());
    let (given_up, dropped) = before.map_or((0, 0), |before| (before.failed, before.dropped));
    let given_up = now.failed.saturating_sub(given_up);
    let dropped = now.dropped.saturating_sub(dropped);
    let mut lines = Vec::new();
    let why = now.given_up.as_deref().unwrap_or_default();
    match given_up {
        0 => {}
        1 if was_repeated => lines.push(format!("A notification to {place} is given up: {why}")),
        1 => lines.push(format!(
            "A notification was not delivered to {place} and is given up: {why}"
        )),
        count => lines.push(format!(
            "{count} notifications to {place} are given up, the last one: {why}"
        )),
    }
    if dropped > 0 {
        lines.push(format!(
            "Notifications to {place} were dropped, because too many wait: {dropped}"
        ));
    }
    match (&now.problem, now.repeated_until) {
        (Some(why), Some(until)) if !was_repeated || given_up > 0 => lines.push(format!(
            "A notification was not delivered to {place}: {why}; it is repeated until {}",
            moment(until, time)
        )),
        (None, _) if had_failed => {
            lines.push(format!("Notifications to {place} are delivered again"));
        }
        (Some(_) | None, _) => {}
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Service;

    const NOW: Timestamp = Timestamp(1_795_435_200);

    #[test]
    fn what_is_given_up_is_said_whatever_comes_next() {
        let well = Deliveries {
            name: "wecom 2".to_owned(),
            service: Service::Wecom,
            host: "bot.example".to_owned(),
            sent: 1,
            failed: 0,
            dropped: 0,
            waiting: 0,
            last_sent: None,
            problem: None,
            repeated_until: None,
            given_up: None,
        };
        let repeated = Deliveries {
            problem: Some("it is too busy".to_owned()),
            repeated_until: Some(NOW.plus(3_600)),
            ..well.clone()
        };
        let failed = Deliveries {
            failed: 1,
            given_up: Some("it is gone".to_owned()),
            problem: Some("it is gone".to_owned()),
            ..well.clone()
        };
        // The next message is repeated or taken before anyone looks.
        let next = Deliveries {
            failed: 2,
            given_up: failed.given_up.clone(),
            ..repeated.clone()
        };
        let taken = Deliveries {
            failed: 1,
            sent: 2,
            dropped: 3,
            given_up: failed.given_up.clone(),
            ..well.clone()
        };
        let mut said = Vec::new();
        for (before, now) in [
            (None, &repeated),
            (Some(&repeated), &repeated),
            (Some(&repeated), &failed),
            (Some(&failed), &failed),
            (Some(&well), &failed),
            (Some(&repeated), &next),
            (Some(&repeated), &taken),
            (Some(&taken), &taken),
        ] {
            said.extend(news(before, now, NOW));
            said.push("-".to_owned());
        }
        insta::assert_snapshot!(said.join("\n"), @"
        A notification was not delivered to wecom 2 at bot.example: it is too busy; it is repeated until 13:00 UTC
        -
        -
        A notification to wecom 2 at bot.example is given up: it is gone
        -
        -
        A notification was not delivered to wecom 2 at bot.example and is given up: it is gone
        -
        2 notifications to wecom 2 at bot.example are given up, the last one: it is gone
        A notification was not delivered to wecom 2 at bot.example: it is too busy; it is repeated until 13:00 UTC
        -
        A notification to wecom 2 at bot.example is given up: it is gone
        Notifications to wecom 2 at bot.example were dropped, because too many wait: 3
        Notifications to wecom 2 at bot.example are delivered again
        -
        -
        ");
    }
}
