//! The names of targets: the service, with a number if it is not the first target of it, like `wecom 2`.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "names follow from the targets"
)]

use std::collections::BTreeMap;

use super::service::Service;
use super::target::Target;

/// The name of each target, in the order of the command line.
pub(super) fn names(targets: &[Target]) -> Vec<String> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let name = |target: &Target| name(target.service(), &mut counts);
    targets.iter().map(name).collect()
}

fn name(service: Service, counts: &mut BTreeMap<&'static str, usize>) -> String {
    let count = counts.entry(service.id()).or_default();
    *count += 1;
    match *count {
        1 => service.to_string(),
        count => format!("{service} {count}"),
    }
}

/// The names of two targets of one service that have the same URL: each message would come twice.
pub fn with_the_same_url(targets: &[Target]) -> Option<(String, String)> {
    let names = names(targets);
    let all: Vec<_> = targets.iter().zip(names).collect();
    all.iter().enumerate().find_map(|(number, (one, name))| {
        let mut others = all.iter().skip(number + 1);
        let (_, other) = others.find(|(other, _)| one.has_url_of(other))?;
        Some((name.clone(), other.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::{WHSEC, target};

    #[test]
    fn the_second_of_a_service_has_a_number_and_its_own_url() {
        let hook = |host: &str| target(Service::Webhook, host, Some(WHSEC));
        let wecom = |host: &str| target(Service::Wecom, host, None);
        let mut targets = vec![
            wecom("https://a.example"),
            hook("https://a.example"),
            wecom("https://b.example"),
            hook("https://b.example"),
        ];
        assert_eq!(
            names(&targets),
            ["wecom", "webhook", "wecom 2", "webhook 2"]
        );
        assert_eq!(with_the_same_url(&targets), None);
        targets.push(wecom("https://B.example:443"));
        let both = ("wecom 2".to_owned(), "wecom 3".to_owned());
        assert_eq!(with_the_same_url(&targets), Some(both));
    }
}
