//! What a trial does for each way that eSign may answer.

use super::*;
use crate::doctor::fixtures::error;
use crate::model::{Blast, RequestId};
use proptest::prelude::*;

const URL: &str = "https://h.example/esign-trial";

fn made(step: Step, outcome: Outcome) -> Made {
    Made {
        step,
        outcome,
        at: Timestamp(1000),
        dated: true,
    }
}

fn id() -> RequestId {
    RequestId::new("r")
}

/// An eSign that compares URLs by this function.
fn run(compare: fn(&str) -> String) -> Trial {
    let mut trial = Trial::new(URL).unwrap();
    let mut there = false;
    while let Some(step) = trial.next() {
        let url = trial.url_of(step.target).as_str().to_owned();
        let same = compare(&url) == compare(URL);
        let outcome = match (step.add, there && same) {
            (true, true) => Outcome::AlreadyThere(id()),
            (true, false) => Outcome::Applied(id()),
            (false, true) => Outcome::Applied(id()),
            (false, false) => Outcome::NotThere(id()),
        };
        there = step.add || (there && !same);
        trial.leaves(step);
        trial.take(made(step, outcome));
    }
    assert!(!there, "nothing is left");
    assert_eq!(trial.left(), Left::Nothing);
    assert!(trial.made().len() <= trial.most_calls());
    trial
}

#[test]
fn every_question_is_answered_however_esign_compares() {
    let exact = run(str::to_owned);
    let answers = exact.answers();
    assert!(
        answers.iter().all(|(_, answer)| answer != "not asked"),
        "{answers:?}"
    );
    assert_eq!(
        answers
            .iter()
            .filter(|(_, answer)| answer == "another URL")
            .count(),
        4
    );
    let loose = run(|url| loosely(&CallbackUrl::new(url)));
    let same = |(_, answer): &&(String, String)| answer.starts_with("the same URL");
    assert_eq!(loose.answers().iter().filter(same).count(), 4);
}

#[test]
fn a_refused_first_add_ends_it_and_leaves_nothing() {
    let mut trial = Trial::new(URL).unwrap();
    for outcome in [
        Outcome::NotThere(id()),
        Outcome::Rejected(Blast::Call, error(Some("InvalidParameter"), "x")),
    ] {
        let step = trial.next().unwrap();
        trial.leaves(step);
        trial.take(made(step, outcome));
    }
    assert_eq!((trial.next(), trial.clean_up()), (None, None));
}

#[test]
fn a_lost_add_may_arrive_later_whatever_is_deleted() {
    let mut trial = Trial::new(URL).unwrap();
    for outcome in [
        Outcome::NotThere(id()),
        Outcome::Unknown(error(None, "lost")),
    ] {
        let step = trial.next().unwrap();
        trial.leaves(step);
        trial.take(made(step, outcome));
    }
    assert_eq!(trial.next(), None);
    let step = trial.clean_up().unwrap();
    trial.take(made(step, Outcome::NotThere(id())));
    assert_eq!(trial.left(), Left::UntilDead(Timestamp(1330)));
}

#[test]
fn a_url_that_is_in_use_collides_in_every_spelling() {
    let trial = Trial::new(URL).unwrap();
    for taken in [
        URL,
        "http://H.example:443/esign-trial/",
        "https://h.example/ESIGN-TRIAL",
        "https://h.example/%65sign-trial",
        "https://h.example/x/../esign-trial",
        "https://h.example/x/%2e%2e/esign-trial",
        "https://h.example.//esign-trial",
        "https://H%2eexample/./esign-trial/",
    ] {
        let taken = CallbackUrl::new(taken);
        assert!(trial.collides([&taken].into_iter()).is_some(), "{taken}");
    }
    let other = CallbackUrl::new("https://h.example/esign");
    assert!(trial.collides([&other].into_iter()).is_none());
}

#[test]
fn what_can_not_be_used() {
    for (text, expected) in [
        ("ftp://h.example/", TrialError::NotAUrl),
        ("h.example", TrialError::NotAUrl),
        ("https://h.example/?a", TrialError::TooMuch),
        ("https://me@h.example/", TrialError::TooMuch),
        ("https://h.example/ä", TrialError::Characters),
    ] {
        assert_eq!(Trial::new(text).unwrap_err(), expected, "{text}");
    }
}

proptest! {
    /// Whatever eSign answers: it ends, and if the URL may be there, it says so.
    #[test]
    fn it_ends_and_knows_what_is_left(answers in proptest::collection::vec(0..5_u8, 20)) {
        let mut trial = Trial::new(URL).unwrap();
        let mut may_be_there = false;
        let mut answers = answers.into_iter();
        while let Some(step) = trial.next() {
            let outcome = match answers.next().unwrap() {
                0 => Outcome::Applied(id()),
                1 if step.add => Outcome::AlreadyThere(id()),
                1 | 2 => Outcome::NotThere(id()),
                3 => Outcome::Rejected(Blast::Call, error(Some("X"), "x")),
                _ => Outcome::Unknown(error(None, "x")),
            };
            let happened = matches!(outcome, Outcome::Applied(_) | Outcome::AlreadyThere(_));
            let unknown = matches!(outcome, Outcome::Unknown(_));
            let gone = matches!(outcome, Outcome::Applied(_) | Outcome::NotThere(_));
            if step.add && (happened || unknown) {
                may_be_there = true;
            } else if !step.add && gone && step.target == Target::Given {
                may_be_there = false;
            }
            trial.leaves(step);
            trial.take(made(step, outcome));
            prop_assert!(trial.made().len() <= trial.most_calls());
        }
        prop_assert!(!may_be_there || trial.clean_up().is_some());
    }
}
