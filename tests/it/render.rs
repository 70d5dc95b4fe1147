//! Plans through the public interface: text, events and the saved document of a large plan.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ess_callbacks::model::{
    Account, AccountName, AccountSource, Action, Address, CallbackUrl, Environment, Handle,
    OperatorId, OrganizationId, Salt, Scope, SecretIndex, Timestamp,
};
use ess_callbacks::plan::{
    After, Change, Destination, DocumentError, OrganizationPlan, Plan, Reason, Same, Steps,
    Summary, read_document, write_document,
};
use ess_callbacks::render::{Style, plan_text, planned_change_json};
use ess_callbacks::secret::SecretReference;

const NOW: Timestamp = Timestamp(1_795_435_200);

fn add(handle: &Handle, number: usize) -> Change {
    Change {
        address: Address {
            handle: handle.clone(),
            url: CallbackUrl::new(format!("https://hooks.example/{handle}/{number}")),
        },
        operator: OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
        action: Action::Add,
        steps: Steps::Add(After {
            key: Some(SecretIndex(0)),
            token: None,
            same: Some(Same::default()),
            fingerprints: None,
            protect: false,
        }),
        reason: Reason::NotRecorded,
        fence: None,
        before: None,
    }
}

fn plan(organizations: usize, each: usize) -> Plan {
    let organizations = (0..organizations)
        .map(|number| {
            let handle = Handle::new(format!("org-{number:06}"));
            OrganizationPlan {
                scope: Arc::new(Scope {
                    environment: Environment::Test,
                    account: AccountName::default_account(),
                    organization: Some(OrganizationId::new(format!("{number:032}"))),
                    app_id: None,
                }),
                successor: None,
                left: false,
                suspended: false,
                changes: (0..each).map(|number| add(&handle, number)).collect(),
                handle,
            }
        })
        .collect::<Vec<_>>();
    let count = organizations.len() * each;
    Plan {
        environment: Environment::Test,
        destination: Destination::Esign,
        lineage: None,
        serial: 0,
        salt: Salt([1; 16]),
        accounts: BTreeMap::from([(
            AccountName::default_account(),
            Account::of(AccountSource::Default {}),
        )]),
        secrets: vec![SecretReference::Env("KEY".to_owned())],
        checks: BTreeMap::new(),
        organizations,
        sources: Vec::new(),
        moves: Vec::new(),
        bookkeeping: Vec::new(),
        summary: Summary {
            add: count,
            calls: count,
            to_add: count,
            ..Summary::default()
        },
        tripped: Vec::new(),
    }
}

fn document(plan: &Plan) -> String {
    let mut out = Vec::new();
    write_document(plan, &[], &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn a_hundred_thousand_changes_are_shown() {
    let plan = plan(10_000, 10);
    let mut shown = String::new();
    plan_text(&plan, &Style::plain(NOW), &mut shown).unwrap();
    assert_eq!(shown.matches("will be added").count(), 100_000);
    assert!(
        shown.ends_with(
            "Plan: 100000 to add, 0 to change, 0 to destroy.\n\
             100000 calls, about 1 h 23 min at 20/s.\n\
             Environment: test (ess.test.ess.tencent.cn), account: default\n"
        ),
        "{}",
        &shown[shown.len() - 200..]
    );
}

#[test]
fn ten_thousand_changes_are_saved_and_read_back() {
    let plan = plan(1_000, 10);
    let text = document(&plan);
    assert_eq!(
        text.lines()
            .filter(|line| line.contains("\"address\""))
            .count(),
        10_000,
        "one change a line"
    );
    assert!(read_document(&text).unwrap() == plan);
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let plan = plan(3, 2);
    assert_eq!(document(&plan), document(&plan.clone()));
}

#[test]
fn a_saved_plan_of_two_files_pasted_together_is_refused() {
    let text = document(&plan(1, 1));
    assert!(matches!(
        read_document(&format!("{text}{text}")),
        Err(DocumentError::NotAPlan { .. })
    ));
}

#[test]
fn a_full_disk_is_an_error_and_not_a_short_plan() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.0.min(bytes.len());
            if room == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.0 -= room;
            Ok(room)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let plan = plan(1, 1);
    let size = document(&plan).len();
    for room in [0, 1, size / 2, size - 1] {
        let error = write_document(&plan, &[], Full(room)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "room for {room}");
    }
    write_document(&plan, &[], Full(size)).unwrap();
}

#[test]
fn every_event_line_is_an_object_with_terraforms_four_names() {
    for (organization, change) in plan(1, 2).changes_by_organization() {
        let line: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&planned_change_json(organization, change, NOW)).unwrap();
        for name in ["@level", "@message", "@timestamp", "type"] {
            assert!(line[name].is_string(), "{name}");
        }
        assert_eq!(line["change"]["resource"]["organization"], "org-000000");
    }
}
