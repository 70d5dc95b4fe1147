//! Whether a plan still fits the state: it must have been made from just what is recorded.

use super::Plan;
use crate::model::{Lineage, Recorded};

/// How the state differs from the one that a plan was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// There was no state yet. Now there is one.
    Begun,
    /// It is another state, or there is none.
    OtherState {
        planned: Lineage,
        found: Option<Lineage>,
    },
    /// It has another serial, so something was recorded since, and not only notes.
    OtherSerial { planned: u64, found: u64 },
}

impl Plan {
    /// How what is recorded differs from what this plan was made from.
    pub fn stale(&self, recorded: &Recorded) -> Option<Stale> {
        match (self.lineage, recorded.lineage) {
            (None, Some(_)) => return Some(Stale::Begun),
            (Some(planned), found) if found != Some(planned) => {
                return Some(Stale::OtherState { planned, found });
            }
            (None, None) | (Some(_), _) => {}
        }
        let (planned, found) = (self.serial, recorded.serial);
        (!recorded.has_plans_of(planned)).then_some(Stale::OtherSerial { planned, found })
    }
}
