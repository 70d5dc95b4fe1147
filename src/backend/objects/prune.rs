//! Removing records that are not needed any more, and finding out that a number is one that was removed.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Method;

use super::problem::{Action, Said};
use super::send::Answer;
use super::{Objects, PAGE, PARALLEL};
use crate::model::Timestamp;
use crate::state::StateError;
use crate::state::log::{Created, KEPT, Kind, NotCreated, Record};

/// A writer that was held up for less creates no number again.
const YOUNGEST: i64 = 3600;
/// After so many seconds of silence a number may be one that was removed.
const LONG_SLEEP: i64 = YOUNGEST / 2;
/// How many records one run removes. The rest is for the next.
const MOST: usize = 1000;
/// How many pages of a list one run reads.
const PAGES: usize = 50;

impl Objects {
    /// Notes when the end of the log was seen, and tells how many seconds passed since the time before. This
    /// machine's clock may stand still while it sleeps; the store's goes on.
    pub(super) fn seen(&self, answer: &Answer) -> i64 {
        let Some(now) = answer.date else { return 0 };
        let before = self.seen_at.fetch_max(now.0, Ordering::SeqCst);
        if before == 0 { 0 } else { now.0 - before }
    }

    /// Whether a record that was written is the newest: who slept for long may have written a number that another run
    /// used and removed meanwhile. What is before the newest snapshot is not read.
    pub(super) async fn created(
        &self,
        record: &Record,
        answer: &Answer,
    ) -> Result<Created, NotCreated> {
        if self.seen(answer) < LONG_SLEEP {
            return Ok(Created::Now);
        }
        match self.newest().await {
            Ok(Some(newest)) if newest > record.header.number => Ok(Created::Taken),
            Ok(_) => Ok(Created::Now),
            Err(error) => Err(NotCreated::Unclear(error)),
        }
    }

    pub(super) async fn remove_old(&self) -> Result<(), StateError> {
        let Some((head, _)) = self.newest_record().await? else {
            return Ok(());
        };
        // Newest first: what the snapshot of the head has folded in.
        let (older, clock) = self.older_than(head.since).await?;
        let Some(clock) = clock.filter(|_| older.len() >= KEPT) else {
            return Ok(());
        };
        let is_old = |modified: Option<Timestamp>| {
            modified.is_some_and(|modified| clock.seconds_since(modified) > YOUNGEST)
        };
        if !older.iter().any(|(_, modified)| is_old(*modified)) {
            return Ok(());
        }
        let kept = self.snapshots(head.since, &older).await?;
        let mut removable = Vec::new();
        for (number, modified) in older {
            if is_old(modified) && !kept.contains(&number) {
                removable.push(number);
            }
        }
        // The oldest first, so that a gap never is between records that stay.
        removable.reverse();
        removable.truncate(MOST);
        let deletes = removable.into_iter().map(|number| self.delete(number));
        let deletes = stream::iter(deletes).buffer_unordered(PARALLEL);
        deletes.try_collect::<()>().await
    }

    /// The records before this one, and the store's clock.
    async fn older_than(
        &self,
        number: u64,
    ) -> Result<(Vec<(u64, Option<Timestamp>)>, Option<Timestamp>), StateError> {
        let mut after = self.name(number);
        let mut older = Vec::new();
        let mut clock = None;
        for _ in 0..PAGES {
            let (page, answer) = self.list(&after, PAGE).await?;
            // The first answer's: nothing seems older than it is.
            clock = clock.or(answer.date);
            for object in &page.objects {
                older.extend(
                    self.number(&object.key)
                        .map(|number| (number, object.modified)),
                );
            }
            match page.objects.last() {
                Some(last) if page.is_truncated => after.clone_from(&last.key),
                Some(_) | None => break,
            }
        }
        Ok((older, clock))
    }

    /// The newest [`KEPT`] snapshots, from `newest` on back. Each record names the snapshot that it continues, so not
    /// every record has to be read.
    async fn snapshots(
        &self,
        newest: u64,
        older: &[(u64, Option<Timestamp>)],
    ) -> Result<BTreeSet<u64>, StateError> {
        let mut kept = BTreeSet::from([newest]);
        let rest: Vec<u64> = older.iter().map(|(number, _)| *number).collect();
        let mut rest = rest.into_iter().peekable();
        while kept.len() < KEPT {
            let Some(number) = rest.next() else { break };
            let Some((header, _)) = self.beginning(number).await? else {
                continue;
            };
            let snapshot = match header.kind {
                Kind::Snapshot => number,
                Kind::Hold
                | Kind::Beat
                | Kind::First
                | Kind::Next
                | Kind::Release
                | Kind::Unlock => header.since,
            };
            while rest.next_if(|next| *next > snapshot).is_some() {}
            if snapshot == number || rest.next_if_eq(&snapshot).is_some() {
                kept.insert(snapshot);
            }
        }
        Ok(kept)
    }

    async fn delete(&self, number: u64) -> Result<(), StateError> {
        let request = self.request(Method::DELETE, number);
        match self.sender.send(&request).await {
            Ok((answer, _)) if matches!(answer.status, 200 | 202 | 204 | 404) => Ok(()),
            Ok((answer, credential)) => {
                let said = Said::of(&answer, &credential);
                Err(self.refused(Action::Delete, &credential, &said))
            }
            Err(why) => Err(self.unanswered(Action::Delete, &why)),
        }
    }
}
