//! What the help ends with, and the manual page: all commands in one, then exit status, environment
//! and files.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;

use super::exit::Exit;
use super::globals;

const EXAMPLES: [(&str, &str); 6] = [
    ("init", "write a configuration to begin with"),
    ("--sandbox apply", "try it out, without an account"),
    ("plan", "show what would be called"),
    ("apply", "call it, after asking"),
    ("plan --out plan.json", "save a plan for a review"),
    ("apply plan.json", "call what was reviewed"),
];

const CREDENTIALS: &str = "\
Credentials:
  An account takes them from its `profile` (~/.tccli/NAME.credential) or its `env` in callbacks.yaml.
  One that has neither, and `default` where no account is declared, takes TENCENTCLOUD_SECRET_ID and
  TENCENTCLOUD_SECRET_KEY, and with temporary credentials TENCENTCLOUD_TOKEN or
  TENCENTCLOUD_SECURITY_TOKEN. --sandbox needs none.
";

/// What the environment can say.
const VARIABLES: [(&str, &str); 6] = [
    (
        "TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY",
        "The credentials of accounts that name no others.",
    ),
    (
        "TENCENTCLOUD_TOKEN, TENCENTCLOUD_SECURITY_TOKEN",
        "With temporary credentials: their token. The first that is set counts.",
    ),
    (
        "HTTPS_PROXY, NO_PROXY",
        "A proxy for the calls, and what it is not for.",
    ),
    ("NO_COLOR", "Print without colour."),
    (
        "CLICOLOR_FORCE, CLICOLOR",
        "Print with colour where CLICOLOR_FORCE is set and not 0, without where CLICOLOR is 0. NO_COLOR goes first.",
    ),
    (
        "ESS_CALLBACKS_FLAG",
        "The flag of that name: ESS_CALLBACKS_LOCK_TIMEOUT is --lock-timeout. The command line wins.",
    ),
];

const FILES: [(&str, &str); 6] = [
    ("callbacks.yaml", "What shall be there."),
    (
        "callbacks.state.json",
        "What is recorded. It holds no secret and may be committed.",
    ),
    (
        "callbacks.state.journal",
        "What happened since, while an apply runs or after it was killed. Belongs to the state.",
    ),
    (
        "callbacks.state.json.backup",
        "The state from before the last run.",
    ),
    ("callbacks.state.lock", "Who is writing the state."),
    (
        ".ess-callbacks/",
        "The cloud and the state of --sandbox. Remove it to begin anew.",
    ),
];

/// What the help of the program ends with.
pub(super) fn examples_and_exit_codes() -> String {
    let mut text = "Examples:\n".to_owned();
    for (arguments, what) in EXAMPLES {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {:<36}{what}", format!("ess-callbacks {arguments}"));
    }
    text.push('\n');
    text.push_str(&exit_codes());
    text
}

/// What the help of `apply` ends with.
pub(super) fn credentials_and_exit_codes() -> String {
    format!("{CREDENTIALS}\n{}", exit_codes())
}

/// What the help of a command ends with.
pub(super) fn exit_codes() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text
}

/// Writes the manual page.
pub(super) fn write(out: &mut dyn Write) -> io::Result<()> {
    let command = globals::command();
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    commands(&command, "ess-callbacks", out)?;
    let exits = Exit::ALL.map(|exit| (exit.code().to_string(), exit.meaning()));
    let exits = exits
        .iter()
        .map(|(code, meaning)| (code.as_str(), *meaning));
    list("EXIT STATUS", exits, out)?;
    list("ENVIRONMENT", VARIABLES.into_iter(), out)?;
    list("FILES", FILES.into_iter(), out)
}

/// The commands below this one, each as a section of its own.
fn commands(parent: &Command, name: &str, out: &mut dyn Write) -> io::Result<()> {
    for command in parent.get_subcommands() {
        let name = format!("{name} {}", command.get_name());
        // What is said of all commands stands at the beginning already.
        let own = command.clone().bin_name(&name).after_long_help("");
        let man = Man::new(own.disable_help_flag(true).disable_version_flag(true));
        let mut page = Vec::new();
        man.render_description_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_options_section(&mut page)?;
        writeln!(out, ".SS \"{}\"", escaped(&name))?;
        for line in String::from_utf8_lossy(&page).lines() {
            // Each part begins as if it were a page.
            if line.starts_with(".ie ") || line.starts_with(".el ") {
                continue;
            }
            let line = if line.starts_with(".SH ") {
                ".PP"
            } else {
                line
            };
            writeln!(out, "{line}")?;
        }
        commands(command, &name, out)?;
    }
    Ok(())
}

fn list<'a>(
    title: &str,
    items: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, ".SH \"{title}\"")?;
    for (name, what) in items {
        writeln!(out, ".TP\n\\fB{}\\fR\n{}", escaped(name), escaped(what))?;
    }
    Ok(())
}

/// Text in which roff sees no commands.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
