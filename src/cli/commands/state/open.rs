//! Refuses to forget a call that may still arrive.

use super::find::Found;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::model::{Address, Entry, Recorded};
use crate::render::Clean;

/// Fails if a call for one of these callbacks may still arrive.
pub(super) fn check<'a>(
    recorded: &Recorded,
    found: impl IntoIterator<Item = &'a Found>,
) -> Result<(), Failure> {
    check_entries(found.into_iter().filter_map(|Found { identity, address }| {
        let entry = recorded.get(&identity.scope, &identity.url)?;
        Some((address.clone(), entry))
    }))
}

/// Fails if a call for one of these entries may still arrive.
pub(super) fn check_entries<'a>(
    forgotten: impl Iterator<Item = (Address, &'a Entry)>,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    let calls =
        forgotten.filter_map(|(address, entry)| Some((address, entry.may_arrive_until(now)?)));
    let Some((address, until)) = calls.max_by_key(|(_, until)| *until) else {
        return Ok(());
    };
    let message = format!(
        "an earlier call for {} got no answer and may still arrive until {} {} UTC; nothing was changed",
        Clean(address),
        until.utc_date(),
        until.clock_time()
    );
    Err(Failure::error(message).advice(
        "Wait until then, or run apply if it is planned: that settles the call. Forgotten now, the call could undo \
         a later one.",
    ))
}
