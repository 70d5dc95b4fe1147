//! What lasts from round to round.

use std::sync::Arc;

use super::Args;
use super::approving::Approving;
use super::behind::Order;
use super::keeper::Fenced;
use super::receipts::Receipts;
use super::teller::Teller;
use super::waiting::Wait;
use crate::apply::Lanes;
use crate::cli::locations::Locations;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::terminal::log::Log;
use crate::controller::{Board, LastGood, Problem};
use crate::model::{Account, AccountName};
use crate::state::Store;

pub(super) struct Rounds<'a> {
    pub(super) settings: &'a Settings,
    pub(super) locations: &'a Locations,
    pub(super) args: &'a Args,
    pub(super) store: Store,
    pub(super) board: Board,
    pub(super) last_good: LastGood,
    pub(super) order: Order,
    /// The rate limiters, and the accounts that they are of.
    pub(super) lanes: (Lanes, Vec<(AccountName, Account)>),
    pub(super) teller: Teller,
    /// What the last run that made calls did not do.
    pub(super) last_unfinished: Option<Problem>,
    pub(super) fenced: Fenced,
    pub(super) receipts: Arc<Receipts>,
    /// The digest that was approved for this round, or for one before that waited for another run, until calls begin.
    pub(super) approval: Option<String>,
    pub(super) wait: Wait,
    pub(super) approving: Approving,
    pub(super) log: Log,
    pub(super) ui: &'a mut Ui,
}
