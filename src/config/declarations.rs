//! `vars`: the declared variables, read before everything else.
//!
//! `vars` may follow what uses it, or be in another file of the directory, so this pass reads nothing else.
//! Errors in it are reported later, when the whole file is read.

use super::code;
use super::name::shown;
use super::raw::{AnyValue, Entries, Value, Verbatim};
use super::report::Report;
use super::source::Source;
use super::variables::{Overrides, Variables, literal};
use super::yaml::{Spanned, Token, Tokens, YamlError};
use crate::diag::Place;

/// The variables that these files declare, with their overrides.
pub(super) fn variables(sources: &[Source], overrides: &Overrides) -> Variables {
    let declared = sources
        .iter()
        .flat_map(|source| declared(source.decoded()).unwrap_or_default());
    Variables::new(declared, overrides)
}

/// Reports values of `--var` for variables that are not declared.
pub(super) fn check_overrides(variables: &Variables, overrides: &Overrides, report: &mut Report) {
    for name in overrides.flags.keys() {
        if !variables.contains(name) {
            report.error(
                Place::default(),
                1,
                code::UNKNOWN_VARIABLE,
                format!("--var {}: unknown variable", shown(name)),
                Some(variables.suggestion(name)),
            );
        }
    }
}

/// The variables of one file. Stops after `vars`.
fn declared(text: &str) -> Result<Vec<(String, Option<String>)>, Box<YamlError>> {
    // Most files have none, and reading takes time.
    if !text.contains("vars") || text.contains('\0') {
        return Ok(Vec::new());
    }
    let none = Variables::default();
    let Some(mut tokens) = Tokens::open(text, &none)? else {
        return Ok(Vec::new());
    };
    if !matches!(tokens.next()?.value, Token::Mapping) {
        return Ok(Vec::new());
    }
    while let Some(key) = tokens.key()? {
        if key.value != "vars" {
            Spanned::<Value<AnyValue>>::read(&mut tokens)?;
            continue;
        }
        let vars = Spanned::<Value<Entries<'_, Verbatim<'_>>>>::read(&mut tokens)?;
        let Value::Valid(Entries(entries)) = vars.value else {
            break;
        };
        let entries = entries.into_iter().map(|(name, value)| {
            let value = match value.value {
                Value::Valid(Verbatim(value)) => literal(&value),
                Value::WrongType(_) => None,
            };
            (name.value.into_owned(), value)
        });
        return Ok(entries.collect());
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_replace_declared_values() {
        let source = Source {
            name: "callbacks.yaml".into(),
            text: b"organizations: {a: {callbacks: [x]}}\nvars: {a: 1st, b: 1st, c: 1st, D: 1st}"
                .to_vec(),
        };
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let overrides = Overrides {
            flags: map(&[("a", "flag"), ("d", "not this")]),
            environment: map(&[("A", "2nd"), ("B", "2nd"), ("D", "2nd"), ("X", "2nd")]),
        };
        let variables = variables(&[source], &overrides);
        assert_eq!(
            variables.expand("${a} ${b} ${c} ${D}".into()).as_deref(),
            Ok("flag 2nd 1st 2nd")
        );
        let mut report = Report::default();
        check_overrides(&variables, &overrides, &mut report);
        assert!(report.has_errors(), "`d` is not `D`");
    }
}
