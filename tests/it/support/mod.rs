//! A hermetic place to run the real program in, and what it said, ready to be compared.
//!
//! Nothing of the machine's environment reaches the program: it has a home, a folder for temporary
//! files and a search path of its own. [`Said`] is one run; what differs from run to run is replaced
//! in one place, [`redact`].

mod poll;
mod postgres;
mod redact;
mod running;
mod served;
mod terminal;

pub(crate) use poll::eventually;
pub(crate) use postgres::Postgres;
pub(crate) use redact::redact;
pub(crate) use running::Running;
pub(crate) use served::Served;
pub(crate) use terminal::{at_a_terminal, plain};

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(crate) const OPERATOR: &str = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8";
pub(crate) const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";
pub(crate) const OTHER_KEY: &str = "FEDCBA9876543210FEDCBA9876543210";
pub(crate) const TOKEN: &str = "5AF866900CA34D1A95382C48C678A085";

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ess-callbacks");

/// A folder with a configuration, and the environment the program runs in.
pub(crate) struct TestEnv {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    pub(crate) program: PathBuf,
}

impl TestEnv {
    /// With this callbacks.yaml, and values for `KEY` and `TOKEN`.
    pub(crate) fn new(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["home", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        let variables = BTreeMap::from([
            ("HOME".to_owned(), path("home")),
            ("TMPDIR".to_owned(), path("tmp")),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("USER".to_owned(), "tester".to_owned()),
            ("KEY".to_owned(), KEY.to_owned()),
            ("TOKEN".to_owned(), TOKEN.to_owned()),
            // Nothing answers there, so that no role of this machine is found.
            (
                "ESS_CALLBACKS_METADATA_ENDPOINT".to_owned(),
                "http://127.0.0.1:1/".to_owned(),
            ),
            // One call after the other, so that lines come in one order.
            ("ESS_CALLBACKS_PARALLELISM".to_owned(), "1".to_owned()),
        ]);
        let new = Self {
            folder,
            variables,
            program: PathBuf::from(PROGRAM),
        };
        new.write("callbacks.yaml", configuration);
        new
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        let folder = path.parent().expect("a folder");
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(path, contents).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(&mut self, name: &str) -> &mut Self {
        self.variables.remove(name);
        self
    }

    /// Serves a sandbox and points this environment at it, credentials and all.
    pub(crate) fn serve(&mut self, arguments: &[&str]) -> Served {
        let served = Served::start(self, arguments);
        self.set("ESS_CALLBACKS_ENDPOINT", &served.endpoint())
            .set("TENCENTCLOUD_SECRET_ID", &served.secret_id)
            .set("TENCENTCLOUD_SECRET_KEY", &served.secret_key);
        served
    }

    /// Any program in this environment.
    pub(crate) fn other(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null());
        command
    }

    /// The program under test.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.other(&self.program);
        command.args(arguments);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.said(&mut self.command(arguments))
    }

    /// Runs it with something on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        Said::of(&output, self.folder.path())
    }

    pub(crate) fn said(&self, command: &mut Command) -> Said {
        let output = command.output().expect("it starts");
        Said::of(&output, self.folder.path())
    }

    /// Starts the program and lets it run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments), self.folder.path())
    }

    /// Every file below the folder, with its bytes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("a file");
                    found.push((path, bytes));
                }
            }
        }
        found
    }
}

/// What one run of the program came to.
pub(crate) struct Said {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: PathBuf,
}

impl Said {
    fn new(code: Option<i32>, stdout: String, stderr: String, folder: &Path) -> Self {
        Self {
            code,
            stdout,
            stderr,
            folder: folder.to_owned(),
        }
    }

    pub(crate) fn of(output: &std::process::Output, folder: &Path) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is UTF-8");
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Self::new(output.status.code(), stdout, stderr, folder)
    }

    /// The same, after a look at its exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard output alone, redacted.
    pub(crate) fn out(&self) -> String {
        redact(&self.stdout, &self.folder)
    }

    /// Standard error alone, redacted.
    pub(crate) fn err(&self) -> String {
        redact(&self.stderr, &self.folder)
    }

    /// What is planned and done, without the fields of each callback, the progress, and what every plan says.
    /// For tests that are about something else than how a plan looks.
    pub(crate) fn brief(&self) -> String {
        const ALWAYS: [&str; 4] = [
            "ess-callbacks will perform",
            "eSign can't be read back",
            "Environment: ",
            "Unproven: ",
        ];
        let whole = self.to_string();
        let (mut lines, mut legend, mut fields) = (Vec::new(), false, false);
        for line in whole.lines() {
            legend = !line.is_empty() && (legend || line.starts_with("Actions are indicated"));
            fields |= line.ends_with(" {");
            let progress =
                line.contains("/https://") && line.contains(": ") && !line.starts_with(' ');
            let always = ALWAYS.iter().any(|text| line.starts_with(text));
            let dropped = legend || fields || progress || always || line == "--- stdout";
            if !dropped && !line.is_empty() {
                lines.push(line);
            }
            fields &= line.trim() != "}";
        }
        lines.join("\n")
    }

    /// The JSON lines of standard output.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        for (name, text) in [("stdout", self.out()), ("stderr", self.err())] {
            if !text.is_empty() {
                writeln!(f, "--- {name}")?;
                f.write_str(&text)?;
            }
        }
        Ok(())
    }
}

/// A configuration in which every callback has the secrets `KEY` and `TOKEN`.
pub(crate) fn configuration(organizations: &[(&str, &[&str])]) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "version: 1\nenvironment: test\ndefaults: {{ operator: {OPERATOR} }}\norganizations:\n"
    );
    for (number, (handle, urls)) in organizations.iter().enumerate() {
        writeln!(text, "  {handle}:").expect("memory");
        if number > 0 {
            writeln!(text, "    app_id: app-{number}").expect("memory");
        }
        if !urls.is_empty() {
            text.push_str("    callbacks:\n");
        }
        for url in *urls {
            let callback = "key: { env: KEY }, token: { env: TOKEN }";
            writeln!(text, "      - {{ url: \"{url}\", {callback} }}").expect("memory");
        }
    }
    text
}
