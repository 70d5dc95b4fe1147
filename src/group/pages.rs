//! Reading a group page by page, while it may change.
//!
//! A member that joins or leaves moves the others across the borders of the pages, so that one may come twice or
//! be missed. Doubles are dropped; when the total changes, the group is read once more.

use std::collections::BTreeMap;

use super::Member;
use crate::model::OrganizationId;
use crate::wire::{GroupPage, MOST_MEMBERS, MOST_OFFSET};

/// How often a group that changes is read.
const READINGS: u32 = 3;

/// The pages that were read so far.
#[derive(Debug, Default)]
pub struct Pages {
    found: BTreeMap<OrganizationId, Member>,
    offset: u32,
    total: Option<u64>,
    readings: u32,
    end: Option<Completeness>,
}

/// Whether all members are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    All,
    /// The group changed while it was read, again and again: a member may be missing.
    Changing,
    /// There are more than eSign's pages reach.
    BeyondReach {
        /// How many there are.
        total: u64,
    },
    /// Pages ended before the number of members that eSign says there are.
    Short {
        /// How many there should be.
        total: u64,
    },
}

/// A group as far as it was read: the main organization first, then by name and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub members: Vec<Member>,
    pub completeness: Completeness,
}

impl Pages {
    /// The offset of the page to read next, or `None` at the end.
    pub const fn next(&self) -> Option<u32> {
        match self.end {
            Some(_) => None,
            None => Some(self.offset),
        }
    }

    /// Takes the page at [`Self::next`].
    pub fn take(&mut self, page: GroupPage) {
        let GroupPage { total, list } = page;
        let before = *self.total.get_or_insert(total);
        let length = u32::try_from(list.len()).unwrap_or(u32::MAX);
        for member in list {
            let member = Member::from(member);
            self.found.entry(member.id.clone()).or_insert(member);
        }
        if before != total {
            self.readings += 1;
            if self.readings < READINGS {
                *self = Self {
                    readings: self.readings,
                    ..Self::default()
                };
                return;
            }
            self.total = Some(total);
        }
        self.offset = self.offset.saturating_add(length);
        let seen = u64::from(self.offset);
        let changing = self.readings >= READINGS;
        if length == 0 && seen < total {
            self.end = Some(Completeness::Short { total });
        } else if seen >= total {
            let all = self.found.len() as u64 >= total && !changing;
            self.end = Some(if all {
                Completeness::All
            } else {
                Completeness::Changing
            });
        } else if self.offset > MOST_OFFSET {
            self.end = Some(Completeness::BeyondReach { total });
        } else if length > MOST_MEMBERS {
            // More than was asked for: it is unknown what the offset counts.
            self.end = Some(Completeness::Short { total });
        }
    }

    /// What was read.
    pub fn finish(self) -> Group {
        let mut members: Vec<Member> = self.found.into_values().collect();
        members.sort_by(|one, other| {
            (!one.is_main, &one.name, &one.id).cmp(&(!other.is_main, &other.name, &other.id))
        });
        Group {
            members,
            completeness: self.end.unwrap_or(Completeness::Changing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;
    use proptest::prelude::*;

    fn member(number: u32) -> wire::Member {
        wire::Member {
            name: format!("{number}"),
            organization_id: format!("{number}"),
            status: 5,
            is_main_organization: number == 7,
            license_expire_time: 0,
        }
    }

    /// What eSign answers for a group of these members.
    fn answer(all: &[u32], offset: u32) -> GroupPage {
        let page = all.iter().skip(offset as usize).take(MOST_MEMBERS as usize);
        GroupPage {
            total: all.len() as u64,
            list: page.map(|number| member(*number)).collect(),
        }
    }

    #[test]
    fn every_member_is_found_once_and_the_main_one_first() {
        for count in [0, 1, 199, 200, 201, 400, 1000] {
            let all: Vec<u32> = (0..count).collect();
            let mut pages = Pages::default();
            let mut asked = 0;
            while let Some(offset) = pages.next() {
                pages.take(answer(&all, offset));
                asked += 1;
            }
            let group = pages.finish();
            assert_eq!(group.completeness, Completeness::All, "{count}");
            assert_eq!(group.members.len(), count as usize);
            assert!(asked <= count / 200 + 1, "{count}: {asked}");
            if count > 7 {
                assert!(group.members[0].is_main);
            }
        }
    }

    #[test]
    fn a_group_that_changed_once_is_read_again() {
        let (before, after): (Vec<u32>, Vec<u32>) = ((0..401).collect(), (1..401).collect());
        let mut pages = Pages::default();
        pages.take(answer(&before, 0));
        // Member 200 is now on the first page.
        while let Some(offset) = pages.next() {
            pages.take(answer(&after, offset));
        }
        let group = pages.finish();
        assert_eq!(
            (group.members.len(), group.completeness),
            (400, Completeness::All)
        );
    }

    #[test]
    fn what_is_beyond_the_largest_offset_is_said_to_be_missing() {
        let all: Vec<u32> = (0..30_000).collect();
        let mut pages = Pages::default();
        while let Some(offset) = pages.next() {
            assert!(offset <= MOST_OFFSET);
            pages.take(answer(&all, offset));
        }
        let group = pages.finish();
        assert_eq!(group.members.len(), 20_200);
        assert_eq!(
            group.completeness,
            Completeness::BeyondReach { total: 30_000 }
        );
    }

    #[test]
    fn an_empty_page_ends_it() {
        let mut pages = Pages::default();
        pages.take(GroupPage {
            total: 5,
            list: Vec::new(),
        });
        assert_eq!(pages.next(), None);
        assert_eq!(
            pages.finish().completeness,
            Completeness::Short { total: 5 }
        );
    }

    proptest! {
        /// Whatever a server answers.
        #[test]
        fn it_ends(answers in proptest::collection::vec((0..100_000_u64, 0..400_u32), 1..40)) {
            let mut pages = Pages::default();
            let mut asked = 0;
            let mut answers = answers.iter().cycle();
            while pages.next().is_some() {
                let (total, length) = answers.next().unwrap();
                pages.take(GroupPage { total: *total, list: (0..*length).map(member).collect() });
                asked += 1;
                prop_assert!(asked < 25_000);
            }
        }
    }
}
