//! Comments in their place: GitLab's notes with a small GitLab, GitHub's comments with a small `gh`.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::receiver::{Answer, Asked, Receiver};
use super::{has, machine, root, scripts, yaml_files};
use crate::support::{Said, TestEnv};

const MARK: &str = "<!-- ess-callbacks plan teams/pay.yaml -->";
const NOTES: &str = "/projects/42/merge_requests/7/notes";

/// A merge request with these notes, as author and body, on pages of two; our user is the 9th.
struct Gitlab {
    notes: Arc<Mutex<Vec<(u64, String)>>>,
    receiver: Receiver,
}

impl Gitlab {
    fn with(notes: &[(u64, &str)]) -> Self {
        let notes = notes
            .iter()
            .map(|(author, body)| (*author, (*body).to_owned()));
        let notes = Arc::new(Mutex::new(notes.collect::<Vec<_>>()));
        let held = Arc::clone(&notes);
        let receiver = Receiver::start(move |asked| Self::answer(asked, &mut held.lock().unwrap()));
        Self { notes, receiver }
    }

    fn answer(asked: &Asked, notes: &mut Vec<(u64, String)>) -> Answer {
        assert!(
            asked.head.to_lowercase().contains("private-token: s3cret"),
            "{}",
            asked.head
        );
        let json = |value: &Value| {
            (
                200,
                "Content-Type: application/json".to_owned(),
                value.to_string(),
            )
        };
        let body = || asked.body["body"].as_str().unwrap().to_owned();
        let (method, path) = asked.line.split_once(' ').unwrap();
        let of_api = path.strip_prefix("/api/v4").unwrap();
        let of_notes = of_api.strip_prefix(NOTES);
        match (method, of_api, of_notes) {
            ("GET", "/user", _) => json(&json!({ "id": 9 })),
            ("GET", _, Some(query)) => {
                let page: usize = query.rsplit_once("&page=").unwrap().1.parse().unwrap();
                let shown = notes.iter().enumerate().skip(2 * (page - 1)).take(2);
                let shown: Vec<Value> = shown
                    .map(|(id, (author, body))| json!({ "id": id, "author": { "id": author }, "body": body }))
                    .collect();
                let next = if 2 * page < notes.len() {
                    (page + 1).to_string()
                } else {
                    String::new()
                };
                (
                    200,
                    format!("X-Next-Page: {next}"),
                    json!(shown).to_string(),
                )
            }
            ("POST", _, Some("")) => {
                notes.push((9, body()));
                (201, "X-Nothing: 1".to_owned(), "{}".to_owned())
            }
            ("PUT", _, Some(id)) => {
                let id: usize = id.trim_start_matches('/').parse().unwrap();
                assert_eq!(notes[id].0, 9, "GitLab lets nobody change another's note");
                notes[id].1 = body();
                json(&json!({}))
            }
            _ => (403, "X-Nothing: 1".to_owned(), "{}".to_owned()),
        }
    }

    fn bodies(&self) -> Vec<String> {
        self.notes
            .lock()
            .unwrap()
            .iter()
            .map(|note| note.1.clone())
            .collect()
    }

    fn changes(&self) -> usize {
        let changes = |asked: &&Asked| !asked.line.starts_with("GET ");
        self.receiver.asked().iter().filter(changes).count()
    }
}

fn note(env: &mut TestEnv, gitlab: &Gitlab) -> Said {
    let api = format!("{}/api/v4", gitlab.receiver.url());
    env.set("CI_API_V4_URL", &api)
        .set("CI_MERGE_REQUEST_PROJECT_ID", "42")
        .set("CI_MERGE_REQUEST_IID", "7");
    let script = root().join("examples/gitlab/note.py");
    env.said(env.other("python3").arg(script).arg("plan.md"))
}

#[test]
fn a_note_is_written_once_and_then_in_its_place() {
    let mut env = machine();
    if !has(&env, "python3") {
        return;
    }
    env.set("NOTE_TOKEN", "s3cret");
    // Somebody else's note with the mark, and our own for another environment.
    let forged = format!("{MARK}\nforged");
    let others = [
        (3, "nice"),
        (3, &forged),
        (9, "<!-- ess-callbacks plan test -->\n1"),
        (3, "x"),
    ];
    let gitlab = Gitlab::with(&others);
    env.write("plan.md", format!("{MARK}\n### first\n"));
    note(&mut env, &gitlab).exits(0);
    env.write("plan.md", format!("{MARK}\n### second\n"));
    note(&mut env, &gitlab).exits(0);
    assert_eq!(gitlab.changes(), 2);
    note(&mut env, &gitlab).exits(0);
    assert_eq!(gitlab.changes(), 2, "the same again");
    let bodies = gitlab.bodies();
    assert_eq!(bodies.len(), 5);
    assert_eq!(bodies[1], forged);
    assert_eq!(bodies[4], format!("{MARK}\n### second\n"));
}

#[test]
fn a_note_that_can_not_be_written_says_why() {
    let mut env = machine();
    if !has(&env, "python3") {
        return;
    }
    let gitlab = Gitlab::with(&[]);
    env.write("plan.md", format!("{MARK}\n### first\n"));
    // A fork's pipeline has no token.
    let said = note(&mut env, &gitlab).exits(0);
    assert!(said.stdout.contains("NOTE_TOKEN is not set"), "{said}");
    env.set("NOTE_TOKEN", "s3cret");
    env.write("plan.md", "### something else\n");
    note(&mut env, &gitlab).exits(1);
    assert_eq!(gitlab.changes(), 0);

    let refusing = Receiver::start(|_| (403, "X-Nothing: 1".to_owned(), "{}".to_owned()));
    let gitlab = Gitlab {
        receiver: refusing,
        ..gitlab
    };
    env.write("plan.md", format!("{MARK}\n### first\n"));
    let said = note(&mut env, &gitlab).exits(1);
    assert!(
        said.stderr.contains("GET /user: 403") && !said.stderr.contains("s3cret"),
        "{said}"
    );
}

/// Stands for GitHub's `gh`: notes what it is asked, and knows a pull request and perhaps a comment.
const GH: &str = r#"#!/bin/sh
printf '%s\n' "$*" >> gh.log
case "$*" in
  *"/pulls -f state=open -f head=acme:topic"*) echo "$NUMBER" ;;
  *"--paginate repos/acme/esign/issues/7/comments"*) [ -n "$MARK" ] && echo "$OLD" ;;
esac
"#;

/// The script of comment.yml, and how it ended.
fn comment(env: &mut TestEnv, number: &str, old: &str) -> (Said, String) {
    let files = yaml_files();
    let (_, workflow) = files
        .iter()
        .find(|file| file.0.ends_with("comment.yml"))
        .unwrap();
    let mut all = Vec::new();
    scripts(workflow, &mut all);
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    env.set("PATH", &path)
        .set("REPOSITORY", "acme/esign")
        .set("HEAD", "acme:topic")
        .set("SHA", "abc")
        .set("NUMBER", number)
        .set("OLD", old);
    env.write("gh.log", "");
    // As GitHub runs it.
    let mut command = env.other("bash");
    let said = env.said(command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &all[0]]));
    (said, env.read("gh.log"))
}

#[test]
fn a_comment_on_github_is_written_in_its_place() {
    let mut env = machine();
    env.write("bin/gh", GH);
    assert!(
        std::process::Command::new("chmod")
            .arg("+x")
            .arg(env.path("bin/gh"))
            .status()
            .unwrap()
            .success()
    );
    env.write("plan/plan.md", format!("{MARK}\n### first\n"));
    let (said, log) = comment(&mut env, "7", "");
    said.exits(0);
    assert!(
        log.ends_with(
            "api --method POST repos/acme/esign/issues/7/comments -F body=@plan/plan.md --silent\n"
        ),
        "{log}"
    );
    let (said, log) = comment(&mut env, "7", "31");
    said.exits(0);
    assert!(log.ends_with("api --method PATCH repos/acme/esign/issues/comments/31 -F body=@plan/plan.md --silent\n"), "{log}");
    // Closed, or pushed to again.
    let (said, log) = comment(&mut env, "", "31");
    said.exits(0);
    assert_eq!(log.lines().count(), 1, "{log}");
    // What a fork may put there instead.
    for forged in [
        "### a text of their own\n",
        "<!-- ess-callbacks plan --><b>x</b> -->\n",
        "<!-- ess-callbacks plan -->\n",
    ] {
        env.write("plan/plan.md", forged);
        let (said, log) = comment(&mut env, "7", "31");
        said.exits(1);
        assert_eq!(log.lines().count(), 1, "{log}");
    }
    env.write("plan/plan.md", format!("{MARK}\n{}", "x".repeat(65_000)));
    comment(&mut env, "7", "31").0.exits(1);
    env.write("secret", format!("{MARK}\n"));
    std::fs::remove_file(env.path("plan/plan.md")).unwrap();
    std::os::unix::fs::symlink(env.path("secret"), env.path("plan/plan.md")).unwrap();
    comment(&mut env, "7", "31").0.exits(1);
}
