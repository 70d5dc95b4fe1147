//! What is written reads back, and nothing else does.

use proptest::prelude::*;

use super::*;
use crate::diag::{Code, Diagnostic, Severity};
use crate::plan::{Plan, arbitrary};

fn written(plan: &Plan, diagnostics: &[Diagnostic]) -> String {
    let mut out = Vec::new();
    write_document(plan, diagnostics, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn some_plan() -> Plan {
    use crate::model::*;
    use crate::plan::*;
    let fingerprints = |key| Fingerprints {
        key: Some(Fingerprint([key; 16])),
        token: None,
    };
    let scope = Arc::new(Scope {
        environment: Environment::Production,
        account: AccountName::default_account(),
        organization: Some(OrganizationId::new("yDtwEUUckp7f87yrUygaLZxYk2SEodS7")),
        app_id: None,
    });
    let change = Change {
        address: Address {
            handle: Handle::new("acme"),
            url: CallbackUrl::new("https://a.example/cb"),
        },
        operator: OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
        action: Action::Replace,
        steps: Steps::Replace(After {
            key: Some(SecretIndex(0)),
            token: None,
            same: Some(Same::default()),
            fingerprints: None,
            protect: true,
        }),
        reason: Reason::SecretChanged {
            key: true,
            token: false,
        },
        fence: Some(SignedWrite {
            write: Write::Add(fingerprints(3)),
            signed_at: Timestamp(1_795_435_200),
        }),
        before: Some(Before {
            belief: Belief::proven(fingerprints(1)),
            protect: false,
            proved_at: Some(Timestamp(1_795_000_000)),
            missing: None,
        }),
    };
    let summary = Summary {
        replace: 1,
        calls: 2,
        to_add: 1,
        to_destroy: 1,
        ..Summary::default()
    };
    Plan {
        environment: Environment::Production,
        destination: Destination::Esign,
        lineage: Some(Lineage(uuid::Uuid::from_u128(7))),
        serial: 12,
        salt: Salt([5; 16]),
        accounts: [(
            AccountName::default_account(),
            Account::of(AccountSource::Default {}),
        )]
        .into(),
        secrets: vec![SecretReference::Env("ACME_CALLBACK_KEY".to_owned())],
        checks: [(SecretIndex(0), Check(0x9c))].into(),
        organizations: vec![OrganizationPlan {
            handle: Handle::new("acme"),
            scope,
            successor: None,
            left: false,
            suspended: false,
            changes: vec![change],
        }],
        sources: Vec::new(),
        moves: Vec::new(),
        bookkeeping: Vec::new(),
        summary,
        tripped: vec![Tripped::LastOfOrganization {
            handle: Handle::new("acme"),
            deletes: 1,
        }],
    }
}

#[test]
fn the_document_has_this_shape() {
    let warning = Diagnostic {
        severity: Severity::Warning,
        code: Code("W001"),
        message: "no token".to_owned(),
        snippet: None,
        help: None,
    };
    insta::assert_snapshot!(written(&some_plan(), &[warning]), @r#"
    {
      "format_version": "1.4",
      "environment": "production",
      "destination": "esign",
      "lineage": "00000000-0000-0000-0000-000000000007",
      "serial": 12,
      "fingerprint_salt": "05050505050505050505050505050505",
      "summary": {
        "add": 0,
        "replace": 1,
        "delete": 0,
        "heal": 0,
        "finish": 0,
        "unchanged": 0,
        "unproven": 0,
        "missing": 0,
        "unknown": 0,
        "not_checked": 0,
        "suspended": 0,
        "disabled": 0,
        "heal_deferred": 0,
        "oldest_proof": null,
        "calls": 2,
        "to_add": 1,
        "to_change": 0,
        "to_destroy": 1,
        "deletes_by_omission": 0
      },
      "applyable": false,
      "errored": false,
      "tripped": [
        {"guard":"last_of_organization","organization":"acme","deletes":1}
      ],
      "accounts": {
        "default": {"source":{"default":{}}}
      },
      "secrets": [
        {"env":"ACME_CALLBACK_KEY"}
      ],
      "checks": {
        "0": "9c"
      },
      "organizations": [
        {"organization":"acme","scope":{"environment":"production","account":"default","proxy_organization_id":"yDtwEUUckp7f87yrUygaLZxYk2SEodS7"},"suspended":false,"changes":1}
      ],
      "changes": [
        {"address":"acme/https://a.example/cb","organization":"acme","scope":{"environment":"production","account":"default","proxy_organization_id":"yDtwEUUckp7f87yrUygaLZxYk2SEodS7"},"url":"https://a.example/cb","operator":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8","actions":["delete","add"],"calls":["delete","add"],"reason":{"because":"secret_changed","key":true,"token":false},"before":{"presence":"present","evidence":"proven","fingerprints":{"key":"01010101010101010101010101010101"},"exact":true,"protect":false,"proved_at":"2026-11-18T11:06:40Z"},"after":{"key":0,"token":null,"same":{"key":false,"token":false},"protect":true},"fence":{"lost":"add","fingerprints":{"key":"03030303030303030303030303030303"},"signed_at":"2026-11-23T12:00:00Z","until":"2026-11-23T12:05:35Z"}}
      ],
      "sources": [],
      "moves": [],
      "bookkeeping": [],
      "diagnostics": [
        {"severity":"warning","code":"W001","message":"no token"}
      ],
      "digest": "sha256:f1b07959e3ba561c403f119dc487de3a850b3d8320b574d406c411c6879da1e1",
      "checksum": "sha256:127ad5bccd11a52d2fea65c354f94524881cf1768c4903026308f9c36ec63939"
    }
    "#);
}

#[test]
fn a_document_that_is_not_whole_is_refused_wherever_it_was_cut() {
    let whole = written(&some_plan(), &[]);
    assert_eq!(read_document(&whole).unwrap(), some_plan());
    assert_eq!(read_document(whole.trim_end()).unwrap(), some_plan());
    for end in 0..whole.trim_end().len() {
        let error = read_document(&whole[..end]).expect_err("it is cut off");
        assert!(
            matches!(error, DocumentError::CutOff),
            "cut at {end}: {error}"
        );
    }
}

#[test]
fn an_edited_document_is_refused() {
    let whole = written(&some_plan(), &[]);
    for (from, to) in [
        ("\"serial\": 12", "\"serial\": 13"),
        ("https://a.example/cb", "https://b.example/cb"),
        ("\"tripped\": [\n", "\"tripped\": [ \n"),
        ("\n", "\r\n"),
    ] {
        let edited = whole.replace(from, to);
        assert_ne!(edited, whole);
        let error = read_document(&edited).expect_err("it was edited");
        assert!(matches!(error, DocumentError::Changed), "{to:?}: {error}");
    }
    let without_checksum = format!("{}\n}}\n", whole.rsplit_once(",\n").unwrap().0);
    assert!(matches!(
        read_document(&without_checksum),
        Err(DocumentError::Changed)
    ));
}

#[test]
fn another_version_is_named_before_anything_else_is_looked_at() {
    let newer = r#"{"format_version": "2.0", "unheard_of": []}"#;
    insta::assert_snapshot!(read_document(newer).unwrap_err(), @"the plan has format version `2.0`, and this program reads `1.4` only. Make a new one with `plan --out`, or use the program that made it");
    insta::assert_snapshot!(read_document("{\"changes\": []}").unwrap_err(), @"this is not a plan document (line 1, column 15). `plan --out` makes one");
}

#[test]
fn a_plan_without_its_secrets_or_with_a_guard_tripped_can_not_be_applied() {
    let mut plan = some_plan();
    assert!(!applyable(&plan));
    plan.tripped.clear();
    assert!(applyable(&plan));
    if let Some(after) = plan.organizations[0].changes[0].after_mut() {
        after.same = None;
    }
    assert!(!applyable(&plan));
}

/// What the planner never makes, and a checksum that fits does not rule out.
#[test]
fn an_edited_plan_is_recognized() {
    use std::sync::Arc;

    use crate::model::{Action, AppId, CallbackUrl, Environment, OperatorId};
    use crate::plan::{Deletion, Steps};

    assert_eq!(some_plan().contradiction(), None);
    let edited = |edit: &dyn Fn(&mut Plan)| {
        let mut plan = some_plan();
        edit(&mut plan);
        plan.contradiction().unwrap_or_default()
    };
    let scope = |plan: &mut Plan, environment, app: Option<&str>| {
        let scope = Arc::make_mut(&mut plan.organizations[0].scope);
        scope.environment = environment;
        scope.app_id = app.map(AppId::new);
    };
    let delete = |plan: &mut Plan, protect| {
        let change = &mut plan.organizations[0].changes[0];
        change.action = Action::Delete;
        change.steps = Steps::Delete(Deletion::Omitted);
        if let Some(before) = &mut change.before {
            before.protect = protect;
        }
        plan.tripped.clear();
    };
    let all = [
        edited(&|plan| scope(plan, Environment::Test, None)),
        edited(&|plan| scope(plan, Environment::Production, Some(""))),
        edited(&|plan| plan.organizations[0].suspended = true),
        edited(&|plan| plan.organizations[0].changes[0].operator = OperatorId::new(" ")),
        edited(&|plan| plan.organizations[0].changes[0].address.url = CallbackUrl::new("ftp://x")),
        edited(&|plan| delete(plan, true)),
        edited(&|plan| delete(plan, false)),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    the plan is for the production environment, and a scope in it is of test
    a scope has an empty or unprintable name
    `acme/https://a.example/cb` is called, but its organization is suspended
    `acme/https://a.example/cb` has an invalid URL, or an empty handle or operator
    `acme/ftp://x` has an invalid URL, or an empty handle or operator
    `acme/https://a.example/cb` is protected, and would be deleted
    `acme/https://a.example/cb` would be deleted, because its key changed
    ");
}

/// Sets the matching checksum, as an attacker could.
fn resealed(text: &str) -> String {
    use sha2::Digest as _;
    let (body, _) = text.rsplit_once(CHECKSUM_LINE).unwrap();
    let body = body.strip_suffix(',').unwrap();
    let checksum = hex::encode(sha2::Sha256::digest(body.as_bytes()));
    format!("{body},{CHECKSUM_LINE}{checksum}\"\n}}\n")
}

#[test]
fn contradictions_are_refused_even_under_a_fitting_checksum() {
    let whole = written(&some_plan(), &[]);
    let after = &whole[whole.find("\"after\":").unwrap()..];
    let after = &after[..=after.find("}}").unwrap()];
    for (from, to) in [
        ("\"key\":0", "\"key\":9"),
        ("\"exact\":true", "\"exact\":false"),
        ("\"changes\":1", "\"changes\":2"),
        ("\"changes\":1", "\"changes\":0"),
        ("\"address\":\"acme/", "\"address\":\"acme"),
        ("\"lost\":\"add\"", "\"lost\":\"delete\""),
        ("\"calls\":[\"delete\",\"add\"]", "\"calls\":[\"add\"]"),
        ("[\"delete\",\"add\"]", "[\"delete\"]"),
        (after, "\"after\":null"),
    ] {
        let edited = resealed(&whole.replace(from, to));
        let error = read_document(&edited).expect_err("it contradicts itself");
        assert!(
            matches!(error, DocumentError::Inconsistent { .. }),
            "{to}: {error}"
        );
    }
    let mut twice = some_plan();
    let change = twice.organizations[0].changes[0].clone();
    twice.organizations[0].changes.push(change);
    insta::assert_snapshot!(read_document(&written(&twice, &[])).unwrap_err(), @"the plan contradicts itself: `acme/https://a.example/cb` is listed twice. Make a new one with `plan --out`");
    let mut twice = some_plan();
    let organization = twice.organizations[0].clone();
    twice.organizations.push(organization);
    insta::assert_snapshot!(read_document(&written(&twice, &[])).unwrap_err(), @"the plan contradicts itself: the organization `acme` is listed twice. Make a new one with `plan --out`");
    let unknown_field = resealed(&whole.replacen("\"serial\"", "\"cereal\"", 1));
    assert!(matches!(
        read_document(&unknown_field),
        Err(DocumentError::NotAPlan { .. })
    ));
}

proptest! {
    #[test]
    fn every_plan_reads_back_equal(plan in arbitrary::plan()) {
        // A random URL may hold the very characters that mask a credential.
        prop_assume!(plan.masked().is_none());
        let text = written(&plan, &[]);
        prop_assert_eq!(read_document(&text).unwrap(), plan);
    }

    #[test]
    fn reading_never_panics(text in any::<String>(), plan in arbitrary::plan(), at in any::<prop::sample::Index>()) {
        drop(read_document(&text));
        let mut bytes = written(&plan, &[]).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = b'x';
        if let Ok(text) = String::from_utf8(bytes) {
            drop(read_document(&text));
        }
    }
}
