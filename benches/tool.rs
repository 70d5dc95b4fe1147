//! What `benches/run.py` needs beside the program itself. Run without arguments it does nothing, so
//! that `cargo bench` passes over it.
//!
//! * `generate FOLDER CALLBACKS FILES SEED LEFT_OUT ORGANIZATIONS`: a configuration, its secrets, and a
//!   state that lacks the first `LEFT_OUT` callbacks (`all` for no state). The organizations have
//!   `few`, `many` or a `mixed` number of callbacks.
//! * `read PATH…`: the floor of all floors, the bytes alone.
//! * `yaml PATH…`: the bare YAML parse into typed structs, one file after the other.
//! * `resave STATE`: loads a state and saves it once, the way an apply does.

mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use ess_callbacks::config::{self, Source};
use ess_callbacks::model::Environment;
use ess_callbacks::secret::SecretReference;
use ess_callbacks::state::{Store, format};
use serde::Deserialize;

use workload::{Workload, owner, recorded, secret};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["--bench"] => Ok(()),
        [
            "generate",
            folder,
            callbacks,
            files,
            seed,
            left_out,
            organizations,
        ] => {
            let workload = Workload {
                callbacks: callbacks.parse()?,
                files: files.parse()?,
                seed: seed.parse()?,
                organizations: organizations.parse()?,
            };
            let left_out = match *left_out {
                "all" => None,
                number => Some(number.parse()?),
            };
            generate(Path::new(folder), workload, left_out)
        }
        ["read", files @ ..] => files.iter().try_for_each(|file| {
            std::hint::black_box(fs::read(file)?);
            Ok(())
        }),
        ["yaml", files @ ..] => files.iter().try_for_each(|file| bare(file)),
        ["resave", state] => resave(Path::new(state)),
        other => Err(format!("what does {other:?} mean?").into()),
    }
}

fn generate(
    folder: &Path,
    workload: Workload,
    left_out: Option<usize>,
) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(folder.join("secrets"))?;
    let sources = workload.sources();
    for Source { name, text } in &sources {
        fs::write(folder.join(&**name), text)?;
    }
    let parsed = config::parse(&sources).map_err(|problems| format!("{problems:?}"))?;
    let references: BTreeSet<_> = parsed
        .desired
        .secrets
        .iter()
        .map(|s| &s.reference)
        .collect();
    for reference in references {
        if let SecretReference::File(path) = reference {
            fs::write(folder.join(path), secret(reference).expose())?;
        }
    }
    if let Some(left_out) = left_out {
        let state = recorded(&parsed.desired, left_out);
        let mut file = BufWriter::new(File::create(folder.join("callbacks.state.json"))?);
        format::write(&state, &mut file)?;
        file.flush()?;
    }
    Ok(())
}

/// What an apply pays for the state, whatever it changes.
fn resave(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let store = Store::on_disk(path);
        let state = store
            .lock(Environment::Production, &owner(), Duration::ZERO, |_| {})
            .await?;
        // Nothing is saved unless something changed.
        state.edit(|_| true);
        state.save().await?;
        state.release().await?;
        Ok(())
    })
}

/// What serde alone makes of a file: no places, no checks, nothing merged.
fn bare(file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let text = fs::read_to_string(file)?;
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_nodes: 1 << 30,
            max_events: 1 << 30,
            max_total_scalar_bytes: 1 << 30,
        },
    };
    let document: Document = serde_yaml::from_str_with_options(&text, options)?;
    std::hint::black_box(&document);
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it is parsed matters")]
struct Document {
    version: u32,
    environment: String,
    defaults: Defaults,
    organizations: BTreeMap<String, Organization>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it is parsed matters")]
struct Defaults {
    operator: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it is parsed matters")]
struct Organization {
    proxy_organization_id: String,
    callbacks: Vec<Callback>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it is parsed matters")]
struct Callback {
    url: String,
    key: Reference,
    token: Reference,
    description: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it is parsed matters")]
struct Reference {
    file: String,
}
