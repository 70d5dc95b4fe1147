//! Reads the configuration's bytes: a file, a directory of files, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::exit::Failure;
use crate::cli::shell;
use crate::config::{self, Given, Parsed, Source};

/// The configuration as read.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) sources: Vec<Source>,
    /// Relative secret files start here.
    pub(crate) folder: PathBuf,
}

/// Reads what `-f` names.
pub(crate) fn read(path: &Path) -> Result<Configuration, Failure> {
    if path == Path::new("-") {
        let source =
            limited("<stdin>", io::stdin().lock()).map_err(|error| failed(path, &error))?;
        return Ok(Configuration {
            sources: vec![source],
            folder: PathBuf::from("."),
        });
    }
    let files = if path.is_dir() {
        listing(path)?
    } else {
        vec![path.to_owned()]
    };
    let read = |file: &PathBuf| {
        let opened = File::open(file).map_err(|error| failed(file, &error))?;
        limited(&file.display().to_string(), opened).map_err(|error| failed(file, &error))
    };
    let sources = files.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Configuration {
        sources,
        folder: folder(path),
    })
}

/// Reads and checks. Warnings are in the result, errors in the failure.
pub(crate) fn parse(path: &Path, given: &Given) -> Result<(Configuration, Parsed), Failure> {
    let configuration = read(path)?;
    let beside = beside(path);
    let parsed =
        config::parse_with(&configuration.sources, given, &beside).map_err(Failure::invalid)?;
    Ok((configuration, parsed))
}

/// How large a file beside the configuration may be to be looked at, in bytes.
const MOST_BESIDE: u64 = 1 << 20;

/// The YAML files beside a single file that may be configurations too. What can't be read is left out:
/// it is not what was asked for.
fn beside(path: &Path) -> Vec<Source> {
    let this = path.file_name();
    if path == Path::new("-") || path.is_dir() || !is_yaml(path) {
        return Vec::new();
    }
    let Ok(files) = listing(&folder(path)) else {
        return Vec::new();
    };
    let others = files.into_iter().filter(|file| file.file_name() != this);
    let read = |file: PathBuf| {
        let opened = File::open(&file).ok()?;
        if opened.metadata().ok()?.len() > MOST_BESIDE {
            return None;
        }
        let name = file.strip_prefix("./").unwrap_or(&file);
        let source = limited(&name.display().to_string(), opened).ok()?;
        let has = |key: &[u8]| source.text.windows(key.len()).any(|part| part == key);
        (has(b"environment:") && has(b"organizations:")).then_some(source)
    };
    others.filter_map(read).collect()
}

/// The folder that belongs to a configuration: itself, or the one its file is in.
pub(crate) fn folder(path: &Path) -> PathBuf {
    if path == Path::new("-") {
        return PathBuf::from(".");
    }
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// The YAML files of a directory, by name. Hidden ones are left out, as editors make them.
fn listing(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(|error| failed(path, &error))? {
        let file = entry.map_err(|error| failed(path, &error))?.path();
        let hidden = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_yaml(&file) && !hidden && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        let message = format!(
            "the directory `{}` holds no *.yaml or *.yml file",
            path.display()
        );
        return Err(Failure::error(message).advice(or_begin(&path.join("callbacks.yaml"))));
    }
    files.sort();
    Ok(files)
}

/// Whether a directory's file is part of its configuration, by its name.
pub(crate) fn is_yaml(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads to the end, but no further than one byte past the limit: the parser then says that it is
/// too large, without the memory for it.
fn limited(name: &str, from: impl Read) -> io::Result<Source> {
    let mut text = Vec::new();
    from.take(config::MAX_BYTES as u64 + 1)
        .read_to_end(&mut text)?;
    Ok(Source {
        name: Arc::from(name),
        text,
    })
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::error(format!(
        "the configuration `{}` can't be read: {error}",
        path.display()
    ));
    if error.kind() == io::ErrorKind::NotFound {
        // A name that ends like a folder's is not one that init can write.
        let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        return failure.advice(if is_folder {
            or_begin(&path.join("callbacks.yaml"))
        } else {
            or_begin(path)
        });
    }
    failure
}

/// What to do without a configuration: init writes the one that is missing, not another.
fn or_begin(path: &Path) -> String {
    let mut command = "ess-callbacks init".to_owned();
    command += &shell::configuration(path);
    format!("Name another with -f, or begin with `{command}`.")
}
