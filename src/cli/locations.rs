//! Where a command works: its configuration, its state, and the destination of its calls.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::apply::WallClock as _;
use crate::backend::{Address, Surroundings};
use crate::cli::clock::SystemClock;
use crate::cli::doubles::{METADATA, STS, double};
use crate::cli::environment::ProcessEnvironment;
use crate::cli::exit::Failure;
use crate::cli::options::global::Global;
use crate::cli::options::variables;
use crate::cli::sources;
use crate::client::credentials::{HttpWeb, Machine};
use crate::client::{Endpoint, ExtraRoots};
use crate::config;
use crate::model::{Environment, Recorded};
use crate::plan::Destination;
use crate::state::{Paths, Store, check_folder};

/// The sandbox's files, in the folder of the configuration.
const SANDBOX_FOLDER: &str = ".ess-callbacks";

/// The state of a configuration that is a directory, comes from standard input, or is named
/// `callbacks.yaml`.
const COMMON_STATE: &str = "callbacks.state.json";

#[derive(Clone, Debug)]
pub(crate) struct Locations {
    /// The configuration, as `-f` names it.
    pub(crate) config: PathBuf,
    /// Values for the variables of the configuration.
    pub(crate) given: config::Overrides,
    pub(crate) state: StateAt,
    /// Whether `--state` gave it.
    named: bool,
    /// The file of the embedded sandbox's callbacks, with `--sandbox`.
    pub(crate) cloud: Option<PathBuf>,
    /// Certificates to trust beside those of the system.
    pub(crate) certificates: Option<PathBuf>,
    /// The value of `--endpoint`.
    pub(crate) endpoint: Option<Endpoint>,
    /// For the store of a state that is not a file.
    environment: ProcessEnvironment,
}

/// Where the state is.
#[derive(Clone, Debug)]
pub(crate) enum StateAt {
    File(PathBuf),
    Remote(Box<Address>),
}

impl StateAt {
    /// Its file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Remote(_) => None,
        }
    }

    /// Reads what the user gave as `flag`, which errors name.
    pub(crate) fn parse(flag: &str, given: &Path) -> Result<Self, Failure> {
        let text = given.to_string_lossy();
        match Address::parse(&text) {
            None => Ok(Self::File(given.to_owned())),
            Some(Ok(address)) => Ok(Self::Remote(Box::new(address))),
            Some(Err(problem)) => Err(Failure::usage(format!("{flag}: {problem}"))),
        }
    }
}

impl fmt::Display for StateAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => fmt::Display::fmt(&path.display(), f),
            Self::Remote(address) => fmt::Display::fmt(address, f),
        }
    }
}

impl Locations {
    pub(crate) fn of(global: &Global, environment: &ProcessEnvironment) -> Result<Self, Failure> {
        let folder = sources::folder(&global.config);
        // Messages show `x`, not `./x`.
        let folder = if folder == Path::new(".") {
            PathBuf::new()
        } else {
            folder
        };
        if global.sandbox && (global.state.is_some() || global.endpoint.is_some()) {
            let message = "--sandbox has a separate state and makes no calls to eSign, so it can't be used with --state or \
                           --endpoint";
            let given = [
                (global.state.is_some(), "ESS_CALLBACKS_STATE"),
                (global.endpoint.is_some(), "ESS_CALLBACKS_ENDPOINT"),
            ];
            let given = given.iter().filter(|(is_given, _)| *is_given);
            let given: Vec<_> = given.map(|(_, name)| *name).collect();
            let advice = format!(
                "Leave it out; where it is set in the environment, unset {}.",
                given.join(" and ")
            );
            return Err(Failure::usage(message).advice(advice));
        }
        // Before anything is read, so that an invalid option is reported as one.
        let endpoint = global.endpoint.as_deref().map(Endpoint::parse).transpose();
        let endpoint = endpoint.map_err(|error| Failure::usage(format!("--endpoint: {error}")))?;
        let (state, cloud) = if global.sandbox {
            let folder = folder.join(SANDBOX_FOLDER);
            (
                StateAt::File(folder.join("sandbox.state.json")),
                Some(folder.join("sandbox.json")),
            )
        } else {
            let state = match &global.state {
                Some(given) => StateAt::parse("--state", given)?,
                None => StateAt::File(state_of(&global.config, &folder)),
            };
            (state, None)
        };
        Ok(Self {
            config: global.config.clone(),
            given: variables::given(&global.var)?,
            state,
            cloud,
            endpoint,
            certificates: global.ca_file.clone(),
            named: global.state.is_some(),
            environment: environment.clone(),
        })
    }

    /// Whether neither `--state`, `--endpoint` nor `--sandbox` was given.
    pub(crate) const fn are_default(&self) -> bool {
        !self.named && self.endpoint.is_none() && self.cloud.is_none()
    }

    /// The note about a state with the default name of older versions.
    pub(crate) fn older_name(&self) -> Option<String> {
        let stem = self.config.file_stem()?.to_string_lossy();
        let state = self.state.file()?;
        let is_common = state.file_name()? == COMMON_STATE;
        let own = format!("{stem}.state.json");
        let expected = sources::is_yaml(&self.config) && own != COMMON_STATE;
        (is_common && expected && !self.named && !self.config.is_dir()).then(|| {
            format!(
                "Note: the state is {}, as there is no {own}. To name it after the configuration, rename it when no \
                 apply is running and no {} is left.",
                state.display(),
                Paths::of(state).journal.display()
            )
        })
    }

    /// The destination of calls.
    pub(crate) fn destination(&self, environment: Environment) -> Destination {
        match &self.endpoint {
            _ if self.cloud.is_some() => Destination::Sandbox,
            Some(url) if *url != Endpoint::of(environment) => {
                Destination::Endpoint(url.to_string())
            }
            Some(_) | None => Destination::Esign,
        }
    }

    /// The state, whose folder must exist, except the sandbox's.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        self.store_at(&self.state)
    }

    /// The state at another place.
    pub(crate) fn store_at(&self, state: &StateAt) -> Result<Store, Failure> {
        match state {
            StateAt::File(path) => {
                if self.cloud.is_none() {
                    check_folder(path)?;
                }
                Ok(Store::on_disk(path))
            }
            StateAt::Remote(address) => Ok(address.open(&self.surroundings()?)?),
        }
    }

    fn surroundings(&self) -> Result<Surroundings, Failure> {
        let sts = double(&self.environment, STS)?.unwrap_or_else(Endpoint::sts);
        Ok(Surroundings {
            // There is one Tencent Cloud, whose buckets know nothing of eSign's environments.
            machine: self.machine(Environment::Production, sts)?,
            extra_roots: self.extra_roots()?,
        })
    }

    /// Where credentials of this environment are looked for, with this security token service.
    pub(crate) fn machine(
        &self,
        environment: Environment,
        sts: Endpoint,
    ) -> Result<Machine, Failure> {
        let variables = self.environment.clone();
        let extra_roots = self.extra_roots()?;
        Ok(Machine {
            sts,
            metadata: double(&variables, METADATA)?.unwrap_or_else(Endpoint::metadata),
            home: variables.home()?.map(Path::to_path_buf),
            variables: Arc::new(move |name| variables.variable(name).map(OsString::from)),
            system_file: PathBuf::from("/etc/tencentcloud/credentials"),
            folder: sources::folder(&self.config),
            environment,
            web: Arc::new(HttpWeb { extra_roots }),
            clock: Arc::new(|| SystemClock.now()),
        })
    }

    /// The certificates of `--ca-file`.
    pub(crate) fn extra_roots(&self) -> Result<Option<ExtraRoots>, Failure> {
        let Some(path) = &self.certificates else {
            return Ok(None);
        };
        let file = path.display().to_string();
        let pem = std::fs::read(path).map_err(|error| {
            Failure::error(format!("the certificates `{file}` can't be read: {error}"))
        })?;
        Ok(Some(ExtraRoots { file, pem }))
    }

    /// What is recorded.
    ///
    /// # Errors
    ///
    /// There is no state, or it can't be read.
    pub(crate) async fn recorded(&self) -> Result<Recorded, Failure> {
        let recorded = self.store()?.peek().await?;
        recorded.ok_or_else(|| missing(&self.state))
    }
}

/// The error for a state that does not exist.
pub(crate) fn missing(state: &StateAt) -> Failure {
    let StateAt::File(path) = state else {
        return Failure::error(format!("there is no state at `{state}`"))
            .advice("The first apply or import creates it, or `state migrate`. Name another state with --state.");
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let rehearsed = folder
        .join(SANDBOX_FOLDER)
        .join("sandbox.state.json")
        .exists();
    let sandbox = if rehearsed {
        "The sandbox has a state: add `--sandbox` to show it. "
    } else {
        ""
    };
    Failure::error(format!("there is no state `{}`", path.display())).advice(format!(
        "{sandbox}The first apply or import creates it. Name another state with --state."
    ))
}

/// The state that belongs to a configuration in this folder: `NAME.state.json` for `NAME.yaml`, so that
/// several stages can be in one folder, and else `callbacks.state.json`.
fn state_of(config: &Path, folder: &Path) -> PathBuf {
    let common = folder.join(COMMON_STATE);
    let stem = config.file_stem().filter(|_| sources::is_yaml(config));
    let Some(stem) = stem.filter(|_| !config.is_dir()) else {
        return common;
    };
    let mut name = stem.to_owned();
    name.push(".state.json");
    let own = folder.join(name);
    // The default of older versions. In a folder with a callbacks.yaml it belongs to that.
    let is_older = common.exists() && !own.exists();
    let has_owner = ["callbacks.yaml", "callbacks.yml"]
        .iter()
        .any(|name| folder.join(name).exists());
    if is_older && !has_owner { common } else { own }
}
