//! Whether an account has credentials, where they come from, and whose they are.

use super::{Finding, sentence, told};
use crate::model::{AccountId, AccountName, ReadError, ReadFailure};

/// Where the credentials of an account were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// In a few words, such as `the profile partner`.
    pub provider: String,
    /// The providers that come before it, in their order.
    pub passed_over: Vec<PassedOver>,
}

/// A provider that gave no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    pub provider: String,
    /// Never holds a secret.
    pub why: String,
}

/// What came of looking for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Found(Origin),
    /// None can be used.
    Missing {
        why: String,
        /// The same in lines.
        lines: Vec<String>,
        advice: String,
    },
    /// They are those of another account, which is one with it for eSign; and what the two share.
    SameAs(AccountName, &'static str),
}

/// Whether there are credentials.
pub fn credentials(lookup: &Lookup) -> Finding {
    match lookup {
        Lookup::Found(Origin {
            provider,
            passed_over,
        }) => Finding::ok(format!("from {provider}{}", before(passed_over))),
        Lookup::Missing { why, lines, advice } => Finding {
            lines: lines.clone(),
            ..Finding::failed(why, sentence(advice))
        },
        Lookup::SameAs(other, what) => Finding::failed(
            format!(
                "the account `{other}` has the same {what}, so the two are one account to eSign"
            ),
            "Use one account for both, or correct the credentials of one. If one is the new name of the other, write the \
             old name under `formerly:` of the new one.",
        ),
    }
}

fn before(passed_over: &[PassedOver]) -> String {
    if passed_over.is_empty() {
        return String::new();
    }
    let each = passed_over
        .iter()
        .map(|PassedOver { provider, why }| format!("{provider}: {why}"));
    format!("; before it: {}", each.collect::<Vec<_>>().join("; "))
}

/// Whose credentials these are.
#[derive(Clone, Debug)]
pub enum Identity {
    /// `GetCallerIdentity`'s answer.
    Asked(Result<AccountId, ReadError>),
    /// Only production's credentials can be asked about.
    NotAsked(&'static str),
}

/// Whether the credentials belong to the right Tencent Cloud account. `recorded` is the one that the recorded
/// callbacks were made with; `other` an account of the configuration that has the same one.
pub fn account(
    identity: &Identity,
    expected: Option<&AccountId>,
    recorded: Option<&AccountId>,
    other: Option<&AccountName>,
) -> Finding {
    let answer = match identity {
        Identity::NotAsked(why) => return Finding::skipped(*why),
        Identity::Asked(answer) => answer,
    };
    let id = match answer {
        Ok(id) => id,
        Err(ReadError { kind, error }) => {
            let reason = told(error);
            let remedy = sentence(&error.advice);
            // With other credentials than the last apply's, apply is refused then.
            let bad = *kind == ReadFailure::Credentials || expected.is_some() || recorded.is_some();
            return if bad {
                Finding::failed(reason, remedy)
            } else {
                Finding::warning(format!("the account can't be asked for: {reason}"), remedy)
            };
        }
    };
    if let Some(expected) = expected.filter(|expected| *expected != id) {
        return Finding::failed(
            format!(
                "they belong to the Tencent Cloud account {id}, but `expect_account_id` says {expected}"
            ),
            "Use the credentials of that account, or correct `expect_account_id`.",
        );
    }
    if let Some(recorded) = recorded.filter(|recorded| *recorded != id) {
        return Finding::failed(
            format!(
                "they belong to the Tencent Cloud account {id}, but the callbacks were recorded with {recorded}, which is \
                 another enterprise"
            ),
            format!("Use credentials of {recorded}, or declare {id} as a separate account."),
        );
    }
    if let Some(other) = other {
        return Finding::failed(
            format!(
                "the account `{other}` belongs to the same Tencent Cloud account, {id}, so the two are one account to eSign"
            ),
            "Use one account for both, or correct the credentials of one.",
        );
    }
    Finding::ok(format!("they belong to the Tencent Cloud account {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{CheckResult, fixtures::error};

    #[test]
    fn a_provider_is_named_with_those_before_it() {
        let passed_over = vec![PassedOver {
            provider: "environment".to_owned(),
            why: "TENCENTCLOUD_SECRET_ID is not set".to_owned(),
        }];
        let found = credentials(&Lookup::Found(Origin {
            provider: "the CVM role `ci`".to_owned(),
            passed_over,
        }));
        insta::assert_snapshot!(found.reason, @"from the CVM role `ci`; before it: environment: TENCENTCLOUD_SECRET_ID is not set");
        let missing = credentials(&Lookup::Missing {
            why: "there are none".to_owned(),
            lines: Vec::new(),
            advice: "set them".to_owned(),
        });
        assert_eq!(missing.result, CheckResult::Failed);
        assert_eq!(missing.remedy.as_deref(), Some("Set them."));
    }

    #[test]
    fn another_account_than_the_expected_or_recorded_one_fails() {
        let id = |text: &str| AccountId::new(text);
        let (one, two) = (id("100"), id("200"));
        let asked = Identity::Asked(Ok(one.clone()));
        let (same, other) = (Some(&one), Some(&two));
        let twin = AccountName::new("twin");
        for (expected, recorded, twin, result) in [
            (None, None, None, CheckResult::Ok),
            (same, same, None, CheckResult::Ok),
            (other, None, None, CheckResult::Failed),
            (None, other, None, CheckResult::Failed),
            (None, None, Some(&twin), CheckResult::Failed),
        ] {
            assert_eq!(account(&asked, expected, recorded, twin).result, result);
        }
    }

    #[test]
    fn an_unknown_account_fails_only_when_one_is_expected_or_recorded_or_the_key_is_bad() {
        let id = AccountId::new("100");
        for (kind, expected, recorded, result) in [
            (ReadFailure::NoAnswer, None, None, CheckResult::Warning),
            (ReadFailure::NoAnswer, Some(&id), None, CheckResult::Failed),
            (ReadFailure::NoAnswer, None, Some(&id), CheckResult::Failed),
            (ReadFailure::Busy, None, None, CheckResult::Warning),
            (ReadFailure::Credentials, None, None, CheckResult::Failed),
        ] {
            let identity = Identity::Asked(Err(ReadError {
                kind,
                error: error(Some("X"), "y"),
            }));
            assert_eq!(account(&identity, expected, recorded, None).result, result);
        }
    }
}
