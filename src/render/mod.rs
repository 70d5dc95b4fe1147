//! Rendering: plans, events, reports, metrics and state as text, as JSON and in formats for pipelines.
//!
//! Everything here is a pure function of a value and a [`Style`]; it never reads the terminal,
//! the clock or stdout. Text is written to a [`std::fmt::Write`] in pieces, so that memory does not
//! grow with the number of changes.
//!
//! Invariants: no meaning is in colour alone; control characters in untrusted text (handles, URLs,
//! eSign's messages) are escaped; no secret reaches this module, only fingerprints.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "rendering is a pure function; `now` comes with the style"
)]

mod annotations;
mod audited;
pub mod diagnostic;
mod diff;
mod doctor;
mod escape;
mod events;
mod failure;
#[cfg(test)]
mod fixtures;
mod folded;
mod json_line;
mod markdown;
mod metrics;
mod observed;
mod orgs;
mod place;
#[cfg(test)]
mod properties;
mod received;
mod report;
#[cfg(test)]
mod reviewed;
mod rotation;
mod state;
mod style;
mod text;
mod trial;
mod verified;
mod why;
mod words;
mod wrap;

pub use annotations::{github_annotations, gitlab_code_quality};
pub use audited::{AuditedWrites, audited_json, audited_text, audited_warning, witnessed_line};
pub use diff::plan_diff;
pub use doctor::{checks_json, checks_text};
pub use escape::{Clean, Quoted};
pub use events::{
    apply_summary_json, change_summary_json, diagnostic_json, event_json, event_text, log_json,
    planned_change_json, planned_move_json, planned_update_json, version_json,
};
pub use failure::{error_json, error_text, usage_json};
pub use folded::diagnostics;
pub use markdown::{Commit, Label, MARKDOWN_LIMIT, Subject, error_markdown, plan_markdown};
pub use metrics::{Metrics, last_environment, last_success, metrics_text};
pub use observed::{observed_json, observed_summary, observed_text};
pub use orgs::{Groups, incomplete, orgs_json, orgs_text, orgs_yaml};
pub(crate) use place::of_state as place_of;
pub use received::{Delivery, Outcome, Reception, reception_json, reception_text};
pub use report::{Again, is_complete, report_json, report_text};
pub use rotation::{rotated_text, rotations_lines, rotations_text};
pub use state::{entry_json, entry_text, state_json, state_text};
pub use style::{Style, Tone};
pub use text::{
    Context, Symbol, change_text, guards_json, guards_text, plan_summary, plan_text, question_text,
    refusal_sentences,
};
pub(crate) use text::{Refusal, Remedies, refusals, shortened, update_words};
pub use trial::{Setting, trial_markdown};
pub use verified::{verified_json, verified_lines, verified_summary, verified_text};
pub use words::{ago, counted, plural, span, tenths};
pub(crate) use words::{elapsed, future};
