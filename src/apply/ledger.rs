//! How each change ended.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::model::{
    Address, ApiError, Drift, Effect, HowUnfinished, NotAttempted, Report, Tally, Unfinished,
};
use crate::plan::Change;

/// The numbers of an organization in the plan, and of a change in the organization.
pub(super) type Position = (usize, usize);

/// How a change ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Done,
    Failed(ApiError),
    Unknown(ApiError),
    NotAttempted(NotAttempted),
}

#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tally: Tally,
    unfinished: BTreeMap<Position, Unfinished>,
    drifted: Vec<(Address, Drift)>,
    were_there: Vec<Address>,
    calls: usize,
    throttled: usize,
    fenced: bool,
}

impl Ledger {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().expect("no panic while held"))
    }

    pub(super) fn count_call(&self) {
        self.with(|inner| inner.calls += 1);
    }

    pub(super) fn throttled(&self) {
        self.with(|inner| inner.throttled += 1);
    }

    pub(super) fn drifted(&self, address: &Address, drift: Drift) {
        self.with(|inner| inner.drifted.push((address.clone(), drift)));
    }

    pub(super) fn was_there(&self, address: &Address) {
        self.with(|inner| inner.were_there.push(address.clone()));
    }

    pub(super) fn end(&self, position: Position, change: &Change, end: End) {
        self.with(|inner| {
            let how = match end {
                End::Done => return inner.tally.count(change.calls().effect(change.action)),
                End::Failed(error) => {
                    inner.tally.failed += 1;
                    HowUnfinished::Failed(error)
                }
                End::Unknown(error) => {
                    inner.tally.unknown += 1;
                    HowUnfinished::Unknown(error)
                }
                End::NotAttempted(why) => {
                    inner.tally.not_attempted += 1;
                    inner.fenced |= matches!(
                        why,
                        NotAttempted::Fenced(_) | NotAttempted::FencedWithoutClock
                    );
                    HowUnfinished::NotAttempted(why)
                }
            };
            let unfinished = Unfinished {
                address: change.address.clone(),
                action: change.action,
                how,
            };
            inner.unfinished.insert(position, unfinished);
        });
    }

    /// Everything but what the ledger does not know: why the run ended.
    pub(super) fn report(self) -> Report {
        let Inner {
            tally,
            unfinished,
            mut drifted,
            mut were_there,
            calls,
            throttled,
            fenced,
        } = self.0.into_inner().expect("no panic while held");
        were_there.sort();
        drifted.sort_by(|(one, _), (two, _)| one.cmp(two));
        Report {
            tally,
            unfinished: unfinished.into_values().collect(),
            drifted,
            were_there,
            calls,
            throttled,
            interrupted: false,
            fenced,
            journal_error: None,
        }
    }
}

impl Tally {
    const fn count(&mut self, effect: Effect) {
        let Effect {
            added,
            changed,
            destroyed,
        } = effect;
        self.added += added;
        self.changed += changed;
        self.destroyed += destroyed;
    }
}
