//! Where the state is: files on a simulated disk, or a log that many machines reach over a bad network.

use std::time::Duration;

use ess_callbacks::state::Store;
use ess_callbacks::testing::{MemoryFiles, MemoryLog, Weather};

use crate::dice::Dice;
use crate::process::{Death, Spec};

/// The path of a state in files.
const STATE: &str = "folder/callbacks.state.json";

/// One place that keeps one state. Clones share it.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Files(MemoryFiles),
    Log(MemoryLog),
}

impl Place {
    pub(crate) fn store(&self) -> Store {
        match self {
            Self::Files(files) => Store::in_files(files.clone(), STATE),
            Self::Log(log) => log.state(),
        }
    }

    /// The state for one who only looks: nothing is lost on the way.
    pub(crate) fn in_fair_weather(&self) -> Store {
        match self {
            Self::Files(_) => self.store(),
            Self::Log(log) => log.in_fair_weather().state(),
        }
    }

    /// Lets happen to the place what is to happen in this run.
    pub(crate) fn prepare(&self, spec: &Spec) {
        match self {
            Self::Files(files) => {
                let before = files.operations();
                if let Some(operation) = spec.full {
                    files.fail_at(before + operation);
                }
                if let Death::AtOperation(operation) = spec.death {
                    files.crash_at(before + operation);
                }
            }
            Self::Log(log) => {
                if let Some(operation) = spec.full {
                    log.cut(Duration::from_secs(3 * operation));
                }
            }
        }
    }

    /// When the run dies by itself, without its machine, at that many polls.
    pub(crate) fn polls(&self, death: Death) -> Option<u64> {
        match (self, death) {
            (_, Death::AtPoll(polls)) => Some(polls),
            // A log is on other machines, and its operations are awaited.
            (Self::Log(_), Death::AtOperation(operation)) => Some(operation * 4),
            (Self::Files(_), Death::AtOperation(_)) | (_, Death::None | Death::After(_)) => None,
        }
    }

    /// Whether the machine has crashed.
    pub(crate) fn has_crashed(&self) -> bool {
        match self {
            Self::Files(files) => files.has_crashed(),
            Self::Log(_) => false,
        }
    }

    /// Everything that is durable.
    pub(crate) fn durable(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Files(files) => {
                let ours = |name: &str| {
                    name.ends_with("callbacks.state.journal")
                        || name.ends_with("callbacks.state.json")
                };
                let synced = files.synced().into_iter();
                let ours = synced.filter(|(path, _)| ours(&path.to_string_lossy()));
                ours.map(|(_, bytes)| bytes).collect()
            }
            Self::Log(log) => log.texts(),
        }
    }

    /// What the next program finds.
    pub(crate) fn after(&self, power_cut: bool, seed: u64) -> Self {
        match self {
            Self::Files(files) if power_cut => Self::Files(files.power_cut(seed)),
            Self::Files(files) => Self::Files(files.killed()),
            Self::Log(_) => self.clone(),
        }
    }

    /// What the network between the programs and the place is like from now on.
    pub(crate) fn weather(&self, dice: &mut Dice, calm: bool) {
        let Self::Log(log) = self else { return };
        let mut up_to = |most: usize| u32::try_from(dice.below(most + 1)).unwrap_or(0);
        log.set_weather(if calm {
            log.cut(Duration::ZERO);
            Weather::default()
        } else {
            Weather {
                lost_requests: up_to(8),
                lost_replies: up_to(8),
                late: up_to(4),
                doubled: up_to(4),
                stale: up_to(10),
                latency: Duration::from_millis(u64::from(up_to(400))),
            }
        });
    }

    /// A pause in the middle of a run that uses this place. On files the lock lasts as long as the process.
    pub(crate) fn stall(&self, dice: &mut Dice) -> Option<(u64, Duration)> {
        match self {
            Self::Files(_) => None,
            Self::Log(_) if !dice.percent(20) => None,
            Self::Log(_) => Some((dice.any_size(400), dice.millis(0, 400_000))),
        }
    }

    /// How long a write takes at most, if it succeeds.
    pub(crate) const fn longest_write(&self) -> Duration {
        match self {
            Self::Files(_) => Duration::ZERO,
            // A sign of life may be tried for a minute before it.
            Self::Log(_) => Duration::from_secs(125),
        }
    }

    /// Whether writing may fail for no fault of the program.
    pub(crate) const fn is_rough(&self) -> bool {
        matches!(self, Self::Log(_))
    }
}
