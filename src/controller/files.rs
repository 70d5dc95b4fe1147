//! The files of a directory, when some of them can't be used: what was good before stays in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Overrides, Parsed, Source, parse_with};
use crate::diag::{Diagnostic, Severity};

/// The texts of the files that were good last.
#[derive(Clone, Debug, Default)]
pub struct LastGood(BTreeMap<Arc<str>, Vec<u8>>);

/// A configuration of which parts may be older than the files.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it was read from. A broken file has its last good text, or is missing.
    pub sources: Vec<Source>,
    pub parsed: Parsed,
    pub broken: Vec<Broken>,
}

/// A file that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub file: Arc<str>,
    /// What is wrong with it, or with what it says together with the others.
    pub problems: Vec<Diagnostic>,
    /// Why it can't be read at all.
    pub unreadable: Option<String>,
    /// Whether its last good text is used. Otherwise nothing is known of its organizations.
    pub has_last_good: bool,
}

impl LastGood {
    /// Checks the files. When some have errors, the last good text of each takes its place; one without is left out.
    /// When that does not fit together either, all files are as they were.
    ///
    /// # Errors
    /// The errors of the files, when there is nothing to fall back to.
    pub fn check(
        &mut self,
        current: &[Source],
        unreadable: Vec<(Arc<str>, String)>,
        overrides: &Overrides,
    ) -> Result<Checked, Vec<Diagnostic>> {
        let names: Vec<_> = unreadable
            .iter()
            .map(|(name, _)| Arc::clone(name))
            .collect();
        let unreadable = unreadable.into_iter().map(|(file, why)| Broken {
            has_last_good: self.0.contains_key(&file),
            file,
            problems: Vec::new(),
            unreadable: Some(why),
        });
        let unreadable: Vec<_> = unreadable.collect();
        // First as if only these were missing.
        let mut filled = current.to_vec();
        filled.extend(self.last_good(&names));
        filled.sort_by(|one, other| one.name.cmp(&other.name));
        let errors = match parse_with(&filled, overrides, &[]) {
            Ok(parsed) => {
                self.0 = texts(&filled);
                return Ok(Checked {
                    sources: filled,
                    parsed,
                    broken: unreadable,
                });
            }
            Err(errors) => errors,
        };
        let mut broken = self.broken(current, &errors);
        broken.extend(unreadable);
        let is_broken = |source: &Source| broken.iter().any(|one| one.file == source.name);
        let (bad, good): (Vec<_>, Vec<_>) = current.iter().partition(|source| is_broken(source));
        let bad = bad.into_iter().map(|source| Arc::clone(&source.name));
        let bad: Vec<_> = bad.chain(names.iter().cloned()).collect();
        let mut mixed: Vec<_> = good.into_iter().cloned().collect();
        mixed.extend(self.last_good(&bad));
        mixed.sort_by(|one, other| one.name.cmp(&other.name));
        // Errors without a place, or all files broken and none known: nothing to go on with.
        if !broken.is_empty()
            && let Ok(parsed) = parse_with(&mixed, overrides, &[])
        {
            let good = current.iter().filter(|source| !is_broken(source)).cloned();
            self.0.extend(texts(&good.collect::<Vec<_>>()));
            self.0.retain(|name, _| {
                names.contains(name) || current.iter().any(|source| source.name == *name)
            });
            return Ok(Checked {
                sources: mixed,
                parsed,
                broken,
            });
        }
        let before: Vec<_> = self
            .0
            .iter()
            .map(|(name, text)| Source {
                name: Arc::clone(name),
                text: text.clone(),
            })
            .collect();
        match parse_with(&before, overrides, &[]) {
            Ok(parsed) => Ok(Checked {
                sources: before,
                parsed,
                broken: self.all_as_before(&broken, &errors),
            }),
            Err(_) => Err(errors),
        }
    }

    /// The last good texts of these files, of those that were good once.
    fn last_good(&self, names: &[Arc<str>]) -> Vec<Source> {
        let text = |name: &Arc<str>| {
            Some(Source {
                text: self.0.get(name)?.clone(),
                name: Arc::clone(name),
            })
        };
        names.iter().filter_map(text).collect()
    }

    /// The files that errors name.
    fn broken(&self, current: &[Source], errors: &[Diagnostic]) -> Vec<Broken> {
        let errors = || errors.iter().filter(|one| one.severity == Severity::Error);
        let is_of = |one: &Diagnostic, file: &str| {
            let snippet = one.snippet.as_ref();
            snippet.is_some_and(|snippet| *snippet.file == *file)
        };
        let named = current.iter().filter_map(|source| {
            let of_it = errors().filter(|one| is_of(one, &source.name));
            let problems: Vec<_> = of_it.cloned().collect();
            (!problems.is_empty()).then(|| Broken {
                file: Arc::clone(&source.name),
                problems,
                unreadable: None,
                has_last_good: self.0.contains_key(&source.name),
            })
        });
        named.collect()
    }

    /// Nothing of the new files is used, because they don't fit together.
    fn all_as_before(&self, named: &[Broken], errors: &[Diagnostic]) -> Vec<Broken> {
        let names: BTreeSet<_> = named.iter().map(|one| Arc::clone(&one.file)).collect();
        let others = self.0.keys().filter(|name| !names.contains(*name));
        let others = others.map(|name| Broken {
            file: Arc::clone(name),
            // What has no place concerns all of them.
            problems: errors
                .iter()
                .filter(|one| one.snippet.is_none())
                .cloned()
                .collect(),
            unreadable: None,
            has_last_good: true,
        });
        let named = named.iter().cloned();
        named.chain(others).collect()
    }
}

fn texts(sources: &[Source]) -> BTreeMap<Arc<str>, Vec<u8>> {
    let text = |source: &Source| (Arc::clone(&source.name), source.text.clone());
    sources.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str =
        "version: 1\nenvironment: test\ndefaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }\n";

    fn files(files: &[(&str, &str)]) -> Vec<Source> {
        let source = |(name, text): &(&str, &str)| Source {
            name: Arc::from(*name),
            text: text.as_bytes().to_vec(),
        };
        files.iter().map(source).collect()
    }

    fn team(handle: &str, callbacks: &str) -> String {
        format!(
            "organizations:\n  {handle}:\n    proxy_organization_id: {handle}-id\n    callbacks: [{callbacks}]\n"
        )
    }

    fn handles(checked: &Checked) -> Vec<String> {
        let organizations = checked.parsed.desired.organizations.iter();
        organizations
            .map(|one| format!("{} {}", one.handle, one.callbacks.len()))
            .collect()
    }

    fn broken(checked: &Checked) -> Vec<(&str, bool)> {
        let broken = checked.broken.iter();
        broken.map(|one| (&*one.file, one.has_last_good)).collect()
    }

    #[test]
    fn a_broken_file_stops_nothing_of_the_others() {
        let mut last = LastGood::default();
        let none = Overrides::default();
        let (a, b) = (team("a", "https://a.example/1"), team("b", ""));
        let good = files(&[("common.yaml", COMMON), ("a.yaml", &a), ("b.yaml", &b)]);
        let checked = last.check(&good, Vec::new(), &none).unwrap();
        assert_eq!(
            (handles(&checked), broken(&checked)),
            (vec!["a 1".into(), "b 0".into()], vec![])
        );
        // a is half written; b goes on.
        let b = team("b", "https://b.example/1");
        let half = files(&[
            ("common.yaml", COMMON),
            ("a.yaml", "organiz"),
            ("b.yaml", &b),
        ]);
        let checked = last.check(&half, Vec::new(), &none).unwrap();
        assert_eq!(handles(&checked), ["a 1", "b 1"]);
        assert_eq!(broken(&checked), [("a.yaml", true)]);
        assert!(!checked.broken[0].problems.is_empty());
        // What b said last is good as well.
        let both = files(&[("common.yaml", COMMON), ("a.yaml", &a), ("b.yaml", "x")]);
        assert_eq!(
            handles(&last.check(&both, Vec::new(), &none).unwrap()),
            ["a 1", "b 1"]
        );
        // A file that is gone is gone.
        let gone = files(&[("common.yaml", COMMON), ("a.yaml", &a)]);
        assert_eq!(
            handles(&last.check(&gone, Vec::new(), &none).unwrap()),
            ["a 1"]
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_broken_and_not_removed() {
        let mut last = LastGood::default();
        let none = Overrides::default();
        let (a, b) = (team("a", ""), team("b", ""));
        let good = files(&[("common.yaml", COMMON), ("a.yaml", &a), ("b.yaml", &b)]);
        last.check(&good, Vec::new(), &none).unwrap();
        for _ in 0..2 {
            let left = files(&[("a.yaml", &a), ("b.yaml", &b)]);
            let away = vec![(Arc::from("common.yaml"), "it is away".to_owned())];
            let checked = last.check(&left, away, &none).unwrap();
            assert_eq!(handles(&checked), ["a 0", "b 0"]);
            assert_eq!(broken(&checked), [("common.yaml", true)]);
        }
        // At the start nothing is known of it.
        let left = files(&[("common.yaml", COMMON), ("a.yaml", &a)]);
        let away = vec![(Arc::from("b.yaml"), "it is away".to_owned())];
        let checked = LastGood::default().check(&left, away, &none).unwrap();
        assert_eq!(broken(&checked), [("b.yaml", false)]);
    }

    #[test]
    fn a_file_that_never_was_good_is_left_out() {
        let mut last = LastGood::default();
        let none = Overrides::default();
        let a = team("a", "https://a.example/1");
        let first = files(&[("common.yaml", COMMON), ("a.yaml", &a), ("b.yaml", "[")]);
        let checked = last.check(&first, Vec::new(), &none).unwrap();
        assert_eq!(handles(&checked), ["a 1"]);
        assert_eq!(broken(&checked), [("b.yaml", false)]);
    }

    #[test]
    fn files_that_do_not_fit_together_leave_everything_as_it_was() {
        let mut last = LastGood::default();
        let none = Overrides::default();
        let (a, b) = (team("a", ""), team("b", ""));
        let good = files(&[("common.yaml", COMMON), ("a.yaml", &a), ("b.yaml", &b)]);
        last.check(&good, Vec::new(), &none).unwrap();
        // Without the common file no operator is known.
        let torn = files(&[("a.yaml", &a), ("b.yaml", &b)]);
        let checked = last.check(&torn, Vec::new(), &none).unwrap();
        assert_eq!(handles(&checked), ["a 0", "b 0"]);
        assert!(!checked.broken.is_empty());
        assert!(checked.broken.iter().all(|one| one.has_last_good));
        // Before anything was good there is nothing to fall back to.
        assert!(
            LastGood::default()
                .check(&files(&[("a.yaml", "[")]), Vec::new(), &none)
                .is_err()
        );
        assert!(LastGood::default().check(&[], Vec::new(), &none).is_err());
    }
}
