//! The codes of eSign: the program, `docs/errors.md` and its Chinese twin say the same of each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ess_callbacks::client::codes::{ALL, Says, look_up};
use ess_callbacks::client::outcome_of;
use ess_callbacks::model::{Blast, Operation, Outcome};

use crate::support::{TestEnv, configuration};

/// The paragraphs of each section about a code of eSign, on one line each, below its heading.
fn sections(page: &str) -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for part in text.split("\n\n") {
        if let Some(title) = part.strip_prefix("### ") {
            let code = title.split(' ').next().expect("a first word");
            found.push((code.to_owned(), Vec::new()));
        } else if let Some((_, paragraphs)) = found.last_mut().filter(|_| !part.starts_with('#')) {
            paragraphs.push(part.trim().replace('\n', " "));
        }
    }
    let ours = |code: &str| code.len() == 4 && code.starts_with(['E', 'W', 'V']);
    found.retain(|(code, _)| !ours(code));
    found
}

const ENGLISH: &str = "errors.md";
const PAGES: [&str; 2] = [ENGLISH, "errors.zh-CN.md"];

#[test]
fn both_pages_have_a_section_for_each_code() {
    let known: Vec<_> = ALL.iter().map(|known| known.code).collect();
    for page in PAGES {
        let listed: Vec<_> = sections(page).into_iter().map(|(code, _)| code).collect();
        assert_eq!(listed, known, "{page}");
    }
}

/// With a capital at the beginning, unless that is eSign's name.
fn sentence(clause: &str) -> String {
    let mut rest = clause.chars();
    match rest.next() {
        Some(first) if !clause.starts_with("eSign") => {
            format!("{}{}", first.to_uppercase(), rest.as_str())
        }
        _ => clause.to_owned(),
    }
}

/// What apply prints for a code is on the page.
#[test]
fn the_page_says_what_apply_prints() {
    let add = Operation::Add {
        key: None,
        token: None,
    };
    for (code, paragraphs) in sections(ENGLISH) {
        let answer = serde_json::json!({
            "Response": {"Error": {"Code": code, "Message": "m"}, "RequestId": "r"}
        });
        // Of a delete, too: some codes say of an add that the URL exists.
        let outcomes = [&add, &Operation::Delete]
            .map(|operation| outcome_of(200, answer.to_string().as_bytes(), operation));
        let errors: Vec<_> = outcomes.iter().filter_map(Outcome::error).collect();
        assert!(!errors.is_empty(), "{code}");
        for error in errors {
            let meaning = format!("{}.", sentence(&error.meaning));
            assert!(paragraphs[0].starts_with(&meaning), "{code}: {meaning}");
            let advice = format!("What to do: {}.", error.advice);
            assert_eq!(paragraphs.last(), Some(&advice), "{code}");
        }
    }
}

/// What the answer with a code means depends on the call only for these; with it, whether the message counts.
fn depends_on_the_call(code: &str) -> Option<bool> {
    const EXISTS: &str = "已存在";
    let kind = |message: &str, operation: &Operation| {
        let answer = serde_json::json!({
            "Response": {"Error": {"Code": code, "Message": message}, "RequestId": "r"}
        });
        outcome_of(200, answer.to_string().as_bytes(), operation)
    };
    let add = Operation::Add {
        key: None,
        token: None,
    };
    let done = |message: &str| matches!(kind(message, &add), Outcome::AlreadyThere(_));
    match (done("m"), done(EXISTS)) {
        (true, true) => Some(false),
        (false, true) => Some(true),
        (_, false) => None,
    }
}

/// What a page says that apply does is the same for all codes that are treated alike, and differs from what it says for others.
#[test]
fn the_pages_say_how_each_code_is_treated() {
    for page in PAGES {
        let mut said: BTreeMap<String, (Says, Option<bool>)> = BTreeMap::new();
        for (code, paragraphs) in sections(page) {
            let says = look_up(&code).expect("it is known").says;
            assert_eq!(paragraphs.len(), 3, "{page}: {code}");
            let how = (says, depends_on_the_call(&code));
            let treated = said.entry(paragraphs[1].clone()).or_insert(how);
            assert_eq!(*treated, how, "{page}: {code}");
        }
        let kinds = [
            Says::Throttled,
            Says::Unknown,
            Says::ClockOff,
            Says::TokenExpired,
            Says::Refused(Blast::Account),
            Says::Refused(Blast::Organization),
            Says::Refused(Blast::Call),
        ];
        let mut kinds = kinds.map(|says| (says, None)).to_vec();
        // Codes that say of an add that it is done: whatever their message, and by their message.
        kinds.extend([false, true].map(|by| (Says::Refused(Blast::Call), Some(by))));
        assert_eq!(said.len(), kinds.len(), "{page}: {said:#?}");
        assert!(
            kinds
                .iter()
                .all(|kind| said.values().any(|how| how == kind))
        );
    }
}

#[test]
fn explain_has_these_codes_in_both_languages() {
    let mut env = TestEnv::new("");
    let said = env.run(&["explain", "operationdenied.noapiauth"]).exits(0);
    insta::assert_snapshot!(said.stdout, @"
    OperationDenied.NoApiAuth API not opened

    The organization has not opened the API.

    What apply does: the call was not applied and is not repeated. The organization makes no more calls in this run.
    Other organizations go on.

    What to do: have its super-administrator open API access in the eSign console.
    ");
    let said = env.run(&["explain", "--lang", "zh", "OperationDenied.NoApiAuth"]);
    insta::assert_snapshot!(said.exits(0).stdout, @"
    OperationDenied.NoApiAuth 未开通 API

    该组织没有开通 API。

    apply 的处理：调用没有生效，也不会重试。该组织在本次运行中不再发出调用，其他组织照常进行。

    下一步：请其超级管理员在电子签控制台开通 API。
    ");
    let said = env.run(&["explain", "OperationDenied.NoApiAutt"]).exits(0);
    insta::assert_snapshot!(said.err(), @"Note: `OperationDenied.NoApiAutt` is not listed. It is treated as `OperationDenied`. Did you mean `OperationDenied.NoApiAuth`?");
    let said = env.run(&["explain", "InvalidParametr"]).exits(64);
    insta::assert_snapshot!(said.err(), @"
    error: unknown code `InvalidParametr`; did you mean `InvalidParameter`?
      `ess-callbacks explain` lists all codes. If eSign refused a call with a code that is not listed, the outcome of the call is unknown: run `ess-callbacks apply` again.
    ");
    for (lang, heading) in [("EN", "Codes of this family:"), ("zh-cn", "同族的错误码：")] {
        let said = env
            .run(&["explain", "--lang", lang, "AuthFailure"])
            .exits(0);
        let members = format!("\n\n{heading}\n\nAuthFailure.SignatureExpire ");
        assert!(said.stdout.contains(&members), "{said}");
    }
    env.set("LANG", "zh_CN.UTF-8");
    let said = env.run(&["explain", "E053"]).exits(0);
    assert!(said.stdout.starts_with("E053 环境变量"), "{said}");
    env.set("ESS_CALLBACKS_LANG", "en");
    let said = env.run(&["explain", "e05"]).exits(0);
    insta::assert_snapshot!(said.stdout, @"
    E050 key not exactly 32 bytes
    E051 empty secret
    E052 masked secret
    E053 environment variable not set
    E054 secret file not readable
    E055 command without --allow-commands
    E056 command failed
    E057 secret is not text
    E058 invalid character in a secret
    E059 secret too long
    ");
}

#[test]
fn apply_and_explain_give_the_same_advice() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let _served = env.serve(&[]);
    env.set("TENCENTCLOUD_SECRET_ID", "AKIDunknown");
    let applied = env.run(&["apply", "--auto-approve"]).exits(3);
    let explained = env.run(&["explain", "AuthFailure.SecretIdNotFound"]);
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let explained = one_line(&explained.exits(0).stdout);
    let advice = explained.split_once("What to do: ").expect("advice").1;
    let printed = one_line(&applied.stdout) + &one_line(&applied.stderr);
    assert!(printed.contains(advice.trim_end_matches('.')), "{applied}");
}
