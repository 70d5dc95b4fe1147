//! `man`: the manual page, with all commands in one, then exit status, environment and files.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;

use crate::cli::exit::Exit;
use crate::cli::terminal::Ui;

/// The environment variables of the page.
const VARIABLES: [(&str, &str); 6] = [
    (
        "TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY",
        "The credentials of accounts that name no others. docs/credentials.md has the other sources.",
    ),
    (
        "TENCENTCLOUD_TOKEN, TENCENTCLOUD_SECURITY_TOKEN",
        "The token of temporary credentials. If both are set, they must be equal.",
    ),
    (
        "HTTPS_PROXY, NO_PROXY",
        "A proxy for the calls, and the hosts to call without it.",
    ),
    ("NO_COLOR", "Print without colour."),
    (
        "CLICOLOR_FORCE, CLICOLOR",
        "Print with colour if CLICOLOR_FORCE is set and not 0, without colour if CLICOLOR is 0. NO_COLOR takes precedence.",
    ),
    (
        "ESS_CALLBACKS_FLAG",
        "The option of that name: ESS_CALLBACKS_LOCK_TIMEOUT is --lock-timeout. The command line takes precedence.",
    ),
];

const FILES: [(&str, &str); 6] = [
    ("callbacks.yaml", "The declared callbacks."),
    (
        "callbacks.state.json",
        "The recorded callbacks. The file holds no secret and may be committed.",
    ),
    (
        "callbacks.state.journal",
        "The changes since, while an apply runs or after it was killed. It belongs to the state.",
    ),
    (
        "callbacks.state.json.backup",
        "The state before the last run.",
    ),
    (
        "callbacks.state.lock",
        "The program that is writing the state.",
    ),
    (
        ".ess-callbacks/",
        "The callbacks and the state of --sandbox. Remove it to start over.",
    ),
];

pub(crate) fn run(command: &Command, ui: &mut Ui) -> Exit {
    ui.bytes(|mut out| write(command, &mut out));
    Exit::Done
}

/// Writes the page of this command line.
fn write(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    commands(command, "ess-callbacks", out)?;
    let exits = Exit::ALL.map(|exit| (exit.code().to_string(), exit.meaning()));
    let exits = exits
        .iter()
        .map(|(code, meaning)| (code.as_str(), *meaning));
    list("EXIT STATUS", exits, out)?;
    list("ENVIRONMENT", VARIABLES.into_iter(), out)?;
    list("FILES", FILES.into_iter(), out)
}

/// Writes a section for each command below this one.
fn commands(parent: &Command, name: &str, out: &mut dyn Write) -> io::Result<()> {
    for command in parent.get_subcommands() {
        let name = format!("{name} {}", command.get_name());
        // The page begins with what is said of all commands.
        let own = command.clone().bin_name(&name).after_long_help("");
        let man = Man::new(own.disable_help_flag(true).disable_version_flag(true));
        let mut page = Vec::new();
        man.render_description_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_options_section(&mut page)?;
        writeln!(out, ".SS \"{}\"", escaped(&name))?;
        for line in String::from_utf8_lossy(&page).lines() {
            // Each part begins with the commands of a whole page.
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

/// Escapes what roff would take for a command.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
