//! `state push`: puts a state file in the place of the state.

use std::path::{Path, PathBuf};

use super::open;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::lock::Lock;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::edit::locked;
use crate::model::{Address, Recorded};
use crate::render::counted;
use crate::state::{Place, StateError, format};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A state file, as `state pull` prints it; - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    lock: Lock,
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args { file, lock } = args;
    let locations = settings.locations()?;
    let mut new = read(file).await?;
    let environment = locations
        .store()?
        .peek()
        .await?
        .map_or(new.environment, |recorded| recorded.environment);
    let callbacks = counted(new.len(), "callback", "callbacks");
    let (pushed, serial) = locked(settings, environment, *lock, ui, async |state| {
        // A state file of format 1 does not hold it.
        let destination = state.read(|recorded| recorded.destination.clone());
        new.destination = new.destination.or(destination);
        let news = state.read(|recorded| compare(recorded, &new, file))?;
        let pushed = match news {
            News::Same => false,
            News::Other => {
                state.replace(new).await?;
                true
            }
        };
        Ok((pushed, state.read(|recorded| recorded.serial)))
    })
    .await?;
    if pushed {
        ui.say(format_args!(
            "Pushed: the state has {callbacks} now, at serial {serial}."
        ));
    } else {
        ui.say(format_args!(
            "Nothing was pushed: the state is the same already, at serial {serial}."
        ));
    }
    Ok(Exit::Done)
}

/// Reads a state file with the journal beside it, or standard input.
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
                Failure::error(format!("the file `{}` does not exist", file.display()))
            })?
    };
    Ok(read)
}

/// The error for the file, whose own advice is meant for the state in use.
fn not_a_state(error: &StateError) -> Failure {
    Failure::error(crate::cli::exit::with_causes(error)).advice(
        "Nothing was pushed. Repair the file, or start again from what `ess-callbacks state pull` prints.",
    )
}

enum News {
    Same,
    Other,
}

/// Refuses a state with another history, or an older one.
fn compare(recorded: &Recorded, new: &Recorded, file: &Path) -> Result<News, Failure> {
    let file = file.display();
    if recorded.lineage.is_none() {
        return Ok(News::Other);
    }
    if recorded.environment != new.environment {
        return Err(Failure::error(format!(
            "the state is of the {} environment, but `{file}` is of the {} environment; nothing was pushed",
            recorded.environment, new.environment
        ))
        .advice("Use a separate state file for each environment (--state)."));
    }
    if let (Some(ours), Some(theirs)) = (&recorded.destination, &new.destination)
        && !ours.is_same_place(theirs)
    {
        return Err(Failure::error(format!(
            "the state records calls to {ours}, but `{file}` records calls to {theirs}; nothing was pushed"
        ))
        .advice("Give the state that it belongs to with --state."));
    }
    if let (Some(ours), Some(theirs)) = (recorded.lineage, new.lineage)
        && ours != theirs
    {
        return Err(Failure::error(format!(
            "`{file}` is another state (lineage {theirs}, not {ours}); nothing was pushed"
        ))
        .advice(
            "Give the state that it belongs to with --state. To replace this state all the same, move the state file \
             and its journal away first.",
        ));
    }
    if new.serial < recorded.serial {
        return Err(Failure::error(format!(
            "`{file}` is older than the state (serial {}, which is now at {}); nothing was pushed",
            new.serial, recorded.serial
        ))
        .advice(
            "It does not have the later changes. Start again from what `ess-callbacks state pull` prints. To push the older \
             state all the same, set its serial to that of the state.",
        ));
    }
    // An edited file may leave out a lost call.
    open::check_entries(recorded.iter().filter_map(|(scope, url, entry)| {
        let kept = new
            .get(scope, url)
            .is_some_and(|new| new.keeps_fence_of(entry));
        let address = || Address {
            handle: entry.handle.clone(),
            url: url.clone(),
        };
        (!kept && entry.lost.is_some()).then(|| (address(), entry))
    }))?;
    Ok(if recorded == new {
        News::Same
    } else {
        News::Other
    })
}
