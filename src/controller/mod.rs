//! Keeping eSign as declared, for ever: when a round is due, what it heals, what it applies, and what it tells.
//!
//! A *round* reads the directory and the state, plans, and, if there is something to do, applies it with
//! the same run as `apply`. Here are its decisions, as functions of values; `cli` owns files, time and the server.
//!
//! # Invariants
//!
//! * Replicas need no leader. Whoever has something to do takes the state's lock for one run, as any `apply` does, and
//!   plans again under it; so two of them never do the same twice.
//! * Who has older files than those that were applied last applies nothing.
//! * A file that can't be used deletes nothing: as long as there is one, only the callbacks of organizations that are
//!   known are planned.
//! * What a guard refuses is applied only after an approval of exactly these calls.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "decisions are functions of values"
)]

mod board;
mod checkout;
mod decision;
mod files;
mod metrics;
mod portion;
mod schedule;
mod status;

pub use board::{Board, EsignEvent, LastRun, News, Refused, Totals};
pub use checkout::{Behind, Seen, in_force};
pub use decision::{
    Decision, Policy, Waiting, Why, decide, digest, digest_that_waits, on_any_state,
};
pub use files::{Broken, Checked, LastGood};
pub use metrics::metrics_text;
pub use portion::{Portion, portion};
pub use schedule::Schedule;
pub use status::{
    Condition, Files, Organization, Pending, Phase, Problem, RunEnd, RunRecord, Status, Unusable,
    WaitingChange, WaitingPlan, WhyWaits, organizations,
};
