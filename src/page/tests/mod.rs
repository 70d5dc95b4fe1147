//! The whole page: with everything and with nothing on it, with hostile text, of arbitrary records and plans.

mod examples;
mod hostile;
mod made;
mod wellformed;
