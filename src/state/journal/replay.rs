//! Reads a journal and folds it into what the snapshot says.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::Arc;

use serde::Deserialize;

use super::chain::Chain;
use super::record::Record;
use super::{Header, VERSION};
use crate::model::{Environment, Lineage, Recorded, Scope};
use crate::state::error::io;
use crate::state::format::check_number;
use crate::state::{Part, Place, StateError};

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

/// A journal whose header has been read.
pub(in crate::state) struct Journal<'p, R> {
    place: &'p Place,
    input: BufReader<R>,
    chain: Chain,
    line: Vec<u8>,
    number: u64,
    pub(in crate::state) header: Header,
}

impl<'p, R: Read> Journal<'p, R> {
    pub(in crate::state) fn open(place: &'p Place, input: R) -> Result<Self, StateError> {
        let mut journal = Self {
            place,
            input: BufReader::with_capacity(1 << 16, input),
            chain: Chain::default(),
            line: Vec::new(),
            number: 0,
            header: Header {
                version: 0,
                lineage: Lineage(uuid::Uuid::nil()),
                base_serial: 0,
            },
        };
        journal.next_line()?;
        if let Ok(Versioned { version: found }) = serde_json::from_slice(&journal.line)
            && found > VERSION
        {
            return Err(StateError::NewerVersion {
                place: place.clone(),
                found,
                known: VERSION,
            });
        }
        // The header is in place before the file gets its name, so no crash can damage it.
        let header: Option<Header> = journal
            .chain
            .open(&journal.line)
            .and_then(|object| serde_json::from_slice(&object).ok());
        match header {
            Some(header) => {
                check_number("base_serial", header.base_serial)
                    .map_err(|problem| journal.problem(problem))?;
                journal.header = header;
                Ok(journal)
            }
            None => Err(journal.problem("the first line is not a journal's header")),
        }
    }

    /// Folds all records into what the snapshot says. Returns how many there were.
    pub(in crate::state) fn replay(mut self, recorded: &mut Recorded) -> Result<u64, StateError> {
        let mut folder = Folder {
            environment: recorded.environment,
            recorded,
            scope: None,
            records: 0,
        };
        while self.next_line()? {
            let Some(object) = self.chain.open(&self.line) else {
                if !self.is_at_end()? || Chain::has_sum_inside(&self.line) {
                    return Err(self.problem(
                        "the line is damaged, or lines before it are missing; and it is not the \
                         last, which a crash may damage",
                    ));
                }
                if Chain::is_whole(&self.line) {
                    return Err(self.problem(
                        "the line is whole but its sum does not fit: it was changed after it was \
                         written, or lines before it are missing",
                    ));
                }
                break;
            };
            let batch: Batch<'_> = serde_json::from_slice(&object)
                .map_err(|error| self.problem(format!("the line can't be understood: {error}")))?;
            for record in &batch.records {
                folder
                    .fold(record)
                    .map_err(|problem| self.problem(problem))?;
            }
        }
        Ok(folder.records)
    }

    fn next_line(&mut self) -> Result<bool, StateError> {
        self.line.clear();
        let length = self
            .input
            .read_until(b'\n', &mut self.line)
            .map_err(io("reading", self.place))?;
        self.number += 1;
        Ok(length > 0)
    }

    fn is_at_end(&mut self) -> Result<bool, StateError> {
        let rest = self.input.fill_buf().map_err(io("reading", self.place))?;
        Ok(rest.is_empty())
    }

    fn problem(&self, problem: impl Into<String>) -> StateError {
        StateError::Corrupt {
            place: self.place.clone(),
            part: Part::Journal,
            line: Some(self.number),
            problem: problem.into(),
        }
    }
}

struct Folder<'r> {
    environment: Environment,
    recorded: &'r mut Recorded,
    /// Of the last intent: mostly the next one's too.
    scope: Option<Arc<Scope>>,
    records: u64,
}

impl Folder<'_> {
    fn fold(&mut self, record: &Record<'_>) -> Result<(), String> {
        match record {
            Record::Intent(intent) => {
                if self.recorded.is_pending(intent.id) {
                    let id = intent.id.0;
                    return Err(format!("the call with the `id` {id} begins a second time"));
                }
                let scope = self.known(intent.scope(self.environment));
                self.recorded.open_call(intent.id, &intent.intent(scope)?);
            }
            Record::Outcome(outcome) => {
                let known = outcome.outcome()?;
                // No such call is pending when it was begun again before it was settled.
                drop(self.recorded.close_call(outcome.id, &known, outcome.at));
            }
        }
        self.records += 1;
        Ok(())
    }

    /// The scope as it is held already, so that it is kept once.
    fn known(&mut self, scope: Scope) -> Arc<Scope> {
        match &self.scope {
            Some(last) if **last == scope => Arc::clone(last),
            Some(_) | None => {
                let known = self.recorded.scopes.get_key_value(&scope);
                let shared = known.map_or_else(|| Arc::new(scope), |(held, _)| Arc::clone(held));
                Arc::clone(self.scope.insert(shared))
            }
        }
    }
}
