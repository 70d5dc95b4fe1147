//! Ages and points in time.

use maud::{Markup, html};

use crate::model::Timestamp;
use crate::render::ago;

/// An age, with the time for machines and for whoever points at it.
pub(super) fn age(now: Timestamp, then: Timestamp) -> Markup {
    html! { time datetime=(then) title=(minute(then)) { (ago(now, then)) } }
}

/// A point in time.
pub(super) fn moment(then: Timestamp) -> Markup {
    html! { time datetime=(then) { (minute(then)) } }
}

/// `2026-11-23 12:00 UTC`
pub(super) fn minute(then: Timestamp) -> String {
    let (date, time) = (then.utc_date(), then.clock_time());
    format!("{date} {} UTC", time.get(..5).unwrap_or(&time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_their_time() {
        let now = Timestamp(1_795_435_200);
        insta::assert_snapshot!(
            age(now, now.plus(-7_200)).into_string(),
            @r#"<time datetime="2026-11-23T10:00:00Z" title="2026-11-23 10:00 UTC">2 hours ago</time>"#
        );
    }
}
