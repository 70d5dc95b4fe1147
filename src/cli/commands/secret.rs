//! `secret new`: generates a key or token.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::cli::random::random;
use crate::cli::shell;
use crate::cli::terminal::Ui;
use crate::render::Quoted;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Args {
    /// Print a new random secret of 32 letters and digits, for a key or a token.
    New(New),
}

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// Write it to this new file, which only its owner can read, and print nothing; `-` prints it. An existing file is
    /// not changed.
    #[arg(
        long,
        env = "ESS_CALLBACKS_FILE",
        value_name = "PATH",
        conflicts_with = "export"
    )]
    file: Option<PathBuf>,
    /// Print `export NAME=value` for a shell. A handle such as acme stands for `ACME_CALLBACK_KEY` and
    /// `ACME_CALLBACK_TOKEN`. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_EXPORT",
        value_name = "HANDLE|NAME",
        value_delimiter = ' '
    )]
    export: Vec<String>,
}

/// The length of a `CallbackKey`.
const LENGTH: usize = 32;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The beginnings of variables that a secret reference may not name, or that this program reads itself.
const RESERVED: [&str; 3] = ["TENCENTCLOUD_", "TKE_", "ESS_CALLBACKS_"];

/// Variables that shells, the system's loader and common programs read.
const OF_THE_SYSTEM: [&str; 37] = [
    "_",
    "ALL_PROXY",
    "CDPATH",
    "DISPLAY",
    "EDITOR",
    "ENV",
    "EUID",
    "HOME",
    "HOSTNAME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "IFS",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "MAIL",
    "NODE_OPTIONS",
    "NO_PROXY",
    "OLDPWD",
    "OPTIND",
    "PATH",
    "PERL5LIB",
    "PPID",
    "PROMPT_COMMAND",
    "PS1",
    "PS2",
    "PS4",
    "PWD",
    "PYTHONPATH",
    "SHELL",
    "SHELLOPTS",
    "TERM",
    "TMPDIR",
    "TZ",
    "UID",
    "USER",
    "VISUAL",
];

/// The beginnings of more of them.
const OF_THE_SYSTEM_TOO: [&str; 7] = ["BASH_", "DYLD_", "GIT_", "LC_", "LD_", "SSL_CERT_", "XDG_"];

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args::New(New { file, export }) = args;
    if ui.json() {
        return Err(Failure::usage("`secret new` has no JSON output").advice(
            "It prints a secret alone on its line, or lines for a shell with --export. Leave out --json.",
        ));
    }
    // By convention `-` is standard output.
    if let Some(path) = file.as_ref().filter(|path| path.as_os_str() != "-") {
        write(path, &fresh()?)?;
        return Ok(Exit::Done);
    }
    if export.is_empty() {
        ui.print(format_args!("{}\n", fresh()?));
        return Ok(Exit::Done);
    }
    let mut names = Vec::new();
    for given in export {
        for name in variables(given)? {
            if names.contains(&name) {
                return Err(Failure::usage(format!("--export names {name} twice")));
            }
            names.push(name);
        }
    }
    for name in names {
        ui.print(format_args!("export {name}={}\n", fresh()?));
    }
    Ok(Exit::Done)
}

/// The variables for a handle, or the one of this name: capitals, digits and underscores are a name.
fn variables(given: &str) -> Result<Vec<String>, Failure> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_name = given.chars().all(plain) && !given.starts_with(|c: char| c.is_ascii_digit());
    let names = if is_name && !given.is_empty() {
        vec![given.to_owned()]
    } else {
        let visible = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !given.chars().all(visible) || !given.contains(|c: char| c.is_ascii_alphanumeric()) {
            let message = format!(
                "--export: {} can't be made into the name of a variable",
                Quoted(given)
            );
            return Err(Failure::usage(message)
                .advice("Give the name itself, such as `--export ACME_CALLBACK_KEY`."));
        }
        let letters = given.chars().map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        });
        let mut prefix: String = letters.collect();
        if prefix.starts_with(|c: char| c.is_ascii_digit()) {
            prefix.insert(0, '_');
        }
        ["KEY", "TOKEN"]
            .map(|role| format!("{prefix}_CALLBACK_{role}"))
            .to_vec()
    };
    let of_the_system = |name: &&String| {
        OF_THE_SYSTEM.contains(&name.as_str())
            || OF_THE_SYSTEM_TOO
                .iter()
                .any(|start| name.starts_with(start))
    };
    if let Some(name) = names.iter().find(of_the_system).filter(|_| is_name) {
        let message = format!(
            "--export: {name} can't hold a callback's secret: shells and other programs give it another meaning"
        );
        return Err(Failure::usage(message)
            .advice("Give another name, such as `--export ACME_CALLBACK_KEY`."));
    }
    let reserved = |name: &&String| RESERVED.iter().any(|start| name.starts_with(start));
    match names.iter().find(reserved) {
        Some(name) => Err(Failure::usage(format!(
            "--export: {name} can't hold a callback's secret: variables that begin with TENCENTCLOUD_, TKE_ or \
             ESS_CALLBACKS_ have another meaning"
        ))),
        None => Ok(names),
    }
}

/// Writes a secret to a file that does not exist yet, durably.
fn write(path: &Path, secret: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options
        .open(path)
        .map_err(|error| not_created(path, &error))?;
    let written = writeln!(file, "{secret}").and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a secret is worse than none. If it can't be removed, the next run says that it exists.
        drop(std::fs::remove_file(path));
        Failure::error(format!(
            "the secret can't be written to `{}`: {error}",
            path.display()
        ))
    })
}

fn not_created(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AlreadyExists {
        let message = format!("the file `{}` exists; nothing was written", path.display());
        return Failure::error(message).advice(
            "The secret in it may be in use. To rotate it, write the new one to another file; to replace it, delete \
             the file first.",
        );
    }
    let failure = Failure::error(format!(
        "the file `{}` can't be created: {error}",
        path.display()
    ));
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    {
        Some(folder) => failure.advice(format!(
            "Create its folder with `mkdir -p {}`.",
            shell::path(folder)
        )),
        None => failure,
    }
}

/// Chooses each character with the same probability, by leaving out bytes that would favour the first ones.
fn fresh() -> Result<String, Failure> {
    let mut text = String::with_capacity(LENGTH);
    while text.len() < LENGTH {
        let bytes: [u8; 64] = random()?;
        let even = bytes.into_iter().filter(|byte| *byte < 248);
        let letters = even.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        text.extend(letters.take(LENGTH - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SecretRole, check_secret};
    use crate::secret::Secret;

    #[test]
    fn a_fresh_secret_is_good_for_both_uses_and_never_the_same() {
        let (one, two) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(one, two);
        for role in [SecretRole::Key, SecretRole::Token] {
            assert_eq!(check_secret(role, &Secret::new(one.clone())), []);
        }
    }

    #[test]
    fn a_handle_stands_for_two_variables_and_a_name_for_itself() {
        let names = |given: &str| {
            variables(given).map_or_else(|failure| failure.message, |it| it.join(" "))
        };
        assert_eq!(
            names("acme-shanghai"),
            "ACME_SHANGHAI_CALLBACK_KEY ACME_SHANGHAI_CALLBACK_TOKEN"
        );
        assert_eq!(names("3m.cn"), "_3M_CN_CALLBACK_KEY _3M_CN_CALLBACK_TOKEN");
        assert_eq!(names("ERP_KEY"), "ERP_KEY");
        for bad in ["", "上海", "a b", "a;b", "-", "$(x)", "x=y"] {
            assert!(names(bad).contains("can't be made"), "{bad}");
        }
        for reserved in [
            "TENCENTCLOUD_SECRET_KEY",
            "tke",
            "ESS_CALLBACKS_KEY_FROM",
            "PATH",
            "HOME",
            "IFS",
            "_",
            "LD_PRELOAD",
        ] {
            assert!(names(reserved).contains("can't hold"), "{reserved}");
        }
    }

    #[test]
    fn a_file_is_written_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme.key");
        write(&path, "one").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        assert!(write(&path, "two").unwrap_err().message.contains("exists"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::{PermissionsExt as _, symlink};
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            // A link is not followed.
            let link = folder.path().join("link");
            symlink(folder.path().join("elsewhere"), &link).unwrap();
            assert!(write(&link, "two").is_err());
        }
        let failure = write(&folder.path().join("no/key"), "x").unwrap_err();
        assert!(failure.advice.unwrap().contains("mkdir -p"));
    }
}
