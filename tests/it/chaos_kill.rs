//! The real program killed at any moment: nothing is lost, and the next run finishes.

use ess_callbacks::random::SplitMix64;

use crate::support::{OTHER_KEY, Running, Served, TestEnv, configuration, eventually};

const STAYS: &str = "https://hooks.example/stays";
const ROTATES: &str = "https://hooks.example/rotates";
const GOES: &str = "https://hooks.example/goes";
const COMES: &str = "https://hooks.example/comes";

/// What sha256sum says of the two keys.
const KEY_DIGEST: &str = "cd6c1f7d1dc6717d6371d2647910ca71ba3bf0b611083d322466b8843b4285b6";

/// Seconds after which a lost call is dead for sure.
const DEAD: i64 = 336;

/// Each key from another variable, so that one can change alone.
fn wish(urls: &[&str]) -> String {
    let text = configuration(&[("acme", urls)]);
    let rotating = format!("\"{ROTATES}\", key: {{ env: ROTATING }}");
    text.replace(&format!("\"{ROTATES}\", key: {{ env: KEY }}"), &rotating)
}

/// Three callbacks are there; then one's key changes, one goes and one comes.
fn before_the_storm() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&wish(&[STAYS, ROTATES, GOES]));
    env.set("ROTATING", OTHER_KEY);
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", wish(&[STAYS, ROTATES, COMES]));
    let key = crate::support::KEY;
    env.set("ROTATING", key)
        .set("ESS_CALLBACKS_ALLOW_DELETES", "1");
    (env, served)
}

/// Every lost call is dead for the server now; then one run finishes, and another has nothing to do.
#[track_caller]
fn the_next_run_finishes(env: &TestEnv, served: &Served) {
    // The plan knows everything that may have happened at eSign.
    let known = env.run(&["state", "list"]).exits(0).stdout;
    for url in served.urls() {
        assert!(known.contains(&url), "{url} was forgotten:\n{known}");
    }
    env.run(&["plan", "--no-secrets"]).exits(0);
    served.skew(DEAD);
    let said = env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(
        !said.stdout.contains("Drift"),
        "nobody else changed eSign: {said}"
    );
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(served.urls(), [COMES, ROTATES, STAYS]);
    assert_eq!(
        served.callbacks()[1]["key_sha256"],
        KEY_DIGEST,
        "the key that is wished for"
    );
}

/// Starts an apply, and kills it as soon as `when` says so. Whether it was still running.
fn killed(env: &TestEnv, served: &Served, mut when: impl FnMut() -> bool) -> bool {
    // Slow answers make room between the steps.
    served.faults("slow=20ms", "");
    let mut run = env.start(&["apply", "--auto-approve"]);
    let struck = eventually("a moment to strike", || {
        if run.has_ended() {
            return Some(false);
        }
        when().then_some(true)
    });
    let said = run.kill();
    served.faults("", "");
    assert!(
        !struck || said.code.is_none() || said.code == Some(0),
        "{said}"
    );
    struck
}

/// How many records the journal holds.
fn records(env: &TestEnv) -> usize {
    let journal = std::fs::read_to_string(env.path("callbacks.state.journal")).unwrap_or_default();
    journal.matches("\"intent\"").count() + journal.matches("\"outcome\"").count()
}

#[test]
fn killed_at_each_step_of_the_journal() {
    // Four calls, with an intent and an outcome each.
    let mut struck = 0;
    for step in 1..=8 {
        let (env, served) = before_the_storm();
        struck += usize::from(killed(&env, &served, || records(&env) >= step));
        the_next_run_finishes(&env, &served);
    }
    assert!(
        struck >= 4,
        "only {struck} of 8 blows met a running program"
    );
}

#[test]
fn killed_in_flight_at_each_call() {
    for call in 1..=4 {
        let (env, served) = before_the_storm();
        let before = served.arrived();
        killed(&env, &served, || served.arrived() >= before + call);
        the_next_run_finishes(&env, &served);
    }
}

#[test]
fn killed_before_the_first_snapshot() {
    let mut env = TestEnv::new(&wish(&[STAYS, ROTATES, COMES]));
    env.set("ROTATING", crate::support::KEY);
    let served = env.serve(&["--fault", "slow=60s"]);
    let run: Running = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    run.kill();
    served.faults("", "");
    the_next_run_finishes(&env, &served);
}

/// How often lightning strikes: more in a long run.
fn rounds() -> u64 {
    let wished = std::env::var("ESS_CALLBACKS_CHAOS_ROUNDS").ok();
    wished.map_or(3, |text| text.parse().expect("a number"))
}

#[test]
fn killed_again_and_again_at_random() {
    let mut random = SplitMix64::new(1);
    for _ in 0..rounds() {
        let (env, served) = before_the_storm();
        for _ in 0..4 {
            // Any moment will do; the polling makes it one between two looks at the sandbox.
            let mut looks = random.below(30);
            killed(&env, &served, || {
                looks = looks.saturating_sub(1);
                looks == 0
            });
        }
        the_next_run_finishes(&env, &served);
    }
}
