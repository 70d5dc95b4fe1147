//! x
use super::Args;
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::model::{Desired, Recorded};
pub(super) async fn run(
    _s: &Settings,
    _a: &Args,
    _u: &str,
    _d: &Desired,
    _r: Option<&Recorded>,
    _ui: &mut Ui,
) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
