//! Finds the credentials of the accounts that the calls of a plan need.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::cli::doubles::{STS, double};
use crate::cli::environment::ProcessEnvironment;
use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::client::credentials::{self, Found, Machine};
use crate::client::{CredentialError, Endpoint};
use crate::model::{Account, AccountName, Environment};

/// The credentials of each account.
pub(crate) type AllFound = BTreeMap<AccountName, Found>;

/// Where the credentials of calls to this environment are looked for.
pub(crate) fn machine(
    environment: Environment,
    variables: &ProcessEnvironment,
    locations: &Locations,
) -> Result<Machine, Failure> {
    locations.machine(environment, sts(environment, variables, locations)?)
}

/// The security token service: that of tests, else the server of `--endpoint`, else Tencent Cloud's.
pub(super) fn sts(
    environment: Environment,
    variables: &ProcessEnvironment,
    locations: &Locations,
) -> Result<Endpoint, Failure> {
    if let Some(double) = double(variables, STS)? {
        return Ok(double);
    }
    let endpoint = locations.endpoint.clone();
    let other = endpoint.filter(|endpoint| *endpoint != Endpoint::of(environment));
    Ok(other.unwrap_or_else(Endpoint::sts))
}

/// The credentials of each account, the first of which are fetched. The error has the problems of all accounts.
pub(crate) async fn find(
    accounts: &BTreeMap<AccountName, Account>,
    machine: &Machine,
    locations: &Locations,
) -> Result<AllFound, Failure> {
    let mut all = AllFound::new();
    let mut problems = Vec::new();
    for (name, found) in each(accounts, machine).await {
        match found {
            Ok(found) => {
                tracing::debug!(account = %name, provider = %found.origin.provider, "credentials");
                all.insert(name.clone(), found);
            }
            Err(error) => problems.push((name, error)),
        }
    }
    if problems.is_empty() {
        return distinct(&all).map(|()| all);
    }
    Err(unusable(&problems, locations))
}

/// What came of looking for the credentials of each account.
pub(super) async fn each<'a>(
    accounts: &'a BTreeMap<AccountName, Account>,
    machine: &Machine,
) -> Vec<(&'a AccountName, Result<Found, CredentialError>)> {
    let looked = accounts.iter().map(|(name, account)| async move {
        (name, credentials::find(&account.source, machine).await)
    });
    join_all(looked).await
}

fn unusable(problems: &[(&AccountName, CredentialError)], locations: &Locations) -> Failure {
    let mut messages = Vec::new();
    let mut lines = vec!["invalid or missing credentials".to_owned()];
    let mut advice = Vec::new();
    for (name, error) in problems {
        messages.push(format!("account `{name}`: {error}"));
        let (headline, reasons) = error.lines();
        lines.push(format!("account `{name}`: {headline}"));
        lines.extend(reasons.iter().map(|reason| format!("  {reason}")));
        let next = sentence(&error.advice());
        if !advice.contains(&next) {
            advice.push(next);
        }
    }
    let message = format!("invalid or missing credentials: {}", messages.join("; "));
    if locations.are_default() {
        advice.push("`--sandbox` needs none.".to_owned());
    }
    let advice = advice.join(" ");
    // One account's belongs to the headline.
    if problems.len() == 1 {
        lines.splice(..2, [format!("{}: {}", lines[0], lines[1])]);
    }
    Failure::error(message).lines(lines).advice(format!(
        "{advice} Production and test have different ones: the Tencent Cloud console shows those of production under access \
         management (CAM), and the console of the test environment its own."
    ))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// Refuses two accounts with one principal, which would add and delete the same callbacks.
fn distinct(all: &AllFound) -> Result<(), Failure> {
    let mut before = AllFound::new();
    for (name, found) in all {
        if let Some((other, what)) = twin(found, &before) {
            let message = format!(
                "the accounts `{other}` and `{name}` have the same {what}, so they are one account to eSign, and a \
                 callback deleted for one would be deleted for the other; nothing was called"
            );
            return Err(Failure::error(message).advice(
                "Use one account for both, or correct the credentials of one. If one is the new name of the other, write \
                 the old name under `formerly:` of the new one.",
            ));
        }
        before.insert(name.clone(), found.clone());
    }
    Ok(())
}

/// The account that has these credentials too, and what they share.
pub(super) fn twin<'a>(
    found: &Found,
    others: &'a AllFound,
) -> Option<(&'a AccountName, &'static str)> {
    let same_id = |other: &Found| other.secret_id == found.secret_id;
    let same = |other: &Found| same_id(other) || other.principal == found.principal;
    let (name, other) = others.iter().find(|(_, other)| same(other))?;
    let what = if same_id(other) {
        "SecretId"
    } else {
        "role or login"
    };
    Some((name, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::CredentialCache;
    use crate::client::credentials::{Origin, Principal};
    use crate::secret::Secret;
    use crate::sign::Credential;

    fn found(secret_id: &str, principal: Principal) -> Found {
        let credential = Credential {
            secret_id: secret_id.to_owned(),
            secret_key: Secret::new("key"),
            token: None,
        };
        Found {
            cache: CredentialCache::fixed(credential).unwrap(),
            secret_id: secret_id.to_owned(),
            principal,
            origin: Origin {
                provider: String::new(),
                passed_over: Vec::new(),
            },
        }
    }

    #[tokio::test]
    async fn two_accounts_of_one_principal_are_one() {
        let role = |id: &str, role: &str| found(id, Principal::Session(format!("role {role}")));
        let same = |one, other| {
            let accounts = [("a", one), ("b", other)];
            let accounts = accounts.map(|(name, found)| (AccountName::new(name), found));
            distinct(&accounts.into()).is_err()
        };
        // The SecretId of temporary credentials is new with each fetch.
        assert!(same(role("AKID1", "x"), role("AKID2", "x")));
        assert!(!same(role("AKID1", "x"), role("AKID2", "y")));
        assert!(same(
            found("AKID", Principal::SecretId("AKID".to_owned())),
            found("AKID", Principal::Unknown("AKID".to_owned()))
        ));
    }

    #[test]
    fn an_environment_prints_no_values() {
        let environment = ProcessEnvironment::of(&[("TENCENTCLOUD_SECRET_KEY", "canary")]);
        let shown = format!("{environment:?}");
        assert_eq!(shown, r#"["TENCENTCLOUD_SECRET_KEY"]"#);
    }

    #[test]
    fn services_of_tests_are_on_this_machine() {
        for bad in ["https://sts.example/", "http://10.0.0.1/", "x"] {
            let environment = ProcessEnvironment::of(&[(STS, bad)]);
            assert!(double(&environment, STS).is_err(), "{bad}");
        }
        let environment = ProcessEnvironment::of(&[(STS, "http://127.0.0.1:1/")]);
        assert!(double(&environment, STS).unwrap().is_some());
        assert_eq!(double(&ProcessEnvironment::of(&[]), STS).unwrap(), None);
    }
}
