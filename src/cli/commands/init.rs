//! `init`: a working start. Asks nothing and overwrites nothing that is not its own.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::shell;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::config;
use crate::render::plural;

/// The configuration that is written.
const TEMPLATE: &str = include_str!("init.yaml");

/// The schema beside it, as its first line names it.
const SCHEMA: &str = "callbacks.schema.json";

/// What belongs to one machine only, and what nobody else may read. The state and its journal are not
/// among them: they are shared. `.state/` is a checkout of the branch that keeps them.
const IGNORED: [&str; 7] = [
    "*.state.lock",
    "*.state.json.backup",
    ".ess-callbacks/",
    ".state/",
    "secrets/",
    "*.key",
    "*.token",
];

pub(crate) fn run(settings: &Settings, ui: &mut Ui) -> Result<Exit, Failure> {
    let path = settings.config();
    if path == Path::new("-") || path.is_dir() {
        let message = "init writes a file, so -f has to name one";
        return Err(Failure::usage(message).advice("`-f esign/callbacks.yaml`, for example."));
    }
    // First of all, so that nothing is written where there is a configuration already. A link counts,
    // wherever it leads.
    if path.symlink_metadata().is_ok() {
        return Err(there_already(path));
    }
    let folder = sources::folder(path);
    fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
    let ignore = beside(&folder, ".gitignore");
    let lines = ignore_more(&ignore)?;
    // Made from the program, so an older one is replaced.
    let schema = beside(&folder, SCHEMA);
    fs::write(&schema, format!("{:#}\n", config::schema()))
        .map_err(|error| unwritable(&schema, &error))?;
    // Last, so that init can be repeated when any of the others can't be written.
    write_new(path, TEMPLATE)?;
    ui.say(format_args!("Wrote {}", path.display()));
    ui.say(format_args!("Wrote {}", schema.display()));
    if lines > 0 {
        let noun = plural(lines, "line", "lines");
        ui.say(format_args!("Added {lines} {noun} to {}", ignore.display()));
    }
    if ui.json() {
        return Ok(Exit::Done);
    }
    ui.print(format_args!(
        "\nNext: in {path}, put your own values in the place of {placeholders},\n\
         and your organizations and URLs. Then\n\n\
         \x20   ess-callbacks{option} validate\n\
         \x20   ess-callbacks{option} --sandbox apply    (nothing leaves this machine)\n\
         \x20   ess-callbacks{option} plan    (with the keys and tokens set: `ess-callbacks secret new` makes one)\n",
        path = path.display(),
        placeholders = placeholders(),
        option = shell::configuration(path),
    ));
    Ok(Exit::Done)
}

/// What has to be replaced, and where: `<UserId>` (line 17).
fn placeholders() -> String {
    let numbered = (1..).zip(TEMPLATE.lines());
    let found: Vec<_> = numbered
        .filter_map(|(number, line)| {
            let (_, rest) = line.split_once('<')?;
            let (name, _) = rest.split_once('>')?;
            Some(format!("<{name}> (line {number})"))
        })
        .collect();
    found.join(" and ")
}

/// `./x` is a longer way to say `x`.
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
    let message = format!("`{}` is there already; nothing was written", path.display());
    Failure::error(message).advice(
        "Give another name with -f. `ess-callbacks schema > callbacks.schema.json` renews the schema alone.",
    )
}

/// Adds the lines that are missing, and says how many. They are appended in one write: what is there is not
/// written again, so nothing can happen to it.
fn ignore_more(path: &Path) -> Result<usize, Failure> {
    let is_link = path.symlink_metadata().is_ok_and(|it| it.is_symlink());
    if is_link {
        let message = format!(
            "`{}` is a symbolic link, which Git does not follow; nothing was written",
            path.display()
        );
        return Err(Failure::error(message).advice("Put a file in its place."));
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

/// The lines to append, with the line breaks that the file has, and their number.
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
        assert_eq!(added, 5);
        assert!(more.starts_with("\n*.state.json.backup\n"), "{more}");
        assert!(more.contains("\nsecrets/\n"), "{more}");
    }

    #[test]
    fn line_breaks_stay_those_of_the_file() {
        let crlf = b"target/\r\n*.state.lock\r\nsecrets/\r\n*.key\r\n*.token\r\n.state/";
        assert_eq!(
            missing_lines(crlf),
            (
                "\r\n*.state.json.backup\r\n.ess-callbacks/\r\n".to_owned(),
                2
            )
        );
    }
}
