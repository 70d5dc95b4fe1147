//! The state file: JSON, one callback a line, so that a diff of it reads well.
//!
//! ```json
//! {
//!   "version": 2,
//!   "lineage": "0192f0c1-7b5e-7c3a-9d4e-5f6a7b8c9d0e",
//!   "serial": 12,
//!   "environment": "production",
//!   "destination": "esign",
//!   "fingerprint_salt": "00112233445566778899aabbccddeeff",
//!   "callbacks": [
//!     {"handle":"acme","account":"default","url":"https://…","operator":"yD…","status":"present","evidence":"proven",…}
//!   ]
//! }
//! ```
//!
//! Sorted by account, organization, application and URL. It holds no secret. There is no checksum
//! over it, because people resolve merge conflicts in it; instead every line is checked strictly.
//! [`read()`] goes line by line, so a million callbacks need no more memory than the [`Recorded`] they
//! become; a file that another tool has formatted is read too, as a whole.
//!
//! # Changes of the format
//!
//! * 1: the first.
//! * 2: `destination`, what the calls went to: `esign`, `sandbox`, or the address that `--endpoint`
//!   gave. It may be missing, as in every state of format 1; the next apply writes it.
//!   `accounts`, left out when empty: where the credentials of each account's last calls came from,
//!   and a fingerprint of their `SecretId`. In it `account_id`, the Tencent Cloud account that they belong to, left
//!   out where that is not known, and `last_calls`, left out before a run ended: when it did, how
//!   many calls may have reached eSign in the second before that, and what part of the differences of
//!   round trips was the way there. `suspended`, left out when it is not: until when controllers make no calls, and
//!   why. `checkout`, left out before a controller applied anything: a digest of the files that it applied last, and since
//!   when they were so. `told`, left out when empty: what controllers told people of each condition last, and when;
//!   in it `owed`, left out when all have it, with the message and the names of the targets that have not taken it.
//!   `notes_after`, left out unless the last changes were only of `told` and `suspended`, which no plan is made from: the
//!   serial before them. `twins`, left out without one: second URLs of a rotation that do not show it, each with the URL `of`
//!   its callback. Of a callback `seen_at`, when the newest message arrived that was made with the recorded secrets, and
//!   `missing`, since when and how many messages went to others and not to it; of its open calls the `nonce` of one on its
//!   way and, as `traces`, the `nonces` of lost ones with what was believed `before` them. `ended_calls`, in an emergency
//!   copy only: calls that have ended, though the store
//!   that was lost may still have them as lost.
//!
//! [`Recorded`]: crate::model::Recorded

mod build;
mod line;
mod read;
mod twin;
mod write;

pub(super) use line::{CallRecord, Text, check_ids, check_names, check_number, check_room, scope};
pub use read::{read, read_copy};
pub use write::{write, write_copy};

/// The format that [`write()`] writes, and the newest that [`read()`] reads.
pub const VERSION: u64 = 2;

#[cfg(test)]
mod tests;
