//! Small plots, as the path data of SVG.

use std::fmt::Write as _;

/// The width of a bar and of the gap after it, in user units.
const BAR: usize = 6;
const GAP: usize = 2;

/// The height of a plot, in user units.
pub(super) const HEIGHT: usize = 32;

/// The width of a plot of so many bars.
pub(super) const fn width(bars: usize) -> usize {
    bars * (BAR + GAP) - if bars > 0 { GAP } else { 0 }
}

/// One bar for each value, from left to right, in proportion to `most`. A value above zero is always visible.
pub(super) fn bars(values: &[usize], most: usize) -> String {
    let mut path = String::new();
    for (number, value) in values.iter().enumerate() {
        if *value > 0 {
            let height = (value.saturating_mul(HEIGHT) / most.max(1)).clamp(1, HEIGHT);
            let (x, y) = (number * (BAR + GAP), HEIGHT - height);
            // Writing to a String does not fail.
            let _ = write!(path, "M{x} {y}h{BAR}v{height}h-{BAR}z");
        }
    }
    path
}

/// The parts of a bar that is `width` wide, one after the other, each with its beginning and its width, in proportion
/// to the counts. A count above zero has at least one unit.
pub(super) fn shares(counts: &[usize], width: usize) -> Vec<(usize, usize)> {
    let all: usize = counts.iter().sum();
    if all == 0 {
        return vec![(0, 0); counts.len()];
    }
    let share = |count: &usize| (count * width / all).max(usize::from(*count > 0));
    let mut parts: Vec<usize> = counts.iter().map(share).collect();
    // What rounding left over, or took, belongs to the largest.
    let sum: usize = parts.iter().sum();
    if let Some(largest) = parts.iter_mut().max() {
        *largest = (*largest + width).saturating_sub(sum);
    }
    let mut end = 0;
    let place = |part: usize| {
        let from = end;
        end += part;
        (from, part)
    };
    parts.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_vanish() {
        insta::assert_snapshot!(
            bars(&[0, 1, 500, 1000], 1000),
            @"M8 31h6v1h-6zM16 16h6v16h-6zM24 0h6v32h-6z"
        );
        assert_eq!(bars(&[0, 0], 0), "");
        assert_eq!((width(0), width(1), width(4)), (0, 6, 30));
    }

    proptest! {
        #[test]
        fn shares_fill_the_width(counts in prop::collection::vec(0_usize..100_000, 1..6)) {
            let parts = shares(&counts, 1000);
            let all: usize = counts.iter().sum();
            let mut end = 0;
            for (count, (from, part)) in counts.iter().zip(&parts) {
                prop_assert_eq!(*count > 0, *part > 0);
                prop_assert_eq!(*from, end);
                end += part;
            }
            prop_assert_eq!(end, if all == 0 { 0 } else { 1000 });
        }
    }
}
