//! What others do to a state beside the runs: they break its lock, and bring emergency copies home, perhaps long
//! after other runs have gone on.

use std::time::Duration;

use ess_callbacks::model::Timestamp;
use ess_callbacks::state::{Homecoming, LockOwner, StateError};
use tokio::time::sleep;

use crate::config::ENVIRONMENT;
use crate::place::Place;
use crate::process::{Spec, lock_id};
use crate::world::Shared;

/// Brings home what the runs so far could not record. Every other time nobody does, so that a copy gets old.
pub(crate) async fn bring_home(world: &Shared, place: &Place) {
    let rescues = {
        let world = world.now();
        if world.runs.len() % 2 == 1 {
            return;
        }
        world.rescues.clone()
    };
    if rescues.is_empty() {
        return;
    }
    let owner = LockOwner {
        id: format!("home-{}", world.now().runs.len()),
        who: "sim".to_owned(),
        host: "here".to_owned(),
        pid: 2,
        command: "state push".to_owned(),
        since: Timestamp(0),
        job_url: None,
    };
    let store = place.in_fair_weather();
    let wait = Duration::from_secs(900);
    let brought = async {
        let state = store.lock(ENVIRONMENT, &owner, wait, |_| {}).await?;
        let mut homecomings = Vec::new();
        state.edit(|recorded| {
            homecomings = rescues
                .iter()
                .map(|rescue| rescue.settle(recorded))
                .collect();
            homecomings
                .iter()
                .any(|homecoming: &Homecoming| homecoming.settled > 0)
        });
        state.save().await?;
        state.release().await?;
        Ok::<_, StateError>(homecomings)
    };
    let brought = brought.await;
    let mut world = world.now();
    match brought {
        Ok(homecomings) => {
            world.facts.brought_home += homecomings
                .iter()
                .map(|home| home.settled as u64)
                .sum::<u64>();
            world.tell(|| format!("brought home: {homecomings:?}"));
        }
        Err(error) => world.breaks("h", &format!("bringing home: {error}")),
    }
}

/// Somebody on another machine takes this run for dead and frees its lock. Whether that was so.
pub(crate) async fn break_lock(
    world: &Shared,
    place: &Place,
    spec: &Spec,
    after: Option<Duration>,
) -> bool {
    let Some(after) = after else { return false };
    sleep(after).await;
    let broken = place
        .in_fair_weather()
        .unlock(&lock_id(spec), "elsewhere")
        .await;
    let mut world = world.now();
    world.tell(|| format!("unlock {}: {broken:?}", spec.number));
    world.runs[spec.number].overtaken |= broken.is_ok();
    // A log keeps out who was robbed; files let what it is just writing through.
    world.runs[spec.number].robbed |= broken.is_ok() && matches!(place, Place::Files(_));
    broken.is_ok()
}
