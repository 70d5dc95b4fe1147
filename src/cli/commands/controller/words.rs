//! What the log says of suspensions.

use crate::model::{Suspension, Timestamp};

/// `Suspended until 23:16 UTC (eSign moves)`; with the date if it is another day.
pub(super) fn suspended(suspension: &Suspension, now: Timestamp) -> String {
    let Suspension { reason, until } = suspension;
    format!("Suspended until {} ({reason})", moment(*until, now))
}

/// `23:16 UTC`, with the date if it is another day.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    let time = at.clock_time();
    let minute = time.get(..5).unwrap_or(&time);
    let date = at.utc_date();
    if date == now.utc_date() {
        format!("{minute} UTC")
    } else {
        format!("{date} {minute} UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_named_when_it_is_another() {
        let now = Timestamp(1_795_435_200);
        let until = |seconds| {
            let suspension = Suspension {
                reason: "eSign moves".to_owned(),
                until: now.plus(seconds),
            };
            suspended(&suspension, now)
        };
        assert_eq!(until(7_200), "Suspended until 14:00 UTC (eSign moves)");
        assert_eq!(
            until(86_400),
            "Suspended until 2026-11-24 12:00 UTC (eSign moves)"
        );
    }
}
