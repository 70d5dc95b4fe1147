//! Reads the configuration: a file, a directory of files, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::exit::Failure;
use crate::cli::shell;
use crate::config::{self, Overrides, Parsed, Source};

/// The configuration as read.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) sources: Vec<Source>,
    /// The folder that paths of secret files are relative to.
    pub(crate) folder: PathBuf,
}

/// Reads the configuration at this path.
pub(crate) fn read(path: &Path) -> Result<Configuration, Failure> {
    if path == Path::new("-") {
        let source =
            limited("<stdin>", io::stdin().lock()).map_err(|error| failed(path, &error))?;
        return Ok(Configuration {
            sources: vec![source],
            folder: PathBuf::from("."),
        });
    }
    let files = files(path)?;
    let one = if path.is_dir() {
        file_of_folder
    } else {
        source
    };
    let read = |file: &PathBuf| one(file).map_err(|error| failed(file, &error));
    let sources = files.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Configuration {
        sources,
        folder: folder(path),
    })
}

/// The name of a file that can't be read, and why.
pub(crate) type Unreadable = (Arc<str>, String);

/// Reads each file by itself. With those that can't be read come their names and why.
pub(crate) fn read_each(path: &Path) -> Result<(Configuration, Vec<Unreadable>), Failure> {
    let mut sources = Vec::new();
    let mut unreadable = Vec::new();
    for file in files(path)? {
        match file_of_folder(&file) {
            Ok(source) => sources.push(source),
            Err(error) if path.is_dir() => {
                unreadable.push((Arc::from(file.display().to_string()), error.to_string()));
            }
            Err(error) => return Err(failed(&file, &error)),
        }
    }
    let folder = folder(path);
    Ok((Configuration { sources, folder }, unreadable))
}

/// One file of a directory. Anything else under its name is an error: what it declared must not count as removed.
fn file_of_folder(file: &Path) -> io::Result<Source> {
    // Opening a pipe would wait for its writer.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    source(file)
}

/// What can be read once, also a pipe. Of a file that is too large nothing is read.
fn source(file: &Path) -> io::Result<Source> {
    let opened = File::open(file)?;
    let found = opened.metadata()?;
    if found.is_file() && found.len() > config::MAX_BYTES as u64 {
        return Err(io::Error::other(TooLarge(found.len())));
    }
    limited(&file.display().to_string(), opened)
}

/// A file has so many bytes, which is too much.
#[derive(Debug, thiserror::Error)]
#[error("it has {} MiB; at most {} MiB are allowed", .0.div_ceil(1 << 20), config::MAX_BYTES >> 20)]
struct TooLarge(u64);

/// The files of the configuration at this path.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_dir() {
        listing(path)
    } else {
        Ok(vec![path.to_owned()])
    }
}

/// Reads and checks the configuration. Warnings are in the result.
pub(crate) fn parse(path: &Path, given: &Overrides) -> Result<(Configuration, Parsed), Failure> {
    let configuration = read(path)?;
    let beside = beside(path);
    let parsed =
        config::parse_with(&configuration.sources, given, &beside).map_err(Failure::invalid)?;
    Ok((configuration, parsed))
}

/// The size up to which files beside the configuration are read, in bytes.
const MOST_BESIDE: u64 = 1 << 20;

/// Other YAML files beside a single file that may be configurations. Those that can't be read are left out.
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
        // Opening a pipe would wait for its writer.
        let found = std::fs::metadata(&file).ok()?;
        if !found.is_file() || found.len() > MOST_BESIDE {
            return None;
        }
        let opened = File::open(&file).ok()?;
        let name = file.strip_prefix("./").unwrap_or(&file);
        let source = limited(&name.display().to_string(), opened).ok()?;
        let has = |key: &[u8]| source.text.windows(key.len()).any(|part| part == key);
        (has(b"environment:") && has(b"organizations:")).then_some(source)
    };
    others.filter_map(read).collect()
}

/// The folder of a configuration: a directory itself, or the folder of a file.
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

/// The YAML files of a directory, by name. Hidden files are left out, as editors create them.
fn listing(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(|error| failed(path, &error))? {
        let file = entry.map_err(|error| failed(path, &error))?.path();
        let hidden = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_yaml(&file) && !hidden {
            files.push(file);
        }
    }
    if files.is_empty() {
        let message = format!(
            "the directory `{}` has no *.yaml or *.yml file",
            path.display()
        );
        return Err(Failure::error(message).advice(or_begin(&path.join("callbacks.yaml"))));
    }
    files.sort();
    Ok(files)
}

/// Whether a file of a directory is part of the configuration, by its name.
pub(crate) fn is_yaml(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads at most one byte more than the limit, so that the parser reports a text that is too large.
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
    let inner = error.get_ref();
    if let Some(TooLarge(bytes)) = inner.and_then(|inner| inner.downcast_ref()) {
        let name = path.display().to_string();
        return Failure::invalid(vec![config::oversized(&name, *bytes)]);
    }
    let failure = Failure::error(format!(
        "the configuration `{}` can't be read: {error}",
        path.display()
    ));
    if error.kind() == io::ErrorKind::NotFound {
        // init can't write a file with the name of a folder.
        let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        return failure.advice(if is_folder {
            or_begin(&path.join("callbacks.yaml"))
        } else {
            or_begin(path)
        });
    }
    failure
}

/// The advice for a missing configuration: how init writes it.
fn or_begin(path: &Path) -> String {
    let mut command = "ess-callbacks init".to_owned();
    command += &shell::configuration(path);
    format!("Name another with -f, or create one with `{command}`.")
}
