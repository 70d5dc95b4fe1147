//! The records before the newest snapshot, of which only the snapshots stay.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Objects, PAGE, PARALLEL};
use crate::model::Timestamp;
use crate::state::StateError;
use crate::state::log::{Beginning, KEPT, Kind};

/// How many pages of a list one run reads.
const PAGES: usize = 50;

impl Objects {
    /// The snapshots that are kept, the newest first: the header of each and the beginning of its payload.
    pub(super) async fn kept(&self) -> Result<Vec<Beginning>, StateError> {
        let Some((head, _)) = self.newest_record().await? else {
            return Ok(Vec::new());
        };
        if head.since == 0 {
            return Ok(Vec::new());
        }
        let (older, _) = self.older_than(head.since).await?;
        let kept = self.snapshots(head.since, &older).await?;
        let beginnings = kept.into_iter().rev().map(|number| self.beginning(number));
        let beginnings = stream::iter(beginnings).buffered(PARALLEL);
        // One may be removed meanwhile.
        let found = beginnings.try_filter_map(async |found| {
            Ok(found.map(|(header, text)| {
                let end = text.iter().position(|byte| *byte == b'\n');
                let payload = end.and_then(|end| text.get(end + 1..)).unwrap_or_default();
                (header, payload.to_vec())
            }))
        });
        found.try_collect().await
    }

    /// The records before this one, and the store's clock.
    pub(super) async fn older_than(
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

    /// The numbers of the newest [`KEPT`] snapshots, from `newest` on back. Each record names the snapshot that it continues, so not
    /// every record has to be read.
    pub(super) async fn snapshots(
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
}
