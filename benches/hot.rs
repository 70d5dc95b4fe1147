//! One stage, so many times, for `benches/instructions.py` to count the instructions of. Run without
//! arguments it does nothing, so that `cargo bench` passes over it.
//!
//! * `list`: the names of the stages, one a line.
//! * `STAGE TIMES`: makes what the stage needs for a thousand callbacks and runs it so many times; a
//!   hundred times as often when it is the work of one call, which is little.
//!
//! The difference between two runs is what the repetitions cost, without the making.

mod stages;
mod workload;

use std::io::Write as _;

use stages::Stage;

const CALLBACKS: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["--bench"] => Ok(()),
        ["list"] => {
            let mut out = std::io::stdout();
            Stage::ALL
                .iter()
                .try_for_each(|stage| writeln!(out, "{}", stage.name()))?;
            Ok(())
        }
        [name, times] => {
            let stage = Stage::ALL.into_iter().find(|stage| stage.name() == *name);
            let stage = stage.ok_or_else(|| format!("no stage is called `{name}`"))?;
            let little = !stage.grows() && stage != Stage::FingerprintsOfTokenAlone;
            let mut run = stage.prepare(CALLBACKS);
            for _ in 0..times.parse::<u32>()? * if little { 100 } else { 1 } {
                run();
            }
            Ok(())
        }
        other => Err(format!("what does {other:?} mean?").into()),
    }
}
