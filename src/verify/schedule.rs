//! The order in which receivers are probed: that of the list, but never too many of one host at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// At most so many receivers of one host are probed at once.
pub const MOST_ON_A_HOST: usize = 4;

/// Which receiver is next. Takes and gives numbers of the list of hosts.
#[derive(Debug)]
pub struct Schedule {
    hosts: Vec<Host>,
    /// The host of each receiver.
    host_of: Vec<usize>,
    /// The first waiting receiver of each host that may begin another.
    ready: BTreeSet<(usize, usize)>,
}

#[derive(Debug, Default)]
struct Host {
    waiting: VecDeque<usize>,
    running: usize,
}

impl Schedule {
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut known = BTreeMap::new();
        let mut hosts: Vec<Host> = Vec::new();
        let mut host_of = Vec::new();
        for (number, name) in names.into_iter().enumerate() {
            let host = *known.entry(name).or_insert_with(|| {
                hosts.push(Host::default());
                hosts.len() - 1
            });
            hosts[host].waiting.push_back(number);
            host_of.push(host);
        }
        let first = |(host, one): (usize, &Host)| Some((*one.waiting.front()?, host));
        Self {
            ready: hosts.iter().enumerate().filter_map(first).collect(),
            hosts,
            host_of,
        }
    }

    /// The first receiver that may begin now. `None` when all are done or every host is busy.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it returns depends on `done` between two calls"
    )]
    pub fn next(&mut self) -> Option<usize> {
        let (number, at) = self.ready.pop_first()?;
        let host = &mut self.hosts[at];
        host.waiting.pop_front();
        host.running += 1;
        self.offer(at);
        Some(number)
    }

    /// A receiver that began has ended.
    pub fn done(&mut self, number: usize) {
        let at = self.host_of[number];
        self.hosts[at].running = self.hosts[at].running.saturating_sub(1);
        self.offer(at);
    }

    fn offer(&mut self, at: usize) {
        let host = &self.hosts[at];
        if let Some(&number) = host.waiting.front()
            && host.running < MOST_ON_A_HOST
        {
            self.ready.insert((number, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_receiver_begins_once_and_no_host_is_hammered(
            hosts in proptest::collection::vec(0..5_usize, 0..60),
            parallel in 1..20_usize,
            ends in proptest::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let mut schedule = Schedule::new(hosts.iter().map(ToString::to_string));
            let mut begun = BTreeSet::new();
            let mut running: Vec<usize> = Vec::new();
            let mut ends = ends.into_iter();
            loop {
                while running.len() < parallel {
                    let Some(number) = schedule.next() else { break };
                    prop_assert!(begun.insert(number));
                    running.push(number);
                    for host in 0..5 {
                        let busy = running.iter().filter(|number| hosts[**number] == host);
                        prop_assert!(busy.count() <= MOST_ON_A_HOST);
                    }
                }
                if running.is_empty() {
                    break;
                }
                let at = ends.next().unwrap().index(running.len());
                schedule.done(running.swap_remove(at));
            }
            prop_assert_eq!(begun.len(), hosts.len());
        }
    }

    #[test]
    fn a_busy_host_holds_up_no_other() {
        let names = ["a", "a", "a", "a", "a", "b"].map(str::to_owned);
        let mut schedule = Schedule::new(names);
        let begun: Vec<_> = std::iter::from_fn(|| schedule.next()).collect();
        assert_eq!(begun, [0, 1, 2, 3, 5]);
        schedule.done(2);
        assert_eq!(schedule.next(), Some(4));
        assert_eq!(schedule.next(), None);
    }
}
