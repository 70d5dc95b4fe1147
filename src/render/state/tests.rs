//! Tests of a whole state.

use std::sync::Arc;

use insta::assert_snapshot;

use super::*;
use crate::model::{
    AppId, Belief, CallId, CallbackUrl, Destination, Entry, Environment, Handle, Identity, Lineage,
    OperatorId, Pending, Proof, Recorded, RequestId, Scope, Write,
};
use crate::render::fixtures::*;

fn entry(handle: &str, belief: Belief) -> Entry {
    let mut entry = Entry::untouched(
        Handle::new(handle),
        OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
        false,
    );
    entry.belief = belief;
    entry
}

fn recorded() -> Recorded {
    let mut recorded = Recorded::nothing(Environment::Production);
    recorded.lineage = Some(Lineage(uuid::Uuid::from_u128(7)));
    recorded.serial = 12;
    recorded.destination = Some(Destination::Esign);
    let mut proven = entry("acme", Belief::proven(secrets(0x9c, 0x77)));
    proven.protect = true;
    proven.proof = Some(Proof {
        at: NOW.plus(-3 * 86_400),
        request_id: RequestId::new("s1775c-0001"),
    });
    let mut open = entry(
        "测试公司",
        Belief::assumed(secrets(1, 2)).or_after(Write::Delete),
    );
    open.lost = Some(lost(Write::Delete, 121));
    open.pending = Some(Pending {
        id: CallId(3),
        call: lost(Write::Add(secrets(1, 2)), 400),
        nonce: None,
    });
    let app = Arc::new(Scope {
        app_id: Some(AppId::new("app-1")),
        ..(*scope(Some("yDtwEUUckp7f87yrUygaLZxYk2SEodS7"))).clone()
    });
    for (scope, url, entry) in [
        (scope(None), "https://hooks.acme.example/esign", proven),
        (
            scope(None),
            "https://old.acme.example/cb",
            entry("acme", Belief::ABSENT),
        ),
        (app, "https://sh.acme.example/cb", open),
    ] {
        let url = CallbackUrl::new(url);
        recorded.insert(Identity { scope, url }, entry);
    }
    recorded
}

#[test]
fn the_whole_state_as_text() {
    let mut out = String::new();
    state_text(&recorded(), &plain(), &mut out).unwrap();
    assert_snapshot!(out, @r#"
    # acme/https://hooks.acme.example/esign
    callback {
        url          = "https://hooks.acme.example/esign"
        status       = present
        evidence     = proven
        key          = (secret, fp 9c9c…)
        token        = (secret, fp 7777…)
        environment  = production
        account      = "default"
        organization = the account's own
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        protect      = true
        confirmed    = 3 days ago (2026-11-20T12:00:00Z, request id s1775c-0001)
    }

    # acme/https://old.acme.example/cb
    callback {
        url          = "https://old.acme.example/cb"
        status       = absent
        evidence     = proven
        environment  = production
        account      = "default"
        organization = the account's own
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        confirmed    = never
    }

    # 测试公司/https://sh.acme.example/cb
    callback {
        url          = "https://sh.acme.example/cb"
        status       = present or absent
        evidence     = unknown (the outcome of a call is open)
        key          = (secret, fp 0101…, assumed)
        token        = (secret, fp 0202…, assumed)
        environment  = production
        account      = "default"
        organization = "yDtwEUUckp7f87yrUygaLZxYk2SEodS7"
        app_id       = "app-1"
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        confirmed    = never
        open call    = an add on its way; it can't arrive any more (since 2026-11-23T11:58:55Z)
        open call    = a delete without an answer; it may still arrive until 2026-11-23T12:03:34Z
    }

    3 callbacks in 2 organizations: 2 proven, 1 unknown.
    Environment production (ess.tencentcloudapi.com), lineage 00000000-0000-0000-0000-000000000007, serial 12.
    "#);
}

#[test]
fn an_empty_state_says_so() {
    let mut out = String::new();
    state_text(&Recorded::nothing(Environment::Test), &plain(), &mut out).unwrap();
    assert_snapshot!(out, @"
    Nothing is recorded.
    Environment test, serial 0.
    ");
}

#[test]
fn the_state_as_json() {
    let mut out = Vec::new();
    state_json(&recorded(), &mut out).unwrap();
    assert_snapshot!(String::from_utf8(out).unwrap(), @r#"{"format_version":"1.1","environment":"production","destination":"esign","lineage":"00000000-0000-0000-0000-000000000007","serial":12,"callbacks":[{"address":"acme/https://hooks.acme.example/esign","organization":"acme","scope":{"environment":"production","account":"default"},"url":"https://hooks.acme.example/esign","operator":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8","protect":true,"status":"present","evidence":"proven","fingerprints":{"key":"9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c","token":"77777777777777777777777777777777"},"exact":true,"proof":{"at":"2026-11-20T12:00:00Z","request_id":"s1775c-0001"}},{"address":"acme/https://old.acme.example/cb","organization":"acme","scope":{"environment":"production","account":"default"},"url":"https://old.acme.example/cb","operator":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8","protect":false,"status":"absent","evidence":"proven","proof":null},{"address":"测试公司/https://sh.acme.example/cb","organization":"测试公司","scope":{"environment":"production","account":"default","proxy_organization_id":"yDtwEUUckp7f87yrUygaLZxYk2SEodS7","app_id":"app-1"},"url":"https://sh.acme.example/cb","operator":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8","protect":false,"status":"unknown","evidence":"unknown","fingerprints":{"key":"01010101010101010101010101010101","token":"02020202020202020202020202020202"},"exact":false,"proof":null,"pending":{"operation":"add","fingerprints":{"key":"01010101010101010101010101010101","token":"02020202020202020202020202020202"},"signed_at":"2026-11-23T11:53:20Z","until":"2026-11-23T11:58:55Z"},"lost":{"operation":"delete","signed_at":"2026-11-23T11:57:59Z","until":"2026-11-23T12:03:34Z"}}]}"#);
}

#[test]
fn one_entry_is_the_same_json_alone() {
    let recorded = recorded();
    let mut whole = Vec::new();
    state_json(&recorded, &mut whole).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    for (scope, url, entry) in recorded.iter() {
        assert!(whole.contains(&entry_json(scope, url, entry)));
    }
}
