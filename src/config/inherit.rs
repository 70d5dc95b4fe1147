//! `defaults.callbacks`: the callbacks that every organization gets besides those that it lists.
//!
//! They are read anew for each organization, because its names are put into them. So that a mistake is
//! reported once and not for each organization, they are first read for one that is made up.

use super::code;
use super::merge::Merge;
use super::names::Names;
use super::organization::Secrets;
use super::raw::{Callback, List, Loose};
use super::report::{Reader, Report};
use super::source::{At, Span};
use crate::diag::Place;
use crate::model::{self, CallbackUrl};

/// Names of an organization that nothing is wrong with.
const SOMEBODY: Names<'static> = Names {
    handle: "handle",
    member: Some("member"),
};

/// The callbacks of `defaults`, as they are written.
#[derive(Debug)]
pub(super) struct Inherited<'s> {
    list: At<Loose<List<Callback<'s>>>>,
    /// Of the file they are in.
    text: &'s str,
    place: Place,
    /// Whatever organization they are read for.
    faulty: bool,
}

impl<'s> Merge<'s> {
    /// Checks and keeps what a file has under `defaults`.
    pub(super) fn inherits(
        &mut self,
        file: u32,
        text: &'s str,
        list: Option<At<Loose<List<Callback<'s>>>>>,
    ) {
        let Some(list) = list else {
            return;
        };
        let mut found = Report::default();
        let mut reader = Reader {
            report: &mut found,
            file,
            text,
        };
        let place = reader.place(list.span);
        reader.callbacks(Some(list.clone()), SOMEBODY, &[], &mut Secrets::default());
        let faulty = found.has_errors();
        self.report.absorb(found);
        if let Some(earlier) = &self.inherited {
            let earlier = self.name_of(earlier.place);
            let message = format!("`callbacks` of `defaults` is also in {earlier}");
            let help = Some("put them into one file".to_owned());
            self.report.error(place, 1, code::CONFLICT, message, help);
            return;
        }
        self.inherited = Some(Inherited {
            list,
            text,
            place,
            faulty,
        });
    }

    /// What the organization with these names, at this place, inherits besides what it declares itself.
    pub(super) fn inherit(
        &mut self,
        names: Names<'_>,
        (place, span): (Place, Span),
        declared: &[model::Callback],
        absent: &[(CallbackUrl, Place)],
        secrets: &mut Secrets,
    ) -> Vec<model::Callback> {
        let Some(inherited) = &self.inherited else {
            return Vec::new();
        };
        let mut found = Report::default();
        let mut reader = Reader {
            report: &mut found,
            file: inherited.place.file,
            text: inherited.text,
        };
        let mut callbacks = reader.callbacks(Some(inherited.list.clone()), names, &[], secrets);
        if !inherited.faulty {
            for (at, code, message, help) in found.errors() {
                let help = if code == code::NO_MEMBER {
                    Some("add `proxy_organization_id:`, or write `inherit: false`".to_owned())
                } else {
                    help
                };
                let message = format!("inherited from {}: {message}", self.name_of(at));
                self.report.error(place, span.length, code, message, help);
            }
        }
        callbacks.retain(|callback| {
            let same = |own: &model::Callback| own.url.cmp(&callback.url);
            declared.binary_search_by(same).is_err()
        });
        for callback in &callbacks {
            if let Ok(at) = absent.binary_search_by(|(url, _)| url.cmp(&callback.url)) {
                let length = callback.url.as_str().len();
                let message =
                    "this URL is both listed under `absent` and inherited from `defaults`";
                let help = "remove it here, or write `inherit: false` for this organization";
                self.report.error(
                    absent[at].1,
                    u32::try_from(length).unwrap_or(u32::MAX),
                    code::DECLARED_AND_ABSENT,
                    message,
                    Some(help.to_owned()),
                );
            }
        }
        callbacks
    }
}
