//! A belief and the answer that confirmed it.

use serde::Serialize;

use crate::model::{
    Belief, Evidence, Fingerprints, Presence, Presumed, Proof, RequestId, Timestamp,
};

/// A belief as the formats write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BeliefParts {
    pub(crate) presence: Presence,
    pub(crate) evidence: Evidence,
    /// `None` if it is certainly absent.
    pub(crate) fingerprints: Option<Fingerprints>,
    /// Whether the key and token are exactly these, if it is present. `None` without fingerprints.
    pub(crate) exact: Option<bool>,
}

/// Why these parts are not a belief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// The presence and the fingerprints contradict each other.
    Parts,
    /// The evidence contradicts the other parts, from which it follows.
    Evidence,
}

impl From<Belief> for BeliefParts {
    fn from(belief: Belief) -> Self {
        let presumed = belief.presumed();
        Self {
            presence: belief.presence(),
            evidence: belief.evidence(),
            fingerprints: presumed.map(|presumed| presumed.fingerprints),
            exact: presumed.map(|presumed| presumed.exact),
        }
    }
}

impl TryFrom<BeliefParts> for Belief {
    type Error = Contradiction;

    fn try_from(parts: BeliefParts) -> Result<Self, Contradiction> {
        let BeliefParts {
            presence,
            evidence,
            fingerprints,
            exact,
        } = parts;
        let belief = match (presence, fingerprints, exact) {
            (Presence::Absent, None, None) => Self::ABSENT,
            (Presence::Present, Some(fingerprints), Some(true)) => Self::proven(fingerprints),
            (Presence::Present, Some(fingerprints), Some(false)) => Self::assumed(fingerprints),
            (Presence::Unknown, Some(fingerprints), Some(exact)) => Self::unknown(Presumed {
                fingerprints,
                exact,
            }),
            (Presence::Absent | Presence::Present | Presence::Unknown, _, _) => {
                return Err(Contradiction::Parts);
            }
        };
        if belief.evidence() != evidence {
            return Err(Contradiction::Evidence);
        }
        Ok(belief)
    }
}

/// The answer that confirmed a belief.
#[derive(Serialize)]
pub(crate) struct ProofJson<'a> {
    at: Timestamp,
    request_id: &'a RequestId,
}

impl<'a> From<&'a Proof> for ProofJson<'a> {
    fn from(proof: &'a Proof) -> Self {
        let Proof { at, request_id } = proof;
        Self {
            at: *at,
            request_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_belief_is_what_its_parts_say() {
        let none = Fingerprints::default();
        let unknown = |exact| {
            Belief::unknown(Presumed {
                fingerprints: none,
                exact,
            })
        };
        for belief in [
            Belief::ABSENT,
            Belief::ANYTHING,
            Belief::proven(none),
            Belief::assumed(none),
            unknown(true),
            unknown(false),
        ] {
            let parts = BeliefParts::from(belief);
            assert_eq!(Belief::try_from(parts), Ok(belief));
            let other = match parts.evidence {
                Evidence::Proven => Evidence::Assumed,
                Evidence::Assumed => Evidence::Unknown,
                Evidence::Unknown => Evidence::Proven,
            };
            let evidence = BeliefParts {
                evidence: other,
                ..parts
            };
            assert_eq!(Belief::try_from(evidence), Err(Contradiction::Evidence));
            let exact = BeliefParts {
                exact: parts.exact.is_none().then_some(true),
                ..parts
            };
            assert_eq!(Belief::try_from(exact), Err(Contradiction::Parts));
        }
    }
}
