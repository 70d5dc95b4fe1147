//! The vocabulary: plain values that every other module speaks in.
//!
//! Nothing here does I/O, reads a clock or knows a file format. The centre is [`Belief`]: the set of
//! things that may be true of one callback at eSign, and how each call and its answer narrows or
//! widens that set.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the vocabulary is pure: time, environment and files are arguments"
)]

mod account;
mod action;
mod audited;
mod belief;
mod call;
mod credential;
mod desired;
mod destination;
mod entry;
mod event;
mod holdings;
mod name;
mod nonce;
mod outcome;
mod reading;
mod recorded;
mod scope;
mod sighting;
mod time;
mod told;
pub(crate) mod twin;
mod verified;

pub use account::{
    Account, AccountSource, AssumeRole, AssumedRole, CredentialVariables, IdentityToken,
    WebIdentity,
};
pub use action::{Action, Calls, Effect};
pub use audited::{Asked, Audited, AuditedAnswer, AuditedCaller};
pub use belief::{Belief, Evidence, Presence, Presumed};
pub use call::{Call, CallId, Operation, Write};
pub use credential::{MASK, credentials, credentials_in, masked, masked_in};
pub use desired::{Adoption, Callback, DeclaredSecret, Desired, Organization, SecretIndex};
pub use destination::Destination;
pub use entry::{Drift, Entry, Pending, Proof, SignedWrite, Testimony, Traces, Witnessed};
pub use event::{Event, HowUnfinished, NotAttempted, Report, Tally, Unfinished};
pub use holdings::Holdings;
pub use name::{
    AccountId, AccountName, Address, AppId, CallbackUrl, Handle, OperatorId, OrganizationId,
    Region, RequestId,
};
pub use nonce::Nonce;
pub use outcome::{ApiError, Blast, Outcome};
pub use reading::{Reached, ReadError, ReadFailure, Stage, TlsProblem};
pub use recorded::{
    Checkout, Identity, Intent, LastCalls, Lineage, Notes, Recorded, RecordedAccount, Settled,
    Sought, Suspension,
};
pub use scope::{Environment, Scope};
#[cfg(test)]
pub(crate) use sighting::any_sighting;
pub use sighting::{Learned, Missing, Sighting};
pub use time::Timestamp;
pub use told::{News, Owed, Told, ToldAs};
pub use verified::{Finding, Gravity, Verdict, Verified};

pub use crate::secret::{Fingerprint, Fingerprints, Salt};
