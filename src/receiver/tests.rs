//! Laws and examples of the receiver.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::envelope::{content_signature, encrypt};
use crate::model::{CallbackUrl, Timestamp};

const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";
const OTHER_KEY: &str = "FEDCBA9876543210FEDCBA9876543210";
const TOKEN: &str = "5AF866900CA34D1A95382C48C678A085";
const MESSAGE: &str =
    r#"{"MsgId":"m1","MsgType":"Unheard","MsgVersion":"CustomApp","MsgData":{"b":1.50,"a":[]}}"#;

fn secrets(key: Option<&str>, token: Option<&str>) -> Secrets {
    Secrets::new(key.map(Secret::new), token.map(Secret::new)).unwrap()
}

fn both() -> Receiver {
    Receiver::new(secrets(Some(KEY), Some(TOKEN)))
}

fn sealed(key: &str, message: &str) -> String {
    encrypt(&Secret::new(key), message).unwrap()
}

fn signed(token: &str, body: &str) -> String {
    content_signature(&Secret::new(token), body.as_bytes())
}

fn open(receiver: &Receiver, header: Option<&str>, body: &str) -> Result<Opened, Rejection> {
    let header = header.map(|header| ("content-SIGNATURE", header.as_bytes()));
    receiver.open(header, body.as_bytes())
}

#[test]
fn a_message_is_opened_whole() {
    let body = sealed(KEY, MESSAGE);
    let opened = open(&both(), Some(&signed(TOKEN, &body)), &body).unwrap();
    assert!(opened.encrypted);
    assert_eq!((opened.signature, opened.pair), (Signature::Valid, Some(0)));
    let Content::Message(Message::V2(message)) = opened.content else {
        panic!("{opened:?}");
    };
    assert_eq!(message.msg_id.as_deref(), Some("m1"));
    assert_eq!(message.msg_type, "Unheard");
    assert_eq!(message.msg_version.as_deref(), Some("CustomApp"));
    assert_eq!(message.data, r#"{"b":1.50,"a":[]}"#);
}

#[test]
fn a_bare_message_is_v1() {
    let plain = Receiver::new(secrets(None, None));
    let opened = open(&plain, None, r#"{"FlowId":"f","FlowCallbackStatus":4}"#).unwrap();
    assert!(matches!(opened.content, Content::Message(Message::V1(_))));
    assert_eq!((opened.signature, opened.pair), (Signature::Absent, None));
}

#[test]
fn both_probes_are_accepted_and_a_forged_one_is_not() {
    let signature = signed(TOKEN, "{}");
    let content =
        |header| open(&both(), header, "{}").map(|opened| (opened.content, opened.signature));
    assert_eq!(content(None), Ok((Content::Probe, Signature::Absent)));
    assert_eq!(
        content(Some(&signature)),
        Ok((Content::Probe, Signature::Valid))
    );
    let forged = signed("other", "{}");
    assert_eq!(content(Some(&forged)), Err(Rejection::WrongSignature));
    assert_eq!(
        open(&both(), None, " { \n} ").unwrap().content,
        Content::Probe
    );
    let body = sealed(KEY, "{}");
    let opened = open(&both(), Some(&signed(TOKEN, &body)), &body).unwrap();
    assert_eq!((opened.content, opened.encrypted), (Content::Probe, true));
}

#[test]
fn of_what_can_not_be_opened_only_the_vendor_s_constant_is_accepted() {
    let check = r#"{"encrypt":"62KE4r5Wz0yHzEpMOwVRbM1KV0"}"#;
    assert_eq!(
        open(&both(), None, check).unwrap().content,
        Content::VendorCheck
    );
    for (other, expected) in [
        (check.replace("KV0", "KV1"), Rejection::MissingSignature),
        (
            check.replace('}', r#","MsgType":"X"}"#),
            Rejection::MissingSignature,
        ),
    ] {
        assert_eq!(open(&both(), None, &other), Err(expected), "{other}");
    }
    let forged = signed("other", check);
    assert_eq!(
        open(&both(), Some(&forged), check),
        Err(Rejection::WrongSignature)
    );
}

#[test]
fn each_rejection_has_its_cause() {
    let body = sealed(KEY, MESSAGE);
    let signature = signed(TOKEN, &body);
    let receiver = both();
    let wrong = |header: Option<&str>, body: &str| open(&receiver, header, body).unwrap_err();
    assert_eq!(wrong(None, &body), Rejection::MissingSignature);
    assert_eq!(
        wrong(Some(&signed("other", &body)), &body),
        Rejection::WrongSignature
    );
    for malformed in [
        signature.to_uppercase(),
        signature.replace("sha256=", ""),
        String::new(),
    ] {
        assert_eq!(
            wrong(Some(&malformed), &body),
            Rejection::MalformedSignature
        );
    }
    let with_signature = |body: &str| wrong(Some(&signed(TOKEN, body)), body);
    assert_eq!(with_signature(MESSAGE), Rejection::ClearText);
    assert_eq!(with_signature(r#"{"encrypt":"AAAA"}"#), Rejection::Damaged);
    assert_eq!(with_signature(r#"{"encrypt":1}"#), Rejection::ClearText);
    assert_eq!(
        with_signature(&sealed(KEY, "no JSON")),
        Rejection::NotAMessage
    );
    assert_eq!(with_signature(&sealed(KEY, "[1]")), Rejection::NotAMessage);
    for not_json in [
        "",
        "x",
        "[]",
        "\"x\"",
        "{} {}",
        r#"{"encrypt":"a","encrypt":"b"}"#,
    ] {
        assert_eq!(with_signature(not_json), Rejection::NotJson, "{not_json}");
    }
    let found = with_signature(&sealed(OTHER_KEY, MESSAGE));
    assert!(
        matches!(found, Rejection::WrongKey | Rejection::NotAMessage),
        "{found:?}"
    );
    let plain = Receiver::new(secrets(None, None));
    assert_eq!(
        open(&plain, None, &body),
        Err(Rejection::EncryptedWithoutKey)
    );
    let headers = [("Content-Signature", signature.as_bytes()); 2];
    assert_eq!(
        receiver.open(headers, body.as_bytes()),
        Err(Rejection::SeveralSignatures)
    );
}

#[test]
fn during_a_rotation_both_pairs_are_accepted_and_told_apart() {
    let receiver = both().also(secrets(Some(OTHER_KEY), Some(TOKEN)));
    let receiver = receiver.also(secrets(Some(OTHER_KEY), Some("older")));
    for (key, token, pair) in [
        (KEY, TOKEN, 0),
        (OTHER_KEY, TOKEN, 1),
        (OTHER_KEY, "older", 2),
    ] {
        let body = sealed(key, MESSAGE);
        let opened = open(&receiver, Some(&signed(token, &body)), &body).unwrap();
        assert_eq!(opened.pair, Some(pair));
    }
    // Pairs are not mixed.
    let body = sealed(KEY, MESSAGE);
    assert!(open(&receiver, Some(&signed("older", &body)), &body).is_err());
}

#[test]
fn every_rejection_says_why_without_a_200() {
    for rejection in Rejection::ALL {
        assert!([400, 403].contains(&rejection.status()));
        assert!(!rejection.to_string().is_empty() && !rejection.code().is_empty());
    }
}

fn key_of(message: &str) -> DedupeKey {
    Message::read(message).unwrap().dedupe_key()
}

#[test]
fn deliveries_of_one_message_have_one_key() {
    let same = |one: &str, other: &str| key_of(one) == key_of(other);
    let v2 = |id: &str, data: &str| format!(r#"{{"MsgId":{id},"MsgType":"X","MsgData":{data}}}"#);
    assert!(same(&v2("\"a\"", "1"), &v2("\"a\"", "2")));
    assert!(!same(&v2("\"a\"", "1"), &v2("\"b\"", "1")));
    assert!(same(&v2("null", "1"), &v2("null", "1")) && !same(&v2("null", "1"), &v2("null", "2")));
    let v1 = r#"{"FlowId":"f","FlowCallbackStatus":2,"UserId":"u","Operate":"sign","UpdatedOn":7}"#;
    assert!(same(v1, &v1.replace('}', r#","FlowName":"x"}"#)));
    for (from, to) in [
        ("\"f\"", "\"g\""),
        ("2", "4"),
        ("\"u\"", "\"v\""),
        ("sign", "fill"),
        ("7", "8"),
    ] {
        assert!(!same(v1, &v1.replacen(from, to, 1)), "{from}");
    }
    assert!(!same(r#"{"a":1}"#, r#"{"a":2}"#));
}

#[test]
fn the_memory_forgets_by_age_by_number_and_when_asked() {
    let key = |id: &str| DedupeKey::of_message_id(id);
    let mut seen = Seen::new(NonZeroUsize::new(2).unwrap(), 10);
    assert_eq!(seen.note(key("a"), Timestamp(0), 1), Novelty::New);
    assert_eq!(seen.note(key("a"), Timestamp(10), 2), Novelty::Again(1));
    assert_eq!(seen.note(key("a"), Timestamp(11), 3), Novelty::New);
    seen.forget(&key("a"));
    assert!(seen.is_empty());
    for (id, number) in [("a", 4), ("b", 5), ("c", 6)] {
        assert_eq!(seen.note(key(id), Timestamp(12), number), Novelty::New);
    }
    assert_eq!(seen.len(), 2);
    // A clock that was set back forgets nothing.
    assert_eq!(seen.note(key("c"), Timestamp(-9), 7), Novelty::Again(6));
    assert_eq!(seen.note(key("a"), Timestamp(12), 8), Novelty::New);
}

#[test]
fn a_message_of_the_vendor_s_documentation_is_masked_and_still_useful() {
    let data = json!({
        "FlowId": "yDwFmUUckpstqfvzUE1h3jo1f3cqjkGm",
        "FlowName": "张三的劳动合同",
        "FlowCallbackStatus": 4, "CreateOn": 1_795_435_200_u32, "Unordered": false,
        "CallbackUrl": "https://hooks.acme.example/esign?a=1",
        "UserData": "eyJvcmRlciI6MX0=",
        "Approvers": [{
            "ApproverName": "张三", "ApproverMobile": "13812345678",
            "ApproverIdCardType": "ID_CARD", "ApproverIdCardNumber": "110101199003070011",
            "ApproverType": 1, "ApproveTime": 1_795_435_200_u32, "Unknown": "李四",
            "Mail": "a@b.example", "Note": "+8613812345678", "Landline": "0755-86013388", "Day": "2026-11-26 12:00:00",
        }],
    });
    insta::assert_snapshot!(indented(&masked(&data.to_string()), ""), @r#"
    {
      "Approvers": [
        {
          "ApproveTime": 1795435200,
          "ApproverIdCardNumber": "***",
          "ApproverIdCardType": "ID_CARD",
          "ApproverMobile": "***",
          "ApproverName": "***",
          "ApproverType": 1,
          "Day": "***",
          "Landline": "***",
          "Mail": "***",
          "Note": "***",
          "Unknown": "***"
        }
      ],
      "CallbackUrl": "***",
      "CreateOn": 1795435200,
      "FlowCallbackStatus": 4,
      "FlowId": "yDwFmUUckpstqfvzUE1h3jo1f3cqjkGm",
      "FlowName": "***",
      "Unordered": false,
      "UserData": "***"
    }
    "#);
}

#[test]
fn of_unknown_members_only_what_can_not_be_personal_is_shown() {
    let shown = |json: &str| masked(json);
    for hidden in [
        r#"{"Signer":"ZhangSan"}"#,
        r#"{"Zz":["zhangsan"]}"#,
        r#"{"Approver":{"Zz":"wangwu"}}"#,
        r#"{"Born":"1990-03-07"}"#,
        r#"{"Born":19900307}"#,
        r#"{"Landline":86013388}"#,
        r#"{"FlowIds":{"Zz":"zhangsan"}}"#,
        r#"["zhangsan"]"#,
        r#""zhangsan""#,
    ] {
        assert!(shown(hidden).contains(MASK), "{hidden}");
    }
    for kept in [
        r#"{"FlowId":"f-1","FlowIds":["a","b"],"Operate":"sign","FlowCallbackShowStatus":"PART"}"#,
        r#"{"Zz":[1,true,null,4.5],"UpdatedOn":1795435200,"Zy":"yDwFmUUckpstqfvzUE1h3jo1f3cqjkGm"}"#,
    ] {
        assert_eq!(shown(kept), kept);
    }
}

const HAN: &str = "[张李王赵欧阳][一-龥]{1,3}";

fn shapes() -> impl Strategy<Value = String> {
    prop_oneof![
        "1[3-9][0-9]{9}",
        "(\\+86|86|0086)1[3-9][0-9]{9}",
        "1[3-9][0-9]-[0-9]{4}-[0-9]{4}",
        "1[3-9][0-9] [0-9]{4} [0-9]{4}",
        "[1-9][0-9]{16}[0-9X]",
        "[1-9][0-9]{14}",
        "0[0-9]{2,3}-[0-9]{8}",
        "[a-z]{3,9}@[a-z]{3,9}\\.example",
        "[EGHM][0-9]{8}",
        "[A-Z][a-z]{3,9} [A-Z][a-z]{3,9}",
        HAN,
    ]
}

/// JSON in which the value is somewhere below.
fn around(value: Value) -> impl Strategy<Value = Value> {
    prop_oneof![Just(json!({ "Zz": 1 })), Just(json!([true, null]))].prop_flat_map(move |beside| {
        let value = value.clone();
        prop::collection::vec((any::<bool>(), "Zz[a-z]{0,5}"), 0..6).prop_map(move |path| {
            path.into_iter().fold(value.clone(), |inner, (list, name)| {
                if list {
                    json!([beside, inner])
                } else {
                    json!({ "A": beside, name: inner })
                }
            })
        })
    })
}

/// Something personal, as a value or as a name, and JSON that holds it.
fn placed() -> impl Strategy<Value = (String, Value)> {
    (shapes(), any::<bool>()).prop_flat_map(|(value, as_name)| {
        let leaf = if as_name {
            json!({ value.clone(): 1 })
        } else {
            json!(value)
        };
        around(leaf).prop_map(move |tree| (value.clone(), tree))
    })
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(
        key in prop::option::of("[ -~]{32}"), token in prop::option::of("[ -~]{1,40}"),
        kind in ".{0,20}", id in ".{0,20}", text in ".{0,50}",
    ) {
        let receiver = Receiver::new(secrets(key.as_deref(), token.as_deref()));
        let data = json!({ "Zz": text }).to_string();
        let message = format!(
            r#" {{"MsgData" : {data}, "MsgId":{} ,"MsgType":{}}} "#, json!(id), json!(kind),
        );
        let body = key.as_deref().map_or(message.clone(), |key| sealed(key, &message));
        let header = token.as_deref().map(|token| signed(token, &body));
        let opened = open(&receiver, header.as_deref(), &body).unwrap();
        prop_assert_eq!(opened.encrypted, key.is_some());
        let expected = V2 { msg_id: Some(id), msg_type: kind, msg_version: None, data };
        prop_assert_eq!(opened.content, Content::Message(Message::V2(expected)));
    }

    #[test]
    fn one_flipped_bit_is_rejected(
        message in ".{0,60}", at: prop::sample::Index, bit in 0..8_u32, in_header in any::<bool>(),
    ) {
        let message = json!({ "MsgType": "X", "MsgData": message }).to_string();
        let mut body = sealed(KEY, &message).into_bytes();
        let mut header = content_signature(&Secret::new(TOKEN), &body).into_bytes();
        let bytes = if in_header { &mut header } else { &mut body };
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let opened = both().open([("Content-Signature", &*header)], &body);
        prop_assert!(opened.is_err());
        prop_assert_ne!(opened.map_err(Rejection::status), Err(200));
        // Without a token it may pass, but never panics.
        drop(Receiver::new(secrets(Some(KEY), None)).open([], &body));
    }

    #[test]
    fn arbitrary_bytes_cause_no_panic(header: Option<Vec<u8>>, body: Vec<u8>, key in any::<bool>()) {
        let receiver = Receiver::new(secrets(key.then_some(KEY), None));
        let header = header.as_deref().map(|header| ("Content-Signature", header));
        if let Ok(Opened { content: Content::Message(message), .. }) = receiver.open(header, &body) {
            drop((masked(message.data()), indented(message.data(), " "), message.dedupe_key()));
        }
        let text = String::from_utf8_lossy(&body);
        drop((masked(&text), indented(&text, "")));
    }

    #[test]
    fn personal_shapes_are_masked_under_any_name((value, tree) in placed()) {
        let shown = masked(&tree.to_string());
        prop_assert!(!shown.contains(&value), "{shown}");
    }

    #[test]
    fn members_with_personal_names_are_masked_whatever_they_hold(
        name in "(Approver|User|)(Name|Mobile|IdCardNumber|Email|Address|Phone)", value in "secret[a-z]{8}",
        number in 100_000_u32.., nested in any::<bool>(),
    ) {
        let value_json = if nested { json!({ "Zz": [value, number] }) } else { json!([value, number]) };
        let shown = masked(&json!({ name: value_json, "Zz": 1 }).to_string());
        prop_assert!(!shown.contains(&value) && !shown.contains(&number.to_string()), "{shown}");
        prop_assert!(shown.contains("\"Zz\":1"));
    }

    /// Every token but values is unchanged, so the structure is too.
    #[test]
    fn masking_keeps_the_structure(text in "[a-z張 @]{0,9}", list in prop::collection::vec(any::<i64>(), 0..5)) {
        let json = json!({ "Zz": list, "Name": { "a": text, "b": [true, null] }, "c": text });
        let text = json.to_string();
        let masked = masked(&text);
        let shape = |text: &str| -> Vec<char> {
            json::tokens(text).map(|token| match token {
                json::Token::Open(c) | json::Token::Close(c) => c,
                json::Token::Colon => ':',
                json::Token::Comma => ',',
                json::Token::Text(_) | json::Token::Scalar(_) => 'x',
            }).collect()
        };
        prop_assert_eq!(shape(&masked), shape(&text));
        prop_assert_eq!(super::masked(&masked).len(), masked.len());
        prop_assert!(serde_json::from_str::<Value>(&masked).is_ok());
        prop_assert_eq!(serde_json::from_str::<Value>(&indented(&text, "  ")).unwrap(), json);
    }

    #[test]
    fn identifiers_are_shown(id in "[a-zA-Z]{4}[a-zA-Z0-9]{20}[a-zA-Z]{8}", seconds in 1_000_000_000_u32..) {
        prop_assume!(!shape::is_personal(&id));
        let json = json!({ "FlowId": id, "Operate": "sign", "CreateOn": seconds, "Zz": id, "FlowIds": ["f1"] });
        let text = json.to_string();
        prop_assert_eq!(masked(&text), text);
    }

    #[test]
    fn a_receipt_is_one_line_and_reads_back(body in ".*", signature in prop::option::of("[ -~]{1,80}"), at in 0..4_000_000_000_i64) {
        let url = CallbackUrl::new("https://hooks.example/a?token=x");
        let receipt = Receipt::new(Timestamp(at), url, body.as_bytes(), signature.as_deref()).unwrap();
        let line = receipt.line();
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert_eq!(Receipt::parse(&line).unwrap(), receipt);
    }
}

#[test]
fn a_receipt_takes_text_of_bounded_length() {
    let url = || CallbackUrl::new("https://hooks.example/a");
    let new = |body: &[u8]| {
        Receipt::new(Timestamp(0), url(), body, Some("")).map(|it| it.content_signature)
    };
    assert_eq!(new(b"{}"), Ok(None));
    assert_eq!(new(b"\xff"), Err(ReceiptError::NotText));
    let long = vec![b' '; MAX_RECEIPT_BODY + 1];
    assert_eq!(new(&long), Err(ReceiptError::TooLong(long.len())));
    // As nginx writes it.
    let line = r#"{"received_at":"2026-11-26T20:31:12+08:00","url":"u","body":"{}","content_signature":""}"#;
    let receipt = Receipt::parse(line).unwrap();
    assert_eq!(
        (
            receipt.received_at.to_string().as_str(),
            receipt.content_signature
        ),
        ("2026-11-26T12:31:12Z", None)
    );
    let error = Receipt::parse(r#"{"body":"canary"}"#)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a member is missing") && !error.contains("canary"),
        "{error}"
    );
}
