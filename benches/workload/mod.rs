//! Configurations as a group of companies has them, made from a seed: Chinese handles and
//! descriptions, organizations with few callbacks and some with very many, secrets that several
//! callbacks share. And the state that matches.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use ess_callbacks::config::Source;
use ess_callbacks::model::{
    Belief, Desired, Entry, Fingerprints, Identity, Lineage, Proof, Recorded, RequestId, Salt,
    SecretIndex, Timestamp,
};
use ess_callbacks::plan::FingerprintTable;
use ess_callbacks::random::SplitMix64;
use ess_callbacks::secret::{Fingerprinter, Secret, SecretReference};
use ess_callbacks::state::LockOwner;

/// What to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// How many callbacks, all organizations together.
    pub(crate) callbacks: usize,
    /// Over how many files they are spread. 1 gives `callbacks.yaml`.
    pub(crate) files: usize,
    /// The same seed gives the same text.
    pub(crate) seed: u64,
    /// How many callbacks an organization has.
    pub(crate) organizations: Organizations,
}

/// How many callbacks an organization has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Organizations {
    /// Mostly a few, seldom hundreds, about ten on average: as in a group.
    Mixed,
    /// One to three.
    Few,
    /// A thousand.
    Many,
}

impl FromStr for Organizations {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mixed" => Ok(Self::Mixed),
            "few" => Ok(Self::Few),
            "many" => Ok(Self::Many),
            other => Err(format!("`{other}` is not mixed, few or many")),
        }
    }
}

/// The salt of the states made here.
pub(crate) const SALT: Salt = Salt([0x5a; 16]);

const CITIES: [&str; 8] = [
    "北京", "上海", "广州", "深圳", "杭州", "成都", "武汉", "西安",
];
const TRADES: [&str; 8] = [
    "科技",
    "贸易",
    "物流",
    "置业",
    "人力资源",
    "供应链",
    "医疗",
    "教育",
];
const PURPOSES: [&str; 6] = [
    "合同签署完成后通知 ERP",
    "印章变更同步到权限中心",
    "员工加入与离职同步到人事系统",
    "合同过期提醒，发到法务群",
    "对账用，勿删",
    "contract events for the data warehouse",
];

/// Secrets are shared by about so many callbacks.
const SHARING: usize = 200;

impl Workload {
    /// The files.
    pub(crate) fn sources(self) -> Vec<Source> {
        let mut dice = Dice::new(self.seed);
        let secrets = (self.callbacks / SHARING).clamp(1, 2000) as u64;
        let mut left = self.callbacks;
        let mut number = 0_usize;
        (0..self.files)
            .map(|file| {
                let name = match self.files {
                    1 => "callbacks.yaml".to_owned(),
                    _ => format!("team-{file:04}.yaml"),
                };
                let mut text = String::from(
                    "version: 1\nenvironment: production\ndefaults:\n  \
                     operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8\norganizations:\n",
                );
                let mut here = left / (self.files - file);
                left -= here;
                while here > 0 {
                    let size = dice.organization(self.organizations).min(here);
                    here -= size;
                    organization(&mut text, number, size, secrets, &mut dice);
                    number += 1;
                }
                Source {
                    name: Arc::from(name),
                    text: text.into_bytes(),
                }
            })
            .collect()
    }
}

fn organization(text: &mut String, number: usize, size: usize, secrets: u64, dice: &mut Dice) {
    let city = dice.pick(&CITIES);
    let trade = dice.pick(&TRADES);
    let id = dice.hex();
    let _ = write!(
        text,
        "  {city}{trade}-{number:06}:\n    proxy_organization_id: {id}\n    callbacks:\n"
    );
    for callback in 0..size {
        let secret = dice.below(secrets);
        let purpose = dice.pick(&PURPOSES);
        let _ = write!(
            text,
            "      - url: https://hooks.example-{number}.com.cn/esign/v2/callback/{callback}\n        \
             key: {{ file: secrets/{secret}.key }}\n        \
             token: {{ file: secrets/{secret}.token }}\n        \
             description: {purpose}\n"
        );
    }
}

/// The value of a secret that a configuration from here names.
pub(crate) fn secret(reference: &SecretReference) -> Secret {
    let SecretReference::File(path) = reference else {
        panic!("{reference} is not made here");
    };
    let seed = path.bytes().fold(0, |sum: u64, byte| {
        sum.wrapping_mul(131).wrapping_add(u64::from(byte))
    });
    Secret::new(Dice::new(seed).hex())
}

/// The fingerprints of every pair of key and token.
pub(crate) fn fingerprints(desired: &Desired) -> FingerprintTable {
    let fingerprinter = Fingerprinter::new(SALT);
    let value = |index: Option<SecretIndex>| {
        index.map(|index| secret(&desired.secrets[index.0 as usize].reference))
    };
    let callbacks = desired
        .organizations
        .iter()
        .flat_map(|organization| &organization.callbacks);
    let pairs: BTreeSet<_> = callbacks
        .map(|callback| (callback.key, callback.token))
        .collect();
    pairs
        .into_iter()
        .map(|(key, token)| {
            let (key_value, token_value) = (value(key), value(token));
            let made = fingerprinter.fingerprints(key_value.as_ref(), token_value.as_ref());
            ((key, token), made)
        })
        .collect()
}

/// A state in which everything declared is proven, but for the first `left_out`.
pub(crate) fn recorded(desired: &Desired, left_out: usize) -> Recorded {
    let table = fingerprints(desired);
    let mut recorded = Recorded::nothing(desired.environment);
    recorded.lineage = Some(Lineage(uuid::Uuid::from_u128(
        0x0192_f0c1_7b5e_7c3a_9d4e_5f6a_7b8c_9d0e,
    )));
    recorded.serial = 7;
    recorded.salt = Some(SALT);
    let mut dice = Dice::new(1);
    let callbacks = desired.organizations.iter().flat_map(|organization| {
        let callbacks = organization.callbacks.iter();
        callbacks.map(move |callback| (organization, callback))
    });
    for (organization, callback) in callbacks.skip(left_out) {
        let fingerprints = table
            .get(&(callback.key, callback.token))
            .copied()
            .unwrap_or(Fingerprints::default());
        let id = dice.hex();
        let entry = Entry {
            belief: Belief::proven(fingerprints),
            proof: Some(Proof {
                at: Timestamp(1_790_000_000),
                request_id: RequestId::new(format!("{}-{}-{}", &id[..8], &id[8..12], &id[12..])),
            }),
            ..Entry::untouched(
                organization.handle.clone(),
                organization.operator.clone(),
                callback.protect,
            )
        };
        let identity = Identity {
            scope: Arc::clone(&organization.scope),
            url: callback.url.clone(),
        };
        recorded.insert(identity, entry);
    }
    recorded
}

/// Who holds the lock of a state made here.
pub(crate) fn owner() -> LockOwner {
    LockOwner {
        id: "1".to_owned(),
        who: "bench".to_owned(),
        host: "here".to_owned(),
        pid: std::process::id(),
        command: "apply".to_owned(),
        since: Timestamp(1_790_000_000),
        job_url: None,
    }
}

/// The questions that a workload asks chance.
struct Dice(SplitMix64);

impl Dice {
    const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }

    /// 32 hexadecimal digits, as eSign's ids and keys are long.
    fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.0.next(), self.0.next())
    }

    /// How many callbacks the next organization has.
    fn organization(&mut self, organizations: Organizations) -> usize {
        let size = match organizations {
            Organizations::Few => 1 + self.below(3),
            Organizations::Many => 1000,
            Organizations::Mixed => match self.below(100) {
                0 | 1 => 100 + self.below(301),
                2..50 => 1 + self.below(4),
                _ => 3 + self.below(9),
            },
        };
        usize::try_from(size).unwrap_or(1)
    }
}
