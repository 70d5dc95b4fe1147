//! What eSign holds: the configured callbacks, and what an add or a delete does to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::options::OnExists;
use crate::secret::Secret;

/// The identity of a callback.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) app_id: Option<String>,
    pub(super) url: String,
}

/// A key or a token of a configured callback.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// The callback has none.
    Nothing,
    Value(Secret),
    /// It has one, but the cloud file does not keep secrets.
    Forgotten,
}

impl Held {
    pub(super) fn new(value: Option<Secret>) -> Self {
        value.map_or(Self::Nothing, Self::Value)
    }

    pub(super) fn is_set(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// The secrets of one callback.
#[derive(Clone, Debug)]
pub(super) struct Secrets {
    pub(super) key: Held,
    pub(super) token: Held,
}

/// Something that changes the cloud.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Add(Place, Secrets),
    Delete(Place),
}

/// All configured callbacks.
#[derive(Clone, Debug, Default)]
pub(super) struct Cloud(BTreeMap<Place, Secrets>);

impl Cloud {
    /// What eSign does with this change: make it, report success without a change, or refuse it. An add never
    /// changes an existing callback, whatever its key and token.
    pub(super) fn consider(&self, change: &Change, exists: OnExists) -> Result<Verdict, Failure> {
        let there = |place| self.0.contains_key(place);
        match (change, exists) {
            (Change::Add(place, _), OnExists::Success) if there(place) => Ok(Verdict::NoChange),
            (Change::Add(place, _), OnExists::Error) if there(place) => Err(Failure::data_exists()),
            (Change::Delete(place), _) if !there(place) => Err(Failure::not_configured()),
            (Change::Add(..) | Change::Delete(_), _) => Ok(Verdict::Change),
        }
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Add(place, secrets) => drop(self.0.insert(place, secrets)),
            Change::Delete(place) => drop(self.0.remove(&place)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every callback, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Place, &Secrets)> {
        self.0.iter()
    }
}

/// The result of a change that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Change,
    NoChange,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place {
            account: "default".to_owned(),
            organization: None,
            app_id: None,
            url: url.to_owned(),
        }
    }

    fn add(url: &str, key: &str) -> Change {
        let secrets = Secrets {
            key: Held::new(Some(Secret::new(key))),
            token: Held::Nothing,
        };
        Change::Add(place(url), secrets)
    }

    fn key_of(cloud: &Cloud, url: &str) -> Option<String> {
        let (_, secrets) = cloud.iter().find(|(place, _)| place.url == url)?;
        match &secrets.key {
            Held::Value(key) => Some(key.expose().to_owned()),
            Held::Nothing | Held::Forgotten => None,
        }
    }

    fn call(cloud: &mut Cloud, change: Change, exists: OnExists) -> Result<Verdict, &'static str> {
        let verdict = cloud
            .consider(&change, exists)
            .map_err(|failure| failure.code)?;
        if verdict == Verdict::Change {
            cloud.apply(change);
        }
        Ok(verdict)
    }

    #[test]
    fn an_add_of_what_is_there_leaves_key_and_token_as_they_are() {
        let mut cloud = Cloud::default();
        let added = call(&mut cloud, add("u", "old"), OnExists::Success);
        assert_eq!(added, Ok(Verdict::Change));
        let again = call(&mut cloud, add("u", "new"), OnExists::Success);
        assert_eq!(again, Ok(Verdict::NoChange));
        let again = call(&mut cloud, add("u", "new"), OnExists::Error);
        assert_eq!(again, Err("FailedOperation"));
        assert_eq!(key_of(&cloud, "u").as_deref(), Some("old"));
    }

    #[test]
    fn a_delete_finds_the_url_byte_for_byte() {
        let mut cloud = Cloud::default();
        call(&mut cloud, add("https://a/x", "k"), OnExists::Success).unwrap();
        for other in [
            "https://a/x/",
            "https://A/x",
            "https://a:443/x",
            "http://a/x",
        ] {
            let missing = call(&mut cloud, Change::Delete(place(other)), OnExists::Success);
            assert_eq!(missing, Err("FailedOperation"), "{other}");
        }
        let found = call(
            &mut cloud,
            Change::Delete(place("https://a/x")),
            OnExists::Success,
        );
        assert_eq!(found, Ok(Verdict::Change));
        assert_eq!(cloud.len(), 0);
    }

    #[test]
    fn every_part_of_a_place_keeps_callbacks_apart() {
        let places = [
            place("u"),
            Place {
                account: "other".to_owned(),
                ..place("u")
            },
            Place {
                organization: Some("o".to_owned()),
                ..place("u")
            },
            Place {
                app_id: Some("a".to_owned()),
                ..place("u")
            },
        ];
        let mut cloud = Cloud::default();
        let none = Secrets {
            key: Held::Nothing,
            token: Held::Nothing,
        };
        for place in &places {
            cloud.apply(Change::Add(place.clone(), none.clone()));
        }
        assert_eq!(cloud.len(), 4);
        cloud.apply(Change::Delete(places[1].clone()));
        assert_eq!(cloud.len(), 3);
    }
}
