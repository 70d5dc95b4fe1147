//! Each stage by itself: `cargo bench --bench micro`.
//!
//! What the parts of a plan and of a call cost, without processes, disks and networks but for the
//! journal, which is durable before a call leaves.

mod stages;
mod workload;

use std::fmt;

use divan::{Bencher, counter::ItemsCount};
use ess_callbacks::state::RealFiles;

use stages::{Stage, append, desired};

const SIZES: [usize; 3] = [10, 1_000, 100_000];

/// A stage and for how many callbacks.
struct Case(Stage, usize);

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.name(), self.1)
    }
}

fn main() {
    divan::main();
}

fn cases() -> impl Iterator<Item = Case> {
    Stage::ALL.into_iter().flat_map(|stage| {
        // The same for all sizes, or the journal is not what it should be.
        let sizes: &[usize] = if stage.grows() || stage == Stage::Journal {
            &SIZES
        } else {
            &SIZES[1..2]
        };
        sizes.iter().map(move |&callbacks| Case(stage, callbacks))
    })
}

#[divan::bench(args = cases())]
fn stage(bencher: Bencher<'_, '_>, Case(stage, callbacks): &Case) {
    let run = if *stage == Stage::Journal {
        append(RealFiles, &desired(*callbacks))
    } else {
        stage.prepare(*callbacks)
    };
    let items = if stage.grows() { *callbacks } else { 1 };
    bencher.counter(ItemsCount::new(items)).bench_local(run);
}
