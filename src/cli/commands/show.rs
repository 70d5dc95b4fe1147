//! `show`: prints a saved plan or the state.

use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::{StateAt, missing};
use crate::cli::options::form::{Form, Forms};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan;
use crate::cli::workspace::busy;
use crate::plan::{Plan, read_document};
use crate::render;
use crate::state::Store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A saved plan or a state file [default: the state].
    #[arg(value_name = "PLAN|STATE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    forms: Forms,
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args { file, forms } = args;
    let form = forms.form(settings.config())?;
    if let Some(path) = &file
        && let Some(plan) = saved_plan(path)?
    {
        plan::print(&plan, &[], &form, 20, ui);
        return Ok(Exit::Done);
    }
    if matches!(form, Form::Markdown(_) | Form::Diff) {
        return Err(Failure::usage(
            "a state has no format markdown or diff; it is shown as text or json",
        ));
    }
    let (store, recorded) = if let Some(path) = file {
        let store = Store::on_disk(&path);
        let recorded = store.peek().await?;
        (
            store,
            recorded.ok_or_else(|| missing(&StateAt::File(path.clone())))?,
        )
    } else {
        let locations = settings.locations()?;
        (locations.store()?, locations.recorded().await?)
    };
    let busy = busy::holder(&store).await;
    if ui.json() || form == Form::Json {
        ui.bytes(|out| render::state_json(&recorded, out));
    } else {
        let style = ui.style(20);
        ui.stream(|out| render::state_text(&recorded, &style, out));
    }
    busy::note(busy.as_ref(), "what is shown", ui);
    Ok(Exit::Done)
}

/// The plan in this file, or `None` for JSON that is no plan and must be a state.
fn saved_plan(path: &Path) -> Result<Option<Plan>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::error(format!("`{}` can't be read: {error}", path.display()))
            .advice("Without a file, `show` shows the state.")
    })?;
    if !text.trim_start().starts_with(['{', '<']) {
        let message = format!("`{}` is neither a saved plan nor a state", path.display());
        return Err(Failure::error(message).advice(
            "`plan --out FILE` saves a plan, and `apply` writes the state. To show what callbacks.yaml declares, use `plan`.",
        ));
    }
    if !text
        .get(..200.min(text.len()))
        .unwrap_or(&text)
        .contains("\"format_version\"")
    {
        return Ok(None);
    }
    let plan = read_document(&text).map_err(|error| {
        Failure::error(format!(
            "the plan `{}` can't be shown: {error}",
            path.display()
        ))
    })?;
    Ok(Some(plan))
}
