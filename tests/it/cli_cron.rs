//! What a scheduler starts: it begins by chance, heals what is oldest, and tells a thing once.

use std::fmt::Write as _;
use std::sync::Arc;

use ess_callbacks::config;
use ess_callbacks::model::{
    Action, Belief, Entry, Fingerprints, Identity, Proof, Recorded, RequestId, Salt, Sighting,
    Timestamp,
};
use ess_callbacks::plan::{Heal, Options, Secrets, plan};

use crate::support::{TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

const QUIET: [&str; 3] = ["apply", "--auto-approve", "--quiet"];

#[test]
fn a_run_says_how_long_it_waits_and_ctrl_c_ends_the_wait() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    // Of a thousand hours, less than a minute once in 60,000 runs.
    let running = env.start(&["apply", "--auto-approve", "--jitter", "1000h"]);
    running.wait_until_it_says("of the 1000 h that --jitter allows.");
    running.signal("INT");
    let said = running.wait().exits(130);
    assert!(said.stderr.starts_with("Waiting "), "{said}");
    assert_eq!(served.arrived(), 0);
    // Whoever waits holds no lock.
    assert!(!env.exists("callbacks.state.lock"));

    let said = env
        .run(&["--json", "apply", "--auto-approve", "--jitter", "0s"])
        .exits(0);
    let events = said.events();
    assert_eq!(events[1]["type"], "log", "{said}");
    assert_eq!(served.urls(), [ONE]);
}

/// A job that nobody approves does not make changes that somebody has to approve.
#[test]
fn a_job_can_heal_and_leave_everything_else() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.run(&QUIET).exits(0);
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, TWO])]));
    let said = env
        .run(&["apply", "--auto-approve", "--heal-only"])
        .exits(0);
    let left = "1 other change is left for an apply without --heal-only.";
    assert!(said.stdout.contains(left), "{said}");
    assert_eq!(served.operations(ONE), ["add", "add"]);
    assert_eq!(served.urls(), [ONE]);
    for other in ["--replace=acme", "--destroy", "--allow-deletes=1"] {
        env.run(&["plan", "--heal-only", other]).exits(64);
    }
    env.run(&QUIET).exits(0);
    assert_eq!(served.urls(), [ONE, TWO]);
}

#[test]
fn drift_is_reported_once() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&[]);
    env.run(&QUIET).exits(0);
    // Somebody deletes one in the console.
    let absent = format!("{}    absent: [{TWO}]\n", configuration(&[("acme", &[])]));
    env.write("console/callbacks.yaml", absent);
    let console = [&QUIET[..], &["-f", "console/callbacks.yaml"]].concat();
    env.run(&console).exits(0);
    assert_eq!(served.urls(), [ONE]);

    env.write("callbacks.yaml", configuration(&[("acme", &[ONE])]));
    let metrics = [
        &QUIET[..],
        &["--allow-deletes", "1", "--metrics-file", "esign.prom"],
    ]
    .concat();
    let drift = "ess_callbacks_last_run_drift{environment=\"test\",kind=\"was_gone\"}";
    let said = env.run(&metrics).exits(0);
    assert!(said.stdout.contains(TWO), "{said}");
    assert!(env.read("esign.prom").contains(&format!("{drift} 1\n")));
    // The guard's flag is for one run.
    let metrics = [&QUIET[..], &["--metrics-file", "esign.prom"]].concat();
    let said = env.run(&metrics).exits(0);
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    assert!(env.read("esign.prom").contains(&format!("{drift} 0\n")));
}

#[test]
fn two_pipelines_at_once_know_of_each_other() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&["--fault", "slow=60s"]);
    let job = "https://github.com/acme/esign/actions/runs/7";
    env.set("GITHUB_SERVER_URL", "https://github.com")
        .set("GITHUB_REPOSITORY", "acme/esign")
        .set("GITHUB_RUN_ID", "7");
    let first = env.start(&["apply", "--auto-approve"]);
    served.wait_for(1);
    let said = env.run(&["--json", "apply", "--auto-approve"]).exits(6);
    let events = said.events();
    let last = events.last().unwrap();
    let message = last["@message"].as_str().unwrap();
    assert!(
        message.contains("tester@") && message.ends_with(job),
        "{message}"
    );
    let help = last["diagnostic"]["help"].as_str().unwrap();
    assert!(help.contains("--lock-timeout"), "{help}");
    // Also when it waits, quiet or not: whoever reads the log wants to know what for.
    let waiting = env.start(&["apply", "--auto-approve", "--lock-timeout", "5m"]);
    waiting.wait_until_it_says(job);
    waiting.signal("INT");
    waiting.wait().exits(130);
    first.kill();
}

const HOUR: i64 = 3600;

/// 240 callbacks that were all proven at the same moment, `--older-than 24h --max-calls 20` every
/// hour: the herd comes apart by itself and stays apart.
#[test]
fn what_was_proven_at_once_is_healed_a_part_at_a_time() {
    let mut text = configuration(&[("acme", &[])]);
    text.push_str("    callbacks:\n");
    for number in 0..240 {
        writeln!(text, "      - https://hooks.example/{number}").unwrap();
    }
    let source = config::Source {
        name: Arc::from("callbacks.yaml"),
        text: text.into_bytes(),
    };
    let desired = config::parse(&[source]).unwrap().desired;
    let organization = &desired.organizations[0];
    let mut recorded = Recorded::nothing(desired.environment);
    let proof = |at| {
        let request_id = RequestId::new("r");
        Some(Proof { at, request_id })
    };
    for callback in &organization.callbacks {
        let identity = Identity {
            scope: Arc::clone(&organization.scope),
            url: callback.url.clone(),
        };
        let entry = Entry {
            handle: organization.handle.clone(),
            operator: organization.operator.clone(),
            protect: false,
            belief: Belief::proven(Fingerprints::default()),
            lost: None,
            traces: None,
            pending: None,
            proof: proof(Timestamp(0)),
            sighting: Sighting::default(),
        };
        recorded.insert(identity, entry);
    }
    let secrets = Secrets {
        salt: Salt([1; 16]),
        fingerprints: None,
    };
    let mut healed = Vec::new();
    let mut oldest = Vec::new();
    for hour in 0..24 * 7 {
        let now = Timestamp(hour * HOUR);
        let options = Options {
            heal: Some(Heal {
                proved_before: Some(now.plus(-24 * HOUR)),
                proved_by: None,
                max_calls: Some(20),
                only: false,
            }),
            ..Options::default()
        };
        let plan = plan(&desired, &recorded, secrets, &options);
        let due = plan
            .changes()
            .filter(|change| change.action == Action::Heal);
        let mut count = 0;
        for change in due {
            let entry = recorded.get_mut(&organization.scope, &change.address.url);
            entry.unwrap().proof = proof(now);
            count += 1;
        }
        healed.push(count);
        let ages = recorded
            .iter()
            .map(|(_, _, entry)| now.seconds_since(entry.proof.as_ref().unwrap().at));
        oldest.push(ages.max().unwrap() / HOUR);
    }
    // Nothing is due on the first day; then it takes twelve runs to go round.
    assert_eq!(healed[..25], [0; 25]);
    assert_eq!(healed[25..37], [20; 12]);
    // From then on each part is due when its day is over, and no part is larger than it was.
    assert!(healed[37..].iter().all(|count| *count <= 20), "{healed:?}");
    assert!(oldest[37..].iter().all(|age| *age <= 36), "{oldest:?}");
    assert_eq!(healed.iter().sum::<usize>() / 240, 6, "{healed:?}");
}
