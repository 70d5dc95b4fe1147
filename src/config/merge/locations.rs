//! Places in messages about several files.

use crate::config::code;
use crate::config::report::Report;
use crate::config::source::Source;
use crate::diag::Place;

/// The names of the files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locations<'s>(pub(super) &'s [Source]);

impl Locations<'_> {
    /// `file:line`.
    pub(super) fn of(self, place: Place) -> String {
        let source = self.0.get(place.file as usize);
        let name = source.map_or("", |source| &source.name);
        format!("{name}:{}", place.line)
    }

    /// Reports that two files have different values of `what`.
    pub(super) fn conflict(self, report: &mut Report, what: &str, place: Place, earlier: Place) {
        report.error(
            place,
            1,
            code::CONFLICT,
            format!("{what} is different in {}", self.of(earlier)),
            Some("set it in one file only, or to the same value in all files".to_owned()),
        );
    }
}
