//! What goes wrong on the way and at eSign, and how often.

use std::borrow::Cow;
use std::time::Duration;

use ess_callbacks::model::{ApiError, Blast, Outcome};

use crate::dice::Dice;

/// What becomes of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) kind: Kind,
    /// The way there.
    pub(crate) out: Duration,
    /// The way back.
    pub(crate) back: Duration,
}

/// The ways of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It arrives and is answered.
    Plain,
    /// No connection.
    NotSent,
    /// It does not arrive in time for an answer; perhaps later.
    LostBefore,
    /// It arrives, and its answer is lost.
    LostAfter,
    /// It arrives, and the answer is not eSign's.
    Garbage,
    /// It arrives, and eSign's answer does not say what it did.
    InternalError { carried_out: bool },
    /// It arrives and is refused.
    Refused(Refusal),
}

/// Reasons to refuse a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Throttled,
    TokenExpired,
    Call,
    Organization,
    Account,
}

impl Refusal {
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Throttled => Outcome::Throttled(error("RequestLimitExceeded")),
            Self::TokenExpired => Outcome::TokenExpired(error("AuthFailure.TokenFailure")),
            Self::Call => Outcome::Rejected(Blast::Call, error("FailedOperation")),
            Self::Organization => {
                Outcome::Rejected(Blast::Organization, error("OperationDenied.NoApiAuth"))
            }
            Self::Account => Outcome::Rejected(Blast::Account, error("AuthFailure")),
        }
    }
}

/// How often what goes wrong, in percent of the calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    not_sent: usize,
    lost_before: usize,
    lost_after: usize,
    garbage: usize,
    internal_error: usize,
    throttled: usize,
    token: usize,
    rejected: usize,
    account: usize,
    /// How many of the limit's calls others make.
    others: usize,
    /// From when until when nothing gets through, in milliseconds of the schedule.
    outage: Option<(i64, i64)>,
    /// Whose calls are all refused.
    refused_scope: Option<u8>,
    /// Answers without a `Date`.
    pub(crate) no_date: usize,
    pub(crate) renewable: bool,
    /// A round trip, in milliseconds.
    latency: i64,
    /// Answers that take up to 40 s.
    slow: usize,
}

impl Weather {
    pub(crate) const fn calm() -> Self {
        Self {
            not_sent: 0,
            lost_before: 0,
            lost_after: 0,
            garbage: 0,
            internal_error: 0,
            throttled: 0,
            token: 0,
            rejected: 0,
            account: 0,
            others: 0,
            outage: None,
            refused_scope: None,
            no_date: 0,
            renewable: true,
            latency: 40,
            slow: 0,
        }
    }

    /// Anything from a fine day to a storm; each schedule has its own mix.
    pub(crate) fn random(dice: &mut Dice, now_ms: i64) -> Self {
        let strength = dice.pick(&[0, 3, 3, 10, 10, 25]);
        let mut level = |chance| {
            if dice.percent(chance) {
                dice.below(strength + 1)
            } else {
                0
            }
        };
        let mut new = Self {
            not_sent: level(40),
            lost_before: level(80),
            lost_after: level(80),
            garbage: level(40),
            internal_error: level(40),
            throttled: level(40),
            token: level(15),
            rejected: level(25),
            account: level(10) / 4,
            slow: level(20),
            no_date: 0,
            others: 0,
            outage: None,
            refused_scope: None,
            renewable: true,
            latency: 1,
        };
        new.latency = dice.pick(&[2, 20, 50, 200, 800]);
        new.renewable = dice.percent(50);
        if dice.percent(20) {
            new.others = 1 + dice.below(12);
        }
        if dice.percent(12) {
            let begins = now_ms + dice.pick(&[0, 200, 1_000, 3_000]);
            let lasts = dice.pick(&[1_000, 20_000, 100_000, 1_000_000]);
            new.outage = Some((begins, begins + lasts));
        }
        if dice.percent(10) {
            new.refused_scope = Some(dice.pick(&[0, 1, 2]));
        }
        if dice.percent(20) {
            new.no_date = dice.pick(&[30, 100]);
        }
        new
    }

    pub(crate) const fn refuses(&self, scope: u8) -> bool {
        match self.refused_scope {
            Some(refused) => refused == scope,
            None => false,
        }
    }

    /// Whether nothing gets through.
    pub(crate) fn is_out(&self, now_ms: i64) -> bool {
        self.outage
            .is_some_and(|(begins, ends)| (begins..ends).contains(&now_ms))
    }

    /// How many calls of others were admitted in the last second.
    pub(crate) fn others(&self, dice: &mut Dice) -> usize {
        if self.others == 0 {
            return 0;
        }
        dice.below(self.others + 1)
    }

    pub(crate) fn fate(&self, dice: &mut Dice, now_ms: i64) -> Fate {
        let kinds = [
            (self.not_sent, Kind::NotSent),
            (self.lost_before, Kind::LostBefore),
            (self.lost_after, Kind::LostAfter),
            (self.garbage, Kind::Garbage),
            (
                self.internal_error,
                Kind::InternalError {
                    carried_out: dice.percent(50),
                },
            ),
            (self.throttled, Kind::Refused(Refusal::Throttled)),
            (self.token, Kind::Refused(Refusal::TokenExpired)),
            (self.rejected, Kind::Refused(Refusal::Call)),
            (self.account, Kind::Refused(Refusal::Account)),
        ];
        let mut roll = dice.below(100);
        let mut kind = Kind::Plain;
        for (percent, candidate) in kinds {
            if roll < percent {
                kind = candidate;
                break;
            }
            roll -= percent;
        }
        if self.is_out(now_ms) {
            kind = dice.pick(&[Kind::NotSent, Kind::NotSent, Kind::LostBefore]);
        }
        let half = |dice: &mut Dice| dice.millis(self.latency / 4, self.latency * 3 / 4);
        let (out, mut back) = (half(dice), half(dice));
        if dice.percent(self.slow) {
            back += dice.millis(0, 39_000);
        }
        if matches!(kind, Kind::LostBefore | Kind::LostAfter) {
            back = dice.pick(&[
                Duration::ZERO,
                Duration::from_secs(1),
                Duration::from_secs(40),
            ]);
        }
        Fate { kind, out, back }
    }
}

/// There is no answer.
pub(crate) fn silence(why: &'static str) -> ApiError {
    ApiError {
        code: None,
        message: why.to_owned(),
        ..error("")
    }
}

pub(crate) fn error(code: &'static str) -> ApiError {
    ApiError {
        code: Some(code.to_owned()),
        message: "simulated".to_owned(),
        request_id: None,
        meaning: Cow::Borrowed("the schedule says so"),
        advice: Cow::Borrowed("replay the seed"),
    }
}

/// An outcome, for a story.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied(_) => "applied",
        Outcome::AlreadyThere(_) => "already there",
        Outcome::NotThere(_) => "not there",
        Outcome::Throttled(_) => "throttled",
        Outcome::NotSent(_) => "not sent",
        Outcome::NotSigned(_) => "not signed",
        Outcome::ClockOff(_) => "clock off",
        Outcome::TokenExpired(_) => "token expired",
        Outcome::Rejected(..) => "rejected",
        Outcome::Unknown(_) => "unknown",
    }
}
