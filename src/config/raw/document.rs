//! The mappings of callbacks.yaml. The doc comments are the descriptions in callbacks.schema.json.

use std::borrow::Cow;

use schemars::JsonSchema;

use super::fields::{Fields, MaybeSecret, Record};
use super::value::{Entries, Flag, FromYaml, List, Number, Text, Value, Verbatim};
use crate::config::yaml::{Spanned, Tokens, YamlError};
use crate::config::{name, role, secret, url};

/// The fields of an account that name a source of credentials. At most one may be set.
pub(crate) const ACCOUNT_SOURCES: [&str; 4] = ["profile", "env", "tsign", "web_identity"];

/// Defines a mapping with its fields, and implements [`Record`].
macro_rules! record {
    ($(#[$meta:meta])* $name:ident, ignoring $prefix:literal {$($fields:tt)*}) => {
        record!(@ $(#[$meta])* $name, Some($prefix), {$($fields)*});
    };
    ($(#[$meta:meta])* $name:ident {$($fields:tt)*}) => {
        record!(@ $(#[$meta])* $name, None, {$($fields)*});
    };
    (@ $(#[$meta:meta])* $name:ident, $ignored:expr, { $($(#[$field_meta:meta])* $field:ident: $shape:ty,)* }) => {
        #[derive(Clone, Debug, Default, JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        pub(crate) struct $name<'t> {
            $($(#[$field_meta])* pub(crate) $field: Option<Spanned<Value<$shape>>>,)*
        }

        impl<'t> Record<'t> for $name<'t> {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
            const IGNORED_PREFIX: Option<&'static str> = $ignored;

            fn read(&mut self, index: usize, tokens: &mut Tokens<'t>) -> Result<(), Box<YamlError>> {
                $(if Self::NAMES[index] == stringify!($field) {
                    self.$field = Some(Spanned::read(tokens)?);
                    return Ok(());
                })*
                Ok(())
            }
        }
    };
}

record! {
    /// The callback URLs of each organization in Tencent eSign.
    #[schemars(extend("required" = ["version", "environment", "organizations"]))]
    #[schemars(extend("patternProperties" = { "^x-": true }))]
    Document, ignoring "x-" {
        /// The version of this format.
        #[schemars(extend("const" = 1))]
        version: Number,
        /// The environment of eSign. It selects the API host and is recorded in the state; the two
        /// environments are never mixed.
        #[schemars(extend("enum" = ["production", "test"]))]
        environment: Text<'t>,
        /// Variables by name. `${name}` in a string is replaced by the value of `name`; --var and
        /// `ESS_CALLBACKS_VAR_<NAME>` override it.
        #[schemars(extend("propertyNames" = { "pattern": name::VARIABLE_PATTERN }))]
        vars: Entries<'t, Verbatim<'t>>,
        /// Defaults for every organization.
        defaults: Fields<'t, Defaults<'t>>,
        /// Sets of credentials by name. The account `default` always exists.
        #[schemars(extend("propertyNames" = name::schema()))]
        accounts: Entries<'t, Fields<'t, Account<'t>>>,
        /// The organizations by handle. A handle is a name in this file; it is not part of a
        /// callback's identity.
        #[schemars(extend("propertyNames" = name::schema()))]
        organizations: Entries<'t, Fields<'t, Organization<'t>>>,
    }
}

record! {
    /// Defaults for every organization.
    Defaults {
        /// The eSign `UserId` of the employee in whose name the calls are made.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        operator: Text<'t>,
        /// What to do with a URL that is not in the state: `keep` adds it and keeps a key and token that
        /// exist already; `replace` deletes it first, so that its key and token are known.
        #[schemars(extend("enum" = ["keep", "replace"]))]
        adoption: Text<'t>,
        /// Callbacks of every organization, in addition to its own. A callback of the organization
        /// replaces one with the same URL here.
        callbacks: List<Callback<'t>>,
        /// Warnings to accept everywhere: the code of each, with the reason.
        #[schemars(extend("propertyNames" = { "pattern": "^W[0-9]{3}$" }))]
        accept: Entries<'t, Text<'t>>,
    }
}

record! {
    /// A set of credentials. Without `profile`, `env`, `tsign` and `web_identity`, the default chain is used.
    #[schemars(extend("not" = name::at_most_one_of(&ACCOUNT_SOURCES)))]
    Account {
        /// A named profile of Tencent Cloud's tools.
        #[schemars(extend("pattern" = name::PATTERN))]
        profile: Text<'t>,
        /// Environment variables by name.
        env: MaybeSecret<'t, EnvironmentVariables<'t>>,
        /// A profile of `~/.tsign/config.yaml`; `default` is the file's own credentials.
        #[schemars(extend("pattern" = name::PATTERN))]
        tsign: Text<'t>,
        /// A role, for whoever has the token of an identity provider.
        web_identity: Fields<'t, WebIdentity<'t>>,
        /// A role to assume with the credentials of this account.
        assume_role: Fields<'t, AssumeRole<'t>>,
        /// The former name of this account. Its record moves to this account; renaming makes no
        /// calls.
        #[schemars(extend("pattern" = name::PATTERN))]
        formerly: Text<'t>,
        /// The number of the Tencent Cloud account that the credentials must belong to. It is
        /// checked before the first call.
        #[schemars(extend("pattern" = name::ACCOUNT_ID_PATTERN))]
        expect_account_id: Text<'t>,
        /// The region of the account's calls (`X-TC-Region`), like `ap-guangzhou`. By default none is sent.
        #[schemars(extend("pattern" = role::REGION_PATTERN))]
        region: Text<'t>,
        /// The most calls a second, from 1 to 20. Give each configuration a part of the 20 when several use the
        /// same credentials and do not share a state.
        #[schemars(extend("minimum" = 1, "maximum" = role::FASTEST, "multipleOf" = 1))]
        rate: Number,
    }
}

record! {
    /// A role of CAM to assume.
    #[schemars(extend("required" = ["role_arn"]))]
    AssumeRole {
        /// The role: `qcs::cam::uin/NUMBER:roleName/NAME`.
        #[schemars(extend("pattern" = role::ARN_PATTERN))]
        role_arn: Text<'t>,
        /// The name of the session in the logs of Tencent Cloud. The default is `ess-callbacks`.
        #[schemars(extend("pattern" = role::SESSION_PATTERN))]
        session_name: Text<'t>,
        /// How long the credentials are valid, in seconds. The default is 7200.
        #[schemars(extend("minimum" = 1, "maximum" = role::LONGEST, "multipleOf" = 1))]
        duration: Number,
        /// The external ID that the role's owner asks for.
        #[schemars(extend("pattern" = role::EXTERNAL_ID_PATTERN))]
        external_id: Text<'t>,
    }
}

record! {
    /// A role to assume with the token of an identity provider.
    #[schemars(extend("required" = ["provider_id", "role_arn", "token"]))]
    WebIdentity {
        /// The name of the identity provider in CAM.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        provider_id: Text<'t>,
        /// The role: `qcs::cam::uin/NUMBER:roleName/NAME`.
        #[schemars(extend("pattern" = role::ARN_PATTERN))]
        role_arn: Text<'t>,
        /// The name of the session in the logs of Tencent Cloud. The default is `ess-callbacks`.
        #[schemars(extend("pattern" = role::SESSION_PATTERN))]
        session_name: Text<'t>,
        /// How long the credentials are valid, in seconds. The default is 7200.
        #[schemars(extend("minimum" = 1, "maximum" = role::LONGEST, "multipleOf" = 1))]
        duration: Number,
        /// Where the token comes from.
        token: MaybeSecret<'t, IdentityToken<'t>>,
    }
}

record! {
    /// The source of an identity provider's token: exactly one of these.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    IdentityToken {
        /// The name of the environment variable with the token.
        #[schemars(extend("pattern" = name::VARIABLE_PATTERN, "not" = secret::no_identity_token_schema()))]
        env: Text<'t>,
        /// The file with the token, relative to this file's folder. It is read again at each renewal.
        #[schemars(extend("minLength" = 1))]
        file: Text<'t>,
        /// GitHub Actions. It is asked for a token at each renewal.
        github: Fields<'t, Github<'t>>,
    }
}

record! {
    /// The token of GitHub Actions.
    Github {
        /// Whom the token is for: the client ID of the identity provider in CAM. The default is
        /// `sts.tencentcloudapi.com`.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        audience: Text<'t>,
    }
}

record! {
    /// Names of environment variables that contain a set of credentials.
    #[schemars(extend("required" = ["secret_id", "secret_key"]))]
    EnvironmentVariables {
        /// The variable with the `SecretId`.
        #[schemars(extend("pattern" = name::VARIABLE_PATTERN))]
        secret_id: Text<'t>,
        /// The variable with the `SecretKey`.
        #[schemars(extend("pattern" = name::VARIABLE_PATTERN))]
        secret_key: Text<'t>,
        /// The variable with the session token of temporary credentials.
        #[schemars(extend("pattern" = name::VARIABLE_PATTERN))]
        token: Text<'t>,
    }
}

record! {
    /// One organization's callbacks.
    Organization {
        /// The member organization of a group to act for. The default is the account's own organization.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        proxy_organization_id: Text<'t>,
        /// The eSign `UserId` of the employee in whose name the calls are made. Overrides the
        /// default.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        operator: Text<'t>,
        /// A name under `accounts`. The default is `default`.
        #[schemars(extend("pattern" = name::PATTERN))]
        account: Text<'t>,
        /// The application (`Agent.AppId`).
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        app_id: Text<'t>,
        /// What to do with a URL that is not in the state. Overrides the default.
        #[schemars(extend("enum" = ["keep", "replace"]))]
        adoption: Text<'t>,
        /// Make no calls for this organization.
        suspend: Flag,
        /// Whether it gets the callbacks under `defaults`. The default is `true`.
        inherit: Flag,
        /// The callbacks of the organization. In each, `{handle}` and `{proxy_organization_id}` are
        /// replaced by those of the organization.
        callbacks: List<Callback<'t>>,
        /// URLs that must not exist. They are deleted if they do.
        #[schemars(extend("uniqueItems" = true, "items" = url::schema()))]
        absent: List<Text<'t>>,
        /// Warnings to accept for this organization: the code of each, with the reason.
        #[schemars(extend("propertyNames" = { "pattern": "^W[0-9]{3}$" }))]
        accept: Entries<'t, Text<'t>>,
    }
}

record! {
    /// A callback with more than its URL.
    #[schemars(extend("required" = ["url"]))]
    CallbackFields {
        /// The URL that eSign POSTs to.
        #[schemars(extend("pattern" = url::schema_pattern(), "maxLength" = url::MAX_LENGTH))]
        url: Text<'t>,
        /// The `CallbackKey`, which encrypts the messages: exactly 32 bytes.
        key: MaybeSecret<'t, Reference<'t>>,
        /// The `CallbackToken`, which signs the messages.
        token: MaybeSecret<'t, Reference<'t>>,
        /// `false`: make no calls for this callback, as `suspend` does for an organization.
        enabled: Flag,
        /// Never delete it because the file no longer declares it.
        protect: Flag,
        /// A note for readers of this file. It is not sent to eSign.
        description: Text<'t>,
        /// Warnings to accept for this callback: the code of each, with the reason.
        #[schemars(extend("propertyNames" = { "pattern": "^W[0-9]{3}$" }))]
        accept: Entries<'t, Text<'t>>,
    }
}

record! {
    /// The source of a secret's value: exactly one of these.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    Reference {
        /// The value of an environment variable.
        #[schemars(extend("pattern" = secret::variable_or_template_pattern(), "not" = secret::reserved_schema()))]
        env: Text<'t>,
        /// The contents of a file, relative to this file's folder; one trailing newline is dropped.
        #[schemars(extend("minLength" = 1))]
        file: Text<'t>,
        /// What a command prints; one trailing newline is dropped. Runs only with --allow-commands.
        #[schemars(extend("minItems" = 1, "items" = secret::command_schema(), "additionalItems" = { "type": "string" }))]
        command: List<Text<'t>>,
    }
}

/// A callback: its URL alone, or a mapping.
#[derive(Clone, Debug)]
pub(crate) enum Callback<'t> {
    Short(Text<'t>),
    /// Boxed, because it is moved often.
    Full(Box<Fields<'t, CallbackFields<'t>>>),
}

impl<'t> FromYaml<'t> for Callback<'t> {
    const EXPECTED: &'static str = "a URL or a mapping with `url`";
    const EXPANDS: bool = true;

    fn is_wrong(&self) -> bool {
        match self {
            Self::Short(_) => false,
            Self::Full(fields) => fields.record.url.is_none(),
        }
    }

    fn text(text: Cow<'t, str>) -> Option<Self> {
        Some(Self::Short(Text(text)))
    }

    fn mapping(tokens: &mut Tokens<'t>) -> Result<Value<Self>, Box<YamlError>> {
        Ok(Value::Valid(Self::Full(Box::new(Fields::read(tokens)?))))
    }
}
