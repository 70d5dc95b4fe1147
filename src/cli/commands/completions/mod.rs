//! `completions`: prints the script by which a shell asks this program for completions.

use clap::Command;
use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

/// The environment variable by which the script names the shell.
pub(crate) const VARIABLE: &str = "_ESS_CALLBACKS_COMPLETE";

pub(crate) fn run(args: &Args, command: &mut Command, ui: &mut Ui) -> Exit {
    let Args { shell } = args;
    ui.bytes(|out| out.write_all(&script(*shell, command)));
    Exit::Done
}

/// The script for a shell.
fn script(shell: Shell, command: &mut Command) -> Vec<u8> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that may grow"
    )]
    match shell {
        Shell::Bash => include_bytes!("bash.sh").to_vec(),
        Shell::Zsh => include_bytes!("zsh.zsh").to_vec(),
        Shell::Fish => include_bytes!("fish.fish").to_vec(),
        // The script of the library completes commands and options, but no values.
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, command, "ess-callbacks", &mut script);
            script
        }
    }
}
