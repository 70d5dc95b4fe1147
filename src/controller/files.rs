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

/// Whether a file has another text than before, or is gone.
type Change = (Arc<str>, Option<Vec<u8>>);

impl LastGood {
    /// Checks the files. Those that can't be used, alone or together with what was good before, keep their last good text;
    /// one without is left out. All others are used: what a file breaks is never held against another.
    ///
    /// # Errors
    /// The errors of the files, when there is nothing to fall back to.
    pub fn check(
        &mut self,
        current: &[Source],
        unreadable: Vec<(Arc<str>, String)>,
        overrides: &Overrides,
    ) -> Result<Checked, Vec<Diagnostic>> {
        let names: BTreeSet<_> = unreadable
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
        let mut wanted = texts(current);
        // As if only these were missing.
        for name in &names {
            wanted.extend(
                self.0
                    .get(name)
                    .map(|text| (Arc::clone(name), text.clone())),
            );
        }
        let errors = match parse_with(&sources(&wanted), overrides, &[]) {
            Ok(parsed) => {
                let sources = sources(&wanted);
                self.0 = wanted;
                return Ok(Checked {
                    sources,
                    parsed,
                    broken: unreadable,
                });
            }
            Err(errors) => errors,
        };
        if self.0.is_empty() {
            return self.start(wanted, errors, unreadable, overrides);
        }
        let base = self.base(&wanted, &errors, overrides).ok_or(errors)?;
        let mut admission = Admission {
            texts: base,
            overrides,
            refused: Vec::new(),
        };
        admission.admit(&changes(&admission.texts, &wanted));
        // One may have waited for another, as when an organization moves from file to file.
        let mut before = usize::MAX;
        while admission.refused.len() < before && admission.refused.len() > 1 {
            before = admission.refused.len();
            let refused = std::mem::take(&mut admission.refused);
            for (change, _) in refused {
                admission.admit(&[change]);
            }
        }
        self.dispute(&mut admission);
        let Admission { texts, refused, .. } = admission;
        let refused = refused.into_iter().map(|((file, _), problems)| Broken {
            has_last_good: texts.contains_key(&file),
            file,
            problems,
            unreadable: None,
        });
        let mut broken: Vec<_> = refused.chain(unreadable).collect();
        broken.sort_by(|one, other| one.file.cmp(&other.file));
        let sources = sources(&texts);
        let parsed = parse_with(&sources, overrides, &[])?;
        self.0 = texts;
        Ok(Checked {
            sources,
            parsed,
            broken,
        })
    }

    /// At the start, when nothing was good yet, nothing says which of two files is to blame that don't fit together: neither
    /// is used, and most of the files must be good.
    fn start(
        &mut self,
        mut texts: BTreeMap<Arc<str>, Vec<u8>>,
        errors: Vec<Diagnostic>,
        unreadable: Vec<Broken>,
        overrides: &Overrides,
    ) -> Result<Checked, Vec<Diagnostic>> {
        let all: Vec<_> = texts.keys().cloned().collect();
        let broken = all.iter().filter_map(|name| {
            let own = errors.iter().filter(|one| one.severity == Severity::Error);
            let problems: Vec<_> = own.filter(|one| is_about(one, name)).cloned().collect();
            (!problems.is_empty()).then(|| Broken {
                file: Arc::clone(name),
                problems,
                unreadable: None,
                has_last_good: false,
            })
        });
        let broken: Vec<_> = broken.collect();
        texts.retain(|name, _| broken.iter().all(|one| one.file != *name));
        let sources = sources(&texts);
        let parsed = parse_with(&sources, overrides, &[]);
        match parsed {
            Ok(parsed) if 2 * broken.len() <= all.len() => {
                self.0 = texts;
                Ok(Checked {
                    sources,
                    parsed,
                    broken: broken.into_iter().chain(unreadable).collect(),
                })
            }
            Ok(_) | Err(_) => Err(errors),
        }
    }

    /// Of two files that don't fit together and never were good, neither is used, whatever their names are.
    fn dispute(&self, admission: &mut Admission<'_>) {
        let is_new = |name: &str| !self.0.contains_key(name);
        let mut others = Vec::new();
        for ((file, _), problems) in &admission.refused {
            let with = admission.texts.iter().filter(|(name, _)| {
                let about = problems.iter().any(|one| is_about(one, name));
                about && is_new(name) && is_new(file) && *name != file
            });
            others.extend(with.map(|(name, text)| {
                let change = (Arc::clone(name), Some(text.clone()));
                (change, problems.clone())
            }));
        }
        for (change, problems) in others {
            if admission.texts.remove(&change.0).is_some() {
                admission.refused.push((change, problems));
            }
        }
    }

    /// What is good without the files that errors name, or all as it was.
    fn base(
        &self,
        wanted: &BTreeMap<Arc<str>, Vec<u8>>,
        errors: &[Diagnostic],
        overrides: &Overrides,
    ) -> Option<BTreeMap<Arc<str>, Vec<u8>>> {
        let is_good = |texts: &BTreeMap<_, _>| parse_with(&sources(texts), overrides, &[]).is_ok();
        let errors = errors.iter().filter(|one| one.severity == Severity::Error);
        let named = errors.filter_map(|one| one.snippet.as_ref().map(|it| &*it.file));
        let named: BTreeSet<&str> = named.collect();
        let mut without = wanted.clone();
        without.retain(|name, _| !named.contains(&**name));
        for name in named {
            without.extend(
                self.0
                    .get_key_value(name)
                    .map(|(name, text)| (Arc::clone(name), text.clone())),
            );
        }
        if is_good(&without) {
            return Some(without);
        }
        is_good(&self.0).then(|| self.0.clone())
    }
}

/// Whether a problem is in this file, or names it as the other one.
fn is_about(one: &Diagnostic, name: &str) -> bool {
    let is_in = one.snippet.as_ref().is_some_and(|it| *it.file == *name);
    is_in || one.message.contains(&format!("{name}:"))
}

/// Takes the changes that fit, and finds those that don't.
struct Admission<'a> {
    /// Always good.
    texts: BTreeMap<Arc<str>, Vec<u8>>,
    overrides: &'a Overrides,
    /// With what is wrong when they are made.
    refused: Vec<(Change, Vec<Diagnostic>)>,
}

impl Admission<'_> {
    fn admit(&mut self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let mut with = self.texts.clone();
        for (name, text) in changes {
            match text {
                Some(text) => with.insert(Arc::clone(name), text.clone()),
                None => with.remove(name),
            };
        }
        let Err(errors) = parse_with(&sources(&with), self.overrides, &[]) else {
            self.texts = with;
            return;
        };
        if let [one] = changes {
            let errors = errors.into_iter();
            let errors = errors.filter(|it| it.severity == Severity::Error).collect();
            self.refused.push((one.clone(), errors));
            return;
        }
        let (first, second) = changes.split_at(changes.len() / 2);
        self.admit(first);
        self.admit(second);
    }
}

fn changes(from: &BTreeMap<Arc<str>, Vec<u8>>, to: &BTreeMap<Arc<str>, Vec<u8>>) -> Vec<Change> {
    let gone = from.keys().filter(|name| !to.contains_key(*name));
    let gone = gone.map(|name| (Arc::clone(name), None));
    let other = to
        .iter()
        .filter(|(name, text)| from.get(*name) != Some(*text));
    let other = other.map(|(name, text)| (Arc::clone(name), Some(text.clone())));
    gone.chain(other).collect()
}

fn sources(texts: &BTreeMap<Arc<str>, Vec<u8>>) -> Vec<Source> {
    let source = |(name, text): (&Arc<str>, &Vec<u8>)| Source {
        name: Arc::clone(name),
        text: text.clone(),
    };
    texts.iter().map(source).collect()
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

    /// The mistake of one file shows as errors of others, which are not to blame.
    #[test]
    fn what_does_not_fit_is_held_against_the_file_that_changed() {
        let none = Overrides::default();
        let own = "organizations:\n  b:\n    callbacks: []\n";
        let (a, b) = (team("a", ""), own);
        let good = files(&[("common.yaml", COMMON), ("a.yaml", &a), ("b.yaml", b)]);
        let changed = team("a", "https://a.example/1");
        // Without its id it would be the same organization as `b`.
        let forgot = changed.replace("proxy_organization_id", "proxy_organisation");
        let own_too = own.replace("b:", "c:");
        let other = COMMON.replace("test", "production");
        for (name, text, expected) in [
            ("a.yaml", &*forgot, vec!["a 0", "b 1"]),
            ("0.yaml", &own_too, vec!["a 1", "b 1"]),
            ("z.yaml", &own_too, vec!["a 1", "b 1"]),
            ("0.yaml", &other, vec!["a 1", "b 1"]),
            ("z.yaml", &other, vec!["a 1", "b 1"]),
        ] {
            let mut last = LastGood::default();
            last.check(&good, Vec::new(), &none).unwrap();
            let b = "organizations:\n  b:\n    callbacks: [https://b.example/1]\n";
            let mut now = vec![("common.yaml", COMMON), ("b.yaml", b)];
            if name != "a.yaml" {
                now.push(("a.yaml", &changed));
            }
            now.push((name, text));
            now.sort_unstable();
            for _ in 0..2 {
                let checked = last.check(&files(&now), Vec::new(), &none).unwrap();
                assert_eq!(broken(&checked), [(name, name == "a.yaml")], "{text}");
                assert_eq!(handles(&checked), expected, "{text}");
                assert!(!checked.broken[0].problems.is_empty());
            }
        }
    }

    #[test]
    fn an_organization_may_move_from_file_to_file() {
        let mut last = LastGood::default();
        let none = Overrides::default();
        let (a, b) = (team("a", ""), team("b", ""));
        let good = files(&[("common.yaml", COMMON), ("a.yaml", &a), ("z.yaml", &b)]);
        last.check(&good, Vec::new(), &none).unwrap();
        let moved = format!("{a}{}", b.replace("organizations:\n", ""));
        let now = files(&[
            ("common.yaml", COMMON),
            ("a.yaml", &moved),
            ("c.yaml", "["),
            ("z.yaml", "organizations: {}\n"),
        ]);
        let checked = last.check(&now, Vec::new(), &none).unwrap();
        assert_eq!(handles(&checked), ["a 0", "b 0"]);
        assert_eq!(broken(&checked), [("c.yaml", false)]);
    }

    /// At the start nothing says which of two is right.
    #[test]
    fn at_the_start_neither_of_two_is_used_and_most_must_be_good() {
        let none = Overrides::default();
        let (a, b) = (team("a", ""), team("b", "https://b.example/new"));
        let copy = team("b", "https://b.example/old");
        let twice = files(&[
            ("a.yaml", &a),
            ("b (copy).yaml", &copy),
            ("b.yaml", &b),
            ("common.yaml", COMMON),
        ]);
        let mut last = LastGood::default();
        for _ in 0..2 {
            let checked = last.check(&twice, Vec::new(), &none).unwrap();
            assert_eq!(handles(&checked), ["a 0"]);
            assert_eq!(
                broken(&checked),
                [("b (copy).yaml", false), ("b.yaml", false)]
            );
        }
        let other = COMMON.replace("test", "production");
        let (a, b) = (
            format!("{COMMON}{}", team("a", "")),
            format!("{COMMON}{}", team("b", "")),
        );
        let all = files(&[("0.yaml", &other), ("a.yaml", &a), ("b.yaml", &b)]);
        assert!(LastGood::default().check(&all, Vec::new(), &none).is_err());
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
