//! How the checker walks through the model: where it begins, what may happen next, what must hold.

use super::*;

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let there = [None, Some(Write::Add(value(1)))];
        // The old address, which has just left the file.
        let mut old = Url::new(None, Some(Write::Add(value(0))));
        old.known = Some(Known {
            belief: Belief::proven(value(0)),
            ..UNTOUCHED
        });
        let mut states = Vec::new();
        for exists_is_an_error in [false, true] {
            for truth in there {
                states.push(State {
                    urls: [Url::new(Some(0), truth), old.clone()],
                    running: false,
                    exists_is_an_error,
                    calls: 0,
                    losses: 0,
                    crashes: 0,
                    edits: 0,
                    broken: None,
                });
            }
        }
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let Bounds {
            calls,
            losses,
            crashes,
            edits,
        } = self.bounds;
        if state.running {
            if state.crashes < crashes {
                actions.push(Action::Crash);
            }
            let over = |url: &Url| matches!(url.progress, Progress::Done | Progress::GivenUp);
            if state.urls.iter().all(over) {
                actions.push(Action::End);
            }
        } else {
            actions.push(Action::Start);
        }
        if state.is_aging() {
            actions.push(Action::Tick);
        }
        for (at, url) in state.urls.iter().enumerate() {
            for (number, (stage, _, _)) in url.coming.iter().enumerate() {
                actions.push(match stage {
                    Stage::OnItsWay => Action::Admit(at, number),
                    Stage::Admitted => Action::Late(at, number),
                });
            }
            match url.progress {
                Progress::Next(..) => {
                    if state.calls < calls {
                        actions.push(Action::Journal(at));
                    }
                    actions.push(Action::GiveUp(at));
                }
                Progress::Journaled(..) => actions.push(Action::Send(at)),
                Progress::Flying(_, _, left) => {
                    if left > 0 {
                        actions.push(Action::Arrive(at));
                    }
                    actions.push(Action::Refuse(at));
                    if state.losses < losses {
                        actions.push(Action::Lose(at));
                    }
                }
                Progress::Arrived(..) => {
                    actions.push(Action::Answer(at));
                    if state.losses < losses {
                        actions.push(Action::Lose(at));
                    }
                }
                Progress::Done | Progress::GivenUp => {}
            }
            if !state.running && state.edits < edits {
                let others = [None, Some(0), Some(1)];
                let others = others.into_iter().filter(|wanted| *wanted != url.wanted);
                actions.extend(others.map(|wanted| Action::Edit(at, wanted)));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let rules = self.rules;
        match action {
            Action::Edit(at, wanted) => {
                state.edits += 1;
                state.urls[at].wanted = wanted;
            }
            Action::Start => {
                state.running = true;
                for url in &mut state.urls {
                    url.progress = url.plan();
                }
                // A run without calls changes nothing.
                if state.urls.iter().all(|url| url.progress == Progress::Done) {
                    return None;
                }
            }
            Action::Journal(at) => state.journal(at, rules)?,
            Action::Send(at) => {
                let Progress::Journaled(write, then, left) = state.urls[at].progress else {
                    return None;
                };
                state.calls += 1;
                state.check_departure(at, write);
                state.urls[at].progress = Progress::Flying(write, then, left);
            }
            Action::Arrive(at) => {
                let url = &mut state.urls[at];
                let Progress::Flying(write, then, _) = url.progress else {
                    return None;
                };
                let changed = url.execute(write);
                url.progress = Progress::Arrived(write, then, changed);
            }
            Action::Answer(at) => state.answer(at, rules)?,
            Action::Lose(at) => state.lose_answer(at, rules)?,
            Action::Refuse(at) => {
                let url = &mut state.urls[at];
                let Progress::Flying(write, then, _) = url.progress else {
                    return None;
                };
                url.settle(write, Answer::Refused, rules);
                url.progress = Progress::Next(write, then);
            }
            Action::GiveUp(at) => state.urls[at].progress = Progress::GivenUp,
            Action::Admit(at, number) => {
                let url = &mut state.urls[at];
                let (_, _, write) = url.coming[number];
                // What is left of this tick, and a whole one.
                url.coming[number] = (Stage::Admitted, LIFE - ADMITTED + 1, write);
                url.coming.sort_unstable();
            }
            Action::Late(at, number) => {
                let url = &mut state.urls[at];
                let (_, _, write) = url.coming.remove(number);
                url.execute(unordered(write));
            }
            Action::Tick => state.tick(),
            Action::Crash => state.crash(rules),
            Action::End => state.end(),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "(a) one fault-free run reaches what is declared",
                |_, state: &State| {
                    state.running || (state.converges(false) && state.converges(true))
                },
            ),
            Property::always(
                "(b) what is recorded as possible contains what is true",
                |_, state: &State| state.urls.iter().all(Url::is_truthful),
            ),
            Property::always(
                "(d) (e) (f) nothing was called that must not be",
                |_, state: &State| state.broken.is_none(),
            ),
            Property::sometimes("a lost call arrives late", |_, state: &State| {
                state.losses > 0 && state.urls.iter().any(|url| url.truth.is_some())
            }),
        ]
    }
}
