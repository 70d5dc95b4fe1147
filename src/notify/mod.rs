//! Notifications: tells people in a chat, or a program, about conditions of a long-running program.
//!
//! [`Memory`] decides from the conditions there are which are reported now. [`Service`] renders a message for one of
//! the chats and understands its answers; both are functions of values. [`Notifier`] sends, in the background.
//!
//! Invariants: a condition is reported once when it appears, when it changes, daily and when it is resolved, and one
//! that flaps causes a few messages a day; text of others mentions no one and has no markup; a message has the size
//! that the service takes; the URL of a target and its secret are in no text, error or log; a target that fails
//! stops and slows nothing.

mod condition;
mod failure;
mod given;
mod lane;
mod link;
mod memory;
mod names;
mod notifier;
mod owed;
mod send;
mod service;
mod sign;
mod target;
mod text;
mod ticket;
mod told;
mod words;

#[cfg(test)]
mod tests;

pub use condition::{Condition, Key, Kind, Severity};
pub use given::{Given, GivenError};
pub use link::Link;
pub use memory::{DAY, Memory, News, Notice, SETTLES};
pub use names::with_the_same_url;
pub use notifier::{Clock, Deliveries, Notifier, Options, Outlet};
pub use owed::{LATER, have_lapsed, lapses, take_over};
pub use service::Service;
pub use target::{Target, TargetError};
pub use ticket::Ticket;
pub use words::{Lang, Wording};
