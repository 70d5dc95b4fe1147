//! Warnings that the configuration accepts, with a reason.
//!
//! An acceptance is for a callback, for what an organization lists, or (under `defaults`) for everything. An
//! acceptance without such a warning is a warning itself, so that none outlives its reason.

use std::collections::BTreeMap;

use crate::config::code;
use crate::diag::{Code, Place};

/// Warnings about the values of secrets. The values are read later, so it is not known here whether these
/// acceptances are used.
const OF_VALUES: [Code; 2] = [code::PLACEHOLDER, code::QUOTED_SECRET];

/// One `CODE: reason`.
#[derive(Clone, Debug)]
struct Entry {
    code: Code,
    place: Place,
    length: u32,
    is_used: bool,
}

/// The index of an acceptance in its [`Acceptances`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acceptance(usize);

/// All acceptances of a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acceptances {
    entries: Vec<Entry>,
    /// The acceptances for the warnings at a place, the innermost first.
    at: BTreeMap<Place, Vec<Acceptance>>,
    everywhere: Vec<Acceptance>,
}

impl Acceptances {
    pub(crate) fn add(&mut self, code: Code, place: Place, length: u32) -> Acceptance {
        self.entries.push(Entry {
            code,
            place,
            length,
            is_used: false,
        });
        Acceptance(self.entries.len() - 1)
    }

    /// Accepts these at a place. Earlier ones have precedence.
    pub(crate) fn apply_at(&mut self, place: Place, these: &[Acceptance]) {
        if !these.is_empty() {
            self.at.entry(place).or_default().extend(these);
        }
    }

    /// Accepts these at every place.
    pub(crate) fn apply_everywhere(&mut self, these: &[Acceptance]) {
        self.everywhere.extend(these);
    }

    pub(crate) fn code(&self, Acceptance(index): Acceptance) -> Code {
        self.entries[index].code
    }

    /// Adds those of another report.
    pub(super) fn append(&mut self, other: Self) {
        let first = self.entries.len();
        let moved = |these: Vec<Acceptance>| {
            let these = these.into_iter();
            these.map(move |Acceptance(index)| Acceptance(first + index))
        };
        self.entries.extend(other.entries);
        for (place, these) in other.at {
            self.at.entry(place).or_default().extend(moved(these));
        }
        self.everywhere.extend(moved(other.everywhere));
    }

    /// Whether this warning is accepted. Marks the acceptance as used.
    pub(super) fn accepts(&mut self, place: Place, code: Code) -> bool {
        let here = self.at.get(&place).into_iter().flatten();
        let mut candidates = here.chain(&self.everywhere);
        let found = candidates.find(|Acceptance(index)| self.entries[*index].code == code);
        let Some(&Acceptance(index)) = found else {
            return false;
        };
        self.entries[index].is_used = true;
        true
    }

    /// The accepted warnings about the value of a secret that is used at this place.
    pub(crate) fn of_value(&self, place: Place) -> Vec<Code> {
        let here = self.at.get(&place).into_iter().flatten();
        let codes = here
            .chain(&self.everywhere)
            .map(|acceptance| self.code(*acceptance));
        let mut codes: Vec<_> = codes.filter(|code| OF_VALUES.contains(code)).collect();
        codes.dedup();
        codes
    }

    /// The place, length and code of each acceptance that accepted nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = (Place, u32, Code)> {
        self.entries
            .iter()
            .filter(|entry| !entry.is_used && !OF_VALUES.contains(&entry.code))
            .map(|entry| (entry.place, entry.length, entry.code))
    }
}
