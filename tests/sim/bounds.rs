//! Rule (g): no call is repeated without end, and none goes on and on where nothing answers.

use crate::config::Id;
use crate::world::World;

/// How many calls in a row may get no answer.
const MOST_IN_SILENCE: u32 = 20;

impl World {
    /// (g) No unbounded retry.
    pub(crate) fn check_retries(&mut self, run: usize, id: Id) {
        let facts = &mut self.runs[run];
        let tries = facts.tries.entry(id).or_default();
        *tries += 1;
        // Two calls of a replace; each may be repeated, signed anew for a wrong clock and for new
        // credentials.
        let most = 2 * (facts.max_retries + 4) + facts.throttles.get(&id).copied().unwrap_or(0);
        let tries = *tries;
        if tries > most {
            self.breaks("g", &format!("run {run}: {tries} calls for {id:?}"));
        }
    }

    /// (g) Where nothing answers, no more than a handful of calls is sent, and a few to see whether it does
    /// again. Those on their way when the silence began are no more than a second and a half of the rate.
    pub(crate) fn check_silence(&mut self, run: usize, enterprise: &'static str) {
        let facts = &mut self.runs[run];
        let silent = facts.silent.entry(enterprise).or_default();
        *silent += 1;
        let count = *silent;
        if count > MOST_IN_SILENCE {
            self.breaks(
                "g",
                &format!("run {run}: {count} calls in a row without an answer"),
            );
        }
    }
}
