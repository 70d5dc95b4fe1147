//! What the schedules covered, so that one can see that they cover it.

/// What a schedule covered, for the summary.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) calls: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) late_executed: u64,
    /// Took effect after their callers had gone.
    pub(crate) slow_effects: u64,
    pub(crate) throttled: u64,
    pub(crate) crashes: u64,
    pub(crate) runs: u64,
    pub(crate) fences: u64,
    /// Runs that were refused because they had another enterprise's credentials.
    pub(crate) mistaken: u64,
    /// Callbacks of emergency copies that were recorded.
    pub(crate) brought_home: u64,
    /// Runs of rotations.
    pub(crate) rotations: u64,
    /// Deletes of a callback or its twin while the other took its messages.
    pub(crate) covered: u64,
    /// Rounds of replicas of the controller.
    pub(crate) rounds: u64,
    /// Schedules at whose end replicas had made eSign as declared, by themselves.
    pub(crate) kept: u64,
    /// Rounds whose files were older than those that were applied.
    pub(crate) behind: u64,
    /// Rounds that healed.
    pub(crate) healed: u64,
}

impl Facts {
    pub(crate) const fn add(&mut self, other: &Self) {
        let Self {
            calls,
            lost,
            late,
            late_executed,
            slow_effects,
            throttled,
            crashes,
            runs,
            fences,
            mistaken,
            brought_home,
            rotations,
            covered,
            rounds,
            kept,
            behind,
            healed,
        } = *other;
        self.calls += calls;
        self.lost += lost;
        self.late += late;
        self.late_executed += late_executed;
        self.slow_effects += slow_effects;
        self.throttled += throttled;
        self.crashes += crashes;
        self.runs += runs;
        self.fences += fences;
        self.mistaken += mistaken;
        self.brought_home += brought_home;
        self.rotations += rotations;
        self.covered += covered;
        self.rounds += rounds;
        self.kept += kept;
        self.behind += behind;
        self.healed += healed;
    }
}
