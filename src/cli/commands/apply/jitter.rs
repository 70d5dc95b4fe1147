//! `--jitter`: a random delay, so that many cron jobs don't call at once.
//!
//! Nothing is read, locked or called before it, so Ctrl-C ends the program at once.

use std::time::Duration;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::random::random;
use crate::cli::terminal::Ui;
use crate::render;

/// Waits for a random part of `most`, and prints for how long.
pub(crate) async fn wait(most: Duration, ui: &mut Ui) -> Result<(), Failure> {
    let delay = part(most, u64::from_be_bytes(random()?));
    let text = format!(
        "Waiting {} before this run starts: a random part of the {} that --jitter allows.",
        render::span(delay.as_secs()),
        render::span(most.as_secs()),
    );
    ui.note(format_args!("{text}"));
    if ui.takes_json() {
        ui.json_line(&render::log_json(&text, SystemClock.now()));
        ui.flush();
    }
    tokio::time::sleep(delay).await;
    Ok(())
}

/// The part of `most` that these random bits choose. All parts have the same probability.
fn part(most: Duration, chance: u64) -> Duration {
    let share = (most.as_millis() * u128::from(chance)) >> u64::BITS;
    Duration::from_millis(u64::try_from(share).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_middle() {
        let most = Duration::from_secs(600);
        assert_eq!(part(most, 0), Duration::ZERO);
        assert_eq!(part(most, 1 << 63), Duration::from_secs(300));
        assert_eq!(part(most, u64::MAX), Duration::from_millis(599_999));
        assert_eq!(part(Duration::ZERO, u64::MAX), Duration::ZERO);
    }

    proptest::proptest! {
        #[test]
        fn it_is_never_longer_and_grows_with_chance(seconds: u32, one: u64, other: u64) {
            let most = Duration::from_secs(seconds.into());
            let (low, high) = (part(most, one.min(other)), part(most, one.max(other)));
            proptest::prop_assert!(low <= high && high <= most);
        }
    }
}
