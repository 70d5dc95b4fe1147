//! What each service gets, checked as its vendor documents it, for ordinary and for hostile text.

use proptest::prelude::*;

use super::*;
use crate::model::Timestamp;
use crate::notify::condition::{Condition, Kind, Severity};
use crate::notify::link::Link;
use crate::notify::memory::News;
use crate::notify::words::Lang;

/// What the documents of the vendors forbid.
pub(in crate::notify) fn check(service: Service, body: &Value) {
    let text = body.to_string();
    let string = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    match service {
        Service::Wecom => {
            assert_eq!(body["msgtype"], "markdown");
            let content = string("/markdown/content").unwrap();
            assert!(content.len() <= 4096, "{} bytes", content.len());
            assert!(!content.contains("<@"), "{content}");
            // What is left of markup is ours: one colour, and one link.
            let inside = content.split_once("\">").unwrap().1;
            let (title, rest) = inside.split_once("</font>").unwrap();
            let rest = match rest.rsplit_once("\n[Details](") {
                Some((rest, link)) => {
                    assert!(
                        link.ends_with(')') && link.matches(')').count() == 1,
                        "{link}"
                    );
                    rest
                }
                None => rest,
            };
            for part in [title, rest] {
                assert!(
                    !part.contains(['<', '>', '[', ']', '*', '`', '#', '@']),
                    "{part}"
                );
            }
        }
        Service::Feishu => {
            assert!(text.len() <= 20 << 10, "{} bytes", text.len());
            assert_eq!(body["msg_type"], "post");
            let post = &body["content"]["post"]["en_us"];
            assert!(post["title"].is_string());
            let lines = post["content"].as_array().unwrap();
            assert!(!lines.is_empty());
            for element in lines.iter().flat_map(|line| line.as_array().unwrap()) {
                let tag = element["tag"].as_str().unwrap();
                assert!(["text", "a"].contains(&tag), "{tag}");
            }
            assert!(!text.contains("<at"), "{text}");
        }
        Service::Dingtalk => {
            assert!(text.len() <= 20_000, "{} bytes", text.len());
            assert_eq!(body["msgtype"], "text");
            assert_eq!(body["at"]["isAtAll"], false);
            assert!(!string("/text/content").unwrap().contains('@'));
        }
        Service::Slack => {
            let fallback = string("/text").unwrap();
            assert!(!fallback.contains(['<', '>', '@']), "{fallback}");
            for block in body["blocks"].as_array().unwrap() {
                let text = block["text"]["text"].as_str().unwrap();
                let most = if block["type"] == "header" { 150 } else { 3000 };
                assert!((1..=most).contains(&text.chars().count()), "{text}");
                if block["text"]["type"] == "plain_text" {
                    assert!(!text.contains(['<', '>', '@']), "{text}");
                    let entities =
                        ["&amp;", "&lt;", "&gt;"].map(|entity| text.matches(entity).count());
                    assert_eq!(
                        entities.iter().sum::<usize>(),
                        text.matches('&').count(),
                        "{text}"
                    );
                } else {
                    // Ours: one link.
                    assert!(
                        text.starts_with("<http") && text.ends_with("|Details>"),
                        "{text}"
                    );
                    assert_eq!(text.matches(['<', '>', '|']).count(), 3, "{text}");
                }
            }
        }
        Service::Webhook => {
            assert!(text.len() <= 20 << 10, "{} bytes", text.len());
            assert!(string("/type").unwrap().starts_with("condition."));
            let timestamp = body["timestamp"].clone();
            assert!(serde_json::from_value::<Timestamp>(timestamp).is_ok());
            assert!(body["data"].is_object());
        }
    }
}

fn notice(news: News, lines: &[&str]) -> Notice {
    Notice {
        news,
        condition: Condition {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            ..Condition::new(Kind::PlanRefused, "acme", Severity::Error)
        },
        since: Timestamp(1_790_000_000),
        at: Timestamp(1_790_007_500),
    }
}

/// With a link to the status page.
fn linking() -> Wording {
    Wording {
        link: Link::parse("https://status.example/?a=1&b=2"),
        ..Wording::default()
    }
}

/// As the program prints it, with a URL that has a credential.
const LINES: [&str; 3] = [
    "error: this plan deletes more than the guards allow: acme: https://hooks.example/<b>?a=1&token=0123456789abcdef",
    "  say how many: --allow-deletes 1",
    "@all <@all> <!channel> <at user_id=\"all\">x</at> [x](https://evil.example) **b** `c`",
];

fn pretty(service: Service, wording: &Wording) -> String {
    let body = service.message(&[notice(News::Appeared, &LINES)], wording);
    serde_json::to_string_pretty(&body).unwrap()
}

#[test]
fn a_message_to_wecom() {
    insta::assert_snapshot!(pretty(Service::Wecom, &linking()), @r#"
    {
      "markdown": {
        "content": "<font color=\"warning\">ess-callbacks: error: plan refused: acme</font>\nerror: this plan deletes more than the guards allow: acme: https://hooks.example/＜b＞?a=1&token=＊＊＊\n  say how many: --allow-deletes 1\n＠all ＜＠all＞ ＜!channel＞ ＜at user_id=\"all\"＞x＜/at＞ ［x］(https://evil.example) ＊＊b＊＊ c\n[Details](https://status.example/?a=1&b=2)"
      },
      "msgtype": "markdown"
    }
    "#);
}

#[test]
fn a_message_to_feishu_in_chinese() {
    let wording = Wording {
        lang: Lang::Zh,
        name: Some("production".into()),
        ..linking()
    };
    insta::assert_snapshot!(pretty(Service::Feishu, &wording), @r#"
    {
      "content": {
        "post": {
          "zh_cn": {
            "content": [
              [
                {
                  "tag": "text",
                  "text": "error: this plan deletes more than the guards allow: acme: https://hooks.example/＜b＞?a=1&token=***\n  say how many: --allow-deletes 1\n＠all ＜＠all＞ ＜!channel＞ ＜at user_id=\"all\"＞x＜/at＞ [x](https://evil.example) **b** `c`"
                }
              ],
              [
                {
                  "href": "https://status.example/?a=1&b=2",
                  "tag": "a",
                  "text": "查看详情"
                }
              ]
            ],
            "title": "ess-callbacks production：错误：计划被拒绝：acme"
          }
        }
      },
      "msg_type": "post"
    }
    "#);
}

#[test]
fn a_message_to_dingtalk() {
    insta::assert_snapshot!(pretty(Service::Dingtalk, &linking()), @r#"
    {
      "at": {
        "atMobiles": [],
        "atUserIds": [],
        "isAtAll": false
      },
      "msgtype": "text",
      "text": {
        "content": "ess-callbacks: error: plan refused: acme\nerror: this plan deletes more than the guards allow: acme: https://hooks.example/<b>?a=1&token=***\n  say how many: --allow-deletes 1\n＠all <＠all> <!channel> <at user_id=\"all\">x</at> [x](https://evil.example) **b** `c`\nhttps://status.example/?a=1&b=2"
      }
    }
    "#);
}

#[test]
fn a_message_to_slack() {
    insta::assert_snapshot!(pretty(Service::Slack, &linking()), @r#"
    {
      "blocks": [
        {
          "text": {
            "emoji": false,
            "text": "ess-callbacks: error: plan refused: acme",
            "type": "plain_text"
          },
          "type": "header"
        },
        {
          "text": {
            "emoji": false,
            "text": "error: this plan deletes more than the guards allow: acme: https://hooks.example/&lt;b&gt;?a=1&amp;token=***\n  say how many: --allow-deletes 1\n＠all &lt;＠all&gt; &lt;!channel&gt; &lt;at user_id=\"all\"&gt;x&lt;/at&gt; [x](https://evil.example) **b** `c`",
            "type": "plain_text"
          },
          "type": "section"
        },
        {
          "text": {
            "text": "<https://status.example/?a=1&amp;b=2|Details>",
            "type": "mrkdwn",
            "verbatim": true
          },
          "type": "section"
        }
      ],
      "mrkdwn": false,
      "text": "ess-callbacks: error: plan refused: acme",
      "unfurl_links": false,
      "unfurl_media": false
    }
    "#);
}

#[test]
fn a_message_to_a_webhook() {
    insta::assert_snapshot!(pretty(Service::Webhook, &linking()), @r#"
    {
      "data": {
        "about": "acme",
        "kind": "plan-refused",
        "left_out": 0,
        "lines": [
          "error: this plan deletes more than the guards allow: acme: https://hooks.example/<b>?a=1&token=***",
          "  say how many: --allow-deletes 1",
          "@all <@all> <!channel> <at user_id=\"all\">x</at> [x](https://evil.example) **b** `c`"
        ],
        "link": "https://status.example/?a=1&b=2",
        "name": null,
        "severity": "error",
        "since": "2026-09-21T14:13:20Z",
        "title": "ess-callbacks: error: plan refused: acme"
      },
      "timestamp": "2026-09-21T16:18:20Z",
      "type": "condition.appeared"
    }
    "#);
}

#[test]
fn a_resolution_is_green_and_several_are_one_message() {
    let resolved = notice(News::Resolved, &[]);
    let wording = Wording::default();
    let body = Service::Wecom.message(&[resolved.clone(), resolved.clone()], &wording);
    let content = body["markdown"]["content"].as_str().unwrap();
    assert!(
        content.starts_with("<font color=\"info\">ess-callbacks: resolved: "),
        "{content}"
    );
    assert_eq!(content.matches("resolved").count(), 2);
    let body = Service::Wecom.message(&[resolved, notice(News::Lasting, &["a"])], &wording);
    let content = body["markdown"]["content"].as_str().unwrap();
    assert!(content.starts_with("<font color=\"warning\">"), "{content}");
}

#[test]
fn the_longest_message_fits() {
    for line in ["x", "中", "😀", "<", "\"", "\\", "@", "&", "#"] {
        let long = line.repeat(30_000);
        let short = line.repeat(150);
        for lines in [
            vec![long.as_str()],
            vec![short.as_str(); 500],
            vec![line; 9_000],
        ] {
            let mut notices = vec![notice(News::Changed, &lines); 3];
            notices[0].condition.key.about = long.clone();
            for service in Service::ALL {
                check(service, &service.message(&notices, &linking()));
            }
        }
    }
}

proptest! {
    #[test]
    fn hostile_text_mentions_no_one_and_has_no_markup(
        about in "(@all|<@all>|<!channel>|<at id=all>|[\\[\\]()*`#>~|\n\u{202e}a中]){0,8}",
        lines in prop::collection::vec(
            "(@all|@channel|<@u>|<!here>|<!subteam\\^S1>|<at user_id=\"all\">|</font>|[\\[\\]()*`#>~|_&\n\u{7}\u{202e}a中]){0,12}",
            0..6,
        ),
        link in "(https://x.example/|javascript:|http:)[a<>|()\\[\\]@*` ?=&!]{0,12}",
        name in prop::option::of("[a<@>&]{0,6}"),
    ) {
        let mut notice = notice(News::Changed, &[]);
        notice.condition.key.about = about;
        notice.condition.lines = lines;
        let wording = Wording { name, link: Link::parse(&link), ..Wording::default() };
        for service in Service::ALL {
            check(service, &service.message(std::slice::from_ref(&notice), &wording));
        }
    }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        retry_after: None,
        body: body.into(),
    }
}

/// As the vendors document them.
const ANSWERS: [(Service, u16, &str); 27] = [
    (Service::Wecom, 200, r#"{"errcode":0,"errmsg":"ok"}"#),
    (
        Service::Wecom,
        200,
        r#"{"errcode":45009,"errmsg":"api freq out of limit, hint: [1]"}"#,
    ),
    (
        Service::Wecom,
        200,
        r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#,
    ),
    (Service::Wecom, 200, "<html>Log in</html>"),
    (Service::Wecom, 200, r#"{"code":0}"#),
    (Service::Wecom, 502, "<html>"),
    (
        Service::Feishu,
        200,
        r#"{"code":0,"msg":"success","StatusCode":0}"#,
    ),
    (
        Service::Feishu,
        200,
        r#"{"StatusCode":0,"StatusMessage":"success"}"#,
    ),
    (
        Service::Feishu,
        200,
        r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#,
    ),
    (
        Service::Feishu,
        200,
        r#"{"code":19024,"msg":"Key Words Not Found"}"#,
    ),
    (
        Service::Feishu,
        200,
        r#"{"code":11232,"msg":"frequency limited"}"#,
    ),
    (Service::Feishu, 400, r#"{"code":9499,"msg":"Bad Request"}"#),
    (Service::Dingtalk, 200, r#"{"errcode":0,"errmsg":"ok"}"#),
    (
        Service::Dingtalk,
        200,
        r#"{"errcode":310000,"errmsg":"sign not match"}"#,
    ),
    (
        Service::Dingtalk,
        200,
        r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#,
    ),
    (
        Service::Dingtalk,
        200,
        r#"{"errcode":-1,"errmsg":"系统繁忙"}"#,
    ),
    (Service::Slack, 200, "ok"),
    (Service::Slack, 200, "<html>"),
    (Service::Slack, 404, "no_service"),
    (Service::Slack, 410, "channel_is_archived"),
    (Service::Slack, 429, "rate_limited"),
    (Service::Slack, 302, ""),
    (Service::Webhook, 204, ""),
    (Service::Webhook, 401, ""),
    (Service::Webhook, 410, ""),
    (Service::Webhook, 503, ""),
    (Service::Webhook, 404, ""),
];

#[test]
fn answers_are_understood() {
    let redactor = crate::client::Redactor::default();
    let mut said = Vec::new();
    for (service, status, body) in ANSWERS {
        let judged = service.judge(&answer(status, body));
        said.push(match judged {
            Ok(()) => format!("{service} {status}: taken"),
            Err(failure) => {
                let again = if failure.passing { "again" } else { "never" };
                let after = failure
                    .after
                    .map_or(String::new(), |after| format!(" {after:?}"));
                format!(
                    "{service} {status}: {again}{after}: {}",
                    failure.sentence(&redactor)
                )
            }
        });
    }
    insta::assert_snapshot!(said.join("\n"), @"
    wecom 200: taken
    wecom 200: again 60s: WeCom takes no message at the moment (45009 api freq out of limit, hint: [1]); nothing has to be done unless that lasts
    wecom 200: never: WeCom refused the message (93000 invalid webhook url); the bot was removed or its URL is incomplete: set its current URL
    wecom 200: again: what answered is not WeCom; check the URL, and what is between: a proxy or a login page
    wecom 200: again: what answered is not WeCom; check the URL, and what is between: a proxy or a login page
    wecom 502: again: it has a problem (HTTP 502); nothing has to be done unless that lasts
    feishu 200: taken
    feishu 200: taken
    feishu 200: never: Feishu refused the message (19021 sign match fail or timestamp is not within one hour from current time); the signature does not match: check the signing secret, and this machine's clock, which may differ by at most an hour
    feishu 200: never: Feishu refused the message (19024 Key Words Not Found); add `ess-callbacks` to the bot's keywords
    feishu 200: again 60s: Feishu takes no message at the moment (11232 frequency limited); nothing has to be done unless that lasts
    feishu 400: never: Feishu refused the message (9499 Bad Request); this program wrote what it does not take: please report that
    dingtalk 200: taken
    dingtalk 200: never: DingTalk refused the message (310000 sign not match); its security settings do not allow it: check the signing secret and this machine's clock, or add `ess-callbacks` to its keywords, or this machine's address to its IP addresses
    dingtalk 200: again 600s: DingTalk takes no message at the moment (130101 send too fast, exceed 20 times per minute); nothing has to be done unless that lasts
    dingtalk 200: again: DingTalk takes no message at the moment (-1 系统繁忙); nothing has to be done unless that lasts
    slack 200: taken
    slack 200: again: what answered is not Slack; check the URL, and what is between: a proxy or a login page
    slack 404: never: Slack refused the message (no_service); the webhook was removed or its URL is incomplete: set its current URL
    slack 410: never: Slack refused the message (channel_is_archived); its channel is gone or archived: create a webhook for another channel
    slack 429: again 60s: it takes no more messages at the moment (HTTP 429); if that lasts, let fewer programs write to it
    slack 302: never: it redirects (HTTP 302), which is not followed; set the URL that it redirects to
    webhook 204: taken
    webhook 401: never: it refused the message (HTTP 401); check that it has the same secret and that both clocks are right
    webhook 410: never: it takes no messages any more (HTTP 410); remove it from the options
    webhook 503: again: it has a problem (HTTP 503); nothing has to be done unless that lasts
    webhook 404: never: it refused the message (HTTP 404); check that the URL is complete and still valid
    ");
}
