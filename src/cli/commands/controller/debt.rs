//! A message that the messenger still has to do something about.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::notify::{News, Notice, Ticket};

/// When it is recorded that a message that was just told is still being sent. Sooner than others may take it over.
pub(super) const RENEWED_FIRST: Duration = Duration::from_secs(15);

/// A message that a target has not taken, or that is not recorded.
#[derive(Debug)]
pub(super) struct Debt {
    pub(super) notice: Notice,
    pub(super) ticket: Ticket,
    /// Which targets have not taken it, as recorded. `None` when the state says nothing of the message.
    pub(super) recorded: Option<BTreeSet<String>>,
    /// When it is recorded again that it is being sent.
    pub(super) renewed: Instant,
}

impl Debt {
    pub(super) fn new(notice: Notice, ticket: Ticket, recorded: Option<BTreeSet<String>>) -> Self {
        Self {
            notice,
            ticket,
            recorded,
            renewed: Instant::now() + RENEWED_FIRST,
        }
    }

    /// Whether the state has to say something else.
    pub(super) fn has_changed(&self) -> bool {
        match &self.recorded {
            Some(recorded) => *recorded != self.ticket.open(),
            None => self.ticket.is_taken() || self.is_over(),
        }
    }

    /// Whether it says the end of something, and waits for no target: what is owed of the beginning must not be sent any
    /// more.
    pub(super) fn is_over(&self) -> bool {
        self.notice.news == News::Resolved && self.ticket.open().is_empty()
    }

    /// Whether no target has it and none will get it, so that there is nothing to record.
    pub(super) fn is_lost(&self) -> bool {
        let was_told = self.recorded.is_some() || self.ticket.is_taken();
        !was_told && self.ticket.open().is_empty() && !self.is_over()
    }

    /// Whether it is recorded that others are not to send it.
    pub(super) fn holds(&self) -> bool {
        self.recorded.as_ref().is_some_and(|open| !open.is_empty())
    }
}
