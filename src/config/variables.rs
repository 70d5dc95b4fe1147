//! `${name}` in a string: replaced by the value of a variable.
//!
//! A value comes from callbacks.yaml or from [`Overrides`], never from the environment of the process: a pull
//! request could otherwise print a secret of the CI job.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::code;
use super::name::{closest, is_variable, listed, shown};
use crate::diag::Code;

/// Begins a reference to a variable.
const OPEN: &str = "${";

/// Values of variables from the command line and the environment. They override those in callbacks.yaml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Values of `--var`, by name. Each variable must be declared under `vars`.
    pub flags: BTreeMap<String, String>,
    /// Values of `ESS_CALLBACKS_VAR_<NAME>`, by NAME. The case of letters does not matter, and undeclared
    /// variables are ignored.
    pub environment: BTreeMap<String, String>,
}

/// The variables of a configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    /// `None` for a variable whose declaration has an error.
    values: BTreeMap<String, Option<String>>,
}

/// A reference that can't be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VariableError {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: String,
}

impl Variables {
    /// The declared variables with their overrides. The first declaration of a name counts.
    pub(super) fn new(
        declared: impl IntoIterator<Item = (String, Option<String>)>,
        overrides: &Overrides,
    ) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in declared {
            values.entry(name).or_insert(value);
        }
        for (name, value) in &mut values {
            let from_environment = overrides
                .environment
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            let flag = overrides.flags.get(name);
            if let Some(new) = flag.or_else(|| from_environment.map(|(_, value)| value)) {
                *value = Some(new.clone());
            }
        }
        Self { values }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// `text` with every reference replaced by its value. The list of errors is empty when the only error is
    /// in the declaration of a variable, where it is reported.
    pub(super) fn expand<'t>(
        &self,
        text: Cow<'t, str>,
    ) -> Result<Cow<'t, str>, Vec<VariableError>> {
        if !text.contains(OPEN) {
            return Ok(text);
        }
        let mut expanded = String::with_capacity(text.len());
        let mut errors = Vec::new();
        let mut has_value = true;
        let mut rest = &*text;
        while let Some(at) = rest.find(OPEN) {
            let (before, reference) = rest.split_at(at);
            let inside = &reference[OPEN.len()..];
            if let Some(literal) = before.strip_suffix('$') {
                expanded.extend([literal, OPEN]);
                rest = inside;
                continue;
            }
            expanded.push_str(before);
            let name = inside.split_once('}').filter(|(name, _)| is_variable(name));
            let Some((name, after)) = name else {
                errors.push(malformed());
                break;
            };
            match self.values.get(name) {
                Some(Some(value)) => expanded.push_str(value),
                Some(None) => has_value = false,
                None => errors.push(self.unknown(name)),
            }
            rest = after;
        }
        if !has_value || !errors.is_empty() {
            return Err(errors);
        }
        expanded.push_str(rest);
        Ok(Cow::Owned(expanded))
    }

    fn unknown(&self, name: &str) -> VariableError {
        let name = shown(name);
        let help = match name.as_str() {
            "handle" | "proxy_organization_id" => {
                format!("to use that of each organization, write `{{{name}}}` without `$`")
            }
            _ => self.suggestion(&name),
        };
        VariableError {
            code: code::UNKNOWN_VARIABLE,
            message: format!("unknown variable `{name}`"),
            help,
        }
    }

    /// Help for an undeclared variable: the closest name, or how to declare it.
    pub(super) fn suggestion(&self, name: &str) -> String {
        let known: Vec<_> = self.values.keys().map(String::as_str).collect();
        if let Some(close) = closest(name, &known) {
            return format!("did you mean `{close}`?");
        }
        let declare = "declare it under `vars:` at the top, or write `$${` for a literal `${`";
        if known.is_empty() {
            declare.to_owned()
        } else {
            format!("{declare}; declared variables are {}", listed(&known))
        }
    }
}

fn malformed() -> VariableError {
    VariableError {
        code: code::UNKNOWN_VARIABLE,
        message: "`${` is not followed by a name and `}`".to_owned(),
        help: "write `${name}`, or `$${` for a literal `${`".to_owned(),
    }
}

/// The value of a variable without escapes; `None` when it refers to another variable.
pub(super) fn literal(value: &str) -> Option<String> {
    let none = Variables::default();
    none.expand(Cow::Borrowed(value)).ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let declared = [("domain", "a.example"), ("empty", ""), ("odd", "${x}")];
        let declared = declared.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        let variables = Variables::new(declared, &Overrides::default());
        match variables.expand(Cow::Borrowed(text)) {
            Ok(text) => Ok(text.into_owned()),
            Err(errors) => Err(errors
                .iter()
                .map(|error| format!("{}; {}", error.message, error.help))
                .collect::<Vec<_>>()
                .join("\n")),
        }
    }

    #[rstest]
    #[case("plain $ {x} $x", "plain $ {x} $x")]
    #[case("https://${domain}/${domain}", "https://a.example/a.example")]
    #[case("a${empty}b", "ab")]
    #[case("$${domain}", "${domain}")]
    #[case("$$${domain}", "$${domain}")]
    #[case("$${${domain}}", "${a.example}")]
    #[case("${odd}", "${x}")]
    fn references_are_replaced_once(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(expanded(text).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case("${domian}", "unknown variable `domian`; did you mean `domain`?")]
    #[case("${handle}", "write `{handle}` without `$`")]
    #[case("${HOME}", "declare it under `vars:`")]
    #[case("${domain", "not followed by a name")]
    #[case("${}", "not followed by a name")]
    #[case("${domain:-x}", "not followed by a name")]
    fn an_unknown_or_malformed_reference_is_an_error(#[case] text: &str, #[case] expected: &str) {
        let message = expanded(text).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}
