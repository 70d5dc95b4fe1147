//! `vars` of all files. Their values were read before (`declarations`); here they are checked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::locations::Locations;
use crate::config::code;
use crate::config::name::{is_variable, shown};
use crate::config::raw::{Value, Verbatim};
use crate::config::read::Reader;
use crate::config::variables::literal;
use crate::config::yaml::Spanned;
use crate::diag::Place;

/// The value of each variable as it is written, and the place of its name.
pub(super) type DeclaredVariables = BTreeMap<String, (String, Place)>;

/// Adds a variable of one file.
pub(super) fn add(
    variables: &mut DeclaredVariables,
    reader: &mut Reader<'_>,
    locations: Locations<'_>,
    name: &Spanned<Cow<'_, str>>,
    value: Spanned<Value<Verbatim<'_>>>,
) {
    let place = reader.place(name.span);
    if !is_variable(&name.value) {
        let message = format!("invalid variable name `{}`", shown(&name.value));
        let help = "use letters, digits and `_`, not beginning with a digit".to_owned();
        reader.error(name.span, code::NAME, message, Some(help));
        return;
    }
    let Some(value) = reader.expect(format_args!("the value of a variable"), value) else {
        return;
    };
    if literal(&value.value.0).is_none() {
        let message = "the value of a variable can't use another variable".to_owned();
        let help = "write the value out, or `$${` for a literal `${`".to_owned();
        reader.error(value.span, code::UNKNOWN_VARIABLE, message, Some(help));
        return;
    }
    let value = value.value.0.into_owned();
    // `ESS_CALLBACKS_VAR_<NAME>` ignores case.
    let known = variables
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(&name.value));
    match known {
        None => {
            variables.insert(name.value.to_string(), (value, place));
        }
        Some((known, (_, earlier))) if earlier.file == place.file || *known != name.value => {
            let message = format!("duplicate variable `{}`", name.value);
            let help = if *known == name.value {
                "remove one of the two".to_owned()
            } else {
                format!("`{known}` differs in case only; rename one of the two")
            };
            reader.error(name.span, code::DUPLICATE_KEY, message, Some(help));
        }
        Some((_, (before, _))) if *before == value => {}
        Some((_, (_, earlier))) => {
            let what = format!("the variable `{}`", name.value);
            locations.conflict(reader.report, &what, place, *earlier);
        }
    }
}
