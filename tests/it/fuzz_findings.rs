//! What the fuzz targets of `fuzz/` have found, each as a separate test; and their seeds, so that
//! every test run goes once through everything that was ever found.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ess_callbacks::client::outcome_of;
use ess_callbacks::config::{self, Source};
use ess_callbacks::model::{Environment, Operation, Outcome, Timestamp};
use ess_callbacks::render::diagnostic;
use ess_callbacks::sandbox::FaultSpec;
use ess_callbacks::state::{LockOwner, Store};
use ess_callbacks::testing::MemoryFiles;
use rstest::rstest;

#[path = "../../fuzz/harness/answers.rs"]
mod answers;
#[path = "../../fuzz/harness/config.rs"]
mod configuration;
#[path = "../../fuzz/harness/document.rs"]
mod document;
#[path = "../../fuzz/harness/envelope.rs"]
mod envelope;
#[path = "../../fuzz/harness/leak.rs"]
mod leak;
#[path = "../../fuzz/harness/planning.rs"]
mod planning;
#[path = "../../fuzz/harness/plans.rs"]
mod plans;
#[path = "../../fuzz/harness/state.rs"]
mod state;
#[path = "../../fuzz/harness/store.rs"]
mod store;
#[path = "../../fuzz/harness/words.rs"]
mod words;

const SECRET: &str = "s3cr3t-s3cr3t";

#[rstest]
#[case("answers", answers::run)]
#[case("config", configuration::run)]
#[case("document", document::run)]
#[case("envelope", envelope::run)]
#[case("leak", leak::run)]
#[case("planning", planning::run)]
#[case("state", state::run)]
#[case("store", store::run)]
#[case("words", words::run)]
fn seeds_hold(#[case] target: &str, #[case] run: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 9, "{target} has {} seeds", seeds.len());
    for path in seeds {
        // The test's output ends with the seed that fails.
        println!("{}", path.display());
        run(&fs::read(path).unwrap());
    }
}

/// A seed of another version would only ever be refused for that.
#[test]
fn most_seeds_of_documents_are_plans() {
    let seeds = seeds("document");
    let read = |path: &PathBuf| {
        let seed = fs::read(path).unwrap();
        ess_callbacks::plan::read_document(&document::text(&seed).unwrap()).is_ok()
    };
    let plans = seeds.iter().filter(|path| read(path)).count();
    assert!(
        plans >= 8 && plans < seeds.len(),
        "{plans} of {}",
        seeds.len()
    );
}

/// Everything that is accepted is also accepted cut short, or refused; never a panic.
#[rstest]
#[case("config", configuration::run)]
#[case("document", document::run)]
#[case("leak", leak::run)]
fn seeds_hold_when_cut(#[case] target: &str, #[case] run: fn(&[u8])) {
    for path in seeds(target) {
        println!("{}", path.display());
        let whole = fs::read(path).unwrap();
        for length in (0..whole.len()).step_by(17) {
            run(&whole[..length]);
        }
    }
}

#[test]
fn every_target_has_seeds_and_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    let tests = include_str!("fuzz_findings.rs");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let target = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            tests.contains(&format!("#[case(\"{target}\", ")),
            "{target}"
        );
    }
}

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    seeds
}

fn problems(text: impl Into<Vec<u8>>) -> String {
    let source = Source {
        name: "callbacks.yaml".into(),
        text: text.into(),
    };
    let problems = config::parse(&[source]).unwrap_err();
    let shown = problems.iter().map(|it| diagnostic::diagnostic(it, false));
    shown.collect::<Vec<_>>().join("\n")
}

/// A whole block at the wrong place: its parts were shown as they stand.
#[rstest]
#[case::list_for_a_number(format!("version: [{{key: {SECRET}}}]\n"))]
#[case::mapping_for_a_list(format!("organizations: {{a: {{absent: {{key: {SECRET}}}}}}}\n"))]
#[case::list_for_a_callback(format!("organizations: {{a: {{callbacks: [[{{token: {SECRET}}}]]}}}}\n"))]
/// A file that is no text was quoted without a look at what it quotes.
#[case::nul(format!("key: {SECRET}\0\n"))]
fn a_secret_at_the_wrong_place_is_not_shown(#[case] text: String) {
    let shown = problems(text);
    assert!(shown.contains("error["), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn a_secret_before_a_byte_that_is_no_text_is_not_shown() {
    let text = [
        b"organizations:\n  a: {key: ",
        SECRET.as_bytes(),
        b"\x81}\n",
    ]
    .concat();
    let shown = problems(text);
    assert!(shown.contains("not UTF-8"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

/// Those of ASCII never did; YAML allows U+0085.
#[test]
fn no_control_character_above_ascii_reaches_the_terminal() {
    let shown = problems("version: 1\ncolour: 5 # a\u{85}b\u{202e}c\u{e0041}\n");
    let treacherous =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{e0041}');
    assert!(!shown.contains(treacherous), "{shown:?}");
    assert!(shown.contains("# a\u{fffd}b\u{fffd}c\u{fffd}"), "{shown}");
}

/// The JSON parser does not check that a text is UTF-8 when the text is skipped.
#[test]
fn an_answer_that_is_not_text_proves_nothing() {
    let damaged = b"{\"Response\":{\"RequestId\":\"r\",\"Erro\xf2\":{\"Code\":\"InternalError\"}}}";
    let outcome = outcome_of(200, damaged, &Operation::Delete);
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    let extra = br#"{"Response":{"RequestId":"r","New":"x"}}"#;
    let outcome = outcome_of(200, extra, &Operation::Delete);
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

/// A plan made from such a state could be saved and not be read.
#[test]
fn a_time_without_a_date_is_read_as_it_is_written() {
    for seconds in [i64::MIN, -400_000_000_000, 0, 253_402_207_505, i64::MAX] {
        let time = Timestamp(seconds);
        let text = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), time);
    }
    assert!(serde_json::from_str::<Timestamp>(r#""@soon""#).is_err());
}

/// They were shown in a unit whose number was too large to read, or taken for two.
#[rstest]
#[case("slow=999999919.99m", "slow=59999995199.4s±0")]
#[case("slow=1.5s", "slow=1.5s±0")]
#[case("slow=0.0025s", "slow=2.5ms±0")]
#[case("late@90000ms=1%", "late@90s=0.01")]
fn faults_are_read_as_they_are_shown(#[case] text: &str, #[case] shown: &str) {
    let spec: FaultSpec = text.parse().unwrap();
    assert_eq!(spec.to_string(), shown);
    assert_eq!(shown.parse(), Ok(spec));
}

/// The largest number that is read, and no larger one may follow it.
const LARGEST: u64 = 1 << 53;

/// One call more, and what was written could not be read.
#[rstest]
#[case::serial(LARGEST, 1)]
#[case::call(1, LARGEST)]
#[tokio::test]
async fn a_state_that_can_not_be_counted_on_is_read_and_not_written(
    #[case] serial: u64,
    #[case] call: u64,
) {
    let text = format!(
        r#"{{
  "version": 1,
  "lineage": "0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e",
  "serial": {serial},
  "environment": "test",
  "fingerprint_salt": "00112233445566778899aabbccddeeff",
  "callbacks": [
    {{"handle":"a","account":"default","url":"https://a.example/","operator":"op","status":"present","evidence":"proven","open":{{"pending":{{"id":{call},"call":{{"call":"delete","signed_at":"2026-11-23T12:00:00Z"}}}}}}}}
  ]
}}
"#
    );
    let files = MemoryFiles::new(0);
    files.put("s.json", &*text);
    let store = Store::in_files(files.clone(), "s.json");
    assert_eq!(store.read(Environment::Test).await.unwrap().serial, serial);
    let owner = LockOwner {
        id: "1".into(),
        who: "ci".into(),
        host: "here".into(),
        pid: 1,
        command: "apply".into(),
        since: Timestamp(0),
        job_url: None,
    };
    let refused = store
        .lock(Environment::Test, &owner, Duration::ZERO, |_| {})
        .await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("is too large to count on"), "{error}");
    assert_eq!(files.contents("s.json").unwrap(), text.as_bytes());
}
