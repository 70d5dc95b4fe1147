//! `version`: what `--version` prints.

use crate::cli::exit::Exit;
use crate::cli::terminal::Ui;

pub(crate) fn run(ui: &mut Ui) -> Exit {
    ui.print(format_args!(
        "ess-callbacks {}\n",
        env!("CARGO_PKG_VERSION")
    ));
    Exit::Done
}
