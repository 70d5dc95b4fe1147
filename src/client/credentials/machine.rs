//! [`Machine`]: what providers read from, as values that `cli` passes in.

use std::ffi::OsString;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::web::Web;
use crate::client::Endpoint;
use crate::model::{Environment, Timestamp};

/// Files of credentials are short. A longer one is another kind of file.
const LARGEST_FILE: u64 = 1 << 20;

/// The environment variables of the process, by name.
pub type Variables = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;
/// The time of day.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine that credentials are looked for on. Clones share it.
#[derive(Clone)]
pub struct Machine {
    pub variables: Variables,
    /// The home directory of the user.
    pub home: Option<PathBuf>,
    /// The credentials of all users: `/etc/tencentcloud/credentials`.
    pub system_file: PathBuf,
    /// What relative paths of callbacks.yaml begin at.
    pub folder: PathBuf,
    /// Of the calls that the credentials are for.
    pub environment: Environment,
    /// The security token service.
    pub sts: Endpoint,
    /// The metadata service of a CVM instance.
    pub metadata: Endpoint,
    pub web: Arc<dyn Web>,
    pub clock: Clock,
}

/// A variable of the environment.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Variable {
    NotSet,
    Empty,
    Set(String),
}

impl Machine {
    pub(super) fn variable(&self, name: &str) -> Result<Variable, String> {
        match (self.variables)(name).map(OsString::into_string) {
            None => Ok(Variable::NotSet),
            Some(Ok(value)) if value.is_empty() => Ok(Variable::Empty),
            Some(Ok(value)) => Ok(Variable::Set(value)),
            Some(Err(_)) => Err(format!("the environment variable {name} is not UTF-8")),
        }
    }

    /// The value of a variable. An empty one is not set.
    pub(super) fn value(&self, name: &str) -> Result<Option<String>, String> {
        Ok(match self.variable(name)? {
            Variable::Set(value) => Some(value),
            Variable::NotSet | Variable::Empty => None,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// The text of a file, without a byte order mark; `None` when there is none. The error says why it can't be read.
pub(super) fn text(path: &Path) -> Result<Option<String>, String> {
    let shown = path.display();
    let file = match std::fs::metadata(path) {
        Ok(found) if found.is_file() => std::fs::File::open(path),
        Ok(_) => return Err(format!("`{shown}` is not a file")),
        Err(error) => Err(error),
    };
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return match dangling(path) {
                // Whoever made the link meant a file.
                Some(link) => Err(format!(
                    "`{shown}` can't be read: `{}` is a link to what does not exist",
                    link.display()
                )),
                None => Ok(None),
            };
        }
        Err(error) => return Err(format!("`{shown}` can't be read: {error}")),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("`{shown}` can't be read: {error}"))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("`{shown}` is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("`{shown}` is not UTF-8"))?;
    Ok(Some(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }))
}

/// The link on the way to a file that is not there, if that is why it is not there.
fn dangling(path: &Path) -> Option<&Path> {
    path.ancestors()
        .find(|at| at.symlink_metadata().is_ok_and(|found| found.is_symlink()) && !at.exists())
}

/// No values: they may be secret.
impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}
