//! The pulse of the loop, for `/healthz` and for systemd.

use crate::cli::process::systemd::Service;
use crate::controller::{Board, Phase, Status};
use crate::render::counted;

/// The loop is alive.
pub(super) fn beat(board: &Board, service: &mut Service) {
    board.beat();
    service.alive();
    if !service.is_observed() {
        return;
    }
    let status = board.status();
    // Not only after the round: its calls may take long.
    if status.ready || board.seen().is_some() {
        service.ready();
    }
    service.status(&line(&status));
}

/// What `systemctl status` shows.
fn line(status: &Status) -> String {
    if let Some((first, rest)) = status.problems.split_first() {
        let more = match rest.len() {
            0 => String::new(),
            more => format!("{}; the first: ", counted(more + 1, "problem", "problems")),
        };
        return format!("{more}{}", first.message);
    }
    if let Some(suspended) = &status.suspended {
        return format!("Suspended until {}: {}", suspended.until, suspended.reason);
    }
    if let Some(since) = status.behind {
        return format!("Waiting for newer files: others are in force since {since}");
    }
    match status.phase {
        Phase::Starting => "Starting".to_owned(),
        Phase::Working => "Planning or applying".to_owned(),
        Phase::WaitingForLock => "Waiting for another run".to_owned(),
        Phase::Stopping => "Stopping".to_owned(),
        Phase::Idle => {
            let recorded = counted(status.callbacks.all(), "callback", "callbacks");
            format!("{recorded} recorded, nothing to do")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Problem;
    use crate::model::{Suspension, Timestamp};

    #[test]
    fn the_line_says_what_is_most_important() {
        let board = Board::new("1", String::new());
        let now = || line(&board.status());
        assert_eq!(now(), "Starting");
        board.update(|status| status.phase = Phase::Idle);
        assert_eq!(now(), "0 callbacks recorded, nothing to do");
        board.update(|status| status.behind = Some(Timestamp(0)));
        let behind = "Waiting for newer files: others are in force since 1970-01-01T00:00:00Z";
        assert_eq!(now(), behind);
        let suspension = Suspension {
            reason: "eSign moves".to_owned(),
            until: Timestamp(0),
        };
        board.update(|status| status.suspended = Some(suspension));
        assert_eq!(now(), "Suspended until 1970-01-01T00:00:00Z: eSign moves");
        let found = |key: &str| Problem {
            key: key.to_owned(),
            since: Timestamp(0),
            message: format!("{key} is wrong"),
            details: Vec::new(),
            advice: None,
            version: None,
        };
        board.problems(Timestamp(0), vec![found("one")]);
        assert_eq!(now(), "one is wrong");
        board.problems(Timestamp(0), vec![found("one"), found("two")]);
        assert_eq!(now(), "2 problems; the first: one is wrong");
    }
}
