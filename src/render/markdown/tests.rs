//! Tests of comments, and that no text of a plan can break out of its code block.

use std::collections::BTreeSet;
use std::sync::Arc;

use insta::assert_snapshot;
use proptest::prelude::*;
use pulldown_cmark::{Event as MdEvent, Options, Parser};

use super::*;
use crate::model::{AccountName, Address, CallbackUrl, Handle, Timestamp};
use crate::plan::{Tripped, arbitrary};
use crate::render::fixtures::*;

#[test]
fn deletions_come_first_and_details_are_folded() {
    let mut plan = plan(vec![
        add("acme", "https://hooks.acme.example/esign"),
        replace("acme-shanghai", "https://sh.acme.example/cb"),
        delete("beta", "https://old.beta.example/cb"),
    ]);
    plan.summary.unchanged = 14;
    plan.summary.deletes_by_omission = 1;
    plan.tripped = vec![Tripped::LastOfOrganization {
        handle: Handle::new("beta"),
        deletes: 1,
    }];
    assert_snapshot!(plan_markdown(&plan, &subject(), &plain()), @r#"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks, production: 2 to add, 0 to change, 2 to destroy

    **Refused: this plan deletes more than the guards allow and will not be applied.** These callbacks are deleted because callbacks.yaml leaves them out. If that is meant, say how many: `--allow-deletes 1`

    ```text
      beta: its last callback; none would be left
    ```

    ```diff
    - beta/https://old.beta.example/cb (delete, because it is not in callbacks.yaml)
    ! acme-shanghai/https://sh.acme.example/cb (replace with a gap of about 1 round trip, because its key changed)
    + acme/https://hooks.acme.example/esign (add)
    ```

    ```text
    4 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip. 14 unchanged.
    Environment: production (ess.tencentcloudapi.com), account: default
    ```

    Digest: `sha256:2e59e58283a867f72ef52788ffbf93c832eaf8e807b6ec559c65c94ad9234dc6`. A plan with the same digest makes the same calls; `apply --expect-digest` makes these or none.

    <details open><summary><code>acme</code>: 1 change</summary>

    ```diff
      # acme/https://hooks.acme.example/esign will be added
    +   callback {
    +       url   = "https://hooks.acme.example/esign"
    +       key   = (secret)
    +       token = (secret)
        }
    ```

    </details>

    <details open><summary><code>acme-shanghai</code>: 1 change</summary>

    ```diff
      # acme-shanghai/https://sh.acme.example/cb must be replaced
      # (because its key changed)
    !   callback {
            url   = "https://sh.acme.example/cb"
    !       key   = (secret, fp 0202…) -> (secret, changed)
            token = (secret, fp 7777…)
        }
    ```

    </details>

    <details open><summary><code>beta</code>: 1 change</summary>

    ```diff
      # beta/https://old.beta.example/cb will be deleted
      # (because it is not in callbacks.yaml)
    -   callback {
    -       url   = "https://old.beta.example/cb"
    -       key   = (secret, fp 9c9c…)
    -       token = (secret, fp 7777…)
        }
    ```

    </details>
    "#);
}

#[test]
fn no_changes_still_says_what_that_is_worth() {
    let mut plan = plan(Vec::new());
    plan.summary.unchanged = 14;
    assert_snapshot!(plan_markdown(&plan, &subject(), &plain()), @"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks, production: no changes

    ```text
    No changes. Your configuration matches the recorded state.

    eSign can't be read back: changes made in its console do not show here. Nothing has been confirmed yet.
    14 unchanged.
    Environment: production (ess.tencentcloudapi.com), account: default
    ```

    Digest: `sha256:96942b01122b4b4dcaf03fe1613e0929fa09f196bf162140f5be0765599d6455`. A plan with the same digest makes the same calls; `apply --expect-digest` makes these or none.
    ");
}

#[test]
fn what_does_not_fit_is_counted() {
    let long = "x".repeat(100);
    let mut changes: Vec<Change> = (0..1000)
        .map(|n| delete("acme", &format!("https://a.example/{n}/{long}")))
        .collect();
    changes.extend((0..1000).map(|n| add("beta", &format!("https://b.example/{n}/{long}"))));
    let shown = plan_markdown(&plan(changes), &subject(), &plain());
    assert!(shown.len() <= MARKDOWN_LIMIT, "{}", shown.len());
    assert!(
        shown.len() > MARKDOWN_LIMIT * 9 / 10,
        "room is wasted: {}",
        shown.len()
    );
    let left: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("left out"))
        .collect();
    assert_snapshot!(left.join("\n"), @"
    **1762 more changes left out for length, 762 of them deletes.** `ess-callbacks plan` shows everything.
    **1952 more changes left out for length.** `ess-callbacks plan` shows everything.
    ");
    assert!(shown.ends_with("left out for length.** `ess-callbacks plan` shows everything.\n\n"));
    assert_eq!(shown.matches("```").count() % 2, 0);
}

#[test]
fn a_handle_means_nothing_as_html() {
    let shown = plan_markdown(
        &plan(vec![add("<b>@all&`", "https://a.example/cb")]),
        &subject(),
        &plain(),
    );
    assert!(
        shown.contains("<code>&lt;b&gt;@all&amp;`</code>: 1 change"),
        "{shown}"
    );
}

/// An open call that is finished by a delete also removes a callback.
#[test]
fn a_delete_by_another_name_is_first_too() {
    let mut finish = delete("beta", "https://b.example/cb");
    finish.action = Action::Finish;
    finish.reason = Reason::OpenDelete;
    let shown = plan_markdown(
        &plan(vec![
            add("acme", "https://a.example/cb"),
            finish,
            replace("gamma", "https://c.example/cb"),
        ]),
        &subject(),
        &plain(),
    );
    let overview: Vec<&str> = shown
        .lines()
        .skip_while(|line| *line != "```diff")
        .take_while(|line| !line.is_empty())
        .collect();
    assert_snapshot!(overview.join("\n"), @"
    ```diff
    - beta/https://b.example/cb (finish an open call by a delete, because the outcome of an earlier delete of it is unknown)
    ! gamma/https://c.example/cb (replace with a gap of about 1 round trip, because its key changed)
    + acme/https://a.example/cb (add)
    ```
    ");
}

/// Many short organizations are folded like a long one.
#[test]
fn not_everything_is_unfolded() {
    let handles: Vec<String> = (0..40).map(|n| format!("o{n:02}")).collect();
    let changes = handles
        .iter()
        .map(|handle| add(handle, "https://a.example/cb"));
    let shown = plan_markdown(&plan(changes.collect()), &subject(), &plain());
    let open = shown.matches("<details open>").count();
    assert_eq!((open, shown.matches("<details>").count()), (20, 20));
}

fn repeated<T: Clone>(items: &[T], times: usize) -> Vec<T> {
    let count = items.len() * times;
    items.iter().cycle().take(count).cloned().collect()
}

proptest! {
    #[test]
    fn no_plan_makes_a_comment_that_github_refuses(
        plan in arbitrary::plan(),
        repeat in 1_usize..400,
    ) {
        let mut plan = plan;
        for organization in &mut plan.organizations {
            let changes = std::mem::take(&mut organization.changes);
            organization.changes = repeated(&changes, repeat);
        }
        plan.tripped = repeated(&plan.tripped, repeat);
        let shown = plan_markdown(&plan, &subject(), &Style::plain(Timestamp(0)));
        prop_assert!(shown.len() <= MARKDOWN_LIMIT);
        prop_assert!(shown.starts_with("<!-- ess-callbacks plan "));
        // No untrusted text can open or close a block.
        let fences = shown.lines().filter(|line| line.starts_with("```")).count();
        prop_assert_eq!(fences % 2, 0);
    }
}

/// The blocks of a page by a Markdown parser, without the contents of code and HTML.
fn structure(page: &str) -> Vec<String> {
    let mut all = Vec::new();
    for event in Parser::new_ext(page, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        let in_code = |last: &String| last.contains("CodeBlock");
        if matches!(event, MdEvent::Text(_)) && all.last().is_some_and(in_code) {
            continue;
        }
        let opens = |mark: &str| matches!(&event, MdEvent::Html(html) if html.starts_with(mark));
        let fixed = ["<details", "<!-- "].into_iter().find(|mark| opens(mark));
        all.push(fixed.map_or_else(|| format!("{event:?}"), str::to_owned));
    }
    all
}

fn harmless(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let names: BTreeSet<_> = plan
        .organizations
        .iter()
        .map(|one| one.handle.clone())
        .collect();
    for organization in &mut plan.organizations {
        // Equal names stay equal.
        let number = names.iter().position(|name| *name == organization.handle);
        organization.handle = Handle::new(format!("a{number:?}"));
        Arc::make_mut(&mut organization.scope).account = AccountName::new("a");
        for change in &mut organization.changes {
            change.address.handle = Handle::new("a");
            change.address.url = CallbackUrl::new("b");
        }
    }
    for item in &mut plan.moves {
        item.handle = Handle::new("a");
        Arc::make_mut(&mut item.to).account = AccountName::new("a");
    }
    for tripped in &mut plan.tripped {
        match tripped {
            Tripped::MostOfOrganization { handle, .. }
            | Tripped::LastOfOrganization { handle, .. } => {
                *handle = Handle::new("a");
            }
            Tripped::Protected { address } => {
                address.handle = Handle::new("a");
                address.url = CallbackUrl::new("b");
            }
            Tripped::PerhapsShared {
                handle,
                account,
                other,
                callbacks: _,
            } => {
                *handle = Handle::new("a");
                *account = AccountName::new("a");
                *other = AccountName::new("a");
            }
            Tripped::MostOfAll { .. } | Tripped::WrongAllowance { .. } => {}
        }
    }
    plan
}

/// Texts that have an effect outside a code block.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "```",
        "````",
        "~~~",
        "`",
        "\n",
        "\r",
        "\n\n",
        " ",
        "    ",
        "\t",
        "</details>",
        "</code>",
        "</summary>",
        "<script>",
        "<!--",
        "-->",
        "@all",
        "#1",
        "|",
        "---",
        "***",
        "# ",
        "> ",
        "- ",
        "1. ",
        "[a](b)",
        "![a](b)",
        "https://evil.example",
        "www.evil.example",
        "&lt;",
        "\\",
        "中文",
        "\u{2028}",
        "x",
    ]);
    proptest::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// The blocks of a page do not depend on the names in it.
    #[test]
    fn no_name_can_break_out_of_its_place(
        plan in arbitrary::plan(),
        names in proptest::collection::vec((hostile(), hostile()), 1..8),
    ) {
        let mut plan = plan;
        let mut names = names.into_iter().cycle().map(|(handle, url)| Address {
            handle: Handle::new(handle),
            url: CallbackUrl::new(url),
        });
        let mut next = || names.next().expect("they go round");
        for organization in &mut plan.organizations {
            organization.handle = next().handle;
            let account = AccountName::new(next().url.as_str());
            Arc::make_mut(&mut organization.scope).account = account;
            for change in &mut organization.changes {
                change.address = next();
            }
        }
        for item in &mut plan.moves {
            item.handle = next().handle;
            Arc::make_mut(&mut item.to).account = AccountName::new(next().url.as_str());
        }
        for tripped in &mut plan.tripped {
            match tripped {
                Tripped::PerhapsShared { handle, account, .. } => {
                    *handle = next().handle;
                    *account = AccountName::new(next().url.as_str());
                }
                Tripped::MostOfOrganization { handle, .. } | Tripped::LastOfOrganization { handle, .. } => {
                    *handle = next().handle;
                }
                Tripped::Protected { address } => *address = next(),
                Tripped::MostOfAll { .. } | Tripped::WrongAllowance { .. } => {}
            }
        }
        let structure = |plan: &Plan| {
            let page = plan_markdown(plan, &subject(), &plain());
            (structure(&page), page)
        };
        let ((hostile, page), (tame, _)) = (structure(&plan), structure(&harmless(&plan)));
        // The digest depends on the names.
        let digest = |event: &String| !event.starts_with("Code(Borrowed(\"sha256:");
        let bare = |events: Vec<String>| events.into_iter().filter(digest).collect::<Vec<_>>();
        prop_assert_eq!(bare(hostile), bare(tame), "{}", page);
    }
}

#[test]
fn a_comment_says_which_configuration_and_which_commit_it_is_about() {
    let subject = Subject {
        label: "teams/pay".parse().unwrap(),
        named: true,
        commit: Some("0123456789abcdef0123456789abcdef01234567".parse().unwrap()),
    };
    let page = plan_markdown(&plan(Vec::new()), &subject, &plain());
    assert_snapshot!(page.split("```").next().unwrap(), @"
    <!-- ess-callbacks plan teams/pay -->
    ### ess-callbacks `teams/pay`, production: no changes

    Commit 0123456789abcdef0123456789abcdef01234567
    ");
}

#[test]
fn an_error_takes_the_place_of_the_comment() {
    let error = "error[E010]: no field\n  |\n3 | ```\n```\n</details>\nerror: `x`";
    let page = error_markdown(error, &subject());
    assert_snapshot!(page, @"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks: no plan, because of an error

    ```text
    error[E010]: no field
      |
    3 | ```
        ```
    </details>
    error: `x`
    ```

    What this comment showed before may be out of date.
    ");
    // One block, although the error contains a fence.
    let blocks = structure(&page);
    assert_eq!(
        blocks
            .iter()
            .filter(|block| block.contains("Start(CodeBlock"))
            .count(),
        1,
        "{blocks:?}"
    );
    let long = error_markdown(&"line\n".repeat(50_000), &subject());
    assert!(long.len() <= MARKDOWN_LIMIT);
    assert!(long.contains("more lines left out for length"));
}
