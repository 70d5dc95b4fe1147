//! A plan as a unified diff of what is recorded and what is desired, for tools that show diffs.
//!
//! Each organization with changes is a file of its own. A secret is shown by its recorded fingerprint,
//! whole, as long as it has the recorded value. What is called without a difference in the record does
//! not show: a `heal`, and the delete of an `absent:` URL of which nothing is recorded.

use std::fmt;

use similar::{ChangeTag, TextDiff};

use super::escape::Clean;
use super::style::{Style, Tone};
use super::text::{Ambiguous, scope_words};
use crate::model::{Action, Evidence, Fingerprint, Fingerprints, Scope, Steps};
use crate::plan::{After, Change, OrganizationPlan, Plan, Same};

/// How many unchanged lines stand around a changed one.
const CONTEXT: usize = 3;

/// Writes the diff; nothing when nothing differs.
///
/// # Errors
/// Those of `out` alone.
pub fn plan_diff(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let ambiguous = Ambiguous::of(plan);
    plan.organizations
        .iter()
        .filter(|organization| {
            let changes = &organization.changes;
            changes.iter().any(|change| change.steps != Steps::Nothing)
        })
        .try_for_each(|organization| {
            let scope = ambiguous.scope(organization);
            organization_diff(organization, scope, style, out)
        })
}

/// One line of either side, or of both.
struct Line {
    tag: ChangeTag,
    text: String,
}

fn organization_diff(
    organization: &OrganizationPlan,
    scope: Option<&Scope>,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let mut changes: Vec<&Change> = organization.changes.iter().collect();
    changes.sort_by(|one, other| one.address.url.cmp(&other.address.url));
    // The two sides of each callback are compared on their own: they belong together by URL, and a
    // long organization costs no more than its callbacks one by one.
    let lines: Vec<Line> = changes
        .into_iter()
        .flat_map(|change| {
            let (recorded, desired) = sides(change);
            TextDiff::from_lines(&recorded, &desired)
                .iter_all_changes()
                .map(|line| Line {
                    tag: line.tag(),
                    text: line.value().trim_end_matches('\n').to_owned(),
                })
                .collect::<Vec<_>>()
        })
        .collect();
    if lines.iter().all(|line| line.tag == ChangeTag::Equal) {
        return Ok(());
    }
    let scope = scope.map(scope_words);
    let scope = scope.map_or_else(String::new, |scope| format!(" ({scope})"));
    for (mark, side) in [("---", "recorded"), ("+++", "desired")] {
        writeln!(
            out,
            "{}",
            style.paint(
                Tone::Strong,
                format_args!("{mark} {side}/{}{scope}", Clean(&organization.handle))
            )
        )?;
    }
    hunks(&lines, style, out)
}

fn hunks(lines: &[Line], style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let (mut old, mut new) = (1, 1);
    let mut written = 0;
    while let Some((start, end)) = next_hunk(lines, written) {
        count(&lines[written..start], &mut old, &mut new);
        let (first_old, first_new) = (old, new);
        count(&lines[start..end], &mut old, &mut new);
        writeln!(
            out,
            "@@ -{} +{} @@",
            range(first_old, old),
            range(first_new, new)
        )?;
        for Line { tag, text } in &lines[start..end] {
            match tag {
                ChangeTag::Equal => writeln!(out, " {text}")?,
                ChangeTag::Delete => {
                    writeln!(
                        out,
                        "{}",
                        style.paint(Tone::Delete, format_args!("-{text}"))
                    )?;
                }
                ChangeTag::Insert => {
                    writeln!(out, "{}", style.paint(Tone::Add, format_args!("+{text}")))?;
                }
            }
        }
        written = end;
    }
    Ok(())
}

/// Where the next hunk from `from` on begins and ends, its context included.
fn next_hunk(lines: &[Line], from: usize) -> Option<(usize, usize)> {
    let differs = |line: &Line| line.tag != ChangeTag::Equal;
    let first = from + lines[from..].iter().position(differs)?;
    let mut last = first;
    // A gap of two contexts or less would make two hunks touch.
    while let Some(gap) = lines[last + 1..]
        .iter()
        .take(2 * CONTEXT + 1)
        .position(differs)
    {
        last += gap + 1;
    }
    Some((
        first.saturating_sub(CONTEXT).max(from),
        (last + 1 + CONTEXT).min(lines.len()),
    ))
}

fn count(lines: &[Line], old: &mut usize, new: &mut usize) {
    for line in lines {
        match line.tag {
            ChangeTag::Equal => {
                *old += 1;
                *new += 1;
            }
            ChangeTag::Delete => *old += 1,
            ChangeTag::Insert => *new += 1,
        }
    }
}

/// `first,count`; an empty range names the line before it.
fn range(first: usize, next: usize) -> String {
    match next - first {
        0 => format!("{},0", first - 1),
        1 => first.to_string(),
        count => format!("{first},{count}"),
    }
}

/// What is recorded of a callback and what is desired, as lines.
fn sides(change: &Change) -> (String, String) {
    let there = change.before.as_ref().and_then(|before| {
        let presumed = before.belief.presumed()?;
        Some((presumed, before))
    });
    let recorded = there.map(|(presumed, before)| {
        // A replace makes certain what was assumed, so the doubt is part of the difference.
        let doubt = if !presumed.exact && change.steps == Steps::DeleteThenAdd {
            ", assumed"
        } else {
            ""
        };
        let open = before.belief.evidence() == Evidence::Unknown && change.action != Action::NoOp;
        block(
            change,
            presumed
                .fingerprints
                .key
                .map(|value| format!("fp {value}{doubt}")),
            presumed
                .fingerprints
                .token
                .map(|value| format!("fp {value}{doubt}")),
            before.protect,
            open,
        )
    });
    let recorded = recorded.unwrap_or_default();
    if change.action == Action::NoOp {
        return (recorded.clone(), recorded);
    }
    let had = there.map(|(presumed, _)| presumed.fingerprints);
    let desired = change.after.as_ref().map(|after| {
        let [key, token] = desired_secrets(after, had.unwrap_or_default());
        block(change, key, token, after.protect, false)
    });
    (recorded, desired.unwrap_or_default())
}

/// Key and token of the desired side: never a fingerprint that is not recorded already.
fn desired_secrets(after: &After, had: Fingerprints) -> [Option<String>; 2] {
    let same = |which: fn(Same) -> bool| after.same.map(which);
    let shown = |declared: bool, same: Option<bool>, had: Option<Fingerprint>| {
        declared.then(|| match (same, had) {
            (None, _) => "not checked".to_owned(),
            (Some(true), Some(had)) => format!("fp {had}"),
            (Some(false), Some(_)) => "(secret, changed)".to_owned(),
            (Some(_), None) => "(secret)".to_owned(),
        })
    };
    let key = shown(after.key.is_some(), same(|same| same.key), had.key);
    // Beside another key it can't be told whether the token changed.
    let had_token = had
        .token
        .filter(|_| same(|same| same.key || same.token) != Some(false));
    let token = shown(after.token.is_some(), same(|same| same.token), had_token);
    [key, token]
}

fn block(
    change: &Change,
    key: Option<String>,
    token: Option<String>,
    protect: bool,
    open: bool,
) -> String {
    let mut text = format!("{}\n", Clean(&change.address.url));
    for (name, value) in [("key", key), ("token", token)] {
        if let Some(value) = value {
            text.extend(["    ", name, ": ", &value, "\n"]);
        }
    }
    if protect {
        text.push_str("    protect: true\n");
    }
    if open {
        text.push_str("    open: the outcome of a call was lost\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Belief, Write};
    use crate::plan::Reason;
    use crate::render::fixtures::*;

    fn diff(changes: Vec<Change>) -> String {
        let mut out = String::new();
        plan_diff(&plan(changes), &plain(), &mut out).unwrap();
        out
    }

    fn unchanged(url: &str) -> Change {
        change(
            address("acme", url),
            Action::NoOp,
            Steps::Nothing,
            Reason::Unchanged,
            (
                Some(before(Belief::proven(secrets(1, 2)))),
                Some(after(Some(secrets(1, 2)))),
            ),
        )
    }

    #[test]
    fn each_organization_is_a_file() {
        insta::assert_snapshot!(
            diff(vec![
                add("acme", "https://b.example/new"),
                unchanged("https://a.example/1"),
                unchanged("https://a.example/2"),
                unchanged("https://c.example/1"),
                unchanged("https://c.example/2"),
                unchanged("https://c.example/3"),
                replace("acme", "https://d.example/rotated"),
                delete("beta", "https://old.beta.example/cb"),
            ]),
            @"
        --- recorded/acme
        +++ desired/acme
        @@ -4,6 +4,9 @@
         https://a.example/2
             key: fp 01010101010101010101010101010101
             token: fp 02020202020202020202020202020202
        +https://b.example/new
        +    key: (secret)
        +    token: (secret)
         https://c.example/1
             key: fp 01010101010101010101010101010101
             token: fp 02020202020202020202020202020202
        @@ -14,5 +17,5 @@
             key: fp 01010101010101010101010101010101
             token: fp 02020202020202020202020202020202
         https://d.example/rotated
        -    key: fp 02020202020202020202020202020202
        +    key: (secret, changed)
             token: fp 77777777777777777777777777777777
        --- recorded/beta
        +++ desired/beta
        @@ -1,3 +0,0 @@
        -https://old.beta.example/cb
        -    key: fp 9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c
        -    token: fp 77777777777777777777777777777777
        "
        );
    }

    #[test]
    fn what_is_the_same_on_both_sides_is_no_difference() {
        let heal = change(
            address("acme", "https://a.example/cb"),
            Action::Heal,
            Steps::Add,
            Reason::HealDue,
            (
                Some(before(Belief::assumed(secrets(1, 2)))),
                Some(after(Some(secrets(1, 2)))),
            ),
        );
        assert_eq!(diff(vec![heal]), "");
        assert_eq!(diff(vec![unchanged("https://a.example/cb")]), "");
    }

    #[test]
    fn an_open_outcome_and_an_assumed_secret_are_differences() {
        let finish = change(
            address("acme", "https://a.example/cb"),
            Action::Finish,
            Steps::Add,
            Reason::OpenAdd,
            (
                Some(before(Belief::ABSENT.or_after(Write::Add(secrets(1, 2))))),
                Some(after(Some(secrets(1, 2)))),
            ),
        );
        let forced = change(
            address("beta", "https://b.example/cb"),
            Action::Replace,
            Steps::DeleteThenAdd,
            Reason::Requested,
            (
                Some(before(Belief::assumed(secrets(1, 2)))),
                Some(after(Some(secrets(1, 2)))),
            ),
        );
        insta::assert_snapshot!(diff(vec![finish, forced]), @"
        --- recorded/acme
        +++ desired/acme
        @@ -1,4 +1,3 @@
         https://a.example/cb
             key: fp 01010101010101010101010101010101
             token: fp 02020202020202020202020202020202
        -    open: the outcome of a call was lost
        --- recorded/beta
        +++ desired/beta
        @@ -1,3 +1,3 @@
         https://b.example/cb
        -    key: fp 01010101010101010101010101010101, assumed
        -    token: fp 02020202020202020202020202020202, assumed
        +    key: fp 01010101010101010101010101010101
        +    token: fp 02020202020202020202020202020202
        ");
    }

    /// The lines that `patch` makes of `old` with these hunks.
    fn patched(old: &[&str], hunks: &str) -> Vec<String> {
        let start = |range: &str| -> (usize, usize) {
            let (first, count) = range.split_once(',').unwrap_or((range, "1"));
            (first.parse().unwrap(), count.parse().unwrap())
        };
        let (mut new, mut at, mut lines) = (Vec::new(), 0, hunks.lines());
        while let Some(header) = lines.next() {
            let ranges: Vec<&str> = header.split(' ').collect();
            let (old_first, mut old_count) = start(&ranges[1][1..]);
            let (new_first, mut new_count) = start(&ranges[2][1..]);
            let copy_to = old_first - usize::from(old_count > 0);
            new.extend(old[at..copy_to].iter().map(ToString::to_string));
            at = copy_to;
            assert_eq!(new.len(), new_first - usize::from(new_count > 0));
            while old_count + new_count > 0 {
                let (sign, text) = lines.next().unwrap().split_at(1);
                if sign != "+" {
                    assert_eq!(old[at], text);
                    (at, old_count) = (at + 1, old_count - 1);
                }
                if sign != "-" {
                    new.push(text.to_owned());
                    new_count -= 1;
                }
            }
        }
        new.extend(old[at..].iter().map(ToString::to_string));
        new
    }

    proptest::proptest! {
        #[test]
        fn the_hunks_make_the_one_side_of_the_other(
            tags in proptest::collection::vec(0_u8..12, 0..80),
        ) {
            let lines: Vec<Line> = tags
                .iter()
                .enumerate()
                .map(|(number, tag)| Line {
                    tag: match tag {
                        0 => ChangeTag::Delete,
                        1 => ChangeTag::Insert,
                        _ => ChangeTag::Equal,
                    },
                    text: number.to_string(),
                })
                .collect();
            let side = |other: ChangeTag| -> Vec<&str> {
                let own = lines.iter().filter(|line| line.tag != other);
                own.map(|line| line.text.as_str()).collect()
            };
            let mut shown = String::new();
            hunks(&lines, &plain(), &mut shown).unwrap();
            proptest::prop_assert_eq!(
                patched(&side(ChangeTag::Insert), &shown),
                side(ChangeTag::Delete)
            );
        }
    }
}
