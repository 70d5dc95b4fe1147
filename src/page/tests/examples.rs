//! What the page says.

use super::made::{KEEPING, NOW, World};
use crate::model::{Environment, Recorded};
use crate::page::survey::Survey;
use crate::page::verdict::Verdict;
use crate::page::{Keeping, Next, Page, RunEnd, html};

fn said(page: &Page<'_>) -> String {
    let Verdict {
        level,
        headline,
        remark,
        tasks,
        digest: _,
    } = Verdict::of(page, &Survey::of(page));
    let mut lines = vec![format!("{}: {headline}", level.word())];
    lines.extend(remark);
    for task in tasks {
        lines.push(format!("- {}: {}", task.level.word(), task.headline));
        lines.extend(task.rows.iter().map(|row| format!("  . {row}")));
        lines.extend(task.remedy.map(|remedy| format!("  > {remedy}")));
    }
    lines.join("\n")
}

#[test]
fn the_most_urgent_is_first() {
    insta::assert_snapshot!(said(&World::eventful().page()), @r"
    Warning: 3 warnings
    - Warning: eSign refuses the calls of the organization `beta-trade`
      > Give the operator the role of an administrator.
    - Warning: The controller makes no calls until 2026-11-23 14:00 UTC: the receivers are being moved
      > `POST /resume` ends it earlier.
    - Warning: The outcome of the last call is unknown for 1 callback
      . beta-trade/https://old.beta.example/esign?token=***
      > The next round settles it.
    - Pending: 1 to add, 0 to change, 1 to destroy
      > The next round makes these changes.
    ");
}

#[test]
fn a_refused_plan_names_its_override() {
    let mut world = World::eventful();
    world.refuse();
    let page = Page {
        plan: Some(&world.plan),
        ..world.bare()
    };
    insta::assert_snapshot!(said(&page), @r"
    Error: 1 problem
    - Error: This plan deletes more than the guards allow and will not be applied
      . acme: its last callback; none would be left
      > These callbacks are deleted because callbacks.yaml leaves them out. If that is meant, say how many: --allow-deletes 1
    - Warning: The controller makes no calls until 2026-11-23 14:00 UTC: the receivers are being moved
      > `POST /resume` ends it earlier.
    - Warning: The outcome of the last call is unknown for 1 callback
      . beta-trade/https://old.beta.example/esign?token=***
      > Run `ess-callbacks apply`: it settles it.
    ");
    assert!(html(&page).contains("<code>--allow-deletes 1</code>"));
}

#[test]
fn a_controller_names_no_flag_and_no_command_and_says_when_all_is_well() {
    let mut world = World::eventful();
    world.refuse();
    let said = |world: &World, next| {
        let keeping = Keeping { next, ..KEEPING };
        said(&Page {
            plan: Some(&world.plan),
            keeping: Some(keeping),
            ..world.bare()
        })
    };
    let refused = said(&world, Next::Approved);
    assert!(
        refused.contains(
            "deleted because `conf` leaves them out. If that is meant, approve the plan."
        )
    );
    world.plan.tripped.clear();
    for (next, when) in [
        (Next::Round, "The next round makes these changes."),
        (Next::Resumed, "They are made after the suspension ends."),
        (Next::Approved, "They are made when they are approved."),
        (
            Next::Solved,
            "They are made when the problems above are solved.",
        ),
    ] {
        let said = said(&world, next);
        assert!(said.contains(when), "{said}");
        assert!(!said.contains("ess-callbacks apply"), "{said}");
    }
    let world = World::settled();
    let page = Page {
        keeping: Some(KEEPING),
        ..world.bare()
    };
    insta::assert_snapshot!(super::examples::said(&page), @r"
    Well: All is well
    Nothing is pending: what is declared is what is recorded. The last round was at 2026-11-23 12:00 UTC.
    ");
}

#[test]
fn before_the_configuration_is_read_no_environment_is_named() {
    let nothing = Recorded::nothing(Environment::Production);
    let keeping = Keeping {
        knows_environment: false,
        last_round: None,
        ..KEEPING
    };
    let page = Page {
        keeping: Some(keeping),
        ..Page::of(&nothing, "x", NOW)
    };
    let html = html(&page);
    assert!(html.contains("environment not known yet"), "{html}");
    assert!(!html.contains("production"), "{html}");
}

#[test]
fn who_waits_for_newer_files_says_so() {
    let world = World::settled();
    let keeping = Keeping {
        behind: Some(NOW),
        ..KEEPING
    };
    let page = Page {
        keeping: Some(keeping),
        ..world.bare()
    };
    insta::assert_snapshot!(said(&page), @r"
    Warning: 1 warning
    - Warning: This replica waits for newer files: others are in force since 2026-11-23 12:00 UTC
    ");
}

#[test]
fn a_state_alone_says_what_is_open() {
    insta::assert_snapshot!(said(&World::eventful().bare()), @r"
    Warning: 2 warnings
    - Warning: The controller makes no calls until 2026-11-23 14:00 UTC: the receivers are being moved
      > `POST /resume` ends it earlier.
    - Warning: The outcome of the last call is unknown for 1 callback
      . beta-trade/https://old.beta.example/esign?token=***
      > Run `ess-callbacks apply`: it settles it.
    ");
    insta::assert_snapshot!(said(&World::settled().bare()), @r"
    Well: Nothing is open
    The outcome of every call is known. What is pending is not: this page was made without the configuration.
    ");
    let nothing = Recorded::nothing(Environment::Test);
    insta::assert_snapshot!(said(&Page::of(&nothing, "x", NOW)), @r"
    Well: Nothing is recorded
    The first apply records what it does.
    ");
}

#[test]
fn without_secrets_a_plan_can_not_say_that_all_is_well_of_them() {
    let mut world = World::settled();
    let page = |world: &World| {
        said(&Page {
            plan: Some(&world.plan),
            ..world.bare()
        })
    };
    insta::assert_snapshot!(page(&world), @r"
    Well: All is well
    Nothing is pending: what is declared is what is recorded.
    ");
    world.plan.summary.not_checked = 1;
    insta::assert_snapshot!(page(&world), @r"
    Well: All is well
    Nothing is pending. The plan was made without secrets, so a changed key or token does not show.
    ");
}

#[test]
fn a_failed_run_is_not_well_until_the_next_succeeds() {
    let mut world = World::settled();
    let said = |world: &World| {
        said(&Page {
            runs: Some(&world.runs),
            plan: Some(&world.plan),
            ..world.bare()
        })
    };
    world.runs[1].end = RunEnd::Failed("no answer".to_owned());
    world.runs[2].end = RunEnd::Running;
    insta::assert_snapshot!(said(&world), @r"
    Warning: 1 warning
    - Warning: The last run failed: no answer
    ");
    world.runs[2].end = RunEnd::Complete;
    assert!(said(&world).starts_with("Well: "));
}

/// One row of the table of callbacks, without the head of the table.
fn row_with(page: &Page<'_>, text: &str) -> String {
    let html = html(page);
    let row = html
        .split("<tr")
        .find(|row| row.contains(text) && row.contains("\"url\""));
    format!("<tr{}", row.unwrap().split("</tbody>").next().unwrap())
}

#[test]
fn a_row_has_evidence_age_and_what_is_pending() {
    let world = World::eventful();
    let page = world.page();
    insta::assert_snapshot!(row_with(&page, "esign/4"), @r#"
    <tr data-is="pending"><th scope="row"><span class="url">https://hooks.acme.example/esign/4</span></th><td class="mark proven">proven</td><td><time datetime="2026-10-14T11:59:00Z" title="2026-10-14 11:59 UTC">40 days ago</time></td><td><span class="quiet">not seen</span></td><td class="secrets">key 0101… token a1a1…</td><td><span class="change delete"><span class="symbol" aria-hidden="true">-</span> will be deleted</span> <span class="why">because it is not in conf</span></td></tr>
    "#);
    insta::assert_snapshot!(row_with(&page, "token=***"), @r#"
    <tr><th scope="row"><span class="url">https://old.beta.example/esign?token=***</span></th><td class="mark unknown">unknown</td><td><time datetime="2026-11-20T12:00:00Z" title="2026-11-20 12:00 UTC">3 days ago</time><span class="note">a delete has no answer; it may still arrive until 12:04:35 UTC</span></td><td><span class="quiet">not seen</span></td><td class="secrets">key 0202… token a2a2…</td><td></td></tr>
    "#);
    insta::assert_snapshot!(row_with(&world.bare(), "esign/0"), @r#"
    <tr><th scope="row"><span class="url">https://hooks.acme.example/esign/0</span> <span class="tag">protected</span></th><td class="mark proven">proven</td><td><time datetime="2026-11-23T11:59:00Z" title="2026-11-23 11:59 UTC">1 minute ago</time></td><td class="secrets">key 0101… token a1a1…</td></tr>
    "#);
}

#[test]
fn what_is_absent_leaves_no_trace() {
    let html = html(&World::settled().bare());
    for word in [
        "Last runs",
        "Running now",
        "Last seen",
        "Pending",
        "Digest",
        "Suspended",
    ] {
        let body = &html[html.find("<body>").unwrap()..html.find("<script>").unwrap()];
        assert!(!body.contains(word), "{word}");
    }
}
