//! Where calls go: the environment, the destination, and the accounts.

use super::escape::Clean;
use super::words::plural;
use crate::model::{Destination, Environment, Recorded};
use crate::plan::Plan;

/// The most accounts that are named.
const NAMED_ACCOUNTS: usize = 5;

/// `production (ess.tencentcloudapi.com)`, `test (sandbox)`
pub(super) fn of(environment: Environment, destination: &Destination) -> String {
    match destination {
        Destination::Esign => format!("{environment} ({})", environment.host()),
        Destination::Sandbox => format!("{environment} (sandbox)"),
        Destination::Endpoint(url) if destination.is_rehearsal() => {
            format!("{environment} (sandbox at {})", Clean(url))
        }
        Destination::Endpoint(url) => format!("{environment} ({})", Clean(url)),
    }
}

/// Where the calls of a state went.
pub(crate) fn of_state(recorded: &Recorded) -> String {
    let destination = recorded.destination.as_ref();
    destination.map_or_else(
        || recorded.environment.to_string(),
        |destination| of(recorded.environment, destination),
    )
}

/// `Environment: production (ess.tencentcloudapi.com), accounts: default, partner`
pub(super) fn of_plan(plan: &Plan) -> String {
    let place = of(plan.environment, &plan.destination);
    let count = plan.accounts.len();
    if count == 0 {
        return format!("Environment: {place}");
    }
    let named = plan.accounts.keys().take(NAMED_ACCOUNTS);
    let named: Vec<_> = named.map(|name| Clean(name).to_string()).collect();
    let others = match count - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "Environment: {place}, {}: {}{others}",
        plural(count, "account", "accounts"),
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::model::{Account, AccountName, AccountSource};
    use crate::render::fixtures::plan;

    #[rstest]
    #[case("esign", "production (ess.tencentcloudapi.com)")]
    #[case("sandbox", "production (sandbox)")]
    #[case(
        "http://127.0.0.1:8901/",
        "production (sandbox at http://127.0.0.1:8901/)"
    )]
    #[case("https://esign.example/", "production (https://esign.example/)")]
    fn the_destination_is_named(#[case] destination: &str, #[case] text: &str) {
        let destination = Destination::from(destination.to_owned());
        assert_eq!(of(Environment::Production, &destination), text);
    }

    #[rstest]
    #[case(0, "Environment: production (ess.tencentcloudapi.com)")]
    #[case(1, "Environment: production (ess.tencentcloudapi.com), account: a0")]
    #[case(
        2,
        "Environment: production (ess.tencentcloudapi.com), accounts: a0, a1"
    )]
    #[case(
        7,
        "Environment: production (ess.tencentcloudapi.com), accounts: a0, a1, a2, a3, a4 and 2 more"
    )]
    fn accounts_are_named_as_far_as_a_line_goes(#[case] count: usize, #[case] text: &str) {
        let mut plan = plan(Vec::new());
        plan.accounts = (0..count)
            .map(|n| {
                let name = AccountName::new(format!("a{n}"));
                (name, Account::of(AccountSource::Default {}))
            })
            .collect();
        assert_eq!(of_plan(&plan), text);
    }
}
