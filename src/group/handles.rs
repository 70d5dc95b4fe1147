//! Handles for organizations that have none: made from their names, and safe to write into YAML as they are.

use std::collections::BTreeSet;

use crate::model::{Handle, OrganizationId};

/// Longer names are cut, in characters.
const LONGEST: usize = 40;

/// The handles that are taken.
#[derive(Clone, Debug, Default)]
pub struct Handles(BTreeSet<String>);

impl Handles {
    /// With these taken.
    pub fn of<'a>(taken: impl IntoIterator<Item = &'a Handle>) -> Self {
        Self(
            taken
                .into_iter()
                .map(|handle| folded(handle.as_str()))
                .collect(),
        )
    }

    /// A handle for an organization of this name, which is taken from now on. Letters of any script and digits
    /// stay, so a name in Chinese makes a handle in Chinese.
    pub fn name(&mut self, name: &str, id: &OrganizationId) -> Handle {
        let plain = plain(name);
        let base = if plain.is_empty() {
            format!("org-{}", self::plain(id.as_str()))
        } else if is_no_text(&plain) {
            format!("org-{plain}")
        } else {
            plain
        };
        let base = base.trim_end_matches('-').to_owned();
        let mut handle = base.clone();
        let mut number = 2_u32;
        while !self.0.insert(folded(&handle)) {
            handle = format!("{base}-{number}");
            number += 1;
        }
        Handle::new(handle)
    }
}

/// Handles that differ only in case would be confused.
fn folded(handle: &str) -> String {
    handle.to_lowercase()
}

/// Letters, digits and single hyphens between them.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        if plain.chars().count() >= LONGEST {
            break;
        }
        if c.is_alphanumeric() {
            plain.extend(c.to_lowercase());
        } else if !plain.is_empty() && !plain.ends_with('-') {
            plain.push('-');
        }
    }
    plain.trim_matches('-').to_owned()
}

/// Whether YAML reads this as something else than text, or did in an older version.
fn is_no_text(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan",
    ];
    WORDS.contains(&text) || text.starts_with(|c: char| c.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(name: &str) -> String {
        let id = OrganizationId::new("yD123");
        Handles::default().name(name, &id).as_str().to_owned()
    }

    #[test]
    fn names_become_handles() {
        for (name, handle) in [
            ("Acme (Shanghai) Co., Ltd.", "acme-shanghai-co-ltd"),
            ("示例科技（上海）有限公司", "示例科技-上海-有限公司"),
            ("  a/b*c  ", "a-b-c"),
            ("123", "org-123"),
            ("True", "org-true"),
            ("\u{1b}[31m", "org-31m"),
            ("", "org-yd123"),
            ("*", "org-yd123"),
        ] {
            assert_eq!(named(name), handle, "{name:?}");
        }
        assert_eq!(named(&"长".repeat(100)).chars().count(), LONGEST);
    }

    #[test]
    fn a_taken_handle_gets_a_number() {
        let (acme, id) = (Handle::new("ACME"), OrganizationId::new("x"));
        let mut handles = Handles::of([&acme]);
        let names: Vec<_> = (0..3).map(|_| handles.name("acme", &id)).collect();
        let names: Vec<_> = names.iter().map(Handle::as_str).collect();
        assert_eq!(names, ["acme-2", "acme-3", "acme-4"]);
    }

    proptest! {
        #[test]
        fn they_are_unique_and_harmless(names in proptest::collection::vec(".{0,50}", 0..20)) {
            let mut handles = Handles::default();
            let mut seen = BTreeSet::new();
            for name in names {
                let handle = handles.name(&name, &OrganizationId::new("yD"));
                let text = handle.as_str();
                let safe = |c: char| c.is_alphanumeric() || c == '-' || !c.is_ascii();
                prop_assert!(text.chars().all(safe) && !text.starts_with('-'), "{text}");
                prop_assert!(seen.insert(text.to_lowercase()), "{text}");
            }
        }
    }
}
