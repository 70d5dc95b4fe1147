//! Ctrl-C and the signals that mean the same, before the first call: the lock of a shared state is free at once.

use std::io::Read as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rstest::rstest;

use crate::support::{
    KEY, OTHER_KEY, Postgres, Said, Served, TestEnv, at_a_terminal, configuration, plain,
};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

const APPLY: [&str; 2] = ["apply", "--auto-approve"];

/// What a terminal sends as Ctrl-C.
const CTRL_C: &str = "\u{3}";

/// Less than the lease of PostgreSQL, and than the pause between two looks at a lock that someone else has.
const AT_ONCE: Duration = Duration::from_secs(15);

/// One callback to add, with the state in PostgreSQL.
fn shared() -> Option<(TestEnv, Served, Postgres)> {
    let postgres = Postgres::start()?;
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.set("ESS_CALLBACKS_STATE", &postgres.address("x"));
    Some((env, served, postgres))
}

/// The lock is free: another run takes it without waiting for the lease.
#[track_caller]
fn the_next_run_goes_on(env: &TestEnv, served: &Served) {
    let begun = Instant::now();
    let said = env.run(&APPLY).exits(0);
    assert!(!said.stderr.contains("lock"), "{said}");
    assert!(begun.elapsed() < AT_ONCE, "{said}");
    assert_eq!(served.urls(), [ONE]);
}

/// A server that takes connections and never answers.
fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            std::thread::spawn(move || connection.read_to_end(&mut Vec::new()));
        }
    });
    format!("http://{address}")
}

/// What was said after the question.
fn after_the_question(said: &Said) -> String {
    let text = plain(&said.stdout);
    text.split("Enter a value: ").nth(1).unwrap().to_owned()
}

#[test]
fn at_the_question_of_apply() {
    let Some((env, served, _postgres)) = shared() else {
        return;
    };
    let said = at_a_terminal(&env, 100, CTRL_C, &["apply"]).exits(130);
    assert_snapshot!(after_the_question(&said), @r"
    ^C
    error: interrupted; nothing was called
    ");
    assert_eq!(served.arrived(), 0);
    the_next_run_goes_on(&env, &served);
}

#[test]
fn at_the_question_of_rotate() {
    let Some((mut env, served, _postgres)) = shared() else {
        return;
    };
    env.set("KEY", OTHER_KEY);
    env.run(&APPLY).exits(0);
    env.set("KEY", KEY);
    let before = served.arrived();
    let rotate = ["rotate", "acme", "--no-verify"];
    let said = at_a_terminal(&env, 100, CTRL_C, &rotate).exits(130);
    assert_snapshot!(after_the_question(&said), @r"
    ^C
    error: interrupted; nothing was called
    ");
    assert_eq!(served.arrived(), before);
    the_next_run_goes_on(&env, &served);
}

#[rstest]
#[case::int("INT")]
#[case::term("TERM")]
#[case::hup("HUP")]
fn while_credentials_are_waited_for(#[case] signal: &str) {
    let Some((mut env, served, _postgres)) = shared() else {
        return;
    };
    let (id, key) = (served.secret_id.clone(), served.secret_key.clone());
    env.unset("TENCENTCLOUD_SECRET_ID")
        .unset("TENCENTCLOUD_SECRET_KEY")
        .set("ESS_CALLBACKS_METADATA_ENDPOINT", &silent());
    let run = env.start(&APPLY);
    run.wait_until_it_says("1 to add");
    run.signal(signal);
    let said = run.wait().exits(130);
    let end = "error: interrupted; nothing was called\n";
    assert!(said.stderr.ends_with(end), "{said}");
    env.set("TENCENTCLOUD_SECRET_ID", &id)
        .set("TENCENTCLOUD_SECRET_KEY", &key);
    the_next_run_goes_on(&env, &served);
}

#[test]
fn while_a_receiver_is_verified() {
    let Some((mut env, served, _postgres)) = shared() else {
        return;
    };
    let receiver = format!("{}/cb", silent());
    let local = configuration(&[("acme", &[&receiver])]);
    env.write("local.yaml", local);
    env.set("ESS_CALLBACKS_CONFIG", "local.yaml");
    let run = env.start(&["apply", "--auto-approve", "--verify", "--allow-private"]);
    run.wait_until_it_says("1 to add");
    run.signal("INT");
    run.wait().exits(130);
    env.unset("ESS_CALLBACKS_CONFIG");
    the_next_run_goes_on(&env, &served);
}

/// Whoever waits for the lock of another run has none to free, and leaves at once.
#[test]
fn while_the_lock_is_waited_for() {
    let Some((env, served, _postgres)) = shared() else {
        return;
    };
    served.faults("slow=60s", "");
    let holder = env.start(&APPLY);
    served.wait_for(1);
    let run = env.start(&["apply", "--auto-approve", "--lock-timeout", "10m"]);
    run.wait_until_it_says("Waiting for the state's lock");
    run.signal("INT");
    let said = run.wait().exits(130);
    assert!(
        said.stderr
            .ends_with("error: interrupted; nothing was called\n"),
        "{said}"
    );
    drop(holder);
}

/// So do the commands that only edit the state.
#[rstest]
#[case::import(&["import", "acme"])]
#[case::rm(&["state", "rm", "acme"])]
#[case::migrate(&["state", "migrate", "moved.json"])]
fn while_the_lock_is_waited_for_to_edit(#[case] words: &[&str]) {
    let Some((env, served, _postgres)) = shared() else {
        return;
    };
    env.run(&APPLY).exits(0);
    served.faults("slow=60s", "");
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, TWO])]));
    let before = served.arrived();
    let holder = env.start(&APPLY);
    served.wait_for(before + 1);
    let run = env.start(&[words, &["--lock-timeout", "10m"]].concat());
    run.wait_until_it_says("Waiting for the state's lock");
    run.signal("INT");
    let said = run.wait().exits(130);
    let end = "error: interrupted; nothing was changed\n";
    assert!(said.stderr.ends_with(end), "{said}");
    drop(holder);
}

/// A server that writes no snapshot of a state before it is told to.
fn hesitating() -> Option<(TestEnv, Served, Postgres)> {
    let (env, served, postgres) = shared()?;
    env.run(&APPLY).exits(0);
    postgres.sql(
        "CREATE TABLE told (); \
         CREATE FUNCTION hesitate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
         WHILE NEW.snapshot AND NOT EXISTS (SELECT FROM public.told) LOOP PERFORM pg_sleep(0.01); END LOOP; \
         RETURN NEW; END'; \
         CREATE TRIGGER hesitate BEFORE INSERT ON ess_callbacks.records FOR EACH ROW EXECUTE FUNCTION hesitate()",
    );
    Some((env, served, postgres))
}

fn wait_until_it_hesitates(postgres: &Postgres) {
    let begun = Instant::now();
    while postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0"
    {
        assert!(begun.elapsed() < AT_ONCE);
    }
}

const FORGET: [&str; 3] = ["state", "rm", "acme"];

/// What is being written is written to its end, and then the lock is free.
#[test]
fn while_the_state_is_edited() {
    let Some((env, served, postgres)) = hesitating() else {
        return;
    };
    let run = env.start(&FORGET);
    wait_until_it_hesitates(&postgres);
    run.signal("INT");
    postgres.sql("INSERT INTO told DEFAULT VALUES");
    run.wait().exits(0);
    the_next_run_goes_on(&env, &served);
}

#[test]
fn while_the_state_can_t_be_written() {
    let Some((env, _served, postgres)) = hesitating() else {
        return;
    };
    let run = env.start(&FORGET);
    wait_until_it_hesitates(&postgres);
    run.signal("INT");
    let said = run.wait().exits(130);
    assert_snapshot!(said.err(), @"
    error: interrupted while the store of the state did not answer; whether the change is in it is unknown
      Run the same command again.
    ");
}

/// A store that does not answer keeps the lock, and not the program.
#[test]
fn while_the_store_is_silent() {
    let Some((env, served, postgres)) = shared() else {
        return;
    };
    env.run(&APPLY).exits(0);
    postgres.signal("STOP");
    let run = env.start(&APPLY);
    std::thread::sleep(Duration::from_millis(500));
    run.signal("INT");
    let begun = Instant::now();
    let said = run.wait().exits(130);
    assert!(begun.elapsed() < AT_ONCE, "{said}");
    assert_eq!(said.err(), "error: interrupted; nothing was called\n");
    postgres.signal("CONT");
    the_next_run_goes_on(&env, &served);
}

#[test]
fn the_second_signal_leaves_at_once() {
    let Some((env, _served, postgres)) = shared() else {
        return;
    };
    env.run(&APPLY).exits(0);
    postgres.signal("STOP");
    let run = env.start(&APPLY);
    std::thread::sleep(Duration::from_millis(500));
    run.signal("INT");
    std::thread::sleep(Duration::from_millis(200));
    run.signal("INT");
    assert_eq!(
        run.wait().exits(130).err(),
        "Interrupted again; ending at once. No change was under way.\n"
    );
    postgres.signal("CONT");
}
