//! `vars`: values that stages differ in, and `${name}` where one is used.
//!
//! The names must be known before any value is read, and `vars` may follow what uses it, or be in
//! another file of the directory. So they are read first, by a pass that looks for nothing else. What
//! is wrong with them is reported later, when the whole file is read.
//!
//! Invariant: a value comes from callbacks.yaml or from a [`Given`], never from the environment of
//! the process, which a pull request could print a secret with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::keys::listed;
use super::name::{closest, shown};
use super::raw::{Anything, Entries, Loose, Verbatim};
use super::report::Report;
use super::secret::is_variable;
use super::source::{At, Failure, Start, Token, Tokens};
use super::{Source, code};
use crate::diag::{Code, Place};

/// Begins a reference to a variable.
const OPEN: &str = "${";

/// Values for variables from outside of callbacks.yaml. They replace those in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// From the command line, by name. Each must be declared under `vars`.
    pub flags: BTreeMap<String, String>,
    /// From `ESS_CALLBACKS_VAR_…`, by the part of the name after that. Letters of either case are
    /// equal, and one that is not declared means nothing.
    pub environment: BTreeMap<String, String>,
}

/// The variables of a configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    /// `None` for one whose declaration is wrong.
    values: BTreeMap<String, Option<String>>,
}

/// A reference that can't be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: String,
}

/// What became of a text with references.
pub(super) enum Expanded<'t> {
    Text(Cow<'t, str>),
    /// Empty when what is wrong is reported elsewhere.
    Wrong(Vec<Fault>),
}

impl Variables {
    /// Those that these files declare, with the values that hold.
    pub(super) fn of(sources: &[Source], given: &Given) -> Self {
        let mut values = BTreeMap::new();
        for source in sources {
            // A file that can't be read says so when it is read as a whole.
            for (name, value) in declared(source.decoded()).unwrap_or_default() {
                values.entry(name).or_insert(value);
            }
        }
        for (name, value) in &mut values {
            let from_environment = given
                .environment
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            let flag = given.flags.get(name);
            if let Some(given) = flag.or_else(|| from_environment.map(|(_, value)| value)) {
                *value = Some(given.clone());
            }
        }
        Self { values }
    }

    /// Reports values that were given for what is no variable.
    pub(super) fn check(&self, given: &Given, report: &mut Report) {
        for name in given.flags.keys() {
            if !self.values.contains_key(name) {
                let message = format!("--var {}: no such variable", shown(name));
                report.error(
                    Place::default(),
                    1,
                    code::UNKNOWN_VARIABLE,
                    message,
                    Some(self.known(name)),
                );
            }
        }
    }

    /// `text` with every reference replaced by its value.
    pub(super) fn expand<'t>(&self, text: Cow<'t, str>) -> Expanded<'t> {
        if !text.contains(OPEN) {
            return Expanded::Text(text);
        }
        let mut expanded = String::with_capacity(text.len());
        let mut faults = Vec::new();
        let mut wrong = false;
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
                faults.push(malformed());
                break;
            };
            match self.values.get(name) {
                Some(Some(value)) => expanded.push_str(value),
                Some(None) => wrong = true,
                None => faults.push(self.unknown(name)),
            }
            rest = after;
        }
        if wrong || !faults.is_empty() {
            return Expanded::Wrong(faults);
        }
        expanded.push_str(rest);
        Expanded::Text(Cow::Owned(expanded))
    }

    fn unknown(&self, name: &str) -> Fault {
        let name = shown(name);
        let help = match name.as_str() {
            "handle" | "proxy_organization_id" => {
                format!("for that of each organization write `{{{name}}}`, without `$`")
            }
            _ => self.known(&name),
        };
        Fault {
            code: code::UNKNOWN_VARIABLE,
            message: format!("the variable `{name}` is not declared"),
            help,
        }
    }

    fn known(&self, name: &str) -> String {
        let known: Vec<_> = self.values.keys().map(String::as_str).collect();
        if let Some(close) = closest(name, &known) {
            return format!("did you mean `{close}`?");
        }
        let declare =
            "declare it under `vars:` at the top, or write `$${` for a `${` that stays as it is";
        if known.is_empty() {
            declare.to_owned()
        } else {
            format!("{declare}; declared are {}", listed(&known))
        }
    }
}

fn malformed() -> Fault {
    Fault {
        code: code::UNKNOWN_VARIABLE,
        message: "`${` begins a variable, but no name and `}` follow".to_owned(),
        help: "write `${name}`, or `$${` for a `${` that stays as it is".to_owned(),
    }
}

/// What a variable's value says without escapes; `None` when it refers to another variable.
pub(super) fn literal(value: &str) -> Option<String> {
    let nothing = Variables::default();
    match nothing.expand(Cow::Borrowed(value)) {
        Expanded::Text(text) => Some(text.into_owned()),
        Expanded::Wrong(_) => None,
    }
}

/// The variables of one file. Reads no further than that.
fn declared(text: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
    // Most files have none, and reading takes time.
    if !text.contains("vars") || text.contains('\0') {
        return Ok(Vec::new());
    }
    let nothing = Variables::default();
    let Some(mut tokens) = Tokens::open(text, Start::default(), &nothing)? else {
        return Ok(Vec::new());
    };
    if !matches!(tokens.next()?.value, Token::Mapping) {
        return Ok(Vec::new());
    }
    while let Some(key) = tokens.key()? {
        if key.value != "vars" {
            At::<Loose<Anything>>::read(&mut tokens)?;
            continue;
        }
        let vars = At::<Loose<Entries<'_, Verbatim<'_>>>>::read(&mut tokens)?;
        let Loose::Is(Entries(entries)) = vars.value else {
            break;
        };
        let entries = entries.into_iter().map(|(name, value)| {
            let value = match value.value {
                Loose::Is(Verbatim(value)) => literal(&value),
                Loose::Not(_) => None,
            };
            (name.value.into_owned(), value)
        });
        return Ok(entries.collect());
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn variables(values: &[(&str, &str)]) -> Variables {
        let values = values.iter();
        Variables {
            values: values
                .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
                .collect(),
        }
    }

    fn expanded(text: &str) -> Result<String, String> {
        let variables = variables(&[("domain", "a.example"), ("empty", ""), ("odd", "${x}")]);
        match variables.expand(Cow::Borrowed(text)) {
            Expanded::Text(text) => Ok(text.into_owned()),
            Expanded::Wrong(faults) => Err(faults
                .iter()
                .map(|fault| format!("{}; {}", fault.message, fault.help))
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
    #[case("${domian}", "not declared; did you mean `domain`?")]
    #[case("${handle}", "write `{handle}`, without `$`")]
    #[case("${HOME}", "declare it under `vars:`")]
    #[case("${domain", "no name and `}` follow")]
    #[case("${}", "no name and `}` follow")]
    #[case("${domain:-x}", "no name and `}` follow")]
    fn what_is_no_variable_is_an_error(#[case] text: &str, #[case] expected: &str) {
        let message = expanded(text).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn what_is_given_goes_before_what_is_declared() {
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
        let given = Given {
            flags: map(&[("a", "flag"), ("d", "not this")]),
            environment: map(&[("A", "2nd"), ("B", "2nd"), ("D", "2nd"), ("X", "2nd")]),
        };
        let variables = Variables::of(&[source], &given);
        let Expanded::Text(text) = variables.expand("${a} ${b} ${c} ${D}".into()) else {
            panic!("all are declared");
        };
        assert_eq!(text, "flag 2nd 1st 2nd");
        let mut report = Report::default();
        variables.check(&given, &mut report);
        assert!(report.has_errors(), "`d` is not `D`");
    }
}
