//! What chats have not taken when a controller ends, and who sends it to them then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ess_callbacks::envelope::content_signature;
use ess_callbacks::secret::Secret;
use jiff::Timestamp;
use serde_json::json;

use super::{Keeping, World};
use crate::examples::receiver::{Asked, Receiver};
use crate::support::{TOKEN as SIGNING, eventually};

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How often a chat was asked to take a message with these words.
fn told(chat: &Receiver, words: &str) -> usize {
    let has = |one: &Asked| one.body.to_string().contains(words);
    chat.asked().into_iter().filter(has).count()
}

/// A chat that takes nothing until this is true.
fn sick(works: &Arc<AtomicBool>) -> Receiver {
    let works = Arc::clone(works);
    Receiver::start(move |_| {
        let code = if works.load(Ordering::SeqCst) {
            200
        } else {
            500
        };
        (code, "X-Nothing: 1".to_owned(), "ok".to_owned())
    })
}

/// Waits until the state says of each message that all have taken it.
fn is_settled(world: &World) {
    eventually("nothing is owed any more", || {
        let state = std::fs::read_to_string(world.env.path("state.json")).unwrap();
        (state.contains("\"told\"") && !state.contains("\"owed\"")).then_some(())
    });
}

#[test]
fn what_waits_for_a_chat_when_a_controller_is_killed_is_sent_after_the_restart() {
    let mut world = World::new(&[("acme", 4)]);
    let wecom = Receiver::saying(r#"{"errcode":0}"#);
    let webhook = Receiver::saying("ok");
    let path = "/cgi-bin/webhook/send?key=canary-0";
    world.env.set("BOT", &format!("{}{path}", wecom.url()));
    world.env.set("HOOK", &format!("{}/hook", webhook.url()));
    world.env.set("WHSEC", WHSEC);
    let targets = "wecom=env:BOT webhook=env:HOOK,secret=env:WHSEC";
    let arguments = ["--notify", targets];
    let first = world.start(&arguments);
    world.has(4);
    world.declare("acme", 1);
    eventually("the first is told", || {
        (told(&wecom, "refused") == 1).then_some(())
    });
    world.env.write("conf/beta.yaml", "organizations: [");
    // Within the pause after the first one, WeCom does not get it.
    eventually("one chat has it, which is recorded", || {
        let state = std::fs::read_to_string(world.env.path("state.json")).unwrap();
        (told(&webhook, "beta.yaml") == 1 && state.contains("beta.yaml")).then_some(())
    });
    first.running.kill();
    assert_eq!(told(&wecom, "beta.yaml"), 0);
    let (again, other) = (world.start(&arguments), world.start(&arguments));
    // The one that is gone might still be sending it.
    let state = std::fs::read_to_string(world.env.path("state.json")).unwrap();
    let owed = &state[state.find("\"owed\"").unwrap()..];
    let (_, until) = owed.split_once("\"until\":\"").unwrap();
    let until: Timestamp = until.split_once('"').unwrap().0.parse().unwrap();
    eventually("its time passes", || {
        (Timestamp::now() >= until).then_some(())
    });
    eventually("WeCom has it", || {
        (told(&wecom, "beta.yaml") == 1).then_some(())
    });
    is_settled(&world);
    again.reconcile();
    other.reconcile();
    for (chat, words) in [
        (&wecom, "beta.yaml"),
        (&webhook, "beta.yaml"),
        (&webhook, "refused"),
    ] {
        assert_eq!(told(chat, words), 1, "{words}");
    }
    again.stop();
    other.stop();
}

#[test]
fn what_a_chat_did_not_take_before_a_stop_is_sent_after_the_restart() {
    let mut world = World::new(&[("acme", 4)]);
    let works = Arc::new(AtomicBool::new(false));
    let sick = sick(&works);
    let well = Receiver::saying("ok");
    for (name, receiver) in [("WELL", &well), ("SICK", &sick)] {
        let url = format!("{}/services/T0/B0/x", receiver.url());
        world.env.set(name, &url);
    }
    let start = |targets: &str| -> Keeping { world.start(&["--notify", targets]) };
    let both = "slack=env:WELL slack=env:SICK";
    let first = start(both);
    world.has(4);
    world.declare("acme", 1);
    eventually("one has it", || (told(&well, "refused") == 1).then_some(()));
    eventually("the other one has failed", || {
        (told(&sick, "refused") > 0).then_some(())
    });
    first.stop();
    let state = std::fs::read_to_string(world.env.path("state.json")).unwrap();
    assert!(state.contains(r#""owed":{"to":["slack 2"]"#), "{state}");
    works.store(true, Ordering::SeqCst);
    let failed = told(&sick, "refused");
    let again = start(both);
    eventually("the other one has it, too", || {
        (told(&sick, "refused") > failed).then_some(())
    });
    is_settled(&world);
    again.reconcile();
    assert_eq!(
        (told(&well, "refused"), told(&sick, "refused")),
        (1, failed + 1)
    );
    again.stop();
}

#[test]
fn an_event_that_no_chat_took_before_a_stop_is_sent_after_the_restart() {
    let mut world = World::new(&[("acme", 1)]);
    let works = Arc::new(AtomicBool::new(false));
    let chats = [sick(&works), sick(&works)];
    for (name, chat) in ["ONE", "TWO"].into_iter().zip(&chats) {
        let url = format!("{}/services/T0/B0/x", chat.url());
        world.env.set(name, &url);
    }
    let arguments = [
        "--esign-token-from",
        "env:TOKEN",
        "--notify",
        "slack=env:ONE slack=env:TWO",
    ];
    let first = world.start(&arguments);
    world.has(1);
    eventually("the first round ends", || {
        (first.rounds() > 0).then_some(())
    });
    let message = json!({
        "MsgId": "m1", "MsgType": "QuiteJob", "MsgVersion": "CustomApp",
        "MsgData": { "UserName": "张三" },
    });
    let body = message.to_string();
    let signature = content_signature(&Secret::new(SIGNING), body.as_bytes());
    let signed = format!("Content-Signature: {signature}");
    assert_eq!(first.send("POST /esign", &[signed], &body).0, 200);
    // Whether a chat was asked before the end or not, it took nothing.
    first.stop();
    let state = std::fs::read_to_string(world.env.path("state.json")).unwrap();
    assert!(
        state.contains(r#""owed":{"to":["slack","slack 2"]"#),
        "{state}"
    );
    works.store(true, Ordering::SeqCst);
    let asked = chats.each_ref().map(|chat| told(chat, "QuiteJob"));
    let again = world.start(&arguments);
    for (chat, before) in chats.iter().zip(asked) {
        eventually("the chat has it", || {
            (told(chat, "QuiteJob") == before + 1).then_some(())
        });
    }
    is_settled(&world);
    again.stop();
}
