//! The configuration and the state that the words before the cursor name, if they can be read quickly.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::cli::args::Cli;
use crate::cli::environment::ProcessEnvironment;
use crate::cli::locations::Locations;
use crate::cli::options::global::Global;
use crate::cli::sources;
use crate::client::codes;
use crate::config::CODES;
use crate::model::{Address, Desired, Recorded};
use crate::state::{Paths, Store};
use crate::verify;

/// Larger files are not read, as they would delay the answer.
const LARGEST: u64 = 4 << 20;

/// Where the command on the line would work.
pub(crate) struct World(Option<Locations>);

impl World {
    /// From the words before the cursor.
    pub(crate) fn of(words: &[OsString]) -> Self {
        let matches = Cli::command()
            .ignore_errors(true)
            .try_get_matches_from(words);
        let global = matches
            .ok()
            .and_then(|matches| Global::from_arg_matches(&matches).ok());
        Self(
            global.and_then(|global| {
                Locations::of(&global, &ProcessEnvironment::of_this_process()).ok()
            }),
        )
    }

    fn declared(&self) -> Option<Desired> {
        let locations = self.0.as_ref()?;
        let config = &locations.config;
        is_small(config).then_some(())?;
        let parsed = sources::parse(config, &locations.given).ok()?;
        Some(parsed.1.desired)
    }

    fn store(&self) -> Option<Store> {
        let locations = self.0.as_ref()?;
        // A store far away would delay the answer.
        let state = locations.state.file()?;
        let store = locations.store().ok()?;
        let readable = |path: &Path| !path.exists() || is_small(path);
        let paths = Paths::of(state);
        let all = readable(&paths.journal) && readable(&paths.lock);
        all.then_some(store)
    }

    fn recorded(&self) -> Option<Recorded> {
        let store = self.store()?;
        is_small(self.0.as_ref()?.state.file()?).then_some(())?;
        waited_for(store.peek())?.ok()?
    }

    /// Handles, and the addresses of a handle that is complete or the only match.
    pub(crate) fn addresses(&self, typed: &str) -> Vec<String> {
        let all = self.every_address();
        let handles: BTreeSet<&str> = all.iter().map(|address| address.handle.as_str()).collect();
        let fit: Vec<&str> = handles
            .into_iter()
            .filter(|handle| handle.starts_with(typed))
            .collect();
        if let [_, _, ..] = fit[..]
            && !fit.contains(&typed)
        {
            return fit.into_iter().map(str::to_owned).collect();
        }
        let whole = all
            .iter()
            .map(ToString::to_string)
            .filter(|one| one.starts_with(typed));
        fit.iter()
            .map(|handle| (*handle).to_owned())
            .chain(whole)
            .collect()
    }

    fn every_address(&self) -> BTreeSet<Address> {
        let desired = self.declared();
        let declared = desired
            .iter()
            .flat_map(|desired| &desired.organizations)
            .flat_map(|organization| {
                organization.callbacks.iter().map(|callback| Address {
                    handle: organization.handle.clone(),
                    url: callback.url.clone(),
                })
            });
        let recorded = self.recorded();
        let recorded = recorded
            .iter()
            .flat_map(Recorded::iter)
            .map(|(_, url, entry)| Address {
                handle: entry.handle.clone(),
                url: url.clone(),
            });
        declared.chain(recorded).collect()
    }

    /// Handles of the configuration.
    pub(crate) fn handles(&self, typed: &str) -> Vec<String> {
        let desired = self.declared();
        let organizations = desired.iter().flat_map(|desired| &desired.organizations);
        let handles = organizations.map(|organization| organization.handle.to_string());
        handles.filter(|handle| handle.starts_with(typed)).collect()
    }

    /// `ACCOUNT=`, for the accounts of the configuration.
    pub(crate) fn accounts(&self, typed: &str) -> Vec<String> {
        let desired = self.declared();
        let accounts = desired.iter().flat_map(|desired| desired.accounts.keys());
        let accounts = accounts.map(|account| format!("{account}="));
        accounts
            .filter(|account| account.starts_with(typed))
            .collect()
    }

    /// The ID of the state's lock.
    pub(crate) fn locks(&self, typed: &str) -> Vec<String> {
        let holder = self.store().and_then(|store| waited_for(store.holder()));
        let ids = holder.flatten().map(|holder| holder.id);
        ids.into_iter().filter(|id| id.starts_with(typed)).collect()
    }
}

/// Whether this is a small regular file, or a folder of small ones. Reading a pipe would block.
fn is_small(path: &Path) -> bool {
    let Ok(about) = path.metadata() else {
        return false;
    };
    if !about.is_dir() {
        return about.is_file() && about.len() <= LARGEST;
    }
    let files = path.read_dir().into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
    sizes.sum::<u64>() <= LARGEST
}

fn waited_for<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Some(runtime.enable_all().build().ok()?.block_on(work))
}

/// Our codes with their titles, and eSign's with what they mean.
pub(crate) fn codes() -> Vec<CompletionCandidate> {
    let ours = CODES.iter().map(|doc| (doc.code.0, doc.title));
    let findings = verify::CODES.iter().map(|doc| (doc.code, doc.title));
    let esign = codes::ALL.iter().map(|known| (known.code, known.meaning));
    ours.chain(findings)
        .chain(esign)
        .map(|(code, about)| CompletionCandidate::new(code).help(Some(about.into())))
        .collect()
}

/// Completes a value from what was typed.
pub(crate) fn completer(
    values: impl Fn(&str) -> Vec<String> + Send + Sync + 'static,
) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let found = typed.to_str().map(&values).unwrap_or_default();
        found
            .into_iter()
            .map(CompletionCandidate::new)
            .collect::<Vec<_>>()
    })
}
