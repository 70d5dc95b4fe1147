//! What may be true of one callback at eSign.
//!
//! eSign can't be asked. All that is ever known follows from calls made and answers received, so a
//! [`Belief`] is a *set of possibilities*, kept small: the callback may be absent, it may be present
//! with certain secrets, or either. Calls map that set ([`Belief::after`]), lost calls widen it
//! ([`Belief::or_after`]), and answers that say what was there narrow it ([`Belief::given_present`]).
//!
//! Invariant: a belief never excludes what may be true, unless someone changed eSign behind our
//! back. It may allow more than is possible; that only costs an extra call.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Fingerprints, Write};

/// The secrets a callback has if it is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Presumed {
    /// What was last declared for it.
    pub fingerprints: Fingerprints,
    /// Whether it has exactly those; else it may have others.
    pub exact: bool,
}

/// The set of things that may be true of a callback. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Belief {
    absent: bool,
    present: Option<Presumed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    Present,
    Absent,
    /// Perhaps: the outcome of a call was lost.
    Unknown,
}

/// How well is it known?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Absent, or present with exactly the recorded key and token.
    Proven,
    /// Present, but perhaps with another key or token.
    Assumed,
    Unknown,
}

impl Belief {
    /// Nothing is known: what we believe of a URL that was never touched.
    pub const ANYTHING: Self = Self {
        absent: true,
        present: Some(Presumed {
            fingerprints: Fingerprints {
                key: None,
                token: None,
            },
            exact: false,
        }),
    };

    /// Proven absent.
    pub const ABSENT: Self = Self {
        absent: true,
        present: None,
    };

    /// Proven present with exactly these secrets.
    pub const fn proven(fingerprints: Fingerprints) -> Self {
        Self {
            absent: false,
            present: Some(Presumed {
                fingerprints,
                exact: true,
            }),
        }
    }

    /// Present, perhaps with other secrets than these.
    pub const fn assumed(fingerprints: Fingerprints) -> Self {
        Self {
            absent: false,
            present: Some(Presumed {
                fingerprints,
                exact: false,
            }),
        }
    }

    /// Absent, or present as presumed.
    pub const fn unknown(present: Presumed) -> Self {
        Self {
            absent: true,
            present: Some(present),
        }
    }

    /// Whether it may be absent.
    pub const fn may_be_absent(self) -> bool {
        self.absent
    }

    /// The secrets it has if it is present; `None` when it is certainly absent.
    pub const fn presumed(self) -> Option<Presumed> {
        self.present
    }

    pub const fn presence(self) -> Presence {
        match (self.absent, self.present) {
            (false, _) => Presence::Present,
            (true, None) => Presence::Absent,
            (true, Some(_)) => Presence::Unknown,
        }
    }

    /// How well is it known?
    pub const fn evidence(self) -> Evidence {
        match (self.absent, self.present) {
            (true, None)
            | (
                false,
                Some(Presumed {
                    fingerprints: _,
                    exact: true,
                }),
            ) => Evidence::Proven,
            (true, Some(_)) => Evidence::Unknown,
            (
                false,
                Some(Presumed {
                    fingerprints: _,
                    exact: false,
                })
                | None,
            ) => Evidence::Assumed,
        }
    }

    /// What may be true once `write` has taken effect.
    ///
    /// An add of a URL that is there changes nothing at eSign: its key and token stay as they are.
    #[must_use]
    pub fn after(self, write: Write) -> Self {
        match write {
            Write::Delete => Self::ABSENT,
            Write::Add(declared) => {
                let exact = self
                    .present
                    .is_none_or(|there| there.exact && there.fingerprints == declared);
                Self {
                    absent: false,
                    present: Some(Presumed {
                        fingerprints: declared,
                        exact,
                    }),
                }
            }
        }
    }

    /// What may be true when it is unknown whether `write` has taken effect, or ever will.
    #[must_use]
    pub fn or_after(self, write: Write) -> Self {
        self.union(self.after(write))
    }

    /// What may be true given an answer that it was there when an add of `declared` arrived.
    ///
    /// An answer that contradicts the belief means that someone else added it, with secrets of
    /// their own.
    #[must_use]
    pub fn given_present(self, declared: Fingerprints) -> Self {
        match self.present {
            Some(there) if there.exact => Self {
                absent: false,
                present: Some(there),
            },
            Some(_) | None => Self::assumed(declared),
        }
    }

    /// What may be true in another scope, to which the user says the callback belongs: present at
    /// best as assumed, and absent at best perhaps.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        match self.present {
            Some(there) => Self {
                absent: self.absent,
                present: Some(Presumed {
                    exact: false,
                    ..there
                }),
            },
            None => Self::ANYTHING,
        }
    }

    /// What may be true when one of the two is.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let present = match (self.present, other.present) {
            (None, there) | (there, None) => there,
            (Some(one), Some(two)) => Some(Presumed {
                fingerprints: two.fingerprints,
                exact: one.exact && two.exact && one.fingerprints == two.fingerprints,
            }),
        };
        Self {
            absent: self.absent || other.absent,
            present,
        }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Proven => "proven",
            Self::Assumed => "assumed",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fingerprint;

    const X: Fingerprints = Fingerprints {
        key: Some(Fingerprint([1; 16])),
        token: None,
    };
    const Y: Fingerprints = Fingerprints {
        key: Some(Fingerprint([2; 16])),
        token: None,
    };

    #[test]
    fn an_add_proves_only_what_was_known_absent() {
        assert_eq!(Belief::ABSENT.after(Write::Add(X)), Belief::proven(X));
        assert_eq!(Belief::ANYTHING.after(Write::Add(X)), Belief::assumed(X));
        assert_eq!(Belief::assumed(Y).after(Write::Add(X)), Belief::assumed(X));
        assert_eq!(Belief::proven(Y).after(Write::Add(X)), Belief::assumed(X));
    }

    #[test]
    fn a_delete_proves_absence_whatever_was_believed() {
        for before in [
            Belief::ANYTHING,
            Belief::ABSENT,
            Belief::proven(X),
            Belief::assumed(X),
        ] {
            assert_eq!(before.after(Write::Delete), Belief::ABSENT);
        }
    }

    #[test]
    fn repeating_a_lost_add_over_known_absence_proves_it() {
        let lost = Belief::ABSENT.or_after(Write::Add(X));
        assert_eq!(
            (lost.presence(), lost.evidence()),
            (Presence::Unknown, Evidence::Unknown)
        );
        assert_eq!(lost.after(Write::Add(X)), Belief::proven(X));
        assert_eq!(lost.given_present(X), Belief::proven(X));
    }

    #[test]
    fn adding_back_after_a_lost_delete_keeps_what_was_known_of_the_secrets() {
        assert_eq!(
            Belief::proven(X)
                .or_after(Write::Delete)
                .after(Write::Add(X)),
            Belief::proven(X)
        );
        assert_eq!(
            Belief::assumed(X)
                .or_after(Write::Delete)
                .after(Write::Add(X)),
            Belief::assumed(X)
        );
    }

    #[test]
    fn nothing_is_proven_elsewhere() {
        assert_eq!(Belief::proven(X).elsewhere(), Belief::assumed(X));
        assert_eq!(Belief::ABSENT.elsewhere(), Belief::ANYTHING);
    }

    #[test]
    fn finding_there_what_was_proven_absent_is_somebody_elses_doing() {
        assert_eq!(Belief::ABSENT.given_present(X), Belief::assumed(X));
        assert_eq!(Belief::proven(X).given_present(X), Belief::proven(X));
        assert_eq!(Belief::ANYTHING.given_present(X), Belief::assumed(X));
    }
}
