//! How a run may end, and how it may not.

use ess_callbacks::run::Refusal;
use ess_callbacks::state::{ErrorKind, StateError};

use crate::config::Credentials;
use crate::place::Place;
use crate::process::{Ended, Spec};
use crate::world::Shared;

/// Whether a run may have ended like this.
pub(crate) fn after(world: &Shared, place: &Place, spec: &Spec, ended: &Ended, full: bool) {
    let mut world = world.now();
    let number = spec.number;
    match ended {
        Ended::Died => {
            world.facts.crashes += 1;
            world.weaken(number);
            world.tell(|| format!("run {number} died"));
        }
        Ended::Stuck => world.breaks("g", &format!("run {number} is stuck")),
        Ended::State(error) => {
            world.weaken(number);
            world.tell(|| format!("run {number}: {error}"));
            let injected = full || place.has_crashed();
            let expected = is_locked(error) || (injected && error.kind() != ErrorKind::Corrupt);
            if !expected {
                world.breaks("h", &format!("run {number}: {error}"));
            }
        }
        Ended::Interrupted => world.tell(|| format!("run {number}: interrupted")),
        Ended::Guarded(_) => world.tell(|| format!("run {number}: guarded")),
        Ended::Done(report) => {
            if let Some(error) = &report.journal_error
                && !full
            {
                world.breaks("h", &format!("run {number}: {error}"));
            }
        }
    }
}

/// Whether a run may be refused for this reason.
pub(crate) fn may_refuse(world: &Shared, spec: &Spec, why: &Refusal) -> bool {
    match why {
        Refusal::Guards | Refusal::MissingAccount(..) => true,
        Refusal::NotApproved if spec.files.is_some() => true,
        Refusal::OwnerUnknown { .. }
        | Refusal::RecordedOwnerUnknown { .. }
        | Refusal::PerhapsSameOwner { .. } => !spec.owners_known,
        // The old name of an account may be left out.
        Refusal::SameAccount(..) if world.now().runs[spec.number].config.leaves_a_name_out() => {
            true
        }
        Refusal::SameAccount(..)
        | Refusal::UnexpectedOwner { .. }
        | Refusal::SameOwner { .. }
        | Refusal::OtherOwner { .. }
        | Refusal::NotApproved => {
            let mut world = world.now();
            world.facts.mistaken += 1;
            world.runs[spec.number].credentials == Credentials::MixedUp
        }
        Refusal::OtherDestination | Refusal::Stale(_) | Refusal::NotReviewed(_) => false,
    }
}

fn is_locked(error: &StateError) -> bool {
    error.kind() == ErrorKind::Locked
}
