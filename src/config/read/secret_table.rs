//! The secret references of a configuration, each with a number.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::diag::Place;
use crate::model::{Callback, DeclaredSecret, Organization, SecretIndex};
use crate::secret::SecretReference;

/// Every distinct secret reference, numbered in the order of their first use.
#[derive(Debug, Default)]
pub(crate) struct SecretTable {
    numbers: BTreeMap<SecretReference, SecretIndex>,
    places: Vec<Place>,
}

impl SecretTable {
    /// The number of this reference; a new one when it is used for the first time.
    pub(crate) fn intern(&mut self, reference: SecretReference, place: Place) -> SecretIndex {
        match self.numbers.entry(reference) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                self.places.push(place);
                *free.insert(SecretIndex(number))
            }
        }
    }

    /// Numbers the references again, in the order of the sorted organizations, so that the order of the file does
    /// not matter. Unused references are dropped.
    pub(crate) fn renumber(self, organizations: &mut [Organization]) -> Vec<DeclaredSecret> {
        let mut left: Vec<_> = self
            .in_order()
            .map(|(reference, place)| {
                Some(DeclaredSecret {
                    reference,
                    place,
                    accepted: Vec::new(),
                })
            })
            .collect();
        let mut new_numbers = vec![SecretIndex(0); left.len()];
        let mut declared = Vec::with_capacity(left.len());
        let uses = organizations
            .iter_mut()
            .flat_map(|organization| used_by(&mut organization.callbacks));
        for number in uses {
            let old = number.0 as usize;
            if let Some(secret) = left[old].take() {
                new_numbers[old] = SecretIndex(u32::try_from(declared.len()).unwrap_or(u32::MAX));
                declared.push(secret);
            }
            *number = new_numbers[old];
        }
        declared
    }

    fn in_order(self) -> impl Iterator<Item = (SecretReference, Place)> {
        let mut by_number: Vec<_> = self.numbers.into_iter().collect();
        by_number.sort_unstable_by_key(|(_, number)| *number);
        by_number
            .into_iter()
            .zip(self.places)
            .map(|((reference, _), place)| (reference, place))
    }
}

/// The secrets of these callbacks.
fn used_by(callbacks: &mut [Callback]) -> impl Iterator<Item = &mut SecretIndex> {
    callbacks
        .iter_mut()
        .flat_map(|callback| [&mut callback.key, &mut callback.token])
        .flatten()
}
