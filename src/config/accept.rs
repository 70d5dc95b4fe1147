//! `accept`: warnings that somebody has looked at and silenced, with a reason.
//!
//! An acceptance holds where it is written: for a callback, for what an organization lists, or under
//! `defaults` for everything. One that silences nothing is a warning itself, so that none outlives what
//! it was for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::code::{self, CODES};
use super::name::{closest, shown};
use super::raw::{Entries, Loose, Text};
use super::report::Reader;
use super::source::At;
use crate::diag::{Code, Place};

/// Warnings about the values of secrets. They are found when the values are read, after this.
const OF_VALUES: [Code; 2] = [code::PLACEHOLDER, code::QUOTED_SECRET];

/// One `CODE: reason`.
#[derive(Clone, Debug)]
struct Acceptance {
    code: Code,
    place: Place,
    length: u32,
    used: bool,
}

/// Points to an acceptance of the same report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted(usize);

/// All acceptances of a configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Acceptances {
    all: Vec<Acceptance>,
    /// Those that hold at a place, the innermost first.
    at: BTreeMap<Place, Vec<Accepted>>,
    everywhere: Vec<Accepted>,
}

impl Acceptances {
    pub(super) const NONE: Self = Self {
        all: Vec::new(),
        at: BTreeMap::new(),
        everywhere: Vec::new(),
    };

    fn add(&mut self, code: Code, place: Place, length: u32) -> Accepted {
        self.all.push(Acceptance {
            code,
            place,
            length,
            used: false,
        });
        Accepted(self.all.len() - 1)
    }

    /// These hold for what is found at this place, unless an earlier one does.
    pub(super) fn hold_at(&mut self, place: Place, these: &[Accepted]) {
        if !these.is_empty() {
            self.at.entry(place).or_default().extend(these);
        }
    }

    /// These hold for everything.
    pub(super) fn hold_everywhere(&mut self, these: &[Accepted]) {
        self.everywhere.extend(these);
    }

    /// Adds those of another part.
    pub(super) fn absorb(&mut self, other: Self) {
        let first = self.all.len();
        let moved = |these: Vec<Accepted>| {
            let these = these.into_iter();
            these.map(move |Accepted(number)| Accepted(first + number))
        };
        self.all.extend(other.all);
        for (place, these) in other.at {
            self.at.entry(place).or_default().extend(moved(these));
        }
        self.everywhere.extend(moved(other.everywhere));
    }

    /// Whether this warning is accepted, which makes its acceptance a used one.
    pub(super) fn take(&mut self, place: Place, code: Code) -> bool {
        let here = self.at.get(&place).into_iter().flatten();
        let mut candidates = here.chain(&self.everywhere);
        let found = candidates.find(|Accepted(number)| self.all[*number].code == code);
        let Some(&Accepted(number)) = found else {
            return false;
        };
        self.all[number].used = true;
        true
    }

    /// What is accepted of the value of a secret that is used at this place.
    pub(super) fn of_value(&self, place: Place) -> Vec<Code> {
        let here = self.at.get(&place).into_iter().flatten();
        let codes = here
            .chain(&self.everywhere)
            .map(|Accepted(number)| self.all[*number].code);
        let mut codes: Vec<_> = codes.filter(|code| OF_VALUES.contains(code)).collect();
        codes.dedup();
        codes
    }

    /// Those that silenced nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = (Place, u32, Code)> {
        self.all
            .iter()
            .filter(|one| !one.used && !OF_VALUES.contains(&one.code))
            .map(|one| (one.place, one.length, one.code))
    }
}

impl Reader<'_> {
    /// Reads the value of an `accept`.
    pub(super) fn accept(
        &mut self,
        value: Option<At<Loose<Entries<'_, Text<'_>>>>>,
    ) -> Vec<Accepted> {
        let Some(entries) = self.field("accept", value) else {
            return Vec::new();
        };
        let mut accepted: Vec<Accepted> = Vec::new();
        for (key, reason) in entries.value.0 {
            let Some(code) = self.acceptable(&key) else {
                continue;
            };
            let what = format_args!("the reason for `{}`", code.0);
            let Some(reason) = self.expect(what, reason) else {
                continue;
            };
            if reason.value.0.trim().is_empty() {
                let message = format!("`{}` is accepted without a reason", code.0);
                let help = "write why it is right here, for the next reader".to_owned();
                self.error(reason.span, code::ACCEPTANCE, message, Some(help));
                continue;
            }
            let again =
                |Accepted(number): &Accepted| self.report.acceptances.all[*number].code == code;
            if accepted.iter().any(again) {
                let message = format!("duplicate field `{}`", code.0);
                let help = Some("remove one of the two".to_owned());
                self.error(key.span, code::DUPLICATE_KEY, message, help);
                continue;
            }
            let place = self.place(key.span);
            let new = self.report.acceptances.add(code, place, key.span.length);
            accepted.push(new);
        }
        accepted
    }

    /// The warning that is meant.
    fn acceptable(&mut self, key: &At<Cow<'_, str>>) -> Option<Code> {
        let known = CODES.iter().find(|doc| doc.code.0 == key.value);
        let (message, help) = match known {
            Some(doc) if doc.code.0.starts_with('W') => return Some(doc.code),
            Some(_) => (
                format!("`{}` is an error and can't be accepted", key.value),
                "only warnings can; mend what it is about".to_owned(),
            ),
            None => {
                let warnings: Vec<_> = CODES
                    .iter()
                    .map(|doc| doc.code.0)
                    .filter(|code| code.starts_with('W'))
                    .collect();
                let help = closest(&key.value, &warnings).map_or_else(
                    || "write the code of a warning, such as `W003`".to_owned(),
                    |close| format!("did you mean `{close}`?"),
                );
                let message = format!("there is no warning `{}`", shown(&key.value));
                (message, help)
            }
        };
        self.error(key.span, code::ACCEPTANCE, message, Some(help));
        None
    }
}
