//! Reads a state file.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

use super::VERSION;
use super::build::{Builder, Head};
use super::line::{CallbackLine, EndedLine};
use super::twin::TwinLine;
use crate::model::{
    AccountName, Checkout, Destination, Environment, Lineage, Recorded, RecordedAccount, Salt,
    Suspension, Told,
};
use crate::state::error::io;
use crate::state::{Part, Place, Rescue, StateError};

/// The line after which the callbacks follow.
const OPENING: &[u8] = b"\"callbacks\": [";

/// The longest text before it. It takes about 200 bytes, and as many for each account.
const LONGEST_HEAD: usize = 1 << 20;

/// Just enough to tell whether the rest can be understood.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
    #[serde(default)]
    terraform_version: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(rename = "version")]
    _version: u64,
    lineage: Lineage,
    serial: u64,
    environment: Environment,
    #[serde(default)]
    destination: Option<Destination>,
    #[serde(default)]
    accounts: BTreeMap<AccountName, RecordedAccount>,
    #[serde(default)]
    suspended: Option<Suspension>,
    #[serde(default)]
    checkout: Option<Checkout>,
    #[serde(default)]
    told: BTreeMap<String, Told>,
    #[serde(default)]
    notes_after: Option<u64>,
    #[serde(borrow, default)]
    twins: Vec<TwinLine<'a>>,
    fingerprint_salt: Salt,
    #[serde(borrow, default)]
    ended_calls: Vec<EndedLine<'a>>,
    #[serde(borrow)]
    callbacks: Vec<CallbackLine<'a>>,
}

/// Reads a state file. `place` is for messages only.
///
/// # Errors
///
/// [`StateError::NewerVersion`], [`StateError::MergeConflict`], [`StateError::Corrupt`] with the line,
/// or [`StateError::Io`].
pub fn read(place: &Place, input: impl Read) -> Result<Recorded, StateError> {
    Ok(read_copy(place, input)?.recorded)
}

/// Reads a state file, which may be an emergency copy.
///
/// # Errors
///
/// Those of [`read()`].
pub fn read_copy(place: &Place, input: impl Read) -> Result<Rescue, StateError> {
    let mut lines = Lines {
        place,
        input: BufReader::with_capacity(1 << 16, input),
        number: 0,
        line: Vec::new(),
    };
    let mut start = Vec::new();
    let Some(mut builder) = lines.head(&mut start)? else {
        return whole(place, start, lines.input);
    };
    let mut first = true;
    let mut comma = true;
    while lines.next()? {
        let text = lines.line.trim_ascii();
        if text == b"]" {
            if comma && !first {
                return Err(lines.problem("trailing comma at the end of the list"));
            }
            return lines.end(builder);
        }
        if !comma {
            return Err(lines.problem("the line before this one has no comma at its end"));
        }
        let (object, has_comma) = match text.strip_suffix(b",") {
            Some(object) => (object, true),
            None => (text, false),
        };
        match serde_json::from_slice::<CallbackLine<'_>>(object) {
            Ok(callback) => builder
                .add(&callback)
                .map_err(|problem| lines.problem(problem))?,
            // Perhaps a tool has formatted the file.
            Err(_) if first => {
                start.extend_from_slice(&lines.line);
                return whole(place, start, lines.input);
            }
            Err(error) => return Err(lines.misread(&error)),
        }
        comma = has_comma;
        first = false;
    }
    lines.number += 1;
    Err(lines.problem("the file ends in the middle"))
}

struct Lines<'p, R> {
    place: &'p Place,
    input: R,
    /// Of the line read last, from 1.
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<'_, R> {
    /// Reads one more line; `false` at the end.
    fn next(&mut self) -> Result<bool, StateError> {
        self.line.clear();
        let length = self
            .input
            .read_until(b'\n', &mut self.line)
            .map_err(io("reading", self.place))?;
        self.number += u64::from(length > 0);
        Ok(length > 0)
    }

    /// Reads up to the first callback, keeping the text in `start`. `None` when it is laid out in
    /// another way than [`super::write()`] does.
    fn head(&mut self, start: &mut Vec<u8>) -> Result<Option<Builder>, StateError> {
        while start.len() < LONGEST_HEAD && self.next()? {
            start.extend_from_slice(&self.line);
            if self.line.trim_ascii() != OPENING {
                continue;
            }
            let mut closed = start.clone();
            closed.extend_from_slice(b"]}");
            check_version(self.place, &closed)?;
            let Ok(document) = serde_json::from_slice::<Document<'_>>(&closed) else {
                return Ok(None);
            };
            let builder = document.head().and_then(Builder::new);
            return builder
                .map(Some)
                .map_err(|problem| corrupt(self.place, None, problem));
        }
        Ok(None)
    }

    /// Reads what follows the callbacks.
    fn end(mut self, builder: Builder) -> Result<Rescue, StateError> {
        let mut closed = false;
        while self.next()? {
            match (self.line.trim_ascii(), closed) {
                (b"", _) => {}
                (b"}", false) => closed = true,
                _ => return Err(self.problem("unexpected text after the callbacks")),
            }
        }
        if !closed {
            self.number += 1;
            return Err(self.problem("the file ends before its last brace"));
        }
        Ok(builder.finish())
    }

    fn problem(&self, problem: impl Into<String>) -> StateError {
        if is_conflict_mark(&self.line) {
            return StateError::MergeConflict {
                place: self.place.clone(),
                line: self.number,
            };
        }
        corrupt(self.place, Some(self.number), problem.into())
    }

    fn misread(&self, error: &serde_json::Error) -> StateError {
        self.problem(words_of(error))
    }
}

impl Document<'_> {
    fn head(&self) -> Result<Head, String> {
        let ended = self.ended_calls.iter();
        let ended = ended.map(|line| line.call(self.environment));
        let twins = self.twins.iter();
        let twins = twins.map(|line| line.twin(self.environment));
        Ok(Head {
            lineage: self.lineage,
            serial: self.serial,
            environment: self.environment,
            destination: self.destination.clone(),
            accounts: self.accounts.clone(),
            suspension: self.suspended.clone(),
            checkout: self.checkout.clone(),
            told: self.told.clone(),
            notes_after: self.notes_after,
            twins: twins.collect::<Result<_, _>>()?,
            salt: self.fingerprint_salt,
            ended: ended.collect::<Result<_, _>>()?,
        })
    }
}

/// Reads a file that is laid out in another way, or not a state file at all.
fn whole(place: &Place, mut text: Vec<u8>, mut rest: impl Read) -> Result<Rescue, StateError> {
    rest.read_to_end(&mut text).map_err(io("reading", place))?;
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        if is_conflict_mark(line) {
            return Err(StateError::MergeConflict {
                place: place.clone(),
                line: number,
            });
        }
    }
    let corrupt = |line: Option<usize>, problem: String| {
        corrupt(place, line.map(|line| line as u64), problem)
    };
    if text.trim_ascii().is_empty() {
        return Err(corrupt(None, "the file is empty".into()));
    }
    if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        let problem =
            "it is UTF-16, as `>` of older PowerShells writes it; use `| Out-File -Encoding utf8`";
        return Err(corrupt(None, problem.into()));
    }
    // Editors and PowerShell write a mark of UTF-8.
    if text.starts_with("\u{feff}".as_bytes()) {
        text.drain(..3);
    }
    check_version(place, &text)?;
    let document: Document<'_> = serde_json::from_slice(&text)
        .map_err(|error| corrupt(Some(error.line()), words_of(&error)))?;
    let builder = document.head().and_then(Builder::new);
    let mut builder = builder.map_err(|problem| corrupt(None, problem))?;
    for (callback, number) in document.callbacks.iter().zip(1_u64..) {
        builder
            .add(callback)
            .map_err(|problem| corrupt(None, format!("callback number {number}: {problem}")))?;
    }
    Ok(builder.finish())
}

/// Refuses a newer format before its unknown parts are complained about.
fn check_version(place: &Place, text: &[u8]) -> Result<(), StateError> {
    let Ok(Versioned {
        version,
        terraform_version,
    }) = serde_json::from_slice(text)
    else {
        return Ok(());
    };
    if terraform_version.is_some() {
        let problem = "it is a state of Terraform, not of ess-callbacks".to_owned();
        return Err(corrupt(place, None, problem));
    }
    if version > VERSION {
        return Err(StateError::NewerVersion {
            place: place.clone(),
            found: version,
            known: VERSION,
        });
    }
    if version == 0 {
        return Err(corrupt(place, None, "`version` is 0".into()));
    }
    Ok(())
}

fn corrupt(place: &Place, line: Option<u64>, problem: String) -> StateError {
    StateError::Corrupt {
        place: place.clone(),
        part: Part::Snapshot,
        line,
        problem,
    }
}

fn is_conflict_mark(line: &[u8]) -> bool {
    [b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||"]
        .iter()
        .any(|mark| line.starts_with(*mark))
}

/// serde's words without the place, which has its own way to be shown.
fn words_of(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it ends in the middle".into();
    }
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(place) => text[..place].to_owned(),
        None => text,
    }
}
