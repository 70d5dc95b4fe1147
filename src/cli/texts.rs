//! `schema`, `completions` and `man`: texts that follow from the program itself.

use super::exit::Exit;
use super::ui::Ui;
use super::{complete, manual};
use crate::config;

/// The JSON Schema of callbacks.yaml.
pub(super) fn schema(ui: &mut Ui) -> Exit {
    ui.print(format_args!("{:#}\n", config::schema()));
    Exit::Done
}

/// What `--version` prints.
pub(super) fn version(ui: &mut Ui) -> Exit {
    ui.print(format_args!(
        "ess-callbacks {}\n",
        env!("CARGO_PKG_VERSION")
    ));
    Exit::Done
}

/// A completion script.
pub(super) fn completions(shell: clap_complete::Shell, ui: &mut Ui) -> Exit {
    ui.bytes(|out| out.write_all(&complete::script(shell)));
    Exit::Done
}

/// The manual page.
pub(super) fn man(ui: &mut Ui) -> Exit {
    ui.bytes(|mut out| manual::write(&mut out));
    Exit::Done
}
