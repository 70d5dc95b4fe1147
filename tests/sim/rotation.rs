//! Rotations: their runs, the URLs of their twins, and the rule that one of the two URLs is always there.

use std::collections::{BTreeMap, BTreeSet};

use ess_callbacks::model::{Address, CallbackUrl, Recorded, SecretIndex};
use ess_callbacks::plan::{self, Options, Pattern, Plan, Secrets};
use ess_callbacks::secret::{Check, Secret};

use crate::config::{FOREIGN, Id, SALT, URLS, Value, any_id, any_value, pair, universe};
use crate::dice::Dice;
use crate::process::Spec;
use crate::rules::RunFacts;
use crate::world::{Sent, Shared, Taint, World};

/// The keys that a value may have, which the twins' URLs show: none, and the first two secrets.
const KEYS: [Option<u32>; 3] = [None, Some(0), Some(1)];

/// The first URL that is a twin's.
const FIRST: u8 = FOREIGN[1] + 1;

/// One of the two runs of a rotation.
#[derive(Clone, Debug)]
pub(crate) struct Rotating {
    /// Whether it adds twins.
    pub(crate) begin: bool,
    /// Only these; `None` means all that is declared.
    pub(crate) ids: Option<BTreeSet<Id>>,
}

/// What to rotate.
pub(crate) fn any_rotation(dice: &mut Dice) -> Rotating {
    let some = dice.percent(40);
    Rotating {
        begin: true,
        ids: some.then(|| (0..=dice.below(2)).map(|_| any_id(dice)).collect()),
    }
}

/// A twin, which is there if one is.
fn any_twin(dice: &mut Dice, world: &World) -> Id {
    let there = world.cloud.keys().filter(|id| id.original().is_some());
    let there: Vec<_> = there.copied().collect();
    if there.is_empty() {
        any_id(dice).twin(any_value(dice))
    } else {
        dice.pick(&there)
    }
}

/// The URLs of all twins: of each URL that may be declared, one for each key.
pub(crate) fn twin_urls(
    urls: &[CallbackUrl],
    secrets: &BTreeMap<SecretIndex, Secret>,
) -> Vec<CallbackUrl> {
    let check = |key: Option<u32>| key.map(|key| Check::of(&secrets[&SecretIndex(key)]));
    let declared = urls.iter().take(usize::from(URLS));
    declared
        .flat_map(|url| KEYS.map(|key| plan::twin(url, check(key))))
        .collect()
}

impl Id {
    /// The twin with which this callback gets a value.
    pub(crate) fn twin(self, value: Value) -> Self {
        let key = pair(value).and_then(|(key, _)| key).map(|key| key.0);
        let at = KEYS.iter().position(|known| *known == key);
        let at = u8::try_from(at.expect("every key is known")).expect("there are three");
        Self {
            url: FIRST + self.url * 3 + at,
            ..self
        }
    }

    /// The callback whose twin this is.
    pub(crate) fn original(self) -> Option<Self> {
        let at = self.url.checked_sub(FIRST)?;
        Some(Self {
            url: at / 3,
            ..self
        })
    }

    /// The callback that this is, or whose twin it is.
    pub(crate) fn declared(self) -> Self {
        self.original().unwrap_or(self)
    }
}

impl Spec {
    /// The same run, but one of a rotation.
    pub(crate) fn rotating(mut self, rotating: Rotating, world: &mut World) -> Self {
        self.options = Options::default();
        let facts = &mut world.runs[self.number];
        facts.destroy = false;
        facts.targets = None;
        facts.forced.clear();
        facts.rotates = true;
        world.facts.rotations += 1;
        world.tell(|| format!("run {} rotates: {rotating:?}", self.number));
        self.rotation = Some(rotating);
        self
    }

    /// The same run, or one for a twin only.
    pub(crate) fn perhaps_for_a_twin(mut self, dice: &mut Dice, world: &mut World) -> Self {
        if dice.percent(40) {
            let twin = any_twin(dice, world);
            world.runs[self.number].targets = Some(BTreeSet::from([twin]));
            let text = format!("o{}-*/{}", twin.scope, twin.url());
            self.options.targets = vec![Pattern::parse(&text).expect("a pattern")];
        }
        self
    }
}

/// What is planned next. The run may call for nothing else.
pub(crate) fn planned(
    world: &Shared,
    recorded: &Recorded,
    spec: &Spec,
    rotating: &Rotating,
) -> Plan {
    let config = world.now().runs[spec.number].config.clone();
    let chosen = |id: &Id| rotating.ids.as_ref().is_none_or(|ids| ids.contains(id));
    let declared = config.declared().filter(|(id, _, _)| chosen(id));
    let twins = declared.filter_map(|(id, value, _)| {
        let address = Address {
            handle: config.handle(id.scope)?,
            url: id.url().clone(),
        };
        Some((address, id.twin(value).url().clone()))
    });
    let secrets = Secrets {
        salt: recorded.salt.unwrap_or(SALT),
        fingerprints: Some(&universe().table),
    };
    let twins = twins.collect();
    let plan = plan::rotate(&config.desired(), recorded, secrets, &twins, rotating.begin).plan;
    let changes = plan.organizations.iter().flat_map(|organization| {
        let id = |url| Id::of(&organization.scope, url);
        organization
            .changes
            .iter()
            .filter_map(move |change| id(&change.address.url))
    });
    world.now().runs[spec.number].targets = Some(changes.collect());
    plan
}

impl RunFacts {
    /// What an add of this callback by this run must carry.
    pub(crate) fn written(&self, id: Id) -> Option<Value> {
        let of = if self.rotates { id.declared() } else { id };
        let value = self.config.value(of)?;
        (of == id || of.twin(value) == id).then_some(value)
    }
}

impl RunFacts {
    /// What a run that is not one of a rotation adds a twin with, to settle the add of one. It may have been added for a
    /// key that is not declared any more, which its URL shows still.
    pub(crate) fn settled(&self, id: Id) -> Option<Value> {
        self.config.value(id.original()?)
    }
}

impl World {
    /// (i) A rotation deletes a callback only while its twin is there, and no run deletes a twin while its callback
    /// is missing: of what is declared throughout.
    pub(crate) fn check_covered(&mut self, number: usize) {
        let Sent { run, id, .. } = self.calls[number];
        let original = id.declared();
        let by_rotation = self.runs[run].rotates;
        let is_declared = |facts: &RunFacts| facts.wants(original);
        let declared = self.runs[run..].iter().all(is_declared);
        let concerned = (by_rotation || original != id) && self.cloud.contains_key(&id);
        if !concerned || !declared || self.runs[run].overtaken {
            return;
        }
        let twins = (0..3).map(|at| Id {
            url: FIRST + original.url * 3 + at,
            ..original
        });
        let mut others = twins.chain([original]).filter(|other| *other != id);
        let covers = |other: Id| {
            self.cloud.contains_key(&other) || self.taints.get(&other) == Some(&Taint::Deleted)
        };
        if others.any(covers) {
            self.facts.covered += 1;
        } else {
            let what = format!("run {run} deletes {id:?}, and nothing takes its messages");
            self.breaks("i", &what);
        }
    }
}
