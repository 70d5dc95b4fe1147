//! What else explains a gap, simulated: how often it is taken for a missing callback, and how soon one is noticed.
//!
//! The rates are guesses, and on the bad side: docs/observe.md has them in a table.

use std::collections::BTreeSet;

use super::*;
use crate::random::SplitMix64;

const DAY: i64 = 86_400;

/// What happens at one URL and its receiver.
struct Site {
    source: Source,
    /// When its receiver is down: nothing arrives and nothing is written.
    down: Vec<(i64, i64)>,
    /// When it works and writes no receipts.
    silent: Vec<(i64, i64)>,
    /// When eSign sends late to it.
    slow: Vec<(i64, i64)>,
    /// By how much its clock is off.
    clock: i64,
    /// Since when eSign has it.
    since: i64,
    /// A type that eSign never sends to it.
    never: u64,
    probes: bool,
}

/// A callback as it is compared.
type Compared = Option<(usize, Option<Timestamp>)>;

#[derive(Clone, Copy)]
enum Line {
    Alive,
    Message(usize, u64, u64),
}

struct Dice(SplitMix64);

impl Dice {
    fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.0.below(u64::try_from(limit.max(1)).unwrap())).unwrap()
    }

    fn one_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }

    /// As many short ones as long ones, up to 2^`most` times the shortest.
    fn span(&mut self, shortest: i64, most: i64) -> i64 {
        let scale = shortest << self.below(most);
        scale + self.below(scale)
    }

    fn times(&mut self, days: i64, mean_days: i64, longest: i64) -> Vec<(i64, i64)> {
        let mut times = Vec::new();
        for day in 0..days {
            if self.one_in(mean_days) {
                let from = day * DAY + self.below(DAY);
                times.push((from, from + self.span(60, longest)));
            }
        }
        times
    }
}

fn within(times: &[(i64, i64)], at: i64) -> Option<i64> {
    let hit = times.iter().find(|(from, to)| (*from..*to).contains(&at));
    hit.map(|(_, to)| *to)
}

/// The lines of all receipts of one organization in so many days, in order, and its callbacks.
fn organization(
    dice: &mut Dice,
    days: i64,
    gone: Option<(usize, i64)>,
) -> (Vec<(i64, Source, Line)>, Vec<Compared>) {
    let count = 2 + usize::try_from(dice.below(2)).unwrap();
    let one_receiver = dice.one_in(2);
    let mut sites: Vec<Site> = (0..count)
        .map(|number| Site {
            source: Source(if one_receiver { 0 } else { number }),
            down: dice.times(days, 10, 11),
            silent: dice.times(days, 30, 11),
            slow: dice.times(days, 20, 10),
            clock: dice.below(121) - 60,
            since: if number > 0 && gone.is_none() && dice.one_in(3) {
                dice.below(days * DAY)
            } else {
                -30 * DAY
            },
            never: if dice.one_in(4) {
                u64::try_from(dice.below(5)).unwrap()
            } else {
                99
            },
            probes: dice.one_in(2) || gone.is_some(),
        })
        .collect();
    if one_receiver {
        let (down, silent) = (sites[0].down.clone(), sites[0].silent.clone());
        for site in &mut sites {
            site.down.clone_from(&down);
            site.silent.clone_from(&silent);
            site.clock = 0;
        }
    }
    let per_day = [2, 20, 100][usize::try_from(dice.below(3)).unwrap()];
    let mut lines = Vec::new();
    let mut key = 0;
    for day in 0..days {
        // Office hours; now and then a batch.
        let mut times: Vec<i64> = (0..per_day)
            .map(|_| day * DAY + 9 * 3600 + dice.below(9 * 3600))
            .collect();
        if dice.one_in(5) {
            let at = day * DAY + dice.below(DAY);
            times.extend((0..30).map(|number| at + number));
        }
        for at in times {
            key += 1;
            let kind = u64::try_from(dice.below(5)).unwrap();
            for (number, site) in sites.iter().enumerate() {
                let removed = gone.is_some_and(|(which, since)| which == number && at >= since);
                if removed || at < site.since || kind == site.never || dice.one_in(200) {
                    continue;
                }
                let mut arrives = at + dice.below(5);
                if within(&site.slow, at).is_some() {
                    arrives += dice.span(60, 8);
                }
                // What is not accepted is sent again later, or never.
                if let Some(up) = within(&site.down, arrives) {
                    if dice.one_in(2) {
                        continue;
                    }
                    arrives = up + dice.span(60, 7);
                    if within(&site.down, arrives).is_some() {
                        continue;
                    }
                }
                let mut deliveries = vec![arrives];
                if dice.one_in(50) {
                    deliveries.push(arrives + dice.span(60, 12));
                }
                for arrives in deliveries {
                    if within(&site.silent, arrives).is_none() {
                        let line = Line::Message(number, key, kind);
                        lines.push((arrives + site.clock, site.source, line));
                    }
                }
            }
        }
        for site in sites.iter().filter(|site| site.probes) {
            for quarter in 0..96 {
                let at = day * DAY + quarter * 900;
                if within(&site.down, at).is_none() && within(&site.silent, at).is_none() {
                    lines.push((at, site.source, Line::Alive));
                }
            }
        }
    }
    lines.sort_by_key(|(at, ..)| *at);
    let callbacks = sites
        .iter()
        .map(|site| Some((0, Some(Timestamp(site.since)))))
        .collect();
    (lines, callbacks)
}

fn key_of(number: u64) -> DedupeKey {
    let data = number.to_string();
    Message::V1(crate::receiver::V1 { data }).dedupe_key()
}

/// Takes the lines up to this moment, but of each source only what is written by then.
fn take(
    gaps: &mut Gaps,
    keys: &mut BTreeMap<u64, DedupeKey>,
    (at, source, line): (i64, Source, Line),
) {
    gaps.alive(source, Timestamp(at));
    if let Line::Message(callback, number, kind) = line {
        let key = *keys.entry(number).or_insert_with(|| key_of(number));
        gaps.arrived(callback, (key, kind), (source, Timestamp(at)));
    }
}

fn alarms(gaps: &Gaps) -> usize {
    gaps.missing()
        .filter(|(_, _, confidence)| *confidence == Confidence::High)
        .count()
}

/// At most one in 10,000 days of an organization has a false alarm.
#[test]
fn what_is_there_is_rarely_called_missing() {
    let mut dice = Dice(SplitMix64::new(20_261_127));
    let (mut days, mut false_alarms) = (0, 0);
    for _ in 0..400 {
        let length = 30;
        let (lines, callbacks) = organization(&mut dice, length, None);
        let mut gaps = Gaps::new(GRACE, &callbacks);
        let mut keys = BTreeMap::new();
        let mut day = 0;
        let mut alarmed = false;
        for line in &lines {
            take(&mut gaps, &mut keys, *line);
            alarmed |= alarms(&gaps) > 0;
            if line.0 / DAY > day {
                false_alarms += usize::from(alarmed);
                days += 1;
                alarmed = false;
                day = line.0 / DAY;
            }
        }
        // The files of some receivers end earlier.
        let lag: Vec<i64> = (0..3).map(|_| dice.below(DAY)).collect();
        let mut gaps = Gaps::new(GRACE, &callbacks);
        let shown = |line: &&(i64, Source, Line)| line.0 < length * DAY - lag[line.1.0];
        for line in lines.iter().filter(shown) {
            take(&mut gaps, &mut keys, *line);
        }
        false_alarms += usize::from(alarms(&gaps) > 0);
        days += 1;
    }
    assert!(days > 10_000, "{days}");
    assert!(false_alarms <= days / 10_000, "{false_alarms} of {days}");
}

/// A callback that eSign lost is noticed within ten messages, counted as far as the grace is over and on their own occasions.
#[test]
fn what_is_missing_is_noticed_soon() {
    let mut dice = Dice(SplitMix64::new(7));
    let (mut noticed, mut late) = (0, 0);
    for _ in 0..300 {
        let gone = (1, 10 * DAY + dice.below(DAY));
        let (lines, callbacks) = organization(&mut dice, 20, Some(gone));
        let mut gaps = Gaps::new(GRACE, &callbacks);
        let mut keys = BTreeMap::new();
        let mut occasions: Vec<i64> = Vec::new();
        let mut first = BTreeSet::new();
        let mut found = None;
        for line in &lines {
            if let Line::Message(0, number, _) = line.2
                && line.0 > gone.1
                && first.insert(number)
                && occasions
                    .last()
                    .is_none_or(|last| line.0 - last >= gaps::APART)
            {
                occasions.push(line.0);
            }
            take(&mut gaps, &mut keys, *line);
            let is_found = gaps
                .missing()
                .any(|(at, _, confidence)| at == 1 && confidence == Confidence::High);
            if is_found {
                found = Some(line.0);
                break;
            }
        }
        let over = |found: i64| occasions.iter().filter(|at| **at + GRACE <= found).count();
        match found.map(over) {
            Some(..=10) => noticed += 1,
            Some(_) | None => late += 1,
        }
    }
    assert!(
        noticed > 100 && late * 10 <= noticed,
        "{noticed} in time, {late} not"
    );
}
