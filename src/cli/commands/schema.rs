//! `schema`: the JSON Schema of callbacks.yaml.

use crate::cli::exit::Exit;
use crate::cli::terminal::Ui;
use crate::config;

pub(crate) fn run(ui: &mut Ui) -> Exit {
    ui.print(format_args!("{:#}\n", config::schema()));
    Exit::Done
}
