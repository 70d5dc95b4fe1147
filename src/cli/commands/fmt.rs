//! `fmt`: formats callbacks.yaml with its comments. The style is that of a library; this checks that the meaning stays
//! the same, and replaces a file completely or not at all.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use pretty_yaml::config::{FormatOptions, LanguageOptions, LayoutOptions, LineBreak};

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::switch;
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::config;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; exit with 1 if a file is not formatted.
    #[arg(long, env = "ESS_CALLBACKS_CHECK", value_parser = switch::parse)]
    check: bool,
}

/// The width of a line, as in the examples.
const WIDTH: usize = 100;

pub(crate) fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args { check } = *args;
    let config = settings.config();
    let read = sources::read(config)?;
    let from_input = config == Path::new("-");
    let mut changed = Vec::new();
    for source in &read.sources {
        let name: &str = &source.name;
        let text = std::str::from_utf8(&source.text).map_err(|error| {
            Failure::error(format!("`{name}` is not UTF-8: {error}")).advice("Save it as UTF-8.")
        })?;
        let formatted = formatted(text).map_err(|problem| {
            let (problem, advice) = match problem {
                Unformatted::NotYaml => (
                    "it is not valid YAML",
                    "`ess-callbacks validate` shows the problems.",
                ),
                Unformatted::NotSafely => (
                    "the formatter would change its meaning, or lose a comment",
                    "The file was not changed. The reason is unusual YAML, such as block text that keeps its trailing line \
                     breaks (`|+`).",
                ),
            };
            Failure::error(format!("`{name}` can't be formatted: {problem}")).advice(advice)
        })?;
        if from_input && !check {
            ui.print(format_args!("{formatted}"));
        } else if formatted != text {
            if !check {
                replace(Path::new(name), &formatted)?;
            }
            changed.push(PathBuf::from(name));
        }
    }
    for file in &changed {
        ui.print(format_args!("{}\n", file.display()));
    }
    let unformatted = check && !changed.is_empty();
    Ok(if unformatted { Exit::Error } else { Exit::Done })
}

/// Why a text can't be formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unformatted {
    NotYaml,
    /// The library would change the meaning or lose a comment.
    NotSafely,
}

/// Formats the text without a change of its meaning.
fn formatted(text: &str) -> Result<String, Unformatted> {
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line_break = if bare.contains("\r\n") {
        LineBreak::Crlf
    } else {
        LineBreak::Lf
    };
    let options = FormatOptions {
        layout: LayoutOptions {
            print_width: WIDTH,
            line_break,
            ..LayoutOptions::default()
        },
        language: LanguageOptions {
            trailing_comma: false,
            ..LanguageOptions::default()
        },
    };
    let formatted = pretty_yaml::format_text(bare, &options).map_err(|_| Unformatted::NotYaml)?;
    let comments = |text: &str| text.matches('#').count();
    if !config::same_meaning(bare, &formatted) || comments(bare) != comments(&formatted) {
        return Err(Unformatted::NotSafely);
    }
    Ok(formatted)
}

fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    // The target of a symbolic link is replaced, not the link.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().unwrap_or_else(|| Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        let permissions = target.metadata()?.permissions();
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    write()
        .map_err(|error| Failure::error(format!("`{}` can't be written: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_meaning_stay() {
        let text = "# first\nversion:   1 # the format\norganizations:\n   acme:\n      callbacks:\n      - 'https://a.example/' # one\n\n\n      # two\n      - url:  https://b.example/\n        key: {env:   K}\n";
        insta::assert_snapshot!(formatted(text).unwrap(), @r#"
        # first
        version: 1 # the format
        organizations:
          acme:
            callbacks:
              - "https://a.example/" # one

              # two
              - url: https://b.example/
                key: { env: K }
        "#);
        let again = formatted(text).unwrap();
        assert_eq!(formatted(&again).unwrap(), again);
    }

    #[test]
    fn line_ends_stay() {
        assert_eq!(formatted("a:   1\r\nb: 2\r\n").unwrap(), "a: 1\r\nb: 2\r\n");
    }

    #[test]
    fn what_is_not_yaml_is_left_alone() {
        assert_eq!(formatted("a: [1"), Err(Unformatted::NotYaml));
        let kept = "x-a: |+\n  a\n\n  b\n\n";
        assert_eq!(formatted(kept), Err(Unformatted::NotSafely));
    }
}
