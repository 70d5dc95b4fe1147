//! `defaults.callbacks`: callbacks of every organization.
//!
//! They are read for each organization, because they may contain its names. So that an error is reported once and not
//! for each organization, they are first read with sample names.

use super::locations::Locations;
use crate::config::code;
use crate::config::raw::{Callback, List, Value};
use crate::config::read::{Names, Reader, SecretTable, UnresolvedOrganization};
use crate::config::report::Report;
use crate::config::yaml::Spanned;
use crate::diag::Place;
use crate::model::{self, OrganizationId};

/// Names that are valid everywhere.
const SAMPLE: Names<'static> = Names {
    handle: "handle",
    member: Some("member"),
};

/// The callbacks of `defaults` as they are written.
#[derive(Debug)]
pub(super) struct Inherited<'s> {
    list: Spanned<Value<List<Callback<'s>>>>,
    /// Of the file they are in.
    text: &'s str,
    pub(super) place: Place,
    /// They have an error with any names, which is reported already.
    has_errors: bool,
}

impl<'s> Inherited<'s> {
    /// Checks `defaults.callbacks` of one file.
    pub(super) fn read(
        file: u32,
        text: &'s str,
        list: Spanned<Value<List<Callback<'s>>>>,
        report: &mut Report,
    ) -> Self {
        let mut own_report = Report::default();
        let mut reader = Reader {
            report: &mut own_report,
            file,
            text,
        };
        let place = reader.place(list.span);
        reader.callbacks(Some(list.clone()), SAMPLE, &[], &mut SecretTable::default());
        let has_errors = own_report.has_errors();
        report.append(own_report);
        Self {
            list,
            text,
            place,
            has_errors,
        }
    }

    /// The callbacks that an organization inherits: those with a URL that it does not declare itself.
    pub(super) fn callbacks_of(
        &self,
        organization: &UnresolvedOrganization,
        secrets: &mut SecretTable,
        locations: Locations<'_>,
        report: &mut Report,
    ) -> Vec<model::Callback> {
        let UnresolvedOrganization {
            handle,
            place,
            span,
            organization: member,
            callbacks: declared,
            absent,
            ..
        } = organization;
        let names = Names {
            handle: handle.as_str(),
            member: member.as_ref().map(OrganizationId::as_str),
        };
        let mut own_report = Report::default();
        let mut reader = Reader {
            report: &mut own_report,
            file: self.place.file,
            text: self.text,
        };
        let mut callbacks = reader.callbacks(Some(self.list.clone()), names, &[], secrets);
        if !self.has_errors {
            for (at, code, message, help) in own_report.errors() {
                let help = if code == code::NO_MEMBER {
                    Some("add `proxy_organization_id:`, or write `inherit: false`".to_owned())
                } else {
                    help
                };
                let message = format!("inherited from {}: {message}", locations.of(at));
                report.error(*place, span.length, code, message, help);
            }
        }
        callbacks.retain(|callback| {
            declared
                .binary_search_by(|own| own.url.cmp(&callback.url))
                .is_err()
        });
        for callback in &callbacks {
            if let Ok(at) = absent.binary_search_by(|(url, _)| url.cmp(&callback.url)) {
                let length = callback.url.as_str().len();
                report.error(
                    absent[at].1,
                    u32::try_from(length).unwrap_or(u32::MAX),
                    code::DECLARED_AND_ABSENT,
                    "this URL is both listed under `absent` and inherited from `defaults`",
                    Some(
                        "remove it here, or write `inherit: false` for this organization"
                            .to_owned(),
                    ),
                );
            }
        }
        callbacks
    }
}
