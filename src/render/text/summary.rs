//! The lines below a plan: counts, an estimate, and what "no changes" means with an API that can't
//! be read.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{
    AccountName, AccountSource, Action, AssumeRole, Calls, CredentialVariables, Missing,
    WebIdentity,
};
use crate::plan::{Bookkeeping, Change, Plan, Reason};
use crate::render::escape::Clean;
use crate::render::place;
use crate::render::style::{Style, Tone};
use crate::render::words::{ago, counted, plural, span};
use crate::render::wrap::{write_sentence, write_wrapped};

/// The most suspended organizations that are named.
const NAMED_SUSPENDED: usize = 5;

/// `Plan: 2 to add, 0 to change, 2 to destroy.` and the footer.
pub(super) fn counts(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(out, "{}", style.paint(Tone::Strong, summary_line(plan)))?;
    footer(plan, style, out)
}

/// The lines below the first one.
pub(in crate::render) fn footer(
    plan: &Plan,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let mut line = format!("{}.", estimate(plan, style));
    if let Some(kept) = unchanged(plan) {
        line.push(' ');
        line.push_str(&kept);
    }
    write_wrapped(out, ("", ""), &line, style.width)?;
    write_wrapped(out, ("", "  "), &place::of_plan(plan), style.width)?;
    notes(plan, style, out)
}

/// The first line below a plan, without a line end.
pub(in crate::render) fn summary_line(plan: &Plan) -> String {
    let summary = &plan.summary;
    format!(
        "Plan: {} to add, {} to change, {} to destroy.",
        summary.to_add, summary.to_change, summary.to_destroy
    )
}

/// `No changes.` and when that was last confirmed; `No calls.` if only the record changes.
pub(in crate::render) fn no_changes(
    plan: &Plan,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let (headline, rest) = if plan.records_something() {
        ("No calls.", "Only the record is updated.")
    } else {
        (
            "No changes.",
            "Your configuration matches the recorded state.",
        )
    };
    write_sentence(out, style, (Tone::Strong, headline), (Tone::Plain, rest))?;
    out.write_char('\n')?;
    let proof = match plan.summary.oldest_proof {
        Some(at) => format!("The oldest was last confirmed {}.", ago(style.now, at)),
        None => "Nothing has been confirmed yet.".to_owned(),
    };
    let text =
        format!("eSign can't be read back: changes made in its console do not show here. {proof}");
    write_wrapped(out, ("", ""), &text, style.width)?;
    if let Some(kept) = unchanged(plan) {
        write_wrapped(out, ("", ""), &kept, style.width)?;
    }
    write_wrapped(out, ("", "  "), &place::of_plan(plan), style.width)?;
    notes(plan, style, out)
}

/// `4 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip`
fn estimate(plan: &Plan, style: &Style) -> String {
    let calls = counted(plan.summary.calls, "call", "calls");
    let mut parts = vec![match longest(plan, style.rate) {
        Some((seconds, rate)) => format!("{calls}, about {} at {rate}/s", span(seconds)),
        None => format!("{calls}, without a rate limit"),
    }];
    let wait = plan
        .changes()
        .filter_map(|change| change.fence)
        .filter_map(|lost| lost.may_arrive_until(style.now))
        .map(|until| until.seconds_since(style.now))
        .max()
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0);
    if let Some(seconds) = wait {
        parts.push(format!("up to {} of waiting for lost calls", span(seconds)));
    }
    let covered = plan.covered();
    let replaces = plan
        .changes()
        .filter(|change| change.calls() == Calls::Replace);
    let (beside, gaps): (Vec<_>, Vec<_>) =
        replaces.partition(|change| covered.contains(&change.address));
    if !beside.is_empty() {
        let replaces = counted(beside.len(), "replace", "replaces");
        let twin = plural(beside.len(), "its twin", "their twins");
        parts.push(format!("{replaces} beside {twin}, without a gap"));
    }
    let gaps = gaps.len();
    if gaps > 0 {
        parts.push(format!(
            "{} with a gap of about 1 round trip{}",
            counted(gaps, "replace", "replaces"),
            plural(gaps, "", " each")
        ));
    }
    parts.join("; ")
}

/// How many seconds the account takes that takes longest, and its rate: accounts have separate limits and run
/// concurrently. `None` when one has no limit. `most` is 0 for none.
fn longest(plan: &Plan, most: u32) -> Option<(u64, u32)> {
    let mut calls: BTreeMap<&AccountName, u64> = BTreeMap::new();
    for organization in &plan.organizations {
        let own: u64 = organization
            .changes
            .iter()
            .map(|change| change.calls().count() as u64)
            .sum();
        *calls.entry(&organization.scope.account).or_default() += own;
    }
    let times = calls.into_iter().map(|(name, calls)| {
        let own = plan.accounts.get(name).and_then(|account| account.rate);
        let rate = [own, Some(most).filter(|most| *most > 0)];
        let rate = rate.into_iter().flatten().min()?;
        Some((calls.div_ceil(u64::from(rate)).max(1), rate))
    });
    let times = times.collect::<Option<Vec<_>>>()?;
    // Of two that take as long, the one with the higher rate makes more calls.
    times.into_iter().max().or(Some((1, most)))
}

/// `14 unchanged, 3 unproven.`
fn unchanged(plan: &Plan) -> Option<String> {
    let summary = &plan.summary;
    let parts: Vec<String> = [
        (summary.unchanged, "unchanged"),
        (summary.unproven, "unproven"),
        (summary.missing, "perhaps missing"),
        (summary.unknown, "unknown"),
        (summary.not_checked, "not checked"),
        (summary.suspended, "suspended"),
        (summary.disabled, "disabled"),
        (summary.waiting, "waiting for its twin"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    (!parts.is_empty()).then(|| format!("{}.", parts.join(", ")))
}

/// Explanations of some of the counts, one per line.
fn notes(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    for note in [
        unproven(plan),
        missing(plan),
        unknown(plan),
        not_checked(plan),
        suspended(plan),
        disabled(plan),
        waiting(plan),
        heals(plan),
        deferred(plan),
        left_for_apply(plan),
        forgotten(plan),
        sources(plan),
    ]
    .into_iter()
    .flatten()
    {
        write_wrapped(out, ("", "  "), &note, style.width)?;
    }
    Ok(())
}

fn unproven(plan: &Plan) -> Option<String> {
    // With changes, the count is enough.
    (plan.is_empty() && plan.summary.unproven > 0).then(|| {
        "Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one."
            .to_owned()
    })
}

fn missing(plan: &Plan) -> Option<String> {
    let organizations = plan.organizations.iter();
    let all = organizations.flat_map(|organization| &organization.changes);
    let mut missing = all.filter_map(|change| {
        let missing = change.before.as_ref()?.missing?;
        (change.action == Action::NoOp).then_some((&change.address, missing))
    });
    let (address, Missing { since, messages }) = missing.next()?;
    let messages = counted(messages.get() as usize, "message", "messages");
    let more = more_like_it(missing.count());
    Some(format!(
        "Perhaps missing: {messages} that went to others since {since} did not arrive at {}{more}. `apply --heal` adds it \
         again, and `verify` says whether its receiver answers.",
        Clean(address)
    ))
}

fn more_like_it(count: usize) -> String {
    match count {
        0 => String::new(),
        more => format!(" ({more} more like it)"),
    }
}

fn waiting(plan: &Plan) -> Option<String> {
    let mut waiting = plan.waiting();
    let first = waiting.next()?;
    let more = more_like_it(waiting.count());
    Some(format!(
        "Waiting: a rotation of {first}{more} was interrupted, and its twin is not certain to be there. It keeps its key and \
         token in this plan; the next apply, or `rotate` with its address, replaces it without a gap.",
        first = Clean(first)
    ))
}

fn unknown(plan: &Plan) -> Option<String> {
    (plan.is_empty() && plan.summary.unknown > 0).then(|| {
        "Unknown: the outcome of a call was lost, so the callback may or may not be there."
            .to_owned()
    })
}

fn not_checked(plan: &Plan) -> Option<String> {
    let unread = |change: &Change| {
        let after = change.after();
        after.is_some_and(|after| {
            after.same.is_none() && (after.key.is_some() || after.token.is_some())
        })
    };
    let ends = |change: &Change| change.reason == Reason::RotationEnds;
    (plan.summary.not_checked > 0 || plan.changes().any(unread)).then(|| {
        let except = if plan.changes().any(ends) {
            ", except of twins: with the secrets, a rotation may not be finished yet"
        } else {
            ""
        };
        format!(
            "Not checked: the secrets were not read, so a missing, invalid or changed one is not detected. Adds and \
             deletes are exact{except}."
        )
    })
}

fn suspended(plan: &Plan) -> Option<String> {
    let mut handles = plan
        .organizations
        .iter()
        .filter(|organization| organization.suspended)
        .map(|organization| Clean(&organization.handle).to_string());
    let named: Vec<String> = handles.by_ref().take(NAMED_SUSPENDED).collect();
    let more = handles.count();
    let count = named.len() + more;
    let others = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (count > 0).then(|| {
        format!(
            "{} suspended; no calls are made for {}: {}{others}.",
            counted(count, "organization is", "organizations are"),
            plural(count, "it", "them"),
            named.join(", "),
        )
    })
}

fn disabled(plan: &Plan) -> Option<String> {
    let count = plan.summary.disabled;
    (count > 0).then(|| {
        format!(
            "{} `enabled: false`; no calls are made for {}.",
            counted(count, "callback has", "callbacks have"),
            plural(count, "it", "them"),
        )
    })
}

fn heals(plan: &Plan) -> Option<String> {
    (plan.summary.heal > 0).then(|| {
        "Healing adds callbacks again, in case they were deleted outside ess-callbacks. It can't detect a \
         deletion, nor a changed key or token."
            .to_owned()
    })
}

fn deferred(plan: &Plan) -> Option<String> {
    let count = plan.summary.heal_deferred;
    (count > 0).then(|| {
        format!(
            "{} left for a later run by --max-calls.",
            counted(count, "heal is", "heals are")
        )
    })
}

fn left_for_apply(plan: &Plan) -> Option<String> {
    let count = plan.summary.left_for_apply;
    (count > 0).then(|| {
        format!(
            "{} left for an apply without --heal-only.",
            counted(count, "other change is", "other changes are")
        )
    })
}

fn forgotten(plan: &Plan) -> Option<String> {
    let count = plan
        .bookkeeping
        .iter()
        .filter(|item| matches!(item, Bookkeeping::Forget(_)))
        .count();
    (count > 0).then(|| {
        format!(
            "{} will be forgotten: absent, and not declared.",
            counted(count, "recorded callback", "recorded callbacks")
        )
    })
}

fn sources(plan: &Plan) -> Option<String> {
    let changes: Vec<String> = plan
        .sources
        .iter()
        .map(|change| {
            format!(
                "Account `{}` now takes its credentials from {}; its last calls were made with {}.",
                Clean(&change.account),
                source(&change.after),
                source(&change.before)
            )
        })
        .collect();
    (!changes.is_empty()).then(|| changes.join(" "))
}

fn source(of: &AccountSource) -> String {
    match of {
        AccountSource::Default {} => "the default chain".to_owned(),
        AccountSource::Profile(name) => format!("the profile `{}`", Clean(name)),
        AccountSource::Env(CredentialVariables {
            secret_id,
            secret_key,
            token: _,
        }) => format!(
            "the variables {} and {}",
            Clean(secret_id),
            Clean(secret_key)
        ),
        AccountSource::Tsign(name) => format!("the tsign profile `{}`", Clean(name)),
        AccountSource::WebIdentity(WebIdentity { role, .. }) => {
            format!("the role {} (web identity)", Clean(&role.role_arn))
        }
        AccountSource::AssumeRole(AssumeRole { role, with }) => {
            format!("the role {} by {}", Clean(&role.role_arn), source(with))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use insta::assert_snapshot;

    use super::*;
    use crate::model::{Handle, Scope};
    use crate::plan::OrganizationPlan;
    use crate::render::fixtures::*;

    #[test]
    fn several_replaces_and_accounts_are_estimated_side_by_side() {
        let mut plan = plan(Vec::new());
        for (account, count) in [("default", 200_usize), ("partner", 100)] {
            let changes: Vec<Change> = (0..count)
                .map(|n| replace("acme", &format!("https://{account}.example/{n}")))
                .collect();
            plan.summary.calls += 2 * count;
            plan.organizations.push(OrganizationPlan {
                handle: Handle::new(account),
                scope: Arc::new(Scope {
                    account: AccountName::new(account),
                    ..(*scope(None)).clone()
                }),
                successor: None,
                left: false,
                suspended: false,
                changes,
            });
        }
        let calls = |style: &Style| estimate(&plan, style);
        assert_snapshot!(calls(&plain()), @"600 calls, about 20 s at 20/s; 300 replaces with a gap of about 1 round trip each");
        let unlimited = Style { rate: 0, ..plain() };
        assert_snapshot!(calls(&unlimited), @"600 calls, without a rate limit; 300 replaces with a gap of about 1 round trip each");
    }
}
