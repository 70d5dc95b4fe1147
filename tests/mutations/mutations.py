"""The mutations: each breaks one rule of the protocol. See docs/reliability.md.

A mutation is a name, the rule it breaks, and one edit or, where two places keep the rule, two. An edit says in
which file and which item (a function or a constant, with its type where it has one), and which fragment of the
item becomes what. Spaces, line ends and comments make no difference. A fragment must be in its item exactly
once, so choose the shortest one that carries the rule: a mutation that no longer fits the source is an error.
"""

from typing import NamedTuple


class Edit(NamedTuple):
    path: str
    item: str
    fragment: str
    becomes: str


class Mutation(NamedTuple):
    name: str
    rule: str
    edit: Edit
    # Where a second place keeps the same rule.
    other: Edit | None = None

    @property
    def edits(self):
        return [edit for edit in (self.edit, self.other) if edit]


ATTEMPT = "src/apply/attempt.rs"
CLOCK = "src/apply/clock.rs"
CONTEXT = "src/apply/context.rs"
ORGANIZATION = "src/apply/organization.rs"
REACH = "src/apply/reach.rs"
REPLACE = "src/apply/replace.rs"
PACE = "src/client/pace/mod.rs"
SCHEDULE = "src/client/pace/schedule/mod.rs"
BELIEF = "src/model/belief.rs"
ENTRY = "src/model/entry/mod.rs"
SIGNED = "src/model/entry/signed.rs"
RECORDED = "src/model/recorded.rs"
BUILD = "src/plan/build.rs"
ROTATION = "src/plan/rotation.rs"
TWINS = "src/plan/twins.rs"
DECIDE = "src/plan/decide/mod.rs"
GUARDS = "src/plan/guards.rs"
MOVES = "src/plan/moves.rs"
OWNERS = "src/run/owners.rs"
COMMIT = "src/state/commit.rs"
CHAIN = "src/state/journal/chain.rs"
REPLAY = "src/state/journal/replay.rs"
LOAD = "src/state/load.rs"
HOLD = "src/state/local/hold.rs"
LOCK = "src/state/local/lock/mod.rs"
LOCKED = "src/state/locked/mod.rs"

MUTATIONS = [
    # The fence.
    Mutation(
        "no-fence",
        "an opposite call waits for a lost one to die",
        Edit(ATTEMPT, "Sender::fence", "0 =>", "0.. =>"),
    ),
    Mutation(
        "fence-without-the-clock",
        "without the server's clock a fence goes by our own time",
        Edit(ATTEMPT, "Sender::fence", "until_dead.unwrap_or(u64::MAX)", "until_dead.unwrap_or(0)"),
    ),
    Mutation(
        "own-time-too-short",
        "no call is on its way for more than ten minutes",
        Edit(
            SIGNED,
            "SignedWrite::OWN_TIME",
            "Self::LONGEST_WAY + Self::GATEWAY_TIMEOUT + 60",
            "Self::LONGEST_WAY - 300",
        ),
    ),
    Mutation(
        "own-time-not-begun-anew",
        "our own time counts from the last lost call",
        Edit(ATTEMPT, "Sender::judge", "self.own_time.begin_anew();", ""),
    ),
    Mutation(
        "any-date-is-believed",
        "a clock that no clock shows is none",
        Edit(CONTEXT, "Context::learn_time", "is_credible(*server, ours)", "server.seconds_since(ours) != i64::MAX"),
    ),
    Mutation(
        "far-fence-forgotten",
        "a bounded fence still covers what was merged into it",
        Edit(ENTRY, "Entry::bound_fence", "SignedWrite::FAR_AHEAD", "-1000"),
    ),
    Mutation(
        "gateway-forgotten",
        "what was admitted takes effect within half a minute",
        Edit(SIGNED, "SignedWrite::GATEWAY_TIMEOUT", "30", "0"),
    ),
    Mutation(
        "fence-too-short",
        "a signature lives for 300 s",
        Edit(SIGNED, "SignedWrite::SIGNATURE_LIFE", "300", "290"),
    ),
    Mutation(
        "no-clock-margin",
        "machines' clocks differ by a few seconds",
        Edit(SIGNED, "SignedWrite::CLOCK_MARGIN", "5", "0"),
    ),
    Mutation(
        "fence-by-fastest-clock",
        "the slowest reading counts",
        Edit(
            CLOCK,
            "ServerClock::until_dead",
            "smallest.saturating_add(self.elapsed_ms())",
            "largest.saturating_add(self.elapsed_ms()) + 2000",
        ),
    ),
    Mutation(
        "fence-raised-again",
        "a fence that was passed by the delete holds for the add",
        Edit(ATTEMPT, "Sender::fence", "..=PASSED_MS", "..=0"),
    ),
    Mutation(
        "wait-for-ever",
        "no run waits for longer than twelve minutes",
        Edit(
            ATTEMPT,
            "Sender::fence",
            "until_dead.unwrap_or(u64::MAX).min(self.own_time.left())",
            "until_dead.unwrap_or_else(|| self.own_time.left())",
        ),
    ),
    Mutation(
        "forget-lost-by-wall-clock",
        "only the server's word lets a lost call be forgotten",
        Edit(CONTEXT, "Context::close", "self.accounts.get(account)?.clock.reached()", "Some(self.tools.wall.now())"),
    ),
    Mutation(
        "forget-lost-when-answered",
        "an answered repetition does not kill the lost call",
        Edit(ENTRY, "Entry::confirm", "self.lost.filter(|lost| lost.write == call.write)", "None"),
    ),
    Mutation(
        "keep-first-signature",
        "the latest of several lost calls counts",
        Edit(ENTRY, "Entry::lose", "call.signed_at.max(lost.signed_at.plus(1))", "call.signed_at.min(lost.signed_at)"),
    ),
    Mutation(
        "older-files-are-applied",
        "who has older files than those that were applied waits",
        Edit("src/controller/checkout.rs", "Seen::behind", "match (is_later, is_settled)", "match (is_later || true, true)"),
    ),
    Mutation(
        "late-version-is-newest",
        "what has just changed may be a version on the way",
        Edit("src/controller/checkout.rs", "Seen::behind", "match (is_later, is_settled)", "match (is_later, is_settled || true)"),
    ),
    Mutation(
        "revert-was-seen-before",
        "after a revert the files of before it are others",
        Edit("src/controller/checkout.rs", "Seen::note", ".map(|(seen, _)| seen) != recorded", ".map(|(seen, _)| &seen.digest) != recorded.map(|it| &it.digest)"),
    ),
    Mutation(
        "settle-others-lost-call",
        "a call that another run lost since is another one",
        Edit(ENTRY, "Entry::lose", "lost.signed_at.plus(1)", "lost.signed_at"),
    ),
    Mutation(
        "forget-lost-at-begin",
        "a refused call leaves open what an earlier one left open",
        Edit(
            ENTRY,
            "Entry::open_call",
            "self.interrupt();",
            "self.interrupt(); self.lost = self.lost.filter(|lost| lost.write == call.write);",
        ),
    ),
    # What is known.
    Mutation(
        "lost-means-nothing-happened",
        "a lost call may have happened",
        Edit(ENTRY, "Entry::lose", "self.belief = self.belief.or_after(call.write);", ""),
    ),
    Mutation(
        "lost-means-applied",
        "a lost call may not have happened",
        Edit(ENTRY, "Entry::lose", "self.belief.or_after(call.write)", "self.belief.after(call.write)"),
    ),
    Mutation(
        "add-proves-secrets",
        "an add of what is there changes nothing",
        Edit(BELIEF, "Belief::after", "there.exact && there.fingerprints == declared", "true"),
    ),
    Mutation(
        "first-contact-proves",
        "before the first call anything may be there",
        Edit(ENTRY, "Entry::untouched", "Belief::ANYTHING", "Belief::ABSENT"),
    ),
    Mutation(
        "exists-proves",
        "that it was there already does not prove its secrets",
        Edit(BELIEF, "Belief::given_present", "Self::assumed(declared)", "Self::proven(declared)"),
    ),
    Mutation(
        "crash-forgets-calls-on-their-way",
        "a call on its way at a crash is lost",
        Edit(RECORDED, "Recorded::interrupt", "entry.interrupt();", "entry.pending = None;"),
    ),
    # The journal.
    Mutation(
        "journal-after-call",
        "an intent is durable before its call leaves",
        Edit(LOCKED, "Locked::record_intents", "self.commit(number).await?;", "let _later = number;"),
    ),
    Mutation(
        "journal-without-sync",
        "the journal is synced",
        Edit(HOLD, "Work::append", ".and_then(|()| journal.sync())", ""),
    ),
    Mutation(
        "journal-name-not-durable",
        "the journal's name is durable",
        Edit(HOLD, "Work::start_journal", "self.sync_folder()?;", ""),
    ),
    Mutation(
        "snapshot-without-sync",
        "a snapshot is synced before it takes its place",
        Edit(HOLD, "Work::try_replace", ".and_then(|()| file.sync())", ""),
    ),
    Mutation(
        "snapshot-in-place",
        "a snapshot takes its place at once",
        Edit(HOLD, "Work::try_replace", "let mut file =", "let in_place = state.clone(); let new = in_place.as_path(); let mut file ="),
    ),
    Mutation(
        "journal-removed-first",
        "the snapshot is durable before the journal goes",
        Edit(COMMIT, "Inner::save", "if changed {", "if changed { drop(self.forget_journal(written).await);"),
    ),
    Mutation(
        "inherited-name-not-durable",
        "a snapshot that a killed run left is made durable before it is relied on",
        Edit(HOLD, "Work::prepare", "self.sync_folder()?;", ""),
    ),
    Mutation(
        "old-journal-replayed",
        "a journal belongs to the snapshot with its serial",
        Edit(LOAD, "replay", "base == recorded.serial", "base <= recorded.serial"),
    ),
    Mutation(
        "torn-line-is-an-error",
        "a torn last line is dropped",
        Edit(REPLAY, "Journal::replay", "!self.is_at_end()?", "true"),
    ),
    Mutation(
        "damaged-journal-accepted",
        "only whole lines are read",
        Edit(CHAIN, "Chain::open", "!= sum", "!= sum && false"),
    ),
    Mutation(
        "no-lock",
        "one writer",
        Edit(
            LOCK,
            "attempt",
            "None => Taken::Theirs(read_owner(&own_files, &path))",
            "None => { let new = temporary(&path); drop(own_files.create(&new, &path)); "
            "drop(own_files.rename(&new, &path)); match own_files.try_lock(&path, "
            '&contents).map_err(io("locking", &path))? { Some((lock, left)) => Taken::Ours(lock, '
            "serde_json::from_slice(&left).ok()), None => Taken::Theirs(read_owner(&own_files, &path)) } }",
        ),
    ),
    Mutation(
        "broken-lock-unnoticed",
        "whoever lost the lock writes no more",
        Edit(HOLD, "Work::check_lock", "if held", "if held || !held"),
    ),
    # What is called.
    Mutation(
        "lost-delete-repeated-in-replace",
        "a lost delete of a replace is waited for, not repeated",
        Edit(REPLACE, "delete", "sender.fence(None)", "sender.fence(Some(crate::model::Write::Delete))"),
    ),
    Mutation(
        "replace-loses-its-permit",
        "no one comes between the two calls of a replace",
        Edit(
            REPLACE,
            "run",
            "is_done(&outcome).then_some(",
            "(is_done(&outcome) && false).then_some(",
        ),
    ),
    Mutation(
        "ctrl-c-between-the-calls",
        "Ctrl-C waits for the add of a replace",
        Edit(REPLACE, "run", "committed: true", "committed: false"),
    ),
    Mutation(
        "delete-signed-by-our-clock",
        "deletes are signed by the server's clock",
        Edit(ATTEMPT, "Sender::know_the_time", "CLOCK_QUESTIONS_BEFORE_DELETE", "0"),
    ),
    Mutation(
        "short-life-refused-for-ever",
        "a refused short-lived signature is made a normal one",
        Edit(REPLACE, "run", "sender.account.clock.no_short_lives();", ""),
    ),
    Mutation(
        "short-life-too-short",
        "a short life is long enough to arrive",
        Edit(CLOCK, "SHORT_LIFE", "25", "-5"),
    ),
    Mutation(
        "deletes-do-not-wait",
        "deletes begin when all adds are done",
        Edit(ORGANIZATION, "Run::build", "join(unfenced, fenced)", "join(join(unfenced, fenced), self.deletes())"),
    ),
    Mutation(
        "deletes-forget-the-other-scope",
        "deletes wait for the adds of their handle in another scope",
        Edit(ORGANIZATION, "run", "return Some(run);", "run.deletes().await;"),
    ),
    Mutation(
        "deletes-after-failed-adds",
        "no delete when an add failed",
        Edit(ORGANIZATION, "Run::barred", "change.calls() == Calls::Delete", "change.calls() == Calls::Nothing"),
    ),
    Mutation(
        "no-retry-limit",
        "a call is repeated a few times",
        Edit(ATTEMPT, "Sender::retry", "self.context.settings.max_retries", "1000"),
    ),
    Mutation(
        "throttled-for-ever",
        "throttling ends some time",
        Edit(ATTEMPT, "MAX_THROTTLES", "100", "100_000"),
    ),
    # Whose credentials sign.
    Mutation(
        "owners-ignored",
        "the credentials belong to the expected account, and to that of the record",
        Edit(OWNERS, "refusal", "plan.accounts.get(name) else", "None::<&crate::model::Account> else"),
    ),
    Mutation(
        "new-credentials-go-unnoticed",
        "credentials that may be another enterprise's are shown before they are used",
        Edit(OWNERS, "unproven", "!proven(name)", "!(proven(name) || true)"),
    ),
    Mutation(
        "unverified-is-added",
        "what failed its verification is not added",
        Edit(ORGANIZATION, "Run::barred", "self.context.is_unverified(&change.address)", "false"),
    ),
    # What is planned.
    Mutation(
        "moves-forgotten",
        "what belongs to another account now is moved there",
        Edit(MOVES, "moves", "renamed.is_empty() && one_account", "true"),
    ),
    Mutation(
        "opposite-replay",
        "an open delete is not settled by another delete when it is wanted",
        Edit(DECIDE, "declared", "value.compare(there.fingerprints) != Comparison::Different", "true"),
    ),
    Mutation(
        "open-add-of-another-value-repeated",
        "another value is replaced, not added over",
        Edit(
            DECIDE,
            "declared",
            "(false, Reason::OpenAddOfAnotherValue)",
            "(true, Reason::OpenAddOfAnotherValue)",
        ),
    ),
    Mutation(
        "open-is-done",
        "what is open is finished",
        Edit(DECIDE, "declared", "entry.is_open()", "entry.is_open() && entry.lost.is_none()"),
    ),
    Mutation(
        "rotation-by-add",
        "only a replace changes a key",
        Edit(
            DECIDE,
            "declared",
            "Comparison::Different => replace(changed(there.fingerprints, value))",
            "Comparison::Different => (Action::Add, Calls::Add, changed(there.fingerprints, value))",
        ),
    ),
    Mutation(
        "assumed-is-replaced",
        "what stands unchanged is never deleted",
        Edit(
            DECIDE,
            "declared",
            "(Action::NoOp, Calls::Nothing, Reason::Unproven)",
            "(Action::Replace, Calls::Replace, Reason::Unproven)",
        ),
    ),
    Mutation(
        "unknown-is-gone",
        "an open callback that is not declared is deleted",
        Edit(DECIDE, "gone", "(Action::Finish, Calls::Delete)", "(Action::NoOp, Calls::Nothing)"),
    ),
    Mutation(
        "destroy-everything-declared",
        "only what is recorded is destroyed",
        Edit(BUILD, "Builder::change", "self.options.destroy && entry.is_none()", "false"),
        Edit(
            DECIDE,
            "gone",
            "Deletion::Omitted | Deletion::Twin => (Action::NoOp, Calls::Nothing)",
            "Deletion::Omitted | Deletion::Twin => (Action::Delete, Calls::Delete)",
        ),
    ),
    Mutation(
        "protection-ignored",
        "a protected callback is never deleted",
        Edit(GUARDS, "protected_deletes", "before.protect", "before.protect && before.proved_at.is_none()"),
    ),
    Mutation(
        "suspended-is-called",
        "nothing is called for a suspended organization",
        Edit(BUILD, "Builder::change", "organization.suspend", "organization.suspend && entry.is_none()"),
    ),
    Mutation(
        "targets-ignored",
        "only targets are called",
        Edit(BUILD, "Builder::targeted", "targets.is_empty()", "targets.len() != 1"),
    ),
    Mutation(
        "twin-is-not-kept",
        "a twin stays while its callback may be missing",
        Edit(TWINS, "Builder::keeps", "&& added())", "&& added()) && address.handle.as_str().is_empty()"),
    ),
    Mutation(
        "replaced-beside-a-twin-that-may-be-missing",
        "a rotation replaces a callback only beside its twin",
        Edit(ROTATION, "rotation", "!adds.is_none_or(may_be_missing)", "adds.is_some_and(may_be_missing)"),
    ),
    Mutation(
        "interrupted-rotation-does-not-wait",
        "after an interrupted rotation a callback is replaced only beside its twin",
        Edit(TWINS, "Builder::waits_for_twin", "is_added |= opens_add(twin)", "is_added |= false"),
    ),
    Mutation(
        "interrupted-rotation-waits-for-ever",
        "an interrupted rotation is finished by applies",
        Edit(TWINS, "Builder::awaited", "is_awaited.then(", "(is_awaited && false).then("),
    ),
    # The rate.
    Mutation(
        "silence-goes-on",
        "where nothing answers a handful of calls is enough",
        Edit(REACH, "HANDFUL", "6", "600"),
    ),
    Mutation(
        "outage-without-end",
        "an outage is not waited for without end",
        Edit(REACH, "Heard::silent", "lasts >= OUTAGE", "false"),
    ),
    Mutation(
        "burst",
        "never more than the limit in a second",
        Edit(SCHEDULE, "WINDOW", "1003", "700"),
    ),
    Mutation(
        "pairs-uncounted",
        "the second call of a pair counts too",
        Edit(SCHEDULE, "Schedule::use_reserved", "self.record(now);", ""),
    ),
    Mutation(
        "pair-without-place",
        "a pair has two places before it starts",
        Edit(PACE, "Pace::start", "schedule.can_reserve()", "false"),
    ),
]
