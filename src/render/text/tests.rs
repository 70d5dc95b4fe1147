//! Tests of whole plans as text.

use insta::assert_snapshot;

use super::*;
use crate::model::{Belief, Handle, Presumed, Write};
use crate::plan::{After, Before, Bookkeeping, Reason, Same, Steps, Tripped};
use crate::render::fixtures::*;

fn text(plan: &Plan, style: &Style) -> String {
    let mut out = String::new();
    plan_text(plan, style, &mut out).unwrap();
    out
}

fn one(change: &Change) -> String {
    let mut out = String::new();
    change_text(change, PLAIN, &plain(), &mut out).unwrap();
    out
}

#[test]
fn a_plan_reads_like_terraforms() {
    let mut plan = plan(vec![
        add("acme", "https://hooks.acme.example/esign"),
        replace("acme-shanghai", "https://sh.acme.example/cb"),
        delete("beta", "https://old.beta.example/cb"),
    ]);
    plan.summary.unchanged = 14;
    plan.summary.unproven = 3;
    assert_snapshot!(text(&plan, &plain()), @r#"
    Actions are indicated with the following symbols:
      + add
      - delete
    -/+ replace (delete, then add)

    ess-callbacks will perform the following actions:

      # acme/https://hooks.acme.example/esign will be added
      + callback {
          + url   = "https://hooks.acme.example/esign"
          + key   = (secret)
          + token = (secret)
        }

      # acme-shanghai/https://sh.acme.example/cb must be replaced
      # (because its key changed)
    -/+ callback {
            url   = "https://sh.acme.example/cb"
          ~ key   = (secret, fp 0202…) -> (secret, changed)
            token = (secret, fp 7777…)
        }

      # beta/https://old.beta.example/cb will be deleted
      # (because it is not in callbacks.yaml)
      - callback {
          - url   = "https://old.beta.example/cb"
          - key   = (secret, fp 9c9c…)
          - token = (secret, fp 7777…)
        }

    Plan: 2 to add, 0 to change, 2 to destroy.
    4 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip. 14 unchanged, 3 unproven.
    Environment: production (ess.tencentcloudapi.com), account: default
    "#);
}

#[test]
fn the_legend_explains_healing_and_finishing() {
    let url = "https://a.example/cb";
    let there = Some(before(Belief::assumed(secrets(1, 2))));
    let same = Some(after(Some(secrets(1, 2))));
    let plan = plan(vec![
        change(
            address("acme", url),
            Action::Heal,
            Calls::Add,
            Reason::HealDue,
            (there.clone(), same.clone()),
        ),
        change(
            address("beta", url),
            Action::Finish,
            Calls::Add,
            Reason::OpenAdd,
            (
                Some(before(Belief::ABSENT.or_after(Write::Add(secrets(1, 2))))),
                same.clone(),
            ),
        ),
    ]);
    assert_snapshot!(text(&plan, &plain()), @r#"
    Actions are indicated with the following symbols:
      * heal (add again)
      ! finish (settle an open call)

    ess-callbacks will perform the following actions:

      # acme/https://a.example/cb will be healed (added again)
      # (because --heal asserts it again)
      * callback {
            url   = "https://a.example/cb"
            key   = (secret, fp 0101…, assumed)
            token = (secret, fp 0202…, assumed)
        }

      # beta/https://a.example/cb has an open call, which adding it will finish
      # (because the outcome of an earlier add of it is unknown)
      ! callback {
            url   = "https://a.example/cb"
            key   = (secret, fp 0101…)
            token = (secret, fp 0202…)
        }

    Plan: 0 to add, 2 to change, 0 to destroy.
    2 calls, about 1 s at 20/s.
    Environment: production (ess.tencentcloudapi.com), account: default
    Healing adds callbacks again, in case they were deleted outside ess-callbacks. It can't detect a deletion, nor a changed key or token.
    "#);
}

#[test]
fn the_estimate_is_that_of_the_account_that_takes_longest() {
    let urls = (0..30).map(|number| format!("https://a.example/{number}"));
    let mut plan = plan(urls.map(|url| add("acme", &url)).collect());
    let mut estimates = String::new();
    for own in [None, Some(5)] {
        for account in plan.accounts.values_mut() {
            account.rate = own;
        }
        for rate in [0, 2, 20] {
            let text = text(&plan, &Style { rate, ..plain() });
            let estimate = text.lines().find(|line| line.contains("30 calls"));
            estimates.extend([estimate.unwrap(), "\n"]);
        }
    }
    assert_snapshot!(estimates, @"
    30 calls, without a rate limit.
    30 calls, about 15 s at 2/s.
    30 calls, about 2 s at 20/s.
    30 calls, about 6 s at 5/s.
    30 calls, about 15 s at 2/s.
    30 calls, about 6 s at 5/s.
    ");
}

#[test]
fn an_opposite_call_waits_until_the_lost_one_is_dead() {
    let lost_delete = Belief::proven(secrets(1, 2)).or_after(Write::Delete);
    let mut waiting = change(
        address("acme", "https://a.example/cb"),
        Action::Finish,
        Calls::Replace,
        Reason::OpenDelete,
        (Some(before(lost_delete)), Some(after(Some(secrets(3, 2))))),
    );
    waiting.fence = Some(lost(Write::Delete, 121));
    assert_snapshot!(text(&plan(vec![waiting.clone()]), &plain()), @r#"
    Actions are indicated with the following symbols:
      ! finish (settle an open call)

    ess-callbacks will perform the following actions:

      # acme/https://a.example/cb has an open call, which replacing it will finish
      # (because the outcome of an earlier delete of it is unknown)
      # (waits until 12:03:34 UTC: an earlier delete may still arrive until then)
      ! callback {
            url   = "https://a.example/cb"
          ~ key   = (secret, fp 0101…) -> (secret, changed)
            token = (secret, fp 0202…)
        }

    Plan: 0 to add, 1 to change, 0 to destroy.
    2 calls, about 1 s at 20/s; up to 3 min 34 s of waiting for lost calls; 1 replace with a gap of about 1 round trip.
    Environment: production (ess.tencentcloudapi.com), account: default
    "#);
    waiting.fence = Some(lost(Write::Delete, 335));
    let past = text(&plan(vec![waiting]), &plain());
    assert!(!past.contains("wait"), "{past}");
}

#[test]
fn every_reason_is_given_except_that_a_new_callback_is_new() {
    let url = "https://a.example/cb";
    let mut shown = String::new();
    for reason in [
        Reason::NotRecorded,
        Reason::ProvenAbsent,
        Reason::Adoption,
        Reason::Requested,
        Reason::OpenAddOfAnotherValue,
        Reason::ListedAbsent,
        Reason::OrganizationNotDeclared,
        Reason::Destroy,
    ] {
        let mut change = add("acme", url);
        change.reason = reason;
        let text = one(&change);
        let remarks = text.lines().filter(|line| line.starts_with("  #")).skip(1);
        shown.extend(remarks.flat_map(|line| [line, "\n"]));
    }
    assert_snapshot!(shown, @"
    # (because it is recorded as absent)
    # (because it is new here and `adoption: replace` asks for proof)
    # (because --replace names it)
    # (because the outcome of an earlier add with another key or token is unknown)
    # (because it is listed under `absent`)
    # (because its organization is not in callbacks.yaml)
    # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
    # (because of --destroy)
    # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
    ");
}

#[test]
fn a_first_contact_by_replacement_says_so() {
    let mut change = add("acme", "https://a.example/cb");
    change.steps = Steps::Replace(change.after().unwrap().clone());
    change.reason = Reason::Adoption;
    assert_snapshot!(one(&change), @r#"
      # acme/https://a.example/cb will be added, after a delete of what may be there
      # (because it is new here and `adoption: replace` asks for proof)
    -/+ callback {
          + url   = "https://a.example/cb"
          + key   = (secret)
          + token = (secret)
        }
    "#);
}

#[test]
fn assumed_secrets_are_not_shown_as_known() {
    let change = change(
        address("acme", "https://a.example/cb"),
        Action::Replace,
        Calls::Replace,
        Reason::Requested,
        (
            Some(before(Belief::assumed(secrets(1, 2)))),
            Some(after(Some(secrets(1, 2)))),
        ),
    );
    assert_snapshot!(one(&change), @r#"
          # acme/https://a.example/cb must be replaced
          # (because --replace names it)
        -/+ callback {
                url   = "https://a.example/cb"
              ~ key   = (secret, fp 0101…, assumed) -> (secret, fp 0101…)
              ~ token = (secret, fp 0202…, assumed) -> (secret, fp 0202…)
            }
        "#);
}

#[test]
fn secrets_that_come_go_or_were_not_read() {
    let there = crate::model::Fingerprints {
        key: None,
        ..secrets(1, 2)
    };
    let mut change = replace("acme", "https://a.example/cb");
    change.before = Some(Before {
        protect: true,
        ..before(Belief::proven(there))
    });
    change.steps = Steps::Replace(After {
        token: None,
        same: Some(Same::default()),
        ..after(None)
    });
    let mut shown = one(&change);
    change.before = Some(before(Belief::unknown(Presumed {
        fingerprints: there,
        exact: false,
    })));
    change.steps = Steps::Replace(After {
        protect: true,
        ..after(None)
    });
    shown.push_str(&one(&change));
    assert_snapshot!(shown, @r#"
      # acme/https://a.example/cb must be replaced
      # (because its key changed)
    -/+ callback {
            url     = "https://a.example/cb"
          + key     = (secret)
          - token   = (secret, fp 0202…) -> (none)
          ~ protect = true -> false
        }
      # acme/https://a.example/cb must be replaced
      # (because its key changed)
    -/+ callback {
            url     = "https://a.example/cb"
          + key     = (secret, not checked)
            token   = (secret, fp 0202…, not checked)
          ~ protect = false -> true
        }
    "#);
}

#[test]
fn no_changes_says_what_that_is_worth() {
    let mut plan = plan(Vec::new());
    plan.summary.unchanged = 14;
    plan.summary.unproven = 3;
    plan.summary.oldest_proof = Some(NOW.plus(-3 * 86_400 - 100));
    assert_snapshot!(text(&plan, &plain()), @"
    No changes. Your configuration matches the recorded state.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed 3 days ago.
    14 unchanged, 3 unproven.
    Environment: production (ess.tencentcloudapi.com), account: default
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    ");
}

#[test]
fn no_changes_tells_what_was_left_out() {
    let mut plan = plan(Vec::new());
    plan.summary.unchanged = 9;
    plan.summary.not_checked = 4;
    plan.summary.unknown = 1;
    plan.summary.suspended = 2;
    plan.summary.heal_deferred = 1;
    for handle in ["b", "c", "d", "e", "f", "g"] {
        plan.organizations.push(crate::plan::OrganizationPlan {
            handle: Handle::new(handle),
            scope: scope(Some(handle)),
            successor: None,
            left: false,
            suspended: true,
            changes: Vec::new(),
        });
    }
    let identity = crate::model::Identity {
        scope: scope(None),
        url: url("https://a.example/cb"),
    };
    plan.bookkeeping = vec![
        Bookkeeping::Forget(identity.clone()),
        Bookkeeping::Refresh {
            identity,
            before: details("b", "o", false),
            after: details("b", "o", true),
        },
    ];
    assert_snapshot!(text(&plan, &plain()), @"
    Changes to the record, without a call:
      ~ b/https://a.example/cb: protect = false -> true

    No calls. Only the record is updated.

    eSign can't be read back: changes made in its console do not show here. Nothing has been confirmed yet.
    9 unchanged, 1 unknown, 4 not checked, 2 suspended.
    Environment: production (ess.tencentcloudapi.com), account: default
    Unknown: the outcome of a call was lost, so the callback may or may not be there.
    Not checked: the secrets were not read, so a missing, invalid or changed one is not detected. Adds and deletes are exact.
    6 organizations are suspended; no calls are made for them: b, c, d, e, f and 1 more.
    1 heal is left for a later run by --max-calls.
    1 recorded callback will be forgotten: absent, and not declared.
    ");
}

#[test]
fn guards_name_what_tripped_and_what_to_write() {
    let mut plan = plan(vec![delete("acme", "https://a.example/cb")]);
    plan.summary.deletes_by_omission = 13;
    plan.tripped = vec![
        Tripped::MostOfOrganization {
            handle: Handle::new("acme"),
            deletes: 12,
            recorded: 14,
        },
        Tripped::LastOfOrganization {
            handle: Handle::new("beta"),
            deletes: 1,
        },
        Tripped::MostOfAll {
            deletes: 13,
            recorded: 40,
        },
        Tripped::Protected {
            address: address("acme", "https://a.example/cb"),
        },
    ];
    let mut shown = String::new();
    guards_text(&plan, &plain(), &mut shown).unwrap();
    assert_snapshot!(shown, @"

    error: this plan deletes more than the guards allow and will not be applied

      acme: 12 of its 14 callbacks, more than 30 %
      beta: its last callback; none would be left
      all organizations together: 13 of 40 callbacks, more than 30 % and more than ten

    These callbacks are deleted because callbacks.yaml leaves them out. If that is meant, first settle what is refused below, which no flag overrides.

    error: this plan deletes what is protected and will not be applied

      acme/https://a.example/cb

    No flag overrides this. To delete them, put each into callbacks.yaml with `protect: false`, apply that, then remove it.
    ");
}

#[test]
fn a_wrong_allowance_is_refused_with_the_right_number() {
    let mut plan = plan(Vec::new());
    plan.summary.deletes_by_omission = 13;
    plan.tripped = vec![Tripped::WrongAllowance {
        allowed: 12,
        deletes: 13,
    }];
    let mut shown = String::new();
    guards_text(&plan, &plain(), &mut shown).unwrap();
    assert_snapshot!(shown, @"

    error: --allow-deletes does not match this plan, which will not be applied

      --allow-deletes 12, but the plan deletes 13

    The plan may have changed since the flag was written. Read it again; if the deletes are meant: --allow-deletes 13
    ");
}

#[test]
fn narrow_terminals_get_wrapped_prose_and_whole_urls() {
    let mut change = delete("测试公司", "https://old.beta.example/a/rather/long/path/cb");
    change.reason = Reason::OpenAddOfAnotherValue;
    change.fence = Some(lost(Write::Add(secrets(1, 2)), 10));
    let mut plan = plan(vec![change]);
    plan.summary.unchanged = 3;
    let narrow = Style {
        width: 40,
        ..plain()
    };
    assert_snapshot!(text(&plan, &narrow), @r#"
    Actions are indicated with the following symbols:
      - delete

    ess-callbacks will perform the following actions:

      # 测试公司/https://old.beta.example/a/rather/long/path/cb will be deleted
      # (because the outcome of an earlier
      #  add with another key or token is
      #  unknown)
      # (waits until 12:05:25 UTC: an
      #  earlier add may still arrive until
      #  then)
      - callback {
          - url   = "https://old.beta.example/a/rather/long/path/cb"
          - key   = (secret, fp 9c9c…)
          - token = (secret, fp 7777…)
        }

    Plan: 0 to add, 0 to change, 1 to destroy.
    1 call, about 1 s at 20/s; up to 5 min
    25 s of waiting for lost calls. 3
    unchanged.
    Environment: production
      (ess.tencentcloudapi.com), account:
      default
    "#);
}

#[test]
fn colours_mark_symbols_and_headings_and_change_no_word() {
    let plan = plan(vec![replace("acme", "https://a.example/cb")]);
    let coloured = Style {
        colour: true,
        ..plain()
    };
    let shown = text(&plan, &coloured);
    assert_snapshot!(shown.replace('\x1b', "␛"), @r#"
    Actions are indicated with the following symbols:
    ␛[33m-/+␛[0m replace (delete, then add)

    ␛[1mess-callbacks will perform the following actions:␛[0m

    ␛[1m  # acme/https://a.example/cb must be replaced␛[0m
      # (because its key changed)
    ␛[33m-/+␛[0m callback {
            url   = "https://a.example/cb"
          ␛[33m~␛[0m key   = (secret, fp 0202…) -> (secret, changed)
            token = (secret, fp 7777…)
        }

    ␛[1mPlan: 1 to add, 0 to change, 1 to destroy.␛[0m
    2 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip.
    Environment: production (ess.tencentcloudapi.com), account: default
    "#);
    let mut stripped = String::new();
    let mut rest = shown.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, text(&plan, &plain()));
}
