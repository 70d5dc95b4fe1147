//! `accept`: warnings that the user has looked at and accepts, with a reason.

use std::borrow::Cow;

use super::reader::Reader;
use crate::config::code::{self, CODES};
use crate::config::name::{closest, shown};
use crate::config::raw::{Entries, Text, Value};
use crate::config::report::Acceptance;
use crate::config::yaml::Spanned;
use crate::diag::Code;

impl Reader<'_> {
    /// Reads the value of an `accept`.
    pub(crate) fn accept(
        &mut self,
        value: Option<Spanned<Value<Entries<'_, Text<'_>>>>>,
    ) -> Vec<Acceptance> {
        let Some(entries) = self.field("accept", value) else {
            return Vec::new();
        };
        let mut accepted: Vec<Acceptance> = Vec::new();
        for (key, reason) in entries.value.0 {
            let Some(code) = self.warning_code(&key) else {
                continue;
            };
            let what = format_args!("the reason for `{}`", code.0);
            let Some(reason) = self.expect(what, reason) else {
                continue;
            };
            if reason.value.0.trim().is_empty() {
                let message = format!("`{}` is accepted without a reason", code.0);
                let help = "write why the warning is acceptable here".to_owned();
                self.error(reason.span, code::ACCEPTANCE, message, Some(help));
                continue;
            }
            let is_duplicate =
                |earlier: &Acceptance| self.report.acceptances.code(*earlier) == code;
            if accepted.iter().any(is_duplicate) {
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

    /// The code of a warning; anything else is reported.
    fn warning_code(&mut self, key: &Spanned<Cow<'_, str>>) -> Option<Code> {
        let known = CODES.iter().find(|doc| doc.code.0 == key.value);
        let (message, help) = match known {
            Some(doc) if doc.code.0.starts_with('W') => return Some(doc.code),
            Some(_) => (
                format!("`{}` is an error and can't be accepted", key.value),
                "only warnings can be accepted; correct the error".to_owned(),
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
                let message = format!("unknown warning `{}`", shown(&key.value));
                (message, help)
            }
        };
        self.error(key.span, code::ACCEPTANCE, message, Some(help));
        None
    }
}
