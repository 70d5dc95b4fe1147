//! The way of `plan` and `show`: a configuration and a state, split at 0xFF, of any bytes, to a plan
//! that is saved, read back and shown.
//!
//! The first byte chooses the options.

use ess_callbacks::config::{Source, parse};
use ess_callbacks::model::{Recorded, Salt, Timestamp};
use ess_callbacks::plan::{Heal, Options, Secrets, plan};
use ess_callbacks::state::{Place, format};

use super::plans;

/// Plans, if the two can be read.
pub(crate) fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let mut parts = data.splitn(2, |byte| *byte == 0xff);
    let text = parts.next().unwrap_or_default().to_vec();
    let source = Source {
        name: "a.yaml".into(),
        text,
    };
    let Ok(parsed) = parse(&[source]) else { return };
    let desired = parsed.desired;
    let recorded = parts.next().and_then(|state| {
        let mut recorded = format::read(&Place::new("state"), state).ok()?;
        recorded.interrupt();
        (recorded.environment == desired.environment).then_some(recorded)
    });
    let recorded = recorded.unwrap_or_else(|| Recorded::nothing(desired.environment));
    let options = Options {
        destroy: choice & 1 != 0,
        keep: choice & 64 != 0,
        heal: (choice & 2 != 0).then(|| Heal {
            proved_before: (choice & 4 != 0).then_some(Timestamp(1_790_000_000)),
            proved_by: None,
            max_calls: (choice & 8 != 0).then_some(1),
            only: choice & 128 != 0,
        }),
        targets: Vec::new(),
        only: None,
        twins: std::collections::BTreeMap::new(),
        rotates: choice & 32 != 0,
        replace: Vec::new(),
        allow_deletes: (choice & 16 != 0).then_some(1),
    };
    let secrets = Secrets {
        salt: recorded.salt.unwrap_or(Salt([0; 16])),
        fingerprints: None,
    };
    plans::check(&plan(&desired, &recorded, secrets, &options));
}
