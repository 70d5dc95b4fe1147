//! Refuses output files that would overwrite the files that the program works with.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::cli::sources;
use crate::cli::written;
use crate::state::{Paths, followed};

/// An option that names an output, and its value.
pub(crate) type Output<'a> = (&'a str, Option<&'a Path>);

/// The output of `report`, which is another kind of file than what `plan --out` writes.
pub(crate) const PAGE: &str = "report --out";

/// How much of a file is read to find out what it is, in bytes.
const HEAD: u64 = 1 << 12;

/// Refuses outputs that would overwrite the configuration, the state or a file of it, the plan that is applied, each
/// other, or a file that this program did not write for the same option. Must come before anything is written.
pub(crate) fn check(
    locations: &Locations,
    plan: Option<&Path>,
    outputs: &[Output<'_>],
) -> Result<(), Failure> {
    let mut taken = inputs(locations);
    taken.extend(plan.map(|path| (resolved(path), "the plan that is applied".to_owned())));
    for (flag, path) in outputs {
        let Some(path) = path else { continue };
        // A device or a pipe has no content to lose.
        if written::is_stream(path) {
            continue;
        }
        let file = resolved(path);
        let other = taken.iter().find(|(other, _)| *other == file);
        let what = match other {
            Some((_, what)) => what.clone(),
            None if is_source(locations, &file) => "part of the configuration".to_owned(),
            None => {
                if !is_ours(flag, path) {
                    let message = format!(
                        "{flag} would overwrite `{}`, which ess-callbacks did not write for {flag}; nothing was written",
                        path.display()
                    );
                    return Err(
                        Failure::usage(message).advice("Give another file, or move that one away.")
                    );
                }
                taken.push((file, format!("what {flag} writes")));
                continue;
            }
        };
        let message = format!(
            "{flag} would overwrite `{}`, which is {what}; nothing was written",
            path.display()
        );
        return Err(Failure::usage(message).advice("Give another file."));
    }
    Ok(())
}

/// Whether a file may be overwritten: it is missing, empty or unreadable (an error of writing says more), or begins
/// as an earlier output of this option does.
fn is_ours(flag: &str, path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    if read.is_err() || head.is_empty() {
        return true;
    }
    let marks: &[&[u8]] = match flag {
        "--out" => &[b"\"format_version\""],
        PAGE => &[b"content=\"ess-callbacks "],
        "--metrics-file" => &[b"ess_callbacks_"],
        "--report" => &[b"## What eSign answers"],
        _ => &[b"\"@level\"", b"\"@message\""],
    };
    let holds = |mark: &&[u8]| head.windows(mark.len()).any(|part| part == *mark);
    marks.iter().any(holds)
}

fn inputs(locations: &Locations) -> Vec<(PathBuf, String)> {
    let mut taken = Vec::new();
    if let Some(state) = locations.state.file() {
        taken.extend(Paths::of(state).all());
        // The files beside a link to the state, too.
        taken.extend(Paths::beside(state).all());
    }
    if locations.config != Path::new("-") {
        taken.push((locations.config.clone(), "the configuration"));
    }
    let cloud = locations.cloud.clone();
    taken.extend(cloud.map(|cloud| (cloud, "the sandbox's cloud")));
    let resolve = |(path, what): (PathBuf, &str)| (resolved(&path), what.to_owned());
    taken.into_iter().map(resolve).collect()
}

/// Whether the configuration is a directory and this file is, or would become, part of it.
fn is_source(locations: &Locations, file: &Path) -> bool {
    locations.config.is_dir()
        && sources::is_yaml(file)
        && file.parent() == Some(resolved(&locations.config).as_path())
}

/// The canonical path of a file that may not exist yet.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(known) = path.canonicalize() {
        return known;
    }
    let path = &followed(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        (Ok(_) | Err(_), _) => path.to_owned(),
    }
}
