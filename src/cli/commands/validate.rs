//! `validate`: every problem in the configuration, at once.

use clap::ValueEnum;

use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::Locations;
use crate::cli::options::secret_commands::Commands;
use crate::cli::options::switch;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::{Loaded, Resolve};
use crate::diag::Diagnostic;
use crate::render::{self, counted};

/// A system that shows problems beside the lines they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Annotate {
    /// Annotations of a GitHub Actions step.
    Github,
    /// A GitLab code quality report.
    Gitlab,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also print the problems in the format of this system, which shows them beside the lines.
    #[arg(long, env = "ESS_CALLBACKS_ANNOTATE", value_name = "FOR")]
    annotate: Option<Annotate>,
    /// Also resolve the secret references and check their values.
    #[arg(long, env = "ESS_CALLBACKS_SECRETS", value_parser = switch::parse)]
    secrets: bool,
    #[command(flatten)]
    commands: Commands,
}

pub(crate) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let resolve = args.secrets.then_some(Resolve {
        commands: args.commands,
        only: Vec::new(),
    });
    let read = Loaded::read(locations, resolve, ui).await;
    if let Some(system) = args.annotate {
        // Also for an invalid configuration.
        let problems = match &read {
            Ok(loaded) => &loaded.warnings,
            Err(failure) => &failure.diagnostics,
        };
        annotate(problems, system, locations, ui);
        return read.map(|_| Exit::Done);
    }
    let loaded = read?;
    let organizations = &loaded.desired.organizations;
    let callbacks = organizations
        .iter()
        .map(|organization| organization.callbacks.len())
        .sum();
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning", "warnings")),
    };
    ui.say(format_args!(
        "Success! The configuration is valid: {}, {}{warnings}.",
        counted(organizations.len(), "organization", "organizations"),
        counted(callbacks, "callback", "callbacks"),
    ));
    Ok(Exit::Done)
}

/// Prints the problems in the format of a system that shows them beside the lines.
fn annotate(problems: &[Diagnostic], system: Annotate, locations: &Locations, ui: &mut Ui) {
    if ui.json() {
        return;
    }
    let text = match system {
        Annotate::Github => render::github_annotations(problems),
        Annotate::Gitlab => {
            render::gitlab_code_quality(problems, &locations.config.display().to_string())
        }
    };
    // They are commands on purpose.
    ui.bytes(|out| out.write_all(text.as_bytes()));
    ui.flush();
}
