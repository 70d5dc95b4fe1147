"""The mutations: each breaks one rule of the protocol. See docs/reliability.md.

A mutation is (name, the rule it breaks, file, text to find, text to put there), with three more where two
places keep the rule. The text must occur exactly once, so that a mutation that no longer fits its file is
noticed.
"""

ATTEMPT = "src/apply/attempt.rs"
REPLACE = "src/apply/replace.rs"
CONTEXT = "src/apply/context.rs"
ORGANIZATION = "src/apply/organization.rs"
CLOCK = "src/apply/clock.rs"
ENTRY = "src/model/entry.rs"
BELIEF = "src/model/belief.rs"
RECORDED = "src/model/recorded.rs"
DECIDE = "src/plan/decide/mod.rs"
BUILD = "src/plan/build.rs"
GUARDS = "src/plan/guards.rs"
HOLD = "src/state/local/hold.rs"
COMMIT = "src/state/commit.rs"
LOCKED = "src/state/locked.rs"
LOAD = "src/state/load.rs"
REPLAY = "src/state/journal/replay.rs"
LOCK = "src/state/local/lock.rs"
SCHEDULE = "src/client/pace/schedule/mod.rs"
PACE = "src/client/pace/mod.rs"

MUTATIONS = [
    # The fence.
    ("no-fence", "an opposite call waits for a lost one to die", ATTEMPT,
     "            match wait_ms {\n                0 =>", "            match wait_ms {\n                0.. =>"),
    ("fence-without-the-clock", "without the server's clock a fence goes by our own time", ATTEMPT,
     "until_dead.unwrap_or(u64::MAX).min(self.own_time.left());\n            match",
     "until_dead.unwrap_or(0).min(self.own_time.left());\n            match"),
    ("own-time-too-short", "no call is on its way for more than ten minutes", ENTRY,
     "Self::LONGEST_WAY + Self::GATEWAY_TIMEOUT + 60;", "Self::LONGEST_WAY - 300;"),
    ("own-time-not-begun-anew", "our own time counts from the last lost call", ATTEMPT,
     "                self.own_time.begin_anew();\n", ""),
    ("any-date-is-believed", "a clock that no clock shows is none", CONTEXT,
     "server.filter(|server| is_credible(*server, ours))", "server.filter(|server| server.seconds_since(ours) != i64::MAX)"),
    ("far-fence-forgotten", "a bounded fence still covers what was merged into it", ENTRY,
     "server_now.plus(SignedWrite::FAR_AHEAD);", "server_now.plus(-1000);"),
    ("gateway-forgotten", "what was admitted takes effect within half a minute", ENTRY,
     "pub const GATEWAY_TIMEOUT: i64 = 30;", "pub const GATEWAY_TIMEOUT: i64 = 0;"),
    ("fence-too-short", "a signature lives for 300 s", ENTRY,
     "pub const SIGNATURE_LIFE: i64 = 300;", "pub const SIGNATURE_LIFE: i64 = 290;"),
    ("no-clock-margin", "machines' clocks differ by a few seconds", ENTRY,
     "pub const CLOCK_MARGIN: i64 = 5;", "pub const CLOCK_MARGIN: i64 = 0;"),
    ("fence-by-fastest-clock", "the slowest reading counts", CLOCK,
     "let now = readings?.smallest.saturating_add(self.elapsed_ms());",
     "let now = readings?.largest.saturating_add(self.elapsed_ms()) + 2000;"),
    ("fence-raised-again", "a fence that was passed by the delete holds for the add", ATTEMPT,
     "..=PASSED_MS if self.committed", "..=0 if self.committed"),
    ("wait-for-ever", "no run waits for longer than twelve minutes", ATTEMPT,
     "until_dead.unwrap_or(u64::MAX).min(self.own_time.left());\n            match",
     "until_dead.unwrap_or_else(|| self.own_time.left());\n            match"),
    ("forget-lost-by-wall-clock", "only the server's word lets a lost call be forgotten", CONTEXT,
     "let reached = |account: &AccountName| self.accounts.get(account)?.clock.reached();",
     "let reached = |_: &AccountName| Some(self.tools.wall.now());"),
    ("forget-lost-when-answered", "an answered repetition does not kill the lost call", ENTRY,
     "self.lost = self.lost.filter(|lost| lost.write == call.write);", "self.lost = None;"),
    ("keep-first-signature", "the latest of several lost calls counts", ENTRY,
     "lost.signed_at.max(call.signed_at)", "lost.signed_at.min(call.signed_at)"),
    ("forget-lost-at-begin", "a refused call leaves open what an earlier one left open", ENTRY,
     "        self.interrupt();\n        self.pending = Some(Pending { id, call });",
     "        self.interrupt();\n        self.lost = self.lost.filter(|lost| lost.write == call.write);\n        self.pending = Some(Pending { id, call });"),
    # What is known.
    ("lost-means-nothing-happened", "a lost call may have happened", ENTRY,
     "        self.belief = self.belief.or_after(call.write);\n", ""),
    ("lost-means-applied", "a lost call may not have happened", ENTRY,
     "self.belief = self.belief.or_after(call.write);", "self.belief = self.belief.after(call.write);"),
    ("add-proves-secrets", "an add of what is there changes nothing", BELIEF,
     ".is_none_or(|there| there.exact && there.fingerprints == declared);", ".is_none_or(|_| true);"),
    ("first-contact-proves", "before the first call anything may be there", ENTRY,
     "            belief: Belief::ANYTHING,\n            lost: None,\n            pending: None,\n            proof: None,",
     "            belief: Belief::ABSENT,\n            lost: None,\n            pending: None,\n            proof: None,"),
    ("exists-proves", "that it was there already does not prove its secrets", BELIEF,
     "            Some(_) | None => Self::assumed(declared),", "            Some(_) | None => Self::proven(declared),"),
    ("crash-forgets-calls-on-their-way", "a call on its way at a crash is lost", RECORDED,
     "                entry.interrupt();\n", "                entry.pending = None;\n"),
    # The journal.
    ("journal-after-call", "an intent is durable before its call leaves", LOCKED,
     "        self.commit(number).await?;\n        Ok(std::mem::take(&mut unsent.ids))",
     "        let _later = number;\n        Ok(std::mem::take(&mut unsent.ids))"),
    ("journal-without-sync", "the journal is synced", HOLD,
     "journal.write_all(line).and_then(|()| journal.sync()),", "journal.write_all(line),"),
    ("journal-name-not-durable", "the journal's name is durable", HOLD,
     "        self.sync_folder()?;\n        self.journal = Some(journal);", "        self.journal = Some(journal);"),
    ("snapshot-without-sync", "a snapshot is synced before it takes its place", HOLD,
     "        file.write_all(snapshot)\n            .and_then(|()| file.sync())\n", "        file.write_all(snapshot)\n"),
    ("snapshot-in-place", "a snapshot takes its place at once", HOLD,
     "        let mut file = self.files.create(new, state).map_err(io(\"creating\", new))?;",
     "        let new = state.as_path();\n        let mut file = self.files.create(new, state).map_err(io(\"creating\", new))?;"),
    ("journal-removed-first", "the snapshot is durable before the journal goes", COMMIT,
     "        if changed {\n            let outcome", "        if changed {\n            drop(self.forget_journal(written).await);\n            let outcome"),
    ("inherited-name-not-durable", "a snapshot that a killed run left is made durable before it is relied on", HOLD,
     "        if self.has_state()? {\n            self.sync_folder()?;", "        if self.has_state()? {"),
    ("old-journal-replayed", "a journal belongs to the snapshot with its serial", LOAD,
     "    if base == recorded.serial {", "    if base <= recorded.serial {"),
    ("torn-line-is-an-error", "a torn last line is dropped", REPLAY,
     "                if !self.is_at_end()? ||", "                if true ||"),
    ("damaged-journal-accepted", "only whole lines are read", "src/state/journal/chain.rs",
     "        if hex::encode(self.0).as_bytes() != sum {", "        if hex::encode(self.0).as_bytes() != sum && false {"),
    ("no-lock", "one writer", LOCK,
     "                None => Taken::Theirs(read_owner(&own_files, &path)),",
     "                None => { let new = temporary(&path); drop(own_files.create(&new, &path)); drop(own_files.rename(&new, &path)); match own_files.try_lock(&path, &contents).map_err(io(\"locking\", &path))? { Some((lock, left)) => Taken::Ours(lock, serde_json::from_slice(&left).ok()), None => Taken::Theirs(read_owner(&own_files, &path)) } }"),
    ("broken-lock-unnoticed", "whoever lost the lock writes no more", HOLD,
     "        if held {\n            return Ok(());\n        }", "        if held || !held {\n            return Ok(());\n        }"),
    # What is called.
    ("lost-delete-repeated-in-replace", "a lost delete of a replace is waited for, not repeated", REPLACE,
     "    sender.fence(None).await?;", "    sender.fence(Some(Write::Delete)).await?;"),
    ("replace-loses-its-permit", "nobody comes between the two calls of a replace", REPLACE,
     "                let committed = Sender {", "                drop(in_flight);\n                drop(reservation);\n                let reservation = sender.account.pace.acquire_pair().await.start().await.1;\n                let committed = Sender {"),
    ("ctrl-c-between-the-calls", "Ctrl-C waits for the add of a replace", REPLACE,
     "                    committed: true,", "                    committed: false,"),
    ("delete-signed-by-our-clock", "deletes are signed by the server's clock", ATTEMPT,
     "        self.learn_the_time(CLOCK_QUESTIONS_BEFORE_DELETE)", "        self.learn_the_time(0)"),
    ("short-life-refused-for-ever", "a refused short-lived signature is made a normal one", REPLACE,
     "            sender.account.clock.no_short_lives();\n", ""),
    ("short-life-too-short", "a short life is long enough to arrive", CLOCK,
     "const SHORT_LIFE: i64 = 25;", "const SHORT_LIFE: i64 = -5;"),
    ("deletes-do-not-wait", "deletes begin when all adds are done", ORGANIZATION,
     "        join(unfenced, fenced).await;\n    }",
     "        join(join(unfenced, fenced), self.deletes()).await;\n    }"),
    ("deletes-forget-the-other-scope", "deletes wait for the adds of their handle in another scope", ORGANIZATION,
     "        return Some(run);", "        run.deletes().await;"),
    ("deletes-after-failed-adds", "no delete when an add failed", ORGANIZATION,
     "(change.calls() == Calls::Delete && adds_failed).then_some(NotAttempted::AddsFailed)",
     "(change.calls() == Calls::Nothing && adds_failed).then_some(NotAttempted::AddsFailed)"),
    ("no-retry-limit", "a call is repeated a few times", ATTEMPT,
     "        if tries.retries >= self.context.settings.max_retries {", "        if tries.retries >= 1000 {"),
    ("throttled-for-ever", "throttling ends some time", ATTEMPT,
     "const MAX_THROTTLES: u32 = 100;", "const MAX_THROTTLES: u32 = 100_000;"),
    # What is planned.
    ("moves-forgotten", "what belongs to another account now is moved there", "src/plan/moves.rs",
     "    if renamed.is_empty() && one_account {", "    if true || renamed.is_empty() && one_account {"),
    ("opposite-replay", "an open delete is not settled by another delete when it is wanted", DECIDE,
     "            Some(Write::Delete) | None => (\n                value.compare(there.fingerprints) != Comparison::Different,",
     "            Some(Write::Delete) | None => (\n                true,"),
    ("open-add-of-another-value-repeated", "another value is replaced, not added over", DECIDE,
     "            Some(Write::Add(_)) => (false, Reason::OpenAddOfAnotherValue),",
     "            Some(Write::Add(_)) => (true, Reason::OpenAddOfAnotherValue),"),
    ("open-is-done", "what is open is finished", DECIDE,
     "    if entry.is_open() {", "    if entry.is_open() && entry.lost.is_none() {"),
    ("rotation-by-add", "only a replace changes a key", DECIDE,
     "        Comparison::Different => replace(changed(there.fingerprints, value)),",
     "        Comparison::Different => (Action::Add, Calls::Add, changed(there.fingerprints, value)),"),
    ("assumed-is-replaced", "what stands unchanged is never deleted", DECIDE,
     "        Comparison::Same => (Action::NoOp, Calls::Nothing, Reason::Unproven),",
     "        Comparison::Same => (Action::Replace, Calls::Replace, Reason::Unproven),"),
    ("unknown-is-gone", "an open callback that is not declared is deleted", DECIDE,
     "        Presence::Unknown => (Action::Finish, Calls::Delete),",
     "        Presence::Unknown => (Action::NoOp, Calls::Nothing),"),
    ("destroy-everything-declared", "only what is recorded is destroyed", BUILD,
     "        if self.options.destroy && entry.is_none() {", "        if false && entry.is_none() {",
     DECIDE, "            Deletion::Omitted => (Action::NoOp, Calls::Nothing),",
     "            Deletion::Omitted => (Action::Delete, Calls::Delete),"),
    ("protection-ignored", "a protected callback is never deleted", GUARDS,
     "        .filter(|change| change.before.as_ref().is_some_and(|before| before.protect))",
     "        .filter(|change| change.before.as_ref().is_some_and(|before| before.protect && before.proved_at.is_none()))"),
    ("suspended-is-called", "nothing is called for a suspended organization", BUILD,
     "let held = if organization.suspend {", "let held = if organization.suspend && entry.is_none() {"),
    ("targets-ignored", "only targets are called", BUILD,
     "        targets.is_empty() || targets.iter()", "        targets.len() != 1 || targets.iter()"),
    # The rate.
    ("silence-goes-on", "where nothing answers a handful of calls is enough", "src/apply/reach.rs",
     "const HANDFUL: u32 = 6;", "const HANDFUL: u32 = 600;"),
    ("outage-without-end", "an outage is not waited for without end", "src/apply/reach.rs",
     "(!self.answered || lasts >= OUTAGE)", "!self.answered"),
    ("burst", "never more than the limit in a second", SCHEDULE,
     "const WINDOW: Duration = Duration::from_millis(1003);", "const WINDOW: Duration = Duration::from_millis(700);\n"),
    ("pairs-uncounted", "the second call of a pair counts too", SCHEDULE,
     "        self.release();\n        self.record(now);", "        self.release();"),
    ("pair-without-place", "a pair has two places before it starts", PACE,
     "            let reserve = pair && self.0.limited && schedule.can_reserve();",
     "            let reserve = pair && self.0.limited && schedule.can_reserve() && false;"),
]
