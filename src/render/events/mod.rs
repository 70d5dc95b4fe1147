//! The events of an apply, as lines of text and as JSON lines.
//!
//! The JSON has the form of Terraform's: `@level`, `@message`, `@module`, `@timestamp` and `type`, then
//! one object with the rest, whose name depends on the type (`hook`, `change`, `changes`,
//! `diagnostic`, `report`).

mod json;
mod plan_json;
mod text;

#[cfg(test)]
mod tests;

pub use json::event_json;
pub use plan_json::{
    apply_summary_json, change_summary_json, diagnostic_json, log_json, planned_change_json,
    planned_move_json, planned_update_json, version_json,
};
pub use text::event_text;
