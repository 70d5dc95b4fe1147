//! `state push`: puts a state file in the place of the state, or brings an emergency copy home.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::open;
use crate::backend::http::document;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::lock::Lock;
use crate::cli::options::switch;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::edit::locked;
use crate::model::{Address, Environment, Recorded};
use crate::render::{Clean, counted};
use crate::state::{Homecoming, Place, Rescue, StateError, Store, format};

/// A state is smaller, in bytes.
const LARGEST: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A state file, as `state pull` prints it, or an emergency copy; - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Push a state that is older than the recorded one, to go back to it.
    #[arg(long, env = "ESS_CALLBACKS_OLDER", value_parser = switch::parse)]
    older: bool,
    #[command(flatten)]
    lock: Lock,
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args { file, older, lock } = args;
    let locations = settings.locations()?;
    let copy = read(file).await?;
    let there = locations.store()?.peek().await?;
    if let Some(there) = &there
        && !copy.ended.is_empty()
    {
        return bring_home(settings, (&copy, file), there.environment, *lock, ui).await;
    }
    let mut new = copy.recorded;
    let environment = there.map_or(new.environment, |there| there.environment);
    let callbacks = counted(new.len(), "callback", "callbacks");
    let (pushed, serial) = locked(settings, environment, *lock, ui, async |state| {
        // A state file of format 1 does not hold it.
        let destination = state.read(|recorded| recorded.destination.clone());
        new.destination = new.destination.or(destination);
        let news = state.read(|recorded| compare(recorded, &new, (file, *older)))?;
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

/// Records in the state how the calls of an emergency copy have ended.
async fn bring_home(
    settings: &Settings,
    (copy, file): (&Rescue, &Path),
    environment: Environment,
    lock: Lock,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let Homecoming {
        settled,
        known,
        changed,
    } = locked(settings, environment, lock, ui, async |state| {
        state.read(|recorded| check_origin(recorded, &copy.recorded, file))?;
        let mut homecoming = Homecoming::default();
        state.edit(|recorded| {
            homecoming = copy.settle(recorded);
            homecoming.settled > 0
        });
        state.save().await?;
        Ok(homecoming)
    })
    .await?;
    for (count, how) in [(settled, "recorded now"), (known, "known already")] {
        if count > 0 {
            let callbacks = counted(count, "callback", "callbacks");
            ui.say(format_args!(
                "How the last calls for {callbacks} ended is {how}."
            ));
        }
    }
    for address in &changed {
        ui.say(format_args!(
            "{} stays as it is: another run has changed it since.",
            Clean(address)
        ));
    }
    let file = file.display();
    ui.say(format_args!("`{file}` is not needed any more."));
    Ok(Exit::Done)
}

/// Reads a state file with the journal beside it, an emergency copy, or standard input.
async fn read(file: &Path) -> Result<Rescue, Failure> {
    if file == Path::new("-") {
        let copy = format::read_copy(
            &Place::new("<stdin>"),
            std::io::stdin().lock().take(LARGEST),
        );
        return copy.map_err(|error| not_a_state(&error));
    }
    // What can be read only once, and may never end.
    if file
        .metadata()
        .is_ok_and(|found| !found.is_file() && !found.is_dir())
    {
        let text = File::open(file).map_err(|error| unreadable(file, &error))?;
        let copy = format::read_copy(&Place::new(file.display().to_string()), text.take(LARGEST));
        return copy.map_err(|error| not_a_state(&error));
    }
    if let Some(recorded) = downloaded(file) {
        let recorded = recorded.map_err(|error| not_a_state(&error))?;
        return Ok(Rescue {
            recorded,
            ended: Vec::new(),
        });
    }
    let recorded = Store::on_disk(file).peek().await;
    let recorded = recorded.map_err(|error| not_a_state(&error))?;
    let missing = || Failure::error(format!("the file `{}` does not exist", file.display()));
    let recorded = recorded.ok_or_else(missing)?;
    let text = File::open(file).map_err(|error| unreadable(file, &error))?;
    let copy = format::read_copy(&Place::new(file.display().to_string()), text);
    let ended = copy.map_err(|error| not_a_state(&error))?.ended;
    Ok(Rescue { recorded, ended })
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let file = file.display();
    Failure::error(format!("the file `{file}` can't be read: {error}"))
}

/// What a version says that was downloaded from a server with Terraform's protocol. `None` when the file is
/// something else, or can't be read.
fn downloaded(file: &Path) -> Option<Result<Recorded, StateError>> {
    let mut text = Vec::new();
    let file_text = File::open(file).ok()?;
    file_text.take(LARGEST).read_to_end(&mut text).ok()?;
    document::recorded(&Place::new(file.display().to_string()), &text)
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
fn compare(
    recorded: &Recorded,
    new: &Recorded,
    (file, older): (&Path, bool),
) -> Result<News, Failure> {
    if recorded.lineage.is_none() {
        return Ok(News::Other);
    }
    check_origin(recorded, new, file)?;
    let file = file.display();
    if new.serial < recorded.serial && !older {
        return Err(Failure::error(format!(
            "`{file}` is older than the state (serial {}, which is now at {}); nothing was pushed",
            new.serial, recorded.serial
        ))
        .advice(
            "It does not have the later changes. Start again from what `ess-callbacks state pull` prints. To go back to the \
             older state all the same: --older.",
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

/// Refuses a state with another history.
fn check_origin(recorded: &Recorded, new: &Recorded, file: &Path) -> Result<(), Failure> {
    let file = file.display();
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
            "Give the state that it belongs to with --state. To keep that state too, push it to an empty place, with \
             another --state.",
        ));
    }
    Ok(())
}
