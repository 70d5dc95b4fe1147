//! Tests of whole diffs.

use super::*;
use crate::model::{Belief, Write};
use crate::plan::{Change, Reason};
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
        Calls::Nothing,
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
        Calls::Add,
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
        Calls::Add,
        Reason::OpenAdd,
        (
            Some(before(Belief::ABSENT.or_after(Write::Add(secrets(1, 2))))),
            Some(after(Some(secrets(1, 2)))),
        ),
    );
    let forced = change(
        address("beta", "https://b.example/cb"),
        Action::Replace,
        Calls::Replace,
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

/// The result of applying these hunks to `old`, as `patch` does.
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
