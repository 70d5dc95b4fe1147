//! `state pull` and `state push`: the whole state out of its place, and into it. Neither makes a call.

use std::path::Path;

use super::none_on_the_way;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::lock::Lock;
use crate::cli::terminal::Ui;
use crate::cli::workspace::locations::Locations;
use crate::cli::workspace::lock::lock;
use crate::model::{Address, Recorded};
use crate::render::counted;
use crate::state::{Place, StateError, format};

/// Prints what is recorded, the journal folded in, as a state file.
pub(crate) async fn pull(locations: &Locations, ui: &mut Ui) -> Result<Exit, Failure> {
    let recorded = locations.recorded().await?;
    ui.bytes(|mut out| format::write(&recorded, &mut out));
    Ok(Exit::Done)
}

/// Puts a state file in the place of what is recorded.
pub(crate) async fn push(
    locations: &Locations,
    file: &Path,
    Lock { lock_timeout }: Lock,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let mut new = read(file).await?;
    let environment = locations
        .store()?
        .peek()
        .await?
        .map_or(new.environment, |recorded| recorded.environment);
    let state = lock(locations, environment, lock_timeout, ui).await?;
    // One of format 1 does not say it.
    let destination = state.read(|recorded| recorded.destination.clone());
    new.destination = new.destination.or(destination);
    let callbacks = counted(new.len(), "callback", "callbacks");
    let pushed = match state.read(|recorded| compare(recorded, &new, file)) {
        Ok(News::Same) => Ok(false),
        Ok(News::Other) => state
            .replace(new)
            .await
            .map(|()| true)
            .map_err(Failure::from),
        Err(refused) => Err(refused),
    };
    let serial = state.read(|recorded| recorded.serial);
    state.release().await?;
    if pushed? {
        ui.say(format_args!(
            "Pushed: the state has {callbacks} now, at serial {serial}."
        ));
    } else {
        ui.say(format_args!(
            "Nothing was pushed: the state holds just that, at serial {serial}."
        ));
    }
    Ok(Exit::Done)
}

/// The state in a file, with the journal beside it, or on standard input.
async fn read(file: &Path) -> Result<Recorded, Failure> {
    let read = if file == Path::new("-") {
        format::read(&Place::new("<stdin>"), std::io::stdin().lock())
            .map_err(|error| not_a_state(&error))?
    } else {
        crate::state::Store::on_disk(file)
            .peek()
            .await
            .map_err(|error| not_a_state(&error))?
            .ok_or_else(|| {
                Failure::error(format!("there is no file `{}` to push", file.display()))
            })?
    };
    Ok(read)
}

/// The advice for a state that is in use would be to mend that one.
fn not_a_state(error: &StateError) -> Failure {
    Failure::error(crate::cli::exit::with_causes(error)).advice(
        "Nothing was pushed. Mend the file, or begin with what `ess-callbacks state pull` prints.",
    )
}

/// What a push would change.
enum News {
    Same,
    Other,
}

/// A push may not put another history in the place of this one, nor an older moment of it.
fn compare(recorded: &Recorded, new: &Recorded, file: &Path) -> Result<News, Failure> {
    let file = file.display();
    if recorded.lineage.is_none() {
        return Ok(News::Other);
    }
    if recorded.environment != new.environment {
        return Err(Failure::error(format!(
            "the state records the {} environment, but `{file}` the {} environment; nothing was pushed",
            recorded.environment, new.environment
        ))
        .advice("Use a state file of its own for each environment (--state)."));
    }
    if let (Some(ours), Some(theirs)) = (&recorded.destination, &new.destination)
        && !ours.is_same_place(theirs)
    {
        return Err(Failure::error(format!(
            "the state records calls to {ours}, but `{file}` calls to {theirs}; nothing was pushed"
        ))
        .advice("Name the state that it belongs to with --state."));
    }
    if let (Some(ours), Some(theirs)) = (recorded.lineage, new.lineage)
        && ours != theirs
    {
        return Err(Failure::error(format!(
            "`{file}` is another state (lineage {theirs}, and not {ours}); nothing was pushed"
        ))
        .advice(
            "Name the state that it belongs to with --state. If it is to take this one's place all the same, move \
             the state file and its journal away first.",
        ));
    }
    if new.serial < recorded.serial {
        return Err(Failure::error(format!(
            "`{file}` is older than the state (serial {}, which is now at {}); nothing was pushed",
            new.serial, recorded.serial
        ))
        .advice(
            "It does not know what was done since. Begin again with what `ess-callbacks state pull` prints. If the \
             older one is meant, give it the serial of the state.",
        ));
    }
    // Not only what is older can have lost a call: an edited file may leave it out.
    none_on_the_way(recorded.iter().filter_map(|(scope, url, entry)| {
        let lost = entry.lost?;
        let kept = new.get(scope, url).and_then(|entry| entry.lost);
        let knows =
            kept.is_some_and(|kept| kept.write == lost.write && kept.signed_at >= lost.signed_at);
        let address = || Address {
            handle: entry.handle.clone(),
            url: url.clone(),
        };
        (!knows).then(|| (address(), entry))
    }))?;
    Ok(if recorded == new {
        News::Same
    } else {
        News::Other
    })
}
