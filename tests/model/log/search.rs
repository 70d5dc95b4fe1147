//! How the checker walks through the model: where it begins, what may happen next, what must hold.

use std::sync::atomic::Ordering::Relaxed;

use stateright::{Model, Property};

use super::*;

impl Writers {
    fn writes(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let runner = &state.runners[at];
        if state.calls < self.bounds.calls {
            actions.push(Action::Write(at, Kind::Intent));
        }
        if let Some((intent, answered)) = runner.ended.last() {
            actions.push(Action::Write(at, Kind::Outcome(*intent, *answered)));
        } else if runner.intended.is_empty() {
            actions.push(Action::Write(at, Kind::Release));
        }
    }
}

impl Model for Writers {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.bounds.runners)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let newest = state.newest();
        let may_be_stale = state.stale < self.bounds.stale;
        for (at, runner) in state.runners.iter().enumerate() {
            match runner.phase {
                // All are alike: they begin in their order.
                Phase::Out if at == 0 || state.runners[at - 1].begun => {
                    actions.push(Action::Look(at, newest));
                    if may_be_stale && newest > 0 {
                        actions.push(Action::Look(at, newest - 1));
                    }
                }
                Phase::Sending(..) => {
                    actions.push(Action::Create(at, Fate::Done));
                    if state.faults < self.bounds.faults {
                        let faults = [Fate::AnswerLost, Fate::Late, Fate::Doubled, Fate::Refused];
                        actions.extend(faults.map(|fate| Action::Create(at, fate)));
                    }
                }
                Phase::Asking(record, _) => {
                    actions.push(Action::Ask(at, newest));
                    // Any other view tells the same as one of these.
                    let older = [record.number - 1, record.number];
                    let older = older
                        .into_iter()
                        .filter(|view| may_be_stale && *view < newest);
                    actions.extend(older.map(|view| Action::Ask(at, view)));
                    if state.failures < self.bounds.failures {
                        actions.push(Action::GiveUp(at));
                    }
                }
                Phase::Holding if runner.read == 0 && self.rules.keep(Rule::ReadToHold) => {
                    actions.push(Action::Read(at, runner.hold));
                }
                Phase::Holding if runner.read == 0 => {
                    actions.extend((1..=runner.hold).map(|view| Action::Read(at, view)));
                }
                Phase::Holding => self.writes(state, at, actions),
                Phase::Out | Phase::Left | Phase::Released | Phase::Lost => {}
            }
            if !runner.intended.is_empty() {
                actions.extend([true, false].map(|answered| Action::Call(at, answered)));
            }
        }
        actions.extend((0..state.coming.len()).map(Action::Late));
        actions.extend((0..state.calls_coming.len()).map(Action::LateCall));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let rules = self.rules;
        match action {
            Action::Look(at, view) => state.look(at, view, rules),
            Action::Read(at, view) => state.runners[at].read = view,
            Action::Write(at, kind) => {
                state.calls += u8::from(kind == Kind::Intent);
                state.write(at, kind, rules);
            }
            Action::Create(at, fate) => state.create(at, fate, rules)?,
            Action::Ask(at, view) => {
                state.ask(at, view, rules)?;
                let again = state.runners[at].tried > last.runners[at].tried;
                self.seen.overtaken.fetch_or(again, Relaxed);
            }
            Action::GiveUp(at) => {
                let Phase::Asking(record, _) = state.runners[at].phase else {
                    return None;
                };
                state.failures += 1;
                state.fail(at, record);
            }
            Action::Call(at, answered) => {
                let holder = state.hold_at(state.newest()).map(|hold| hold.by);
                let is_after = holder.is_some_and(|by| by != at);
                self.seen.call_after_take_over.fetch_or(is_after, Relaxed);
                state.call(at, answered, rules)?;
            }
            Action::Late(number) => {
                let record = state.coming.remove(number);
                let is_new = state.put(record, rules) == Created::Now;
                self.seen.late.fetch_or(is_new, Relaxed);
            }
            Action::LateCall(number) => state.late_call(number),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "(1) (3) (4) (5) nothing was done that must not be",
                |_, state: &State| state.broken.is_none(),
            ),
            Property::always(
                "(1) (2) the log has no gap, and only its holder writes it",
                |_, state: &State| state.only_holders_write(),
            ),
            Property::always("(2) one runner at most can write", |_, state: &State| {
                state.one_can_write()
            }),
            Property::always(
                "(4) a holder has read the intents of all calls that left before and after it took over",
                |_, state: &State| state.calls_are_known(),
            ),
            Property::sometimes("a holder is taken over", |_, state: &State| {
                state
                    .runners
                    .iter()
                    .any(|runner| runner.phase == Phase::Lost)
            }),
            Property::sometimes("a hold is released", |_, state: &State| {
                state
                    .runners
                    .iter()
                    .any(|runner| runner.phase == Phase::Released)
            }),
        ]
    }
}
