//! `completions`: the script that makes a shell ask this program for completions.

use clap::Command;
use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For which shell.
    shell: Shell,
}

/// The environment variable by which a script says which shell asks.
pub(crate) const VARIABLE: &str = "_ESS_CALLBACKS_COMPLETE";

pub(crate) fn run(args: &Args, command: &mut Command, ui: &mut Ui) -> Exit {
    let Args { shell } = args;
    ui.bytes(|out| out.write_all(&script(*shell, command)));
    Exit::Done
}

/// The script that makes a shell ask.
fn script(shell: Shell, command: &mut Command) -> Vec<u8> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that may grow"
    )]
    match shell {
        Shell::Bash => include_bytes!("bash.sh").to_vec(),
        Shell::Zsh => include_bytes!("zsh.zsh").to_vec(),
        Shell::Fish => include_bytes!("fish.fish").to_vec(),
        // The library's, which knows commands and flags, and no values.
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, command, "ess-callbacks", &mut script);
            script
        }
    }
}
