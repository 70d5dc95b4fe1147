//! Wording that several texts share: numbers, times and the verbs of actions.

use crate::model::{Action, Calls, Drift, Timestamp};

/// `one` for 1, otherwise `many`.
pub const fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// The number with its noun: `1 call`, `2 calls`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", plural(count, one, many))
}

/// How long ago `then` is, in one unit: `3 days ago`, `1 minute ago`. Up to two days it is in hours; less than two
/// seconds is `just now`.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.seconds_since(then);
    let (count, one, many) = match seconds {
        // Negative after a clock was set back.
        ..2 => return "just now".to_owned(),
        2..60 => (seconds, "second", "seconds"),
        60..3_600 => (seconds / 60, "minute", "minutes"),
        3_600..172_800 => (seconds / 3_600, "hour", "hours"),
        172_800.. => (seconds / 86_400, "day", "days"),
    };
    format!(
        "{} ago",
        counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
    )
}

/// A length of time in seconds, in its two largest units: `1 s`, `4 min 50 s`, `2 h 5 min`.
pub fn span(seconds: u64) -> String {
    let (big, small, rest) = match seconds {
        ..60 => return format!("{seconds} s"),
        60..3_600 => (
            format!("{} min", seconds / 60),
            format!("{} s", seconds % 60),
            seconds % 60,
        ),
        3_600.. => (
            format!("{} h", seconds / 3_600),
            format!("{} min", seconds / 60 % 60),
            seconds / 60 % 60,
        ),
    };
    if rest == 0 {
        big
    } else {
        format!("{big} {small}")
    }
}

/// A length of time in milliseconds as Terraform writes it: `0.3s`, `1s`, `1m15s`.
pub(crate) fn elapsed(milliseconds: u64) -> String {
    let tenths = milliseconds / 100;
    match (tenths / 600, tenths / 10 % 60, tenths % 10) {
        (0, seconds @ 0..10, tenth @ 1..) => format!("{seconds}.{tenth}s"),
        (0, seconds, _) => format!("{seconds}s"),
        (minutes, seconds, _) => format!("{minutes}m{seconds}s"),
    }
}

/// A number rounded to a tenth: `20`, `3.5`.
pub fn tenths(number: f64) -> String {
    let text = format!("{number:.1}");
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// What will happen to a callback, after its address: `will be added`.
pub(crate) const fn future(action: Action, calls: Calls) -> &'static str {
    match (action, calls) {
        (Action::NoOp, _) => "is unchanged",
        (Action::Add, Calls::Replace) => "will be added, after a delete of what may be there",
        (Action::Add, _) => "will be added",
        (Action::Delete, _) => "will be deleted",
        (Action::Replace, _) => "must be replaced",
        (Action::Heal, _) => "will be healed (added again)",
        (Action::Finish, Calls::Nothing) => "has an open call",
        (Action::Finish, Calls::Add) => "has an open call, which adding it will finish",
        (Action::Finish, Calls::Delete) => "has an open call, which deleting it will finish",
        (Action::Finish, Calls::Replace) => "has an open call, which replacing it will finish",
    }
}

/// The verb after "plan to".
pub(crate) const fn plan_to(action: Action) -> &'static str {
    match action {
        Action::NoOp => "leave unchanged",
        Action::Add => "add",
        Action::Delete => "delete",
        Action::Replace => "replace",
        Action::Heal => "heal",
        Action::Finish => "finish",
    }
}

/// What is happening: `Adding`.
pub(crate) const fn doing(action: Action, calls: Calls) -> &'static str {
    match (action, calls) {
        (Action::NoOp, _) => "Leaving",
        (Action::Add, Calls::Replace) => "Adding, after a delete",
        (Action::Add, _) => "Adding",
        (Action::Delete, _) => "Deleting",
        (Action::Replace, _) => "Replacing (delete, then add)",
        (Action::Heal, _) => "Healing (adding again)",
        (Action::Finish, Calls::Nothing) => "Finishing an open call",
        (Action::Finish, Calls::Add) => "Finishing an open call (adding)",
        (Action::Finish, Calls::Delete) => "Finishing an open call (deleting)",
        (Action::Finish, Calls::Replace) => "Finishing an open call (delete, then add)",
    }
}

pub(crate) const fn done(action: Action) -> &'static str {
    match action {
        Action::NoOp => "Left",
        Action::Add => "Added",
        Action::Delete => "Deleted",
        Action::Replace => "Replaced",
        Action::Heal => "Healed",
        Action::Finish => "Finished",
    }
}

pub(crate) const fn drift(drift: Drift) -> &'static str {
    match drift {
        Drift::WasGone => {
            "it was recorded as present, but eSign did not have it: it was deleted outside ess-callbacks, or \
             these credentials belong to another enterprise. Its messages in between were lost"
        }
        Drift::NeverConfirmed => {
            "it was recorded as present, but eSign did not have it. No answer had confirmed it, so perhaps it \
             was never there, and its messages were lost"
        }
        Drift::WasThere => {
            "it was recorded as absent, but eSign already had it: it was added outside ess-callbacks, and it \
             keeps the key and token that were set there (--replace ADDRESS sets yours)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(-5, "just now")]
    #[case(1, "just now")]
    #[case(2, "2 seconds ago")]
    #[case(59, "59 seconds ago")]
    #[case(60, "1 minute ago")]
    #[case(109, "1 minute ago")]
    #[case(3_600, "1 hour ago")]
    #[case(120, "2 minutes ago")]
    #[case(7_200, "2 hours ago")]
    #[case(172_799, "47 hours ago")]
    #[case(3 * 86_400 + 5, "3 days ago")]
    fn ages_have_one_unit(#[case] age: i64, #[case] text: &str) {
        assert_eq!(ago(Timestamp(1_000_000 + age), Timestamp(1_000_000)), text);
    }

    #[rstest]
    #[case(0, "0 s")]
    #[case(59, "59 s")]
    #[case(60, "1 min")]
    #[case(290, "4 min 50 s")]
    #[case(7_500, "2 h 5 min")]
    fn spans_use_two_units(#[case] seconds: u64, #[case] text: &str) {
        assert_eq!(span(seconds), text);
    }

    #[rstest]
    #[case(3.5237, "3.5")]
    #[case(19.96, "20")]
    #[case(0.04, "0")]
    fn rates_are_rounded_to_a_tenth(#[case] number: f64, #[case] text: &str) {
        assert_eq!(tenths(number), text);
    }

    #[rstest]
    #[case(30, "0s")]
    #[case(312, "0.3s")]
    #[case(1_000, "1s")]
    #[case(1_250, "1.2s")]
    #[case(12_900, "12s")]
    #[case(75_000, "1m15s")]
    fn elapsed_times_look_like_terraforms(#[case] milliseconds: u64, #[case] text: &str) {
        assert_eq!(elapsed(milliseconds), text);
    }
}
