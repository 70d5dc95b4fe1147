//! Reads the files and the secrets of a round.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::behind::checkout;
use super::directory::Signature;
use super::problems::{Found, is_named, unresolved_secrets, unusable};
use super::rounds::Rounds;
use crate::cli::exit::Failure;
use crate::cli::sources::{self, Configuration, Unreadable};
use crate::cli::terminal::Ui;
use crate::cli::workspace::{Loaded, Resolve};
use crate::config::parse_with;
use crate::controller::{Broken, Checked};
use crate::model::{Checkout, Handle};
use crate::plan::Pattern;

/// How long the files have to be the same before they are read, and how often that is tried.
const REST: Duration = Duration::from_millis(300);
const TRIES: usize = 20;
/// What a round has read.
pub(super) struct Read {
    /// Of the files.
    pub(super) files: Signature,
    pub(super) checkout: Checkout,
    /// Whether each of them could be read.
    pub(super) is_readable: bool,
    pub(super) loaded: Loaded,
    pub(super) broken: Vec<Broken>,
    /// The organizations that are known, when some are not.
    pub(super) only: Option<BTreeSet<Handle>>,
}

impl Rounds<'_> {
    /// Reads the files, with what was good last in the place of what is broken, and the secrets. `None` when nothing can
    /// be planned for what is among the problems.
    pub(super) async fn read(
        &mut self,
        problems: &mut Vec<Found>,
    ) -> Result<Option<Read>, Failure> {
        let (signature, Configuration { sources, folder }, unreadable) =
            self.files_at_rest().await?;
        let found = checkout(&self.locations.config, &sources, &unreadable);
        let is_readable = unreadable.is_empty();
        let checked = self
            .last_good
            .check(&sources, unreadable, &self.locations.given);
        let Checked {
            sources,
            parsed,
            broken,
        } = checked.map_err(Failure::invalid)?;
        let checkout = self.order.date(found, broken.is_empty());
        problems.extend(broken.iter().map(unusable));
        let organizations = parsed.desired.organizations.iter();
        let organizations: Vec<_> = organizations
            .map(|one| (one.handle.clone(), one.place.file as usize))
            .collect();
        let mut parsed = Some(parsed);
        let mut usable: BTreeSet<_> = (0..sources.len()).collect();
        let mut resolve = Resolve {
            commands: self.args.commands,
            only: Vec::new(),
        };
        let mut silent = Ui::silent(self.settings);
        let configuration = Configuration { sources, folder };
        loop {
            let known = organizations
                .iter()
                .filter(|(_, file)| usable.contains(file));
            let handles: BTreeSet<_> = known.map(|(handle, _)| handle.clone()).collect();
            let is_whole = broken.is_empty() && usable.len() == configuration.sources.len();
            let parsed = match parsed.take() {
                Some(parsed) => parsed,
                // Rarely needed, so that it is not kept.
                None => parse_with(&configuration.sources, &self.locations.given, &[])
                    .map_err(Failure::invalid)?,
            };
            let read = (configuration.clone(), parsed);
            let loaded =
                Loaded::checked(self.locations, read, Some(resolve.clone()), &mut silent).await;
            let failure = match loaded {
                Ok(loaded) => {
                    return Ok(Some(Read {
                        files: signature,
                        checkout,
                        is_readable,
                        loaded,
                        broken,
                        only: (!is_whole).then_some(handles),
                    }));
                }
                Err(failure) => failure,
            };
            // Secrets that can't be had stop only the organizations of the files that name them.
            let unresolved: Vec<_> = (configuration.sources.iter().enumerate())
                .filter(|(number, source)| usable.contains(number) && is_named(&failure, source))
                .collect();
            if unresolved.is_empty() {
                return Err(failure);
            }
            for (number, source) in unresolved {
                usable.remove(&number);
                problems.push(unresolved_secrets(&failure, source));
            }
            let left = organizations
                .iter()
                .filter(|(_, file)| usable.contains(file));
            resolve.only = left
                .filter_map(|(handle, _)| Pattern::parse(&handle.to_string()).ok())
                .collect();
            if resolve.only.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Reads the files when they have not changed for a moment, and did not while they were read: a round must not see
    /// half of a checkout, or one version's files beside those of another.
    async fn files_at_rest(&self) -> Result<(Signature, Configuration, Vec<Unreadable>), Failure> {
        let path = &self.locations.config;
        let mut tries = 0;
        loop {
            let before = Signature::of(path);
            sleep(REST).await;
            let read = sources::read_each(path);
            if Signature::of(path) == before {
                return read.map(|(read, unreadable)| (before, read, unreadable));
            }
            tries += 1;
            if tries == TRIES {
                return Err(Failure::error(format!(
                    "the files of `{}` have been changing all the time, so they were not read",
                    path.display()
                )));
            }
        }
    }
}
