//! The order in which an account's credentials are looked for, and what was found.
//!
//! The first provider that is set up serves. One that is set up wrongly ends the search: the next one may be
//! another principal's. What serves is not exchanged for another provider in mid-run.

use super::candidate::{Candidate, Looked, broken};
use super::found::{Found, Origin, PassedOver};
use super::machine::{Machine, Variable};
use super::{
    CredentialCache, CredentialError, NoneServes, environment, ini, metadata, sts, tccli, tsign,
    web_identity,
};
use crate::model::AccountSource;

/// The providers of the default chain. A pod's own identity comes before that of the instance it runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    Environment,
    WebIdentity,
    CredentialsFile,
    Tccli,
    Tsign,
    Pod,
    Instance,
}

impl Provider {
    const ORDER: [Self; 7] = [
        Self::Environment,
        Self::WebIdentity,
        Self::CredentialsFile,
        Self::Tccli,
        Self::Tsign,
        Self::Pod,
        Self::Instance,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::WebIdentity => "web identity",
            Self::CredentialsFile => "credentials file",
            Self::Tccli => "tccli profile",
            Self::Tsign => "tsign",
            Self::Pod => "TKE pod",
            Self::Instance => "CVM role",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Environment => "correct the variables in the environment of this command",
            Self::WebIdentity => {
                "correct the variables of the web identity, as docs/credentials.md has them"
            }
            Self::Pod => "correct the annotation of the pod's service account",
            Self::CredentialsFile => {
                "correct the credentials file: [default], secret_id = ID and secret_key = KEY, each on its own line"
            }
            Self::Tccli => "write the profile with `tccli configure`",
            Self::Tsign => "correct the configuration of tsign, or remove it",
            Self::Instance => "check the role of the instance",
        }
    }

    /// Whether it serves without anyone having set it up for this program.
    const fn is_the_machine_s(self) -> bool {
        match self {
            Self::Pod | Self::Instance => true,
            Self::Environment
            | Self::WebIdentity
            | Self::CredentialsFile
            | Self::Tccli
            | Self::Tsign => false,
        }
    }

    async fn look(self, machine: &Machine) -> Result<Looked, CredentialError> {
        let looked = match self {
            Self::Environment => environment::usual(machine),
            Self::WebIdentity => return web_identity::from_environment(machine),
            Self::CredentialsFile => ini::look(machine),
            Self::Tccli => return tccli::of_chain(machine).await,
            Self::Tsign => tsign::look(machine, tsign::DEFAULT),
            Self::Pod => web_identity::of_pod(machine),
            Self::Instance => return metadata::look(machine).await,
        };
        looked.map_err(|problem| broken(problem, self.advice()))
    }
}

/// Finds an account's credentials and fetches the first.
///
/// # Errors
/// A provider that is set up can't serve, or none is set up: then the message says of each why.
pub async fn find(source: &AccountSource, machine: &Machine) -> Result<Found, CredentialError> {
    let (candidate, passed_over) = candidate(source, machine).await?;
    let Candidate {
        name,
        provider,
        principal,
    } = candidate;
    let cache = CredentialCache::boxed(name.clone(), provider);
    let secret_id = cache.get().await?.secret_id.clone();
    Ok(Found {
        cache,
        secret_id,
        principal,
        origin: Origin {
            provider: name,
            passed_over,
        },
    })
}

async fn candidate(
    source: &AccountSource,
    machine: &Machine,
) -> Result<(Candidate, Vec<PassedOver>), CredentialError> {
    let declared = match source {
        AccountSource::Default {} => return chain(machine).await,
        AccountSource::Env(variables) => environment::named(variables, machine)
            .map_err(|problem| broken(problem, "set them in the environment of this command"))?,
        AccountSource::Profile(profile) => tccli::named(machine, profile).await?,
        AccountSource::Tsign(profile) => {
            let wrong = |problem| {
                broken(
                    problem,
                    "correct the configuration of tsign, or `tsign` of the account",
                )
            };
            match tsign::look(machine, profile).map_err(wrong)? {
                Looked::Serves(candidate) => candidate,
                Looked::NotHere(why) => return Err(wrong(why)),
            }
        }
        AccountSource::WebIdentity(identity) => web_identity::declared(machine, identity),
        AccountSource::AssumeRole(assume) => {
            let (base, passed_over) = Box::pin(candidate(&assume.with, machine)).await?;
            return Ok((
                sts::assumed(machine, base, assume.role.clone()),
                passed_over,
            ));
        }
    };
    Ok((declared, Vec::new()))
}

async fn chain(machine: &Machine) -> Result<(Candidate, Vec<PassedOver>), CredentialError> {
    let mut passed_over = Vec::new();
    for provider in Provider::ORDER {
        match provider.look(machine).await? {
            Looked::NotHere(why) => passed_over.push(PassedOver {
                provider: provider.name().to_owned(),
                why,
            }),
            Looked::Serves(found) => {
                if provider.is_the_machine_s() {
                    not_emptied(machine, &found)?;
                }
                let role = environment::role(machine, provider == Provider::WebIdentity)
                    .map_err(|problem| broken(problem, Provider::Environment.advice()))?;
                let found = match role {
                    Some(role) => sts::assumed(machine, found, role),
                    None => found,
                };
                return Ok((found, passed_over));
            }
        }
    }
    Err(CredentialError::NoneServes(NoneServes {
        asked: passed_over,
        advice: "set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, or set up another provider of docs/credentials.md",
    }))
}

/// Refuses the machine's role where the environment was meant to name other credentials: a CI system sets the
/// variable of a missing secret to nothing.
fn not_emptied(machine: &Machine, found: &Candidate) -> Result<(), CredentialError> {
    let wrong = |problem| broken(problem, Provider::Environment.advice());
    let mut names = Vec::new();
    let named = environment::NAMED
        .into_iter()
        .chain(web_identity::NAMED)
        .chain(tccli::NAMED)
        .chain([tsign::FILE]);
    for name in named {
        if machine.variable(name).map_err(wrong)? == Variable::Empty {
            names.push(name);
        }
    }
    let (what, them) = match names.as_slice() {
        [] => return Ok(()),
        [_] => ("variable", "it"),
        [_, _, ..] => ("variables", "them"),
    };
    let (names, name) = (names.join(", "), &found.name);
    Err(broken(
        format!(
            "set to nothing: the environment {what} {names}; {name} is not used in place of what is missing"
        ),
        format!("set {them} (in CI, check the name of the secret), or unset {them} to use {name}"),
    ))
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod refusal_tests;
#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
