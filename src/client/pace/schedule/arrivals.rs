//! The rate limiter against a server that counts what arrives, over ways that take unequally long.
//!
//! A simulation of events, without a clock: calls leave when the schedule lets them, arrive after their way
//! there, are admitted or refused, and are answered after the way back. The constants of `spread.rs` were
//! chosen by it; the bounds here keep them good.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use super::*;
use crate::random::SplitMix64;

/// How often another client calls in a second.
const RIVAL: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);

/// How long one way of one call takes, in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Way {
    Uniform(f64, f64),
    Exponential(f64),
    /// Usually the first, one in twenty the second more.
    Spikes(f64, f64),
    /// From the first to the second in half a minute, and back.
    Drift(f64, f64),
}

/// A world to call in.
#[derive(Clone, Copy, Debug)]
struct Course {
    there: Way,
    back: Way,
    /// From and until when another client calls, in seconds.
    rival: Option<(u32, u32)>,
    /// The server counts fixed seconds, not sliding ones.
    fixed: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
struct Run {
    took: f64,
    refused: usize,
    /// What the next run has to know.
    way_there: u8,
}

struct Dice(SplitMix64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        f64::from(u32::try_from(self.0.next() >> 32).unwrap()) / 4_294_967_296.0
    }

    fn way(&mut self, way: Way, now: At) -> Duration {
        let roll = self.roll();
        let milliseconds = match way {
            Way::Uniform(from, to) => from + (to - from) * roll,
            Way::Exponential(mean) => -mean * (1.0 - roll).ln(),
            Way::Spikes(usual, more) => usual + if roll < 0.05 { more } else { 0.0 },
            Way::Drift(from, to) => {
                from + (to - from) * (now.as_secs_f64() / 60.0 * PI).sin().abs()
            }
        };
        Duration::from_secs_f64(milliseconds / 1000.0)
    }
}

enum Happening {
    Arrives { sent: At },
    Rival,
    Answered { sent: At, refused: bool },
}

/// What the server admitted last.
struct Server {
    admitted: VecDeque<At>,
    fixed: bool,
}

impl Server {
    fn admits(&mut self, now: At) -> bool {
        let over = |at: At| {
            if self.fixed {
                at.as_secs() < now.as_secs()
            } else {
                at + SECOND <= now
            }
        };
        while self.admitted.front().is_some_and(|&at| over(at)) {
            self.admitted.pop_front();
        }
        let free = self.admitted.len() < 20;
        if free {
            self.admitted.push_back(now);
        }
        free
    }
}

/// What is still to happen, in order.
#[derive(Default)]
struct Happenings {
    queue: BTreeMap<(At, usize), Happening>,
    number: usize,
}

impl Happenings {
    fn add(&mut self, at: At, happening: Happening) {
        self.number += 1;
        self.queue.insert((at, self.number), happening);
    }

    fn next(&mut self, until: At) -> Option<(At, Happening)> {
        let first = self.queue.first_entry()?;
        let (at, _) = *first.key();
        (at <= until).then(|| (at, first.remove()))
    }
}

/// Makes that many calls.
fn run(course: Course, calls: usize, seed: u64) -> Run {
    run_after(Earlier::default(), course, calls, seed)
}

fn run_after(earlier: Earlier, course: Course, calls: usize, seed: u64) -> Run {
    let mut dice = Dice(SplitMix64::new(seed));
    let mut schedule = Schedule::after(Some(20.0), earlier);
    let mut server = Server {
        admitted: VecDeque::new(),
        fixed: course.fixed,
    };
    let mut happenings = Happenings::default();
    if let Some((from, until)) = course.rival {
        for number in 0..(until - from) * RIVAL {
            let at = SECOND * from + SECOND * number / RIVAL;
            happenings.add(at, Happening::Rival);
        }
    }
    let (mut waiting, mut open, mut refused) = (calls, calls, 0);
    let (mut now, mut due) = (At::ZERO, None);
    while open > 0 {
        let leaves = if waiting > 0 {
            let due = *due.get_or_insert_with(|| {
                let due = schedule.due(At::ZERO, now);
                schedule.book(due, 1, now);
                due
            });
            match schedule.earliest_start(due, false, now) {
                Next::At(at) => at.max(now),
                Next::WhenReleased => unreachable!("nothing is reserved"),
            }
        } else {
            At::MAX
        };
        let Some((at, happening)) = happenings.next(leaves) else {
            now = leaves;
            schedule.start(false, now);
            due = None;
            waiting -= 1;
            let arrives = now + dice.way(course.there, now);
            happenings.add(arrives, Happening::Arrives { sent: now });
            continue;
        };
        now = at;
        match happening {
            Happening::Rival => {
                server.admits(now);
            }
            Happening::Arrives { sent } => {
                let refused = !server.admits(now);
                let answered = now + dice.way(course.back, now);
                happenings.add(answered, Happening::Answered { sent, refused });
            }
            Happening::Answered {
                sent,
                refused: true,
            } => {
                refused += 1;
                waiting += 1;
                schedule.throttled(sent, now);
            }
            Happening::Answered {
                sent,
                refused: false,
            } => {
                open -= 1;
                schedule.answered(sent, now);
            }
        }
    }
    Run {
        took: now.as_secs_f64(),
        refused,
        way_there: schedule.earlier(now).way_there,
    }
}

/// Nothing differs.
const STEADY: Way = Way::Uniform(25.0, 25.0);

/// A jittered way there, and always the same way back.
const fn there(there: Way) -> Course {
    Course {
        there,
        back: STEADY,
        rival: None,
        fixed: false,
    }
}

/// A thousand calls with each of ten seeds: the median time, the longest, and how many of a run's calls are
/// refused in the mean and at most.
#[track_caller]
fn assert_within(course: Course, median: f64, longest: f64, mean: usize, most: usize) {
    let first = |seed| run(course, 1000, seed);
    assert_runs_within(first, course, median, longest, mean, most);
}

#[track_caller]
fn assert_runs_within(
    one: impl Fn(u64) -> Run,
    course: Course,
    median: f64,
    longest: f64,
    mean: usize,
    most: usize,
) {
    let mut runs: Vec<Run> = (0..10).map(one).collect();
    runs.sort_by(|one, other| one.took.total_cmp(&other.took));
    assert!(runs[5].took <= median, "{course:?}: {:?}", runs[5]);
    assert!(runs[9].took <= longest, "{course:?}: {:?}", runs[9]);
    let refusals: usize = runs.iter().map(|run| run.refused).sum();
    assert!(refusals <= mean * 10, "{course:?}: {refusals} in ten runs");
    let refused = runs.iter().map(|run| run.refused).max();
    assert!(refused <= Some(most), "{course:?}: {refused:?}");
}

#[test]
fn what_only_answers_differ_by_costs_nothing() {
    assert_within(there(STEADY), 50.3, 50.3, 0, 0);
    let answers = Course {
        back: Way::Uniform(400.0, 1200.0),
        ..there(STEADY)
    };
    assert_within(answers, 51.3, 51.5, 0, 0);
}

/// How late a call may be, in milliseconds; the seconds in the median and at most; how many are refused in
/// the mean and at most.
const JITTER: [(f64, f64, f64, usize, usize); 4] = [
    (20.0, 51.0, 51.0, 2, 3),
    (50.0, 52.0, 52.0, 3, 3),
    (200.0, 56.6, 60.5, 5, 8),
    (800.0, 68.8, 70.2, 6, 8),
];

#[test]
fn jitter_on_the_way_there_costs_little_more_than_it_has_to() {
    for (late, median, longest, mean, most) in JITTER {
        let course = there(Way::Uniform(0.0, late));
        assert_within(course, median, longest, mean, most);
        let fixed = Course {
            fixed: true,
            ..course
        };
        assert_within(fixed, median, longest, mean, most);
    }
}

#[test]
fn a_second_run_knows_of_the_jitter_and_is_refused_less() {
    for (late, median, longest, mean, most) in JITTER {
        let course = there(Way::Uniform(0.0, late));
        let second = |seed| {
            let first = run(course, 1000, seed);
            let earlier = Earlier {
                calls: 0,
                way_there: first.way_there,
            };
            run_after(earlier, course, 1000, seed + 100)
        };
        assert_runs_within(second, course, median, longest, mean - 1, most - 1);
    }
}

#[test]
fn jitter_of_other_kinds_costs_little_too() {
    for (way, seconds) in [
        (Way::Exponential(5.0), 51.0),
        (Way::Exponential(20.0), 52.5),
        (Way::Exponential(100.0), 60.0),
        (Way::Spikes(20.0, 500.0), 66.0),
        (Way::Spikes(20.0, 5000.0), 69.0),
        (Way::Drift(10.0, 300.0), 51.0),
    ] {
        assert_within(there(way), seconds, seconds, 8, 12);
    }
}

#[test]
fn answers_that_differ_too_don_t_mislead_it_much() {
    let course = Course {
        back: Way::Uniform(400.0, 1200.0),
        ..there(Way::Uniform(0.0, 20.0))
    };
    assert_within(course, 59.0, 62.5, 3, 4);
}

/// A second client takes half of the limit and never gives way; what it leaves is used.
#[test]
fn beside_another_client_it_converges() {
    for there_takes in [STEADY, Way::Uniform(0.0, 50.0)] {
        let beside = Course {
            rival: Some((0, 300)),
            ..there(there_takes)
        };
        let run = run(beside, 1000, 1);
        assert!(run.took <= 170.0, "{run:?}");
        assert!(run.refused <= 80, "{run:?}");
    }
}

#[test]
fn after_another_client_s_calls_it_is_fast_again() {
    for there_takes in [STEADY, Way::Uniform(0.0, 50.0)] {
        let alone = run(there(there_takes), 600, 1);
        let beside = Course {
            rival: Some((3, 13)),
            ..there(there_takes)
        };
        let beside = run(beside, 600, 1);
        assert!(beside.took <= alone.took + 11.0, "{alone:?} {beside:?}");
    }
}
