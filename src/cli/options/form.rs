//! The output options of `plan` and `show`, and the form that they ask for together.

use std::path::{Component, Path};

use clap::{Args, ValueEnum};

use super::switch;
use crate::cli::exit::Failure;
use crate::render::{Commit, Label, Subject};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Plain text.
    Text,
    /// The plan document.
    Json,
    /// A comment for a pull request.
    Markdown,
    /// A unified diff from what is recorded to what is declared.
    Diff,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct Forms {
    /// The output format.
    #[arg(
        long,
        env = "ESS_CALLBACKS_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) brief: Brief,
    /// With --format markdown: the name of this configuration, which distinguishes its comment from
    /// others [default: the configuration's path].
    #[arg(long, env = "ESS_CALLBACKS_LABEL", value_name = "NAME")]
    label: Option<Label>,
    /// With --format markdown: the commit to name [default: the commit in the environment of the CI
    /// system].
    #[arg(long, env = "ESS_CALLBACKS_COMMIT", value_name = "ID")]
    commit: Option<Commit>,
}

/// The option of the commands that print a plan as text.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct Brief {
    /// Print one line for each change, with only its address.
    #[arg(long, env = "ESS_CALLBACKS_SUMMARY", value_parser = switch::parse)]
    pub(crate) summary: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text(Brevity),
    /// The plan document.
    Json,
    Markdown(Subject),
    Diff,
}

/// How much of a change is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brevity {
    InFull,
    Addresses,
}

impl From<Brief> for Form {
    fn from(brief: Brief) -> Self {
        Self::Text(if brief.summary {
            Brevity::Addresses
        } else {
            Brevity::InFull
        })
    }
}

impl Forms {
    /// The form, for the configuration at this path.
    pub(crate) fn form(&self, config: &Path) -> Result<Form, Failure> {
        if self.brief.summary && self.format != Format::Text {
            let message = "--summary shortens the text, so it can't be used with another --format";
            return Err(Failure::usage(message).advice("Leave one of the two out."));
        }
        Ok(match self.format {
            Format::Text => self.brief.into(),
            Format::Json => Form::Json,
            Format::Markdown => Form::Markdown(self.subject(config)),
            Format::Diff => Form::Diff,
        })
    }

    fn subject(&self, config: &Path) -> Subject {
        Subject {
            named: self.label.is_some() || config != Path::new("callbacks.yaml"),
            label: self.label.clone().unwrap_or_else(|| label(config)),
            commit: self.commit.clone().or_else(commit),
        }
    }
}

/// The path of the configuration as it was given, or only its name if the path differs between machines.
fn label(config: &Path) -> Label {
    if config == Path::new("-") {
        return Label::of_name("stdin");
    }
    let elsewhere = |part| {
        matches!(
            part,
            Component::RootDir | Component::ParentDir | Component::Prefix(_)
        )
    };
    // Without a trailing slash.
    let config = config.components().as_path();
    let path = if config.components().any(elsewhere) {
        config.file_name().map_or(config, Path::new)
    } else {
        config.strip_prefix(".").unwrap_or(config)
    };
    Label::of_name(&path.to_string_lossy())
}

/// The commit that the CI system works on.
fn commit() -> Option<Commit> {
    let set = |name: &str| std::env::var(name).ok();
    // For a pull request, GITHUB_SHA is a temporary merge commit.
    let merged = set("GITHUB_EVENT_NAME").is_some_and(|event| event.starts_with("pull_request"));
    let names = ["CI_COMMIT_SHA", "BUILDKITE_COMMIT", "GITHUB_SHA"];
    let known = names
        .into_iter()
        .filter(|name| !(merged && *name == "GITHUB_SHA"));
    known.filter_map(set).find_map(|id| id.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_path_in_the_repository() {
        for (config, expected) in [
            ("callbacks.yaml", "callbacks.yaml"),
            ("./teams/pay.yaml", "teams/pay.yaml"),
            ("/srv/checkout/callbacks.yaml", "callbacks.yaml"),
            ("../callbacks.yaml", "callbacks.yaml"),
            ("teams/", "teams"),
            ("-", "stdin"),
        ] {
            assert_eq!(label(Path::new(config)).to_string(), expected, "{config}");
        }
    }
}
