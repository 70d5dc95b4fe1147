//! `init`: writes a first configuration. Asks nothing, and overwrites only the schema that it wrote before.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::environment::ProcessEnvironment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::shell;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::client::credentials::tsign;
use crate::config;
use crate::render::plural;

const TEMPLATE: &str = include_str!("init.yaml");

/// The place of the operator in it.
const OPERATOR: &str = "<UserId>";

/// The schema beside the configuration, which names it in its first line.
const SCHEMA: &str = "callbacks.schema.json";

/// Files of one machine, and secrets. The state and its journal are not among them, as they are shared. `.state/` is a
/// checkout of the branch that has them.
const IGNORED: [&str; 9] = [
    "*.state.lock",
    "*.state.json.backup",
    "plan.json",
    ".ess-callbacks/",
    ".state/",
    "secrets/",
    "*.key",
    "*.token",
    "callbacks.emergency-*.json",
];

pub(crate) fn run(settings: &Settings, ui: &mut Ui) -> Result<Exit, Failure> {
    let path = settings.config();
    if path == Path::new("-") || path.is_dir() {
        let message = "init writes a file, so -f must name one";
        return Err(Failure::usage(message).advice("For example, `-f esign/callbacks.yaml`."));
    }
    // First, so that nothing is written beside an existing configuration. A link counts, also a broken one.
    if path.symlink_metadata().is_ok() {
        return Err(there_already(path));
    }
    let folder = sources::folder(path);
    fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
    let ignore = beside(&folder, ".gitignore");
    let lines = ignore_more(&ignore)?;
    // Generated, so an older one is replaced.
    let schema = beside(&folder, SCHEMA);
    fs::write(&schema, format!("{:#}\n", config::schema()))
        .map_err(|error| unwritable(&schema, &error))?;
    let operator = operator(&settings.environment);
    let text = match &operator {
        Some((id, _)) => TEMPLATE.replace(OPERATOR, id),
        None => TEMPLATE.to_owned(),
    };
    // Last, so that init can be repeated if one of the others can't be written.
    write_new(path, &text)?;
    ui.say(format_args!("Wrote {}", path.display()));
    ui.say(format_args!("Wrote {}", schema.display()));
    if lines > 0 {
        let noun = plural(lines, "line", "lines");
        ui.say(format_args!("Added {lines} {noun} to {}", ignore.display()));
    }
    if let Some((_, place)) = &operator {
        ui.note(format_args!("Note: the operator is the one of {place}."));
    }
    if ui.json() {
        return Ok(Exit::Done);
    }
    ui.print(format_args!(
        "\nNext: in {path}, replace {placeholders} with your own values\n\
         and declare your organizations and URLs. Then run\n\n\
         \x20   ess-callbacks{option} validate\n\
         \x20   ess-callbacks{option} --sandbox apply    (calls only the sandbox)\n\
         \x20   ess-callbacks{option} plan    (needs the keys and tokens; `ess-callbacks secret new` generates one)\n",
        path = path.display(),
        placeholders = placeholders(&text),
        option = shell::configuration(path),
    ));
    Ok(Exit::Done)
}

/// The operator of the vendor's eSign tools, and where it is set.
fn operator(environment: &ProcessEnvironment) -> Option<(String, String)> {
    let named = environment.variable(tsign::FILE);
    let file = match named.filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => tsign::file(environment.home().ok()??),
    };
    Some((tsign::operator(&file)?, format!("`{}`", file.display())))
}

/// The placeholders to replace, such as `<UserId>` (line 17).
fn placeholders(text: &str) -> String {
    let numbered = (1..).zip(text.lines());
    let found: Vec<_> = numbered
        .filter_map(|(number, line)| {
            let (_, rest) = line.split_once('<')?;
            let (name, _) = rest.split_once('>')?;
            Some(format!("<{name}> (line {number})"))
        })
        .collect();
    found.join(" and ")
}

/// The path of a file in the folder, without `./`.
fn beside(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") {
        PathBuf::from(name)
    } else {
        folder.join(name)
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return unwritable(path, &error);
        }
        there_already(path)
    })
}

fn there_already(path: &Path) -> Failure {
    let message = format!("`{}` already exists; nothing was written", path.display());
    Failure::error(message).advice(
        "Give another name with -f. To update only the schema, run `ess-callbacks schema > callbacks.schema.json`.",
    )
}

/// Adds the missing lines and returns their number. They are appended in one write, so that the existing lines are not
/// at risk.
fn ignore_more(path: &Path) -> Result<usize, Failure> {
    let is_link = path.symlink_metadata().is_ok_and(|it| it.is_symlink());
    if is_link {
        let message = format!(
            "`{}` is a symbolic link, which Git does not follow; nothing was written",
            path.display()
        );
        return Err(Failure::error(message).advice("Replace it with a file."));
    }
    let before = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unwritable(path, &error)),
    };
    let (more, added) = missing_lines(&before);
    if added > 0 {
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(more.as_bytes()))
            .map_err(|error| unwritable(path, &error))?;
    }
    Ok(added)
}

/// The lines to append, with the line breaks of the file, and their number.
fn missing_lines(before: &[u8]) -> (String, usize) {
    let text = String::from_utf8_lossy(before);
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let missing = IGNORED.iter().filter(|line| {
        let mut lines = text.trim_start_matches('\u{feff}').lines();
        !lines.any(|has| has.trim_end() == **line)
    });
    let lines: Vec<_> = missing.map(|line| format!("{line}{end}")).collect();
    let mut more = lines.concat();
    if !more.is_empty() && !text.is_empty() && !text.ends_with('\n') {
        more.insert_str(0, end);
    }
    (more, lines.len())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::error(format!("`{}` can't be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_there_are_not_added_again() {
        let all = IGNORED.join("\n") + "\n";
        assert_eq!(missing_lines(b""), (all.clone(), IGNORED.len()));
        assert_eq!(missing_lines(all.as_bytes()), (String::new(), 0));
        let ends_without = b"\xff\n*.state.lock\n# secrets/\n.state/";
        let (more, added) = missing_lines(ends_without);
        assert_eq!(added, 7);
        assert!(more.starts_with("\n*.state.json.backup\n"), "{more}");
        assert!(more.contains("\nsecrets/\n"), "{more}");
    }

    #[test]
    fn line_breaks_stay_those_of_the_file() {
        let crlf = b"target/\r\n*.state.lock\r\nsecrets/\r\n*.key\r\n*.token\r\n.state/";
        assert_eq!(
            missing_lines(crlf),
            (
                "\r\n*.state.json.backup\r\nplan.json\r\n.ess-callbacks/\r\ncallbacks.emergency-*.json\r\n".to_owned(),
                4
            )
        );
    }
}
