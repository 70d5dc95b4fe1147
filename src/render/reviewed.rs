//! Tests of what a reviewer must see in every format: changes of the record alone, and both scopes of an
//! organization with a new scope.

use std::sync::Arc;

use insta::assert_snapshot;

use super::fixtures::*;
use super::{Style, plan_diff, plan_markdown, plan_text, planned_change_json, planned_update_json};
use crate::model::{AccountName, Action, Calls, Handle, Identity, Scope};
use crate::plan::{Bookkeeping, Details, Move, Plan, Reason, read_document, write_document};

const OLD: &str = "yDwJjUUckp7f87yrUyOldOperatorXXX";
const NEW: &str = "yDwJjUUckp7f87yrUyNewOperatorXXX";

fn refresh(scope: &Arc<Scope>, text: &str, before: Details, after: Details) -> Bookkeeping {
    let identity = Identity {
        scope: Arc::clone(scope),
        url: url(text),
    };
    Bookkeeping::Refresh {
        identity,
        before,
        after,
    }
}

/// A plan without calls: 300 callbacks have a new operator, one of them loses its protection, and another
/// organization has a new name.
fn recorded_only() -> Plan {
    let mut plan = plan(Vec::new());
    let acme = scope(Some("acme"));
    let other = scope(Some("other"));
    plan.bookkeeping = (0..300)
        .map(|number| {
            refresh(
                &acme,
                &format!("https://hooks.acme.example/{number:03}"),
                details("acme", OLD, number == 7),
                details("acme", NEW, false),
            )
        })
        .chain([refresh(
            &other,
            "https://hooks.other.example/cb",
            details("测试公司", NEW, false),
            details("测试", NEW, true),
        )])
        .collect();
    plan
}

fn text(plan: &Plan, style: &Style) -> String {
    let mut out = String::new();
    plan_text(plan, style, &mut out).unwrap();
    out
}

fn diff(plan: &Plan) -> String {
    let mut out = String::new();
    plan_diff(plan, &plain(), &mut out).unwrap();
    out
}

fn read_back(plan: &Plan) -> Plan {
    let mut document = Vec::new();
    write_document(&plan.where_something_is_called(), &[], &mut document).unwrap();
    read_document(&String::from_utf8(document).unwrap()).unwrap()
}

#[test]
fn the_text_shows_what_is_recorded() {
    assert_snapshot!(text(&recorded_only(), &plain()), @r#"
    Changes to the record, without a call:
      ~ acme: operator = "yDwJjUUckp7f87yrUyOldOperatorXXX" -> "yDwJjUUckp7f87yrUyNewOperatorXXX" (300 callbacks)
      ~ acme/https://hooks.acme.example/007: protect = true -> false
      ~ 测试: handle = "测试公司" -> "测试" (1 callback)
      ~ 测试/https://hooks.other.example/cb: protect = false -> true

    No calls. Only the record is updated.

    eSign can't be read back: changes made in its console do not show here. Nothing has been confirmed yet.
    Environment: production (ess.tencentcloudapi.com), account: default
    "#);
}

#[test]
fn on_a_narrow_terminal_no_value_is_broken() {
    let narrow = Style {
        width: 50,
        ..plain()
    };
    let shown = text(&recorded_only(), &narrow);
    let record = shown.split("\n\n").next().unwrap();
    assert_snapshot!(record, @r#"
    Changes to the record, without a call:
      ~ acme: operator =
          "yDwJjUUckp7f87yrUyOldOperatorXXX" ->
          "yDwJjUUckp7f87yrUyNewOperatorXXX" (300
          callbacks)
      ~ acme/https://hooks.acme.example/007: protect =
          true -> false
      ~ 测试: handle = "测试公司" -> "测试" (1
          callback)
      ~ 测试/https://hooks.other.example/cb: protect =
          false -> true
    "#);
}

#[test]
fn the_comment_shows_what_is_recorded() {
    assert_snapshot!(plan_markdown(&recorded_only(), &subject(), &plain()), @r#"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks, production: no calls, only the record is updated

    Changes to the record, without a call:

    ```diff
    ! acme: operator = "yDwJjUUckp7f87yrUyOldOperatorXXX" -> "yDwJjUUckp7f87yrUyNewOperatorXXX" (300 callbacks)
    ! acme/https://hooks.acme.example/007: protect = true -> false
    ! 测试: handle = "测试公司" -> "测试" (1 callback)
    ! 测试/https://hooks.other.example/cb: protect = false -> true
    ```

    ```text
    No calls. Only the record is updated.

    eSign can't be read back: changes made in its console do not show here. Nothing has been confirmed yet.
    Environment: production (ess.tencentcloudapi.com), account: default
    ```

    Digest: `sha256:992d704e98a60b62485967be8d4a23775d7c54a8abbd2106694de5a88ea30532`. A plan with the same digest makes the same calls; `apply --expect-digest` makes these or none.
    "#);
}

#[test]
fn the_diff_shows_what_is_recorded() {
    assert_snapshot!(diff(&recorded_only()), @r#"
    --- recorded/acme
    +++ desired/acme
    @@ -1,3 +1,2 @@
    -operator: "yDwJjUUckp7f87yrUyOldOperatorXXX" (300 callbacks)
    +operator: "yDwJjUUckp7f87yrUyNewOperatorXXX" (300 callbacks)
     https://hooks.acme.example/007
    -    protect: true
    --- recorded/测试
    +++ desired/测试
    @@ -1,2 +1,3 @@
    -handle: "测试公司" (1 callback)
    +handle: "测试" (1 callback)
     https://hooks.other.example/cb
    +    protect: true
    "#);
}

#[test]
fn the_events_show_what_is_recorded() {
    let plan = recorded_only();
    let updates = plan.updates();
    let lines: Vec<_> = updates
        .iter()
        .map(|update| planned_update_json(update, NOW))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    {"@level":"info","@message":"acme: operator = \"yDwJjUUckp7f87yrUyOldOperatorXXX\" -> \"yDwJjUUckp7f87yrUyNewOperatorXXX\" (300 callbacks)","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"planned_update","update":{"organization":"acme","scope":{"account":"default","proxy_organization_id":"acme"},"field":"operator","before":"yDwJjUUckp7f87yrUyOldOperatorXXX","after":"yDwJjUUckp7f87yrUyNewOperatorXXX","callbacks":300}}
    {"@level":"info","@message":"acme/https://hooks.acme.example/007: protect = true -> false","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"planned_update","update":{"organization":"acme","scope":{"account":"default","proxy_organization_id":"acme"},"resource":{"addr":"acme/https://hooks.acme.example/007","organization":"acme","url":"https://hooks.acme.example/007"},"field":"protect","before":true,"after":false,"callbacks":1}}
    {"@level":"info","@message":"测试: handle = \"测试公司\" -> \"测试\" (1 callback)","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"planned_update","update":{"organization":"测试","scope":{"account":"default","proxy_organization_id":"other"},"field":"handle","before":"测试公司","after":"测试","callbacks":1}}
    {"@level":"info","@message":"测试/https://hooks.other.example/cb: protect = false -> true","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"planned_update","update":{"organization":"测试","scope":{"account":"default","proxy_organization_id":"other"},"resource":{"addr":"测试/https://hooks.other.example/cb","organization":"测试","url":"https://hooks.other.example/cb"},"field":"protect","before":false,"after":true,"callbacks":1}}
    "#);
}

#[test]
fn a_saved_plan_shows_the_same() {
    let plan = recorded_only();
    let saved = read_back(&plan);
    assert_eq!(text(&saved, &plain()), text(&plan, &plain()));
    assert_eq!(diff(&saved), diff(&plan));
    assert_eq!(
        plan_markdown(&saved, &subject(), &plain()),
        plan_markdown(&plan, &subject(), &plain())
    );
    assert_eq!(saved.updates(), plan.updates());
}

/// A plan with calls: one callback is added, and another one loses its protection.
fn beside_calls() -> Plan {
    let staying = "https://hooks.acme.example/stays";
    let mut stays = change(
        address("acme", staying),
        Action::NoOp,
        Calls::Nothing,
        Reason::Unchanged,
        (
            Some(before(crate::model::Belief::proven(secrets(1, 2)))),
            Some(after(Some(secrets(1, 2)))),
        ),
    );
    if let Some(before) = &mut stays.before {
        before.protect = true;
    }
    let mut plan = plan(vec![add("acme", "https://hooks.acme.example/new"), stays]);
    plan.bookkeeping = vec![refresh(
        &scope(Some("acme")),
        staying,
        details("acme", OLD, true),
        details("acme", OLD, false),
    )];
    plan
}

#[test]
fn beside_calls_the_record_comes_after_them() {
    assert_snapshot!(text(&beside_calls(), &plain()), @r#"
    Actions are indicated with the following symbols:
      + add

    ess-callbacks will perform the following actions:

      # acme/https://hooks.acme.example/new will be added
      + callback {
          + url   = "https://hooks.acme.example/new"
          + key   = (secret)
          + token = (secret)
        }

    Changes to the record, without a call:
      ~ acme/https://hooks.acme.example/stays: protect = true -> false

    Plan: 1 to add, 0 to change, 0 to destroy.
    1 call, about 1 s at 20/s. 1 unchanged.
    Environment: production (ess.tencentcloudapi.com), account: default
    "#);
    assert_snapshot!(diff(&beside_calls()), @"
    --- recorded/acme
    +++ desired/acme
    @@ -1,4 +1,6 @@
    +https://hooks.acme.example/new
    +    key: (secret)
    +    token: (secret)
     https://hooks.acme.example/stays
         key: fp 01010101010101010101010101010101
         token: fp 02020202020202020202020202020202
    -    protect: true
    ");
    let page = plan_markdown(&beside_calls(), &subject(), &plain());
    let (overview, rest) = page.split_once("Changes to the record").unwrap();
    assert!(
        overview.contains("+ acme/https://hooks.acme.example/new"),
        "{overview}"
    );
    assert!(
        rest.contains("! acme/https://hooks.acme.example/stays: protect = true -> false"),
        "{rest}"
    );
}

#[test]
fn a_comment_that_is_too_long_says_how_much_of_the_record_it_left_out() {
    let mut plan = plan(Vec::new());
    let acme = scope(Some("acme"));
    plan.bookkeeping = (0..5000)
        .map(|number| {
            let url = format!("https://hooks.acme.example/{number:04}");
            refresh(
                &acme,
                &url,
                details("acme", OLD, true),
                details("acme", OLD, false),
            )
        })
        .collect();
    let page = plan_markdown(&plan, &subject(), &plain());
    assert!(page.len() < super::MARKDOWN_LIMIT);
    let shown = page.matches("protect = true -> false").count();
    let left = format!("**{} more of these left out for length.**", 5000 - shown);
    assert!(shown > 100 && page.contains(&left), "{shown}");
}

/// One URL under two scopes of one organization: deleted for the old member, added for the new one.
fn another_member() -> Plan {
    let callback = "https://hooks.acme.example/cb";
    let (old, new) = (scope(Some("yDOldMember")), scope(Some("yDNewMember")));
    let mut leaving = delete("acme", callback);
    leaving.reason = Reason::ScopeChanged {
        account: false,
        organization: true,
        app: false,
    };
    let mut plan = plan(vec![leaving, add("acme", callback)]);
    let mut gone = plan.organizations.remove(0);
    let mut kept = gone.clone();
    gone.changes.remove(1);
    kept.changes.remove(0);
    gone.scope = Arc::clone(&old);
    gone.successor = Some(Arc::clone(&new));
    kept.scope = new;
    plan.organizations = vec![gone, kept];
    // An update of the new scope must be distinguishable too.
    plan.bookkeeping = vec![refresh(
        &plan.organizations[1].scope,
        "https://hooks.acme.example/stays",
        details("acme", OLD, true),
        details("acme", OLD, false),
    )];
    plan
}

#[test]
fn two_scopes_of_one_url_are_told_apart() {
    let plan = another_member();
    assert_snapshot!(text(&plan, &plain()), @r#"
    Actions are indicated with the following symbols:
      + add
      - delete

    ess-callbacks will perform the following actions:

      # acme/https://hooks.acme.example/cb will be deleted
      # (because its organization has another `proxy_organization_id` now)
      # (proxy_organization_id = "yDOldMember" -> "yDNewMember")
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      - callback {
          - url                   = "https://hooks.acme.example/cb"
          - account               = "default"
          - proxy_organization_id = "yDOldMember"
          - key                   = (secret, fp 9c9c…)
          - token                 = (secret, fp 7777…)
        }

      # acme/https://hooks.acme.example/cb will be added
      + callback {
          + url                   = "https://hooks.acme.example/cb"
          + account               = "default"
          + proxy_organization_id = "yDNewMember"
          + key                   = (secret)
          + token                 = (secret)
        }

    Changes to the record, without a call:
      ~ acme/https://hooks.acme.example/stays (account "default", proxy_organization_id "yDNewMember"): protect = true -> false

    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s.
    Environment: production (ess.tencentcloudapi.com), account: default
    "#);
    assert_snapshot!(diff(&plan), @r#"
    --- recorded/acme (account "default", proxy_organization_id "yDNewMember")
    +++ desired/acme (account "default", proxy_organization_id "yDNewMember")
    @@ -1,2 +1,4 @@
    +https://hooks.acme.example/cb
    +    key: (secret)
    +    token: (secret)
     https://hooks.acme.example/stays
    -    protect: true
    --- recorded/acme (account "default", proxy_organization_id "yDOldMember")
    +++ desired/acme (account "default", proxy_organization_id "yDOldMember")
    @@ -1,3 +0,0 @@
    -https://hooks.acme.example/cb
    -    key: fp 9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c
    -    token: fp 77777777777777777777777777777777
    "#);
    assert_snapshot!(plan_markdown(&plan, &subject(), &plain()), @r#"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks, production: 1 to add, 0 to change, 1 to destroy

    ```diff
    - acme/https://hooks.acme.example/cb (delete, because its organization has another `proxy_organization_id` now; proxy_organization_id = "yDOldMember" -> "yDNewMember")
    + acme/https://hooks.acme.example/cb (add; account "default", proxy_organization_id "yDNewMember")
    ```

    Changes to the record, without a call:

    ```diff
    ! acme/https://hooks.acme.example/stays (account "default", proxy_organization_id "yDNewMember"): protect = true -> false
    ```

    ```text
    2 calls, about 1 s at 20/s.
    Environment: production (ess.tencentcloudapi.com), account: default
    ```

    Digest: `sha256:1395b5f2e0cf3eaa390a3122deda132f57511a51792d8a7479bd66edca352ef3`. A plan with the same digest makes the same calls; `apply --expect-digest` makes these or none.

    <details open><summary><code>acme</code> <code>(account &quot;default&quot;, proxy_organization_id &quot;yDOldMember&quot;)</code>: 1 change</summary>

    ```diff
      # acme/https://hooks.acme.example/cb will be deleted
      # (because its organization has another `proxy_organization_id` now)
      # (proxy_organization_id = "yDOldMember" -> "yDNewMember")
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
    -   callback {
    -       url                   = "https://hooks.acme.example/cb"
    -       account               = "default"
    -       proxy_organization_id = "yDOldMember"
    -       key                   = (secret, fp 9c9c…)
    -       token                 = (secret, fp 7777…)
        }
    ```

    </details>

    <details open><summary><code>acme</code> <code>(account &quot;default&quot;, proxy_organization_id &quot;yDNewMember&quot;)</code>: 1 change</summary>

    ```diff
      # acme/https://hooks.acme.example/cb will be added
    +   callback {
    +       url                   = "https://hooks.acme.example/cb"
    +       account               = "default"
    +       proxy_organization_id = "yDNewMember"
    +       key                   = (secret)
    +       token                 = (secret)
        }
    ```

    </details>
    "#);
    let lines: Vec<_> = plan
        .changes_by_organization()
        .map(|(organization, change)| planned_change_json(organization, change, NOW))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    {"@level":"info","@message":"acme/https://hooks.acme.example/cb: Plan to delete","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"planned_change","change":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"scope":{"account":"default","proxy_organization_id":"yDOldMember"},"successor":{"account":"default","proxy_organization_id":"yDNewMember"},"action":"delete","reason":{"because":"scope_changed","account":false,"organization":true,"app":false}}}
    {"@level":"info","@message":"acme/https://hooks.acme.example/cb: Plan to add","@module":"ess-callbacks","@timestamp":"2026-11-23T12:00:00Z","type":"planned_change","change":{"resource":{"addr":"acme/https://hooks.acme.example/cb","organization":"acme","url":"https://hooks.acme.example/cb"},"scope":{"account":"default","proxy_organization_id":"yDNewMember"},"action":"add","reason":{"because":"not_recorded"}}}
    "#);
}

#[test]
fn the_diff_shows_a_move() {
    let mut plan = plan(Vec::new());
    let from = scope(Some("yDMember"));
    plan.moves = vec![Move {
        handle: Handle::new("acme"),
        to: Arc::new(Scope {
            account: AccountName::new("main"),
            ..Scope::clone(&from)
        }),
        from,
        callbacks: 2,
        renamed: true,
    }];
    assert_snapshot!(diff(&plan), @r#"
    --- recorded/acme
    +++ desired/acme
    @@ -1 +1 @@
    -account: "default"
    +account: "main"
    "#);
}
