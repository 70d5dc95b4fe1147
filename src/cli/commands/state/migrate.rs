//! `state migrate`: moves the state to another place.

use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::{Locations, StateAt};
use crate::cli::options::lock::Lock;
use crate::cli::process::owner;
use crate::cli::process::signals::Signals;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::lock::{done, freed, lock, patience, report_waiting, taken};
use crate::model::Recorded;
use crate::render::counted;
use crate::state::{LockOwner, Paths, StateError, followed};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the state is to be: a file, or the address of a store.
    #[arg(value_name = "PATH|URL")]
    to: PathBuf,
    #[command(flatten)]
    lock: Lock,
}

/// Writes the state to its new place, reads it back, and only then leaves a note in the old one. Whatever fails
/// before that leaves the old one as it is.
pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args { to, lock: wait } = args;
    let locations = settings.locations()?;
    let target = target(locations, to)?;
    let target_store = locations.store_at(&target)?;
    let environment = locations.recorded().await?.environment;
    let signals = Signals::new();
    let stop = signals.asked();
    let state = lock(settings, environment, wait.lock_timeout, stop, ui).await?;
    let recorded = state.read(Recorded::clone);
    let read_back = |environment| done(target_store.read(environment), stop);
    let copied = async {
        let owner = owner::this_process(&settings.command)?;
        // The lock there is the one that was just taken here.
        let holder = done(
            async { Ok::<_, Failure>(target_store.holder().await) },
            stop,
        )
        .await?;
        if holder.is_some_and(|holder| holder.host == owner.host && holder.pid == owner.pid) {
            return Err(Failure::usage(format!(
                "`{target}` and `{}` are one state, with two addresses",
                locations.state
            )));
        }
        let patience = patience(wait.lock_timeout, stop);
        let lease = target_store.lease();
        let waiting = |holder: Option<&LockOwner>| report_waiting(lease, holder, ui);
        let new = target_store.lock_vacant(environment, &owner, patience, waiting);
        match taken(new, stop).await? {
            Ok(new) => {
                let written = done(new.replace(recorded.clone()), stop).await;
                let released = freed(new, stop).await;
                written?;
                released?;
            }
            // A migration that was killed before its end has left the same state there.
            Err(StateError::Occupied { .. })
                if is_copy(&read_back(environment).await?, &recorded) => {}
            Err(error) => return Err(error.into()),
        }
        let read = read_back(environment).await?;
        if !is_copy(&read, &recorded) {
            let message = format!("what was written to `{target}` is not what is read from it");
            return Err(Failure::error(message)
                .advice("The state stays where it is. Don't use that place; please report this."));
        }
        Ok(read)
    }
    .await;
    let read = match copied {
        Ok(read) => read,
        Err(failure) => {
            drop(freed(state, stop).await);
            return Err(failure);
        }
    };
    done(state.leave_for(&target.to_string()), stop)
        .await
        .map_err(|failure| {
            let advice = failure.advice.unwrap_or_default();
            let message = format!(
                "the state is in `{target}` now, but `{}` does not say so: {}",
                locations.state, failure.message
            );
            Failure::new(failure.exit, message).advice(format!(
                "Run the same command again, before anything uses either of them: it goes on from here. {advice}"
            ))
        })?;
    let note = match &locations.state {
        StateAt::File(path) => format!(
            "A note in `{}` points there; commit it if the file is in a repository.",
            path.display()
        ),
        StateAt::Remote(address) => format!("A note in `{address}` points there."),
    };
    ui.say(format_args!(
        "Moved {} to `{target}`, at serial {}. {note} Use --state '{target}', or set ESS_CALLBACKS_STATE, wherever the \
         state is used.",
        counted(read.len(), "callback", "callbacks"),
        read.serial
    ));
    Ok(Exit::Done)
}

/// The new place, which must not be in the way of the old one.
fn target(locations: &Locations, to: &Path) -> Result<StateAt, Failure> {
    // The note is read in other folders, too.
    let target = match StateAt::parse("state migrate", to)? {
        StateAt::File(path) => StateAt::File(std::path::absolute(&path).unwrap_or(path)),
        remote @ StateAt::Remote(_) => remote,
    };
    if locations.cloud.is_some() {
        return Err(Failure::usage(
            "the sandbox keeps its own state, which can't be moved",
        ));
    }
    if same(&locations.state, &target) {
        return Err(Failure::usage(format!(
            "the state is in `{target}` already"
        )));
    }
    if let Some(what) = beside(&locations.state, &target) {
        return Err(Failure::usage(format!(
            "`{target}` is {what} of the state in `{}`: give another file",
            locations.state
        )));
    }
    Ok(target)
}

/// Whether this is the state that was written, with the next serial. Plans are of the old place.
fn is_copy(read: &Recorded, recorded: &Recorded) -> bool {
    let mut same = read.clone();
    same.serial = recorded.serial;
    same.notes = recorded.notes;
    same == *recorded && read.serial > recorded.serial
}

/// What the new place is, if it is one of the files that belong to the old one.
fn beside(old: &StateAt, new: &StateAt) -> Option<&'static str> {
    let (StateAt::File(old), StateAt::File(new)) = (old, new) else {
        return None;
    };
    let real = |path: &Path| {
        let path = std::path::absolute(followed(path)).ok()?;
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        folder.zip(path.file_name().map(ToOwned::to_owned))
    };
    let new = real(new)?;
    let files = Paths::of(old).all();
    let mut found = files
        .iter()
        .filter(|(file, _)| real(file).as_ref() == Some(&new));
    found.next().map(|(_, what)| *what)
}

fn same(one: &StateAt, other: &StateAt) -> bool {
    match (one, other) {
        (StateAt::File(one), StateAt::File(other)) => {
            let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
            real(one) == real(other)
        }
        (StateAt::Remote(one), StateAt::Remote(other)) => one == other,
        (StateAt::File(_), StateAt::Remote(_)) | (StateAt::Remote(_), StateAt::File(_)) => false,
    }
}
