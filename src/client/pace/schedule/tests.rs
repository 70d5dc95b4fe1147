//! The rate limiter's rules under every kind of unpunctuality.

use proptest::prelude::*;

use super::*;

fn ms(milliseconds: u64) -> At {
    Duration::from_millis(milliseconds)
}

/// What callers do, one after the other.
#[derive(Clone, Debug)]
enum Step {
    /// Asks for a slot after this pause, and starts this late.
    Single { pause: u64, late: u64 },
    /// The same with a second call this long after the first; `None` gives the reservation back.
    Pair {
        pause: u64,
        late: u64,
        answer: Option<u64>,
    },
    /// eSign refuses the last call.
    Throttled,
    /// It answered some calls after these times.
    Answered(Vec<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    let pause = prop_oneof![8 => Just(0_u64), 1 => 0..200_u64, 1 => 0..5000_u64];
    let late = prop_oneof![4 => 0..3_u64, 1 => 0..400_u64];
    prop_oneof![
        12 => (pause.clone(), late.clone()).prop_map(|(pause, late)| Step::Single { pause, late }),
        6 => (pause, late, prop::option::weighted(0.8, 0..1500_u64))
            .prop_map(|(pause, late, answer)| Step::Pair { pause, late, answer }),
        1 => Just(Step::Throttled),
        1 => prop::collection::vec(0..2000_u64, 1..20).prop_map(Step::Answered),
    ]
}

/// A caller's second call: when it wants to leave, and whether it has a place or asks for one.
type Second = (At, bool);

/// Plays the steps against the schedule, without a clock, and gives the times of all sends.
fn play(rate: f64, steps: &[Step]) -> Vec<At> {
    let mut schedule = Schedule::new(Some(rate));
    let mut now = At::ZERO;
    let mut sends = Vec::new();
    let mut seconds: Vec<Second> = Vec::new();
    for step in steps {
        let (pause, late, pair) = match *step {
            Step::Answered(ref trips) => {
                for (&trip, &sent) in trips.iter().zip(sends.iter().rev()) {
                    schedule.answered(sent, sent + ms(trip));
                }
                continue;
            }
            Step::Single { pause, late } => (pause, late, None),
            Step::Pair {
                pause,
                late,
                answer,
            } => (pause, late, Some(answer)),
            Step::Throttled => {
                if let Some(&last) = sends.last() {
                    schedule.throttled(last, now);
                }
                continue;
            }
        };
        let since = now + ms(pause);
        advance(&mut schedule, &mut now, since, &mut seconds, &mut sends);
        let due = schedule.due(since, now);
        schedule.book(due, 1 + u32::from(pair.is_some()), now);
        // Late at the gate, as a caller whose journal was slow.
        let at = due.max(now) + ms(late);
        advance(&mut schedule, &mut now, at, &mut seconds, &mut sends);
        let reserve = loop {
            let reserve = pair.is_some() && schedule.can_reserve();
            match schedule.earliest_start(due, reserve, now) {
                Next::At(at) if at <= now => break reserve,
                Next::At(at) => advance(&mut schedule, &mut now, at, &mut seconds, &mut sends),
                Next::WhenReleased => {
                    let (first, _) = *seconds.iter().min().expect("it is held");
                    let at = first.max(now) + ms(1);
                    advance(&mut schedule, &mut now, at, &mut seconds, &mut sends);
                }
            }
        };
        schedule.start(reserve, now);
        sends.push(now);
        match pair {
            Some(Some(answer)) => seconds.push((now + ms(answer), reserve)),
            Some(None) if reserve => schedule.release(),
            Some(None) | None => {}
        }
    }
    let end = now + ms(3_600_000);
    advance(&mut schedule, &mut now, end, &mut seconds, &mut sends);
    assert!(seconds.is_empty(), "a second call never left: {seconds:?}");
    sends.sort_unstable();
    sends
}

/// Lets time pass, and second calls leave in the meantime.
fn advance(
    schedule: &mut Schedule,
    now: &mut At,
    to: At,
    seconds: &mut Vec<Second>,
    sends: &mut Vec<At>,
) {
    seconds.sort_unstable();
    while let Some(&(wanted, kept)) = seconds.first().filter(|(wanted, _)| *wanted <= to) {
        let at = wanted.max(*now);
        let next = if kept {
            schedule.earliest_reserved()
        } else {
            schedule.ask(true);
            schedule.earliest_asked()
        };
        match next {
            Next::At(free) if free <= at => {
                if kept {
                    schedule.use_reserved(at);
                } else {
                    schedule.use_asked(at);
                }
                *now = at;
                sends.push(at);
                seconds.remove(0);
            }
            Next::At(free) => {
                assert!(!kept, "a kept place was taken");
                seconds[0].0 = free;
                seconds.sort_unstable();
            }
            Next::WhenReleased => {
                assert!(!kept, "a kept place was taken");
                let later = seconds[1..].iter().map(|(wanted, _)| *wanted).min();
                seconds[0].0 = later.expect("it is held") + ms(1);
                seconds.sort_unstable();
            }
        }
    }
    *now = (*now).max(to);
}

fn fullest_second(sends: &[At]) -> usize {
    let mut fullest = 0;
    let mut first = 0;
    for (last, &at) in sends.iter().enumerate() {
        while at.abs_diff(sends[first]) >= Duration::from_secs(1) {
            first += 1;
        }
        fullest = fullest.max(last - first + 1);
    }
    fullest
}

proptest! {
    #[test]
    fn no_second_is_overfull(
        rate in prop_oneof![Just(20.0), Just(1.0), Just(2.0), Just(2.5), Just(0.5), 1.0..40.0],
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let sends = play(rate, &steps);
        let places = Schedule::new(Some(rate)).places();
        prop_assert!(fullest_second(&sends) <= places, "{:?}", sends);
    }

    /// With timers as late as tokio's, and a stall now and then, the plan is kept.
    #[test]
    fn the_limit_is_used_in_full(lateness in prop::collection::vec(0..3_u64, 1000), stalls in prop::collection::vec((0..900_usize, 0..60_u64), 0..4)) {
        let mut lateness = lateness;
        for (call, stall) in stalls {
            lateness[call] = stall;
        }
        let steps: Vec<_> = lateness.iter().map(|&late| Step::Single { pause: 0, late }).collect();
        let sends = play(20.0, &steps);
        let took = sends[999];
        prop_assert!(took <= ms(50_220 + 60), "{took:?}");
    }
}

#[test]
fn calls_are_spaced_evenly() {
    let sends = play(20.0, &vec![Step::Single { pause: 0, late: 0 }; 100]);
    for pair in sends.windows(2) {
        let distance = pair[1].abs_diff(pair[0]);
        assert_eq!(distance, Duration::from_micros(50_250));
    }
}

#[test]
fn idle_time_is_not_saved_up() {
    let mut schedule = Schedule::new(Some(20.0));
    schedule.book(At::ZERO, 1, At::ZERO);
    let since = ms(10_000);
    let due = schedule.due(since, since);
    assert_eq!(due, since);
    schedule.book(due, 1, since);
    assert_eq!(
        schedule.due(since, since),
        since + Duration::from_micros(50_250)
    );
}

#[test]
fn calls_before_the_beginning_count() {
    for (earlier, places) in [(0, 20), (5, 15), (20, 0), (1000, 0)] {
        let before = Earlier {
            calls: earlier,
            way_there: 100,
        };
        let mut schedule = Schedule::after(Some(20.0), before);
        for call in 0..places {
            assert_eq!(
                schedule.room(1, true),
                Next::At(At::ZERO),
                "{earlier}: {call}"
            );
            schedule.record(At::ZERO);
        }
        assert_eq!(schedule.room(1, true), Next::At(WINDOW), "{earlier}");
    }
}

#[test]
fn a_first_refusal_is_taken_for_jitter() {
    let mut schedule = Schedule::new(Some(20.0));
    assert_eq!(schedule.throttled(ms(900), ms(1000)), Some(18.0));
    assert_eq!(
        schedule.throttled(ms(950), ms(1010)),
        None,
        "it left before"
    );
    assert_eq!(schedule.due(ms(1010), ms(1010)), ms(1100), "a short pause");
    assert_eq!(schedule.rate(ms(2100)), Some(20.0));
    assert_eq!(
        schedule.throttled(ms(12_000), ms(12_000)),
        Some(18.0),
        "calm for ten seconds"
    );
}

#[test]
fn where_round_trips_differ_a_refusal_keeps_places_for_longer() {
    let mut schedule = Schedule::new(Some(20.0));
    for trip in 0..=100 {
        schedule.answered(At::ZERO, ms(50 + trip));
    }
    assert_eq!(schedule.rate(ms(0)), Some(20.0), "no call was refused");
    let first = schedule.throttled(ms(1000), ms(1100)).unwrap();
    assert!((19.4..19.6).contains(&first), "half of 50 ms: {first}");
    assert_eq!(schedule.due(ms(1100), ms(1100)), ms(1100), "no pause");
    assert_eq!(
        schedule.throttled(ms(1050), ms(1150)),
        None,
        "it left before"
    );
    let second = schedule.throttled(ms(1200), ms(1200)).unwrap();
    assert!((19.0..19.1).contains(&second), "all of it: {second}");
    let cut = schedule.throttled(ms(6000), ms(6000)).unwrap();
    assert!(
        cut < second * 0.91,
        "the way there does not explain it: {cut}"
    );
    for _ in 0..2000 {
        schedule.answered(At::ZERO, ms(50));
    }
    assert_eq!(schedule.rate(ms(9000)), Some(20.0));
}

#[test]
fn a_call_gives_its_place_back_when_it_can_t_arrive_any_more() {
    let mut schedule = Schedule::after(
        Some(1.0),
        Earlier {
            calls: 0,
            way_there: 100,
        },
    );
    schedule.spread.answered(ms(50));
    schedule.spread.answered(ms(450));
    schedule.start(false, ms(1000));
    let share = schedule.spread.share();
    assert!((0.99..1.0).contains(&share), "{share}");
    let late = |trip| WINDOW + ms(trip).mul_f64(schedule.spread.share());
    assert_eq!(schedule.room(1, true), Next::At(ms(1000) + late(400)));
    assert_eq!(schedule.room(1, false), Next::At(ms(1000) + WINDOW));
    schedule.ended(ms(1000), ms(1150));
    let late = WINDOW + ms(100).mul_f64(schedule.spread.share());
    assert_eq!(schedule.room(1, true), Next::At(ms(1000) + late));
}

#[test]
fn the_next_run_knows_what_may_have_arrived_just_now() {
    let mut schedule = Schedule::new(Some(20.0));
    for call in 0..10 {
        schedule.start(false, ms(call * 100));
    }
    for call in 0..8 {
        // The first ones are answered late.
        schedule.ended(ms(call * 100), ms(1500 - call * 100));
    }
    assert_eq!(schedule.earlier(ms(2000)).calls, 8);
    assert_eq!(schedule.earlier(ms(20_000)).calls, 2, "two have no answer");
}

#[test]
fn more_refusals_halve_the_rate_and_it_comes_back() {
    let mut schedule = Schedule::new(Some(20.0));
    assert_eq!(schedule.throttled(ms(0), ms(0)), Some(18.0));
    assert_eq!(schedule.throttled(ms(1100), ms(1100)), Some(10.0));
    assert_eq!(
        schedule.throttled(ms(1150), ms(1200)),
        None,
        "it left before"
    );
    assert_eq!(
        schedule.due(ms(1200), ms(1200)),
        ms(2100),
        "a second's pause"
    );
    assert_eq!(schedule.rate(ms(2100)), Some(10.0));
    assert_eq!(schedule.rate(ms(4600)), Some(15.0));
    assert_eq!(schedule.rate(ms(7100)), Some(20.0));
    let mut rate = 20.0;
    for second in 8..18 {
        rate = schedule
            .throttled(ms(second * 1000), ms(second * 1000))
            .unwrap();
    }
    assert!((1.0..=1.5).contains(&rate), "{rate}");
}
