//! Rotations: what will be done for each callback, and how that ended.

use std::fmt;

use super::escape::Clean;
use super::place;
use super::style::{Style, Tone};
use super::text::Symbol;
use super::words::{counted, plural};
use super::wrap::{write_sentence, write_wrapped};
use crate::model::Calls;
use crate::plan::{Reason, Rotation, Rotations, Stage};

/// What a rotation is for, and what it needs.
const COVERED: &str = "At every moment one of the two URLs is configured at eSign. Until the rotation is complete, the \
                       receiver must take the old key and token and the new ones.";

/// Writes what is left of each rotation, step by step, and how many calls that is. `verifies`: the receivers are
/// verified first.
pub fn rotations_text(
    all: &Rotations,
    verifies: bool,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Rotations { plan, rotations } = all;
    let (rotated, left): (Vec<_>, Vec<_>) = rotations.iter().partition(|one| one.count() > 0);
    let (unchanged, left): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|one| is_unchanged(one.reason));
    if !rotated.is_empty() {
        let headline = format!(
            "ess-callbacks will rotate {}:",
            counted(rotated.len(), "callback", "callbacks")
        );
        writeln!(out, "{}\n", style.paint(Tone::Strong, headline))?;
    }
    for rotation in &rotated {
        steps_text(rotation, verifies, style, out)?;
        out.write_char('\n')?;
    }
    for rotation in &left {
        write_wrapped(out, ("  # ", "  # "), &left_out(rotation), style.width)?;
    }
    if !left.is_empty() {
        out.write_char('\n')?;
    }
    let calls: usize = rotated.iter().map(|one| one.count()).sum();
    if rotated.is_empty() {
        let rest = format!("{}.", counts(0, unchanged.len(), left.len()));
        write_sentence(
            out,
            style,
            (Tone::Strong, "Nothing to rotate."),
            (Tone::Plain, &rest),
        )?;
    } else {
        let counts = counts(rotated.len(), unchanged.len(), left.len());
        writeln!(
            out,
            "{}",
            style.paint(Tone::Strong, format!("Rotation: {counts}."))
        )?;
        let calls = format!("{}.", counted(calls, "call", "calls"));
        for text in [calls.as_str(), COVERED] {
            write_wrapped(out, ("", ""), text, style.width)?;
        }
        write_wrapped(out, ("", "  "), &place::of_plan(plan), style.width)?;
    }
    Ok(())
}

/// The same as lines of a log: one for each callback.
pub fn rotations_lines(all: &Rotations) -> impl Iterator<Item = String> {
    all.rotations.iter().map(|one| {
        if one.count() == 0 {
            return left_out(one);
        }
        format!(
            "{} will be rotated because {}: {}",
            Clean(&one.address),
            one.reason,
            counted(one.count(), "call", "calls")
        )
    })
}

/// How rotations ended: how many of how many are complete, and whether anything was called at all.
pub fn rotated_text(complete: usize, of: usize, called: bool) -> String {
    if complete == of {
        return format!(
            "Rotation complete! {} the declared key and token, and no twin is left.",
            counted(complete, "callback has", "callbacks have")
        );
    }
    if !called {
        return "Rotation stopped before the first call! eSign has what it had. Correct what is reported above, then \
                run the same command again; if only the twin failed, give another URL of the receiver with --twin."
            .to_owned();
    }
    format!(
        "Rotation incomplete! {complete} of {} complete. Run the same command again: it goes on from \
         here, while an apply replaces a callback that has no twin yet with a gap. Until then, \
         the receiver must take both pairs of key and token.",
        counted(of, "rotation is", "rotations are")
    )
}

fn counts(rotated: usize, unchanged: usize, left: usize) -> String {
    let parts = [
        (rotated, "to rotate"),
        (unchanged, "unchanged"),
        (left, "left out"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

const fn is_unchanged(reason: Reason) -> bool {
    matches!(reason, Reason::Unchanged | Reason::Unproven)
}

fn left_out(rotation: &Rotation) -> String {
    let apply = match (rotation.stage, rotation.calls) {
        (Stage::TwinDeclared, _) => "; its twin is declared",
        (Stage::TwinOfAnother, _) => "; its twin is that of another callback",
        (Stage::TwinRecorded, _) => "; its twin is recorded as a callback",
        (Stage::Nothing | Stage::Begin | Stage::Finish, Calls::Nothing) => "",
        (Stage::Nothing | Stage::Begin | Stage::Finish, _) => "; `ess-callbacks apply` adds it",
    };
    format!(
        "{} is left out: {}{apply}",
        Clean(&rotation.address),
        rotation.reason
    )
}

fn steps_text(
    rotation: &Rotation,
    verifies: bool,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Rotation {
        address,
        scope: _,
        twin,
        stage,
        reason,
        adds,
        calls,
        deletes,
    } = rotation;
    let remark = |out: &mut dyn fmt::Write, text: &str| {
        write_wrapped(out, ("  # ", "  # "), text, style.width)
    };
    remark(out, &Clean(address).to_string())?;
    if !is_unchanged(*reason) {
        remark(out, &format!("(because {reason})"))?;
    }
    if *stage == Stage::Finish {
        remark(out, "(continues a rotation)")?;
    }
    if verifies && calls.deletes() {
        let both = plural(
            usize::from(*stage == Stage::Finish),
            "this URL",
            "both URLs",
        );
        writeln!(out, "      verify  the new key and token at {both}")?;
    }
    let mut step = |symbol: Symbol, word: &str, url: &dyn fmt::Display| {
        let symbol = style.paint(symbol.tone(), symbol.text());
        writeln!(out, "{symbol}   {word:<7} {url}")
    };
    match adds {
        Calls::Nothing | Calls::Delete => {}
        Calls::Add => step(Symbol::Add, "add", &Clean(twin))?,
        Calls::Replace => step(Symbol::Replace, "replace", &Clean(twin))?,
    }
    match calls {
        Calls::Nothing | Calls::Delete => {}
        Calls::Add => step(Symbol::Add, "add", &Clean(&address.url))?,
        Calls::Replace => step(Symbol::Replace, "replace", &Clean(&address.url))?,
    }
    for twin in deletes {
        step(Symbol::Delete, "delete", &Clean(twin))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use insta::assert_snapshot;

    use super::*;
    use crate::model::CallbackUrl;
    use crate::render::fixtures::{address, plain, plan, scope};

    fn rotation(number: usize, stage: Stage, reason: Reason, calls: Calls) -> Rotation {
        let url = format!("https://hooks.acme.example/{number}");
        let twin = CallbackUrl::new(format!("{url}?esign-rotation=3f"));
        let (adds, deletes) = match stage {
            Stage::Nothing | Stage::TwinDeclared | Stage::TwinOfAnother | Stage::TwinRecorded => {
                (Calls::Nothing, BTreeSet::new())
            }
            Stage::Begin => (Calls::Add, BTreeSet::from([twin.clone()])),
            Stage::Finish => (Calls::Nothing, BTreeSet::from([twin.clone()])),
        };
        Rotation {
            address: address("acme", &url),
            scope: scope(None),
            twin,
            stage,
            reason,
            adds,
            calls,
            deletes,
        }
    }

    const CHANGED: Reason = Reason::SecretChanged {
        key: true,
        token: false,
    };

    fn text(rotations: Vec<Rotation>, verifies: bool) -> String {
        let plan = plan(Vec::new());
        let mut out = String::new();
        let all = Rotations { plan, rotations };
        rotations_text(&all, verifies, &plain(), &mut out).unwrap();
        out
    }

    #[test]
    fn every_stage() {
        let mut old = rotation(1, Stage::Begin, CHANGED, Calls::Replace);
        let given_up = CallbackUrl::new("https://hooks.acme.example/1?esign-rotation=01");
        old.adds = Calls::Replace;
        old.deletes.insert(given_up);
        let rotations = vec![
            old,
            rotation(2, Stage::Finish, CHANGED, Calls::Replace),
            rotation(3, Stage::Finish, Reason::ProvenAbsent, Calls::Add),
            rotation(4, Stage::Finish, Reason::Unchanged, Calls::Nothing),
            rotation(5, Stage::Nothing, Reason::Unproven, Calls::Nothing),
            rotation(6, Stage::Nothing, Reason::Disabled, Calls::Nothing),
            rotation(7, Stage::Nothing, Reason::NotRecorded, Calls::Add),
        ];
        assert_snapshot!(text(rotations, true), @"
        ess-callbacks will rotate 4 callbacks:

          # acme/https://hooks.acme.example/1
          # (because its key changed)
              verify  the new key and token at both URLs
        -/+   replace https://hooks.acme.example/1?esign-rotation=3f
        -/+   replace https://hooks.acme.example/1
          -   delete  https://hooks.acme.example/1?esign-rotation=01
          -   delete  https://hooks.acme.example/1?esign-rotation=3f

          # acme/https://hooks.acme.example/2
          # (because its key changed)
          # (continues a rotation)
              verify  the new key and token at this URL
        -/+   replace https://hooks.acme.example/2
          -   delete  https://hooks.acme.example/2?esign-rotation=3f

          # acme/https://hooks.acme.example/3
          # (because it is recorded as absent)
          # (continues a rotation)
          +   add     https://hooks.acme.example/3
          -   delete  https://hooks.acme.example/3?esign-rotation=3f

          # acme/https://hooks.acme.example/4
          # (continues a rotation)
          -   delete  https://hooks.acme.example/4?esign-rotation=3f

          # acme/https://hooks.acme.example/6 is left out: it has `enabled: false`
          # acme/https://hooks.acme.example/7 is left out: nothing is recorded of it; `ess-callbacks apply` adds it

        Rotation: 4 to rotate, 1 unchanged, 2 left out.
        12 calls.
        At every moment one of the two URLs is configured at eSign. Until the rotation is complete, the receiver must take the old key and token and the new ones.
        Environment: production (ess.tencentcloudapi.com), account: default
        ");
    }

    #[test]
    fn nothing_to_rotate() {
        let rotations = vec![rotation(
            1,
            Stage::Nothing,
            Reason::Unchanged,
            Calls::Nothing,
        )];
        assert_snapshot!(text(rotations, true), @"Nothing to rotate. 1 unchanged.");
    }

    #[test]
    fn how_it_ended() {
        assert_snapshot!(rotated_text(2, 2, true), @"Rotation complete! 2 callbacks have the declared key and token, and no twin is left.");
        assert_snapshot!(rotated_text(0, 1, false), @"Rotation stopped before the first call! eSign has what it had. Correct what is reported above, then run the same command again; if only the twin failed, give another URL of the receiver with --twin.");
        assert_snapshot!(rotated_text(0, 1, true), @"Rotation incomplete! 0 of 1 rotation is complete. Run the same command again: it goes on from here, while an apply replaces a callback that has no twin yet with a gap. Until then, the receiver must take both pairs of key and token.");
    }
}
