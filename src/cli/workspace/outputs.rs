//! Files that a command writes for its user must not be files that it lives on.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::cli::sources;
use crate::cli::written;
use crate::state::{Paths, followed};

/// An output: its flag, and the file it names if it was given.
pub(crate) type Output<'a> = (&'a str, Option<&'a Path>);

/// As much of a file as says what it is.
const HEAD: u64 = 1 << 12;

/// Refuses outputs that would overwrite the configuration, the state or what belongs to it, the plan
/// that is applied, each other, or a file that this program did not write for the same flag. Nothing was written before.
pub(crate) fn check(
    locations: &Locations,
    plan: Option<&Path>,
    outputs: &[Output<'_>],
) -> Result<(), Failure> {
    let mut taken = inputs(locations);
    taken.extend(plan.map(|path| (resolved(path), "the plan that is applied".to_owned())));
    for (flag, path) in outputs {
        let Some(path) = path else { continue };
        // A device or a pipe keeps nothing that could be lost.
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

/// Whether a file may be overwritten: it is not there, it is empty, it can't be looked at (which writing
/// it says better), or its head is that of an earlier output of this flag.
fn is_ours(flag: &str, path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    if read.is_err() || head.is_empty() {
        return true;
    }
    let marks: &[&[u8]] = match flag {
        "--out" => &[b"\"format_version\""],
        "--metrics-file" => &[b"ess_callbacks_"],
        _ => &[b"\"@level\"", b"\"@message\""],
    };
    let holds = |mark: &&[u8]| head.windows(mark.len()).any(|part| part == *mark);
    marks.iter().any(holds)
}

fn inputs(locations: &Locations) -> Vec<(PathBuf, String)> {
    let mut taken = Paths::of(&locations.state).all();
    // A link to the state, and what a program that does not follow it takes for its files.
    taken.extend(Paths::beside(&locations.state).all());
    if locations.config != Path::new("-") {
        taken.push((locations.config.clone(), "the configuration"));
    }
    let cloud = locations.cloud.clone();
    taken.extend(cloud.map(|cloud| (cloud, "the sandbox's cloud")));
    let resolve = |(path, what): (PathBuf, &str)| (resolved(&path), what.to_owned());
    taken.into_iter().map(resolve).collect()
}

/// Whether a directory of files is the configuration and this is, or would become, one of them.
fn is_source(locations: &Locations, file: &Path) -> bool {
    locations.config.is_dir()
        && sources::is_yaml(file)
        && file.parent() == Some(resolved(&locations.config).as_path())
}

/// The one name of a file, also of one that is not there yet.
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
