//! Accounts: where credentials come from.

use super::fields::mistyped;
use super::reader::Reader;
use crate::config::code;
use crate::config::name::{is_account_id, listed};
use crate::config::raw::{
    self, ACCOUNT_SOURCES, EnvironmentVariables, Fields, MaybeSecret, Text, Value,
};
use crate::config::yaml::{Span, Spanned};
use crate::diag::Place;
use crate::model::{
    Account, AccountId, AccountName, AccountSource, AssumeRole, CredentialVariables,
};

/// The fields of an account that name a source of credentials, in the order of [`ACCOUNT_SOURCES`].
struct Sources<'t> {
    profile: Option<Spanned<Value<Text<'t>>>>,
    env: Option<Spanned<Value<MaybeSecret<'t, EnvironmentVariables<'t>>>>>,
    tsign: Option<Spanned<Value<Text<'t>>>>,
    web_identity: Option<Spanned<Value<Fields<'t, raw::WebIdentity<'t>>>>>,
}

impl Reader<'_> {
    /// A declared account, `None` when it has an error, and the place of its `formerly`.
    pub(crate) fn account(
        &mut self,
        value: Spanned<Value<Fields<'_, raw::Account<'_>>>>,
    ) -> (Option<Account>, Option<Place>) {
        let Some(value) = self.expect(format_args!("an account"), value) else {
            return (None, None);
        };
        let span = value.span;
        // A misspelt field may be the one that names the source of its credentials.
        let is_complete = value.value.unexpected.is_empty();
        let raw::Account {
            profile,
            env,
            tsign,
            web_identity,
            assume_role,
            formerly,
            expect_account_id,
            region,
            rate,
        } = self.fields("an account", value.value);
        let sources = Sources {
            profile,
            env,
            tsign,
            web_identity,
        };
        let assumes = assume_role.is_some();
        let role = self.assume_role(assume_role);
        let source = self.source(span, sources);
        let source = match (source, role) {
            (Some(with), Some(role)) => Some(AccountSource::AssumeRole(AssumeRole {
                role,
                with: Box::new(with),
            })),
            (_, None) if assumes => None,
            (source, _) => source,
        };
        let formerly = self.text("formerly", formerly).and_then(|formerly| {
            let place = self.place(formerly.span);
            Some((self.name("the name of an account", &formerly)?, place))
        });
        let place = formerly.as_ref().map(|(_, place)| *place);
        let expect_account_id = self.account_id(expect_account_id);
        let region = self.region(region);
        let rate = self.rate(rate);
        let account = source.filter(|_| is_complete).map(|source| Account {
            source,
            formerly: formerly.map(|(name, _)| AccountName::new(name)),
            expect_account_id,
            region,
            rate,
        });
        (account, place)
    }

    fn account_id(&mut self, value: Option<Spanned<Value<Text<'_>>>>) -> Option<AccountId> {
        let Spanned { value, span, .. } = self.text("expect_account_id", value)?;
        if is_account_id(&value) {
            return Some(AccountId::new(value));
        }
        self.error(
            span,
            code::ID,
            "`expect_account_id` must be the number of a Tencent Cloud account: up to 20 digits",
            Some("copy it from the account center of the Tencent Cloud console".to_owned()),
        );
        None
    }

    fn source(&mut self, span: Span, sources: Sources<'_>) -> Option<AccountSource> {
        let Sources {
            profile,
            env,
            tsign,
            web_identity,
        } = sources;
        let given = [
            profile.is_some(),
            env.is_some(),
            tsign.is_some(),
            web_identity.is_some(),
        ];
        let given: Vec<_> = ACCOUNT_SOURCES
            .into_iter()
            .zip(given)
            .filter_map(|(name, given)| given.then_some(name))
            .collect();
        if given.len() > 1 {
            let message = format!("this account has {} sources of credentials", given.len());
            let help = format!("keep only one of {}", listed(&given));
            self.error(span, code::SEVERAL_SOURCES, message, Some(help));
            return None;
        }
        if let Some(env) = env {
            return self.credentials(env).map(AccountSource::Env);
        }
        if let Some(identity) = web_identity {
            return self.web_identity(identity).map(AccountSource::WebIdentity);
        }
        let named = |reader: &mut Self, field, value: Spanned<Value<Text<'_>>>| {
            let profile = reader.text(field, Some(value))?;
            let name = reader.name("the name of a profile", &profile)?;
            Some(name.to_string())
        };
        match (profile, tsign) {
            (Some(profile), _) => named(self, "profile", profile).map(AccountSource::Profile),
            (None, Some(tsign)) => named(self, "tsign", tsign).map(AccountSource::Tsign),
            (None, None) => Some(AccountSource::Default {}),
        }
    }

    /// The variables that hold an account's credentials. After any error all of them are hidden: they may be the
    /// credentials themselves.
    fn credentials(
        &mut self,
        value: Spanned<Value<MaybeSecret<'_, EnvironmentVariables<'_>>>>,
    ) -> Option<CredentialVariables> {
        let Spanned { value, span, bytes } = self.field("env", Some(value))?;
        let fields = match value {
            MaybeSecret::Mapping(fields) => *fields,
            MaybeSecret::Other(other) => {
                for bytes in other.scalars(bytes) {
                    self.hide(bytes);
                }
                self.error(
                    span,
                    code::WRONG_TYPE,
                    "`env` of an account must be a mapping of variable names",
                    Some("write `env: { secret_id: ACME_ID, secret_key: ACME_KEY }`".to_owned()),
                );
                return None;
            }
        };
        let is_complete = fields.unexpected.is_empty();
        let mistyped = ["secret_id", "secret_key"].map(|key| mistyped(&fields.unexpected, key));
        let variables = self.fields("`env` of an account", fields);
        let all_bytes = [
            &variables.secret_id,
            &variables.secret_key,
            &variables.token,
        ]
        .map(|value| value.as_ref().map(|value| value.bytes));
        let credentials = self.variables(variables, span, mistyped);
        if credentials.is_none() || !is_complete {
            for bytes in all_bytes.into_iter().flatten() {
                self.hide(bytes);
            }
        }
        credentials
    }

    fn variables(
        &mut self,
        variables: EnvironmentVariables<'_>,
        span: Span,
        [no_id, no_key]: [bool; 2],
    ) -> Option<CredentialVariables> {
        let EnvironmentVariables {
            secret_id,
            secret_key,
            token,
        } = variables;
        for (name, missing) in [
            ("secret_id", secret_id.is_none() && !no_id),
            ("secret_key", secret_key.is_none() && !no_key),
        ] {
            if missing {
                let message = format!("missing field `{name}` in `env` of an account");
                self.error(span, code::MISSING_KEY, message, None);
            }
        }
        let has_token = token.is_some();
        let secret_id = self.variable("secret_id", secret_id);
        let secret_key = self.variable("secret_key", secret_key);
        let token = self.variable("token", token);
        if let Some(id) = &secret_id
            && looks_like_secret_id(&id.value)
        {
            let help = "put the credentials into environment variables, and write the names of the variables here";
            self.error(
                id.span,
                code::CREDENTIAL_LITERAL,
                "this looks like a SecretId, not like the name of a variable that contains one",
                Some(help.to_owned()),
            );
            return None;
        }
        if has_token && token.is_none() {
            return None;
        }
        Some(CredentialVariables {
            secret_id: secret_id?.value.into_owned(),
            secret_key: secret_key?.value.into_owned(),
            token: token.map(|token| token.value.into_owned()),
        })
    }
}

/// Whether this is a `SecretId` of Tencent Cloud rather than the name of a variable.
fn looks_like_secret_id(text: &str) -> bool {
    text.starts_with("AKID") && text.len() > 20 && !text.contains('_')
}
