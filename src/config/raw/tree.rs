//! The mappings of callbacks.yaml and their keys. Their doc comments are the descriptions in
//! callbacks.schema.json.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::de::MapAccess;

use super::hidden::{Anything, Secretive};
use super::shape::{Entries, Fields, Flag, Integer, List, Loose, Record, Shape, Text};
use crate::config::source::At;
use crate::config::{name, secret, url};

/// Defines a mapping: its fields, the list of its keys, and how each is read.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $shape:ty,)* }) => {
        #[derive(Clone, Debug, Default, JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        pub(in crate::config) struct $name<'de> {
            $($(#[$field_meta])* pub(in crate::config) $field: Option<At<Loose<$shape>>>,)*
        }

        impl<'de> Record<'de> for $name<'de> {
            const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read<A: MapAccess<'de>>(
                &mut self,
                index: usize,
                entries: &mut A,
            ) -> Result<(), A::Error> {
                $(if Self::KEYS[index] == stringify!($field) {
                    self.$field = Some(entries.next_value()?);
                    return Ok(());
                })*
                Ok(())
            }
        }
    };
}

record! {
    /// Which callback URLs each organization shall have in Tencent eSign.
    #[schemars(extend("required" = ["version", "environment", "organizations"]))]
    Document {
        /// The version of this format.
        #[schemars(extend("const" = 1))]
        version: Integer,
        /// Which of eSign's two isolated worlds this is about. It chooses the host and is recorded
        /// in the state; the two are never mixed.
        #[schemars(extend("enum" = ["production", "test"]))]
        environment: Text<'de>,
        /// What holds for every organization that does not say otherwise.
        defaults: Fields<'de, Defaults<'de>>,
        /// Sets of credentials by name. The account `default` exists without being declared.
        #[schemars(extend("propertyNames" = name::schema()))]
        accounts: Entries<'de, Fields<'de, Account<'de>>>,
        /// The organizations by handle. A handle is for people; it is not part of a callback's
        /// identity.
        #[schemars(extend("propertyNames" = name::schema()))]
        organizations: Entries<'de, Fields<'de, Organization<'de>>>,
    }
}

record! {
    /// What holds for every organization that does not say otherwise.
    Defaults {
        /// The eSign `UserId` of the employee in whose name the calls are made.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        operator: Text<'de>,
        /// What to do at first contact with a URL: `keep` adds it and leaves a key and token that
        /// are there already; `replace` deletes it first and is then sure of them.
        #[schemars(extend("enum" = ["keep", "replace"]))]
        adoption: Text<'de>,
    }
}

record! {
    /// Where an account's credentials come from. Without a key: the default chain.
    #[schemars(extend("maxProperties" = 1))]
    Account {
        /// A named profile of the vendor's tools.
        #[schemars(extend("pattern" = name::PATTERN))]
        profile: Text<'de>,
        /// Environment variables by name.
        env: Secretive<'de, EnvironmentVariables<'de>>,
        #[schemars(skip)]
        assume_role: Anything,
    }
}

record! {
    /// Names of environment variables that hold a set of credentials.
    #[schemars(extend("required" = ["secret_id", "secret_key"]))]
    EnvironmentVariables {
        /// The variable with the SecretId.
        #[schemars(extend("pattern" = secret::VARIABLE_PATTERN))]
        secret_id: Text<'de>,
        /// The variable with the SecretKey.
        #[schemars(extend("pattern" = secret::VARIABLE_PATTERN))]
        secret_key: Text<'de>,
        /// The variable with the session token of temporary credentials.
        #[schemars(extend("pattern" = secret::VARIABLE_PATTERN))]
        token: Text<'de>,
    }
}

record! {
    /// One organization's callbacks.
    Organization {
        /// The member organization of a group to act for. Without it: the account's own organization.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        proxy_organization_id: Text<'de>,
        /// The eSign `UserId` of the employee in whose name the calls are made. Overrides the
        /// default.
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        operator: Text<'de>,
        /// A name under `accounts`. Without it: `default`.
        #[schemars(extend("pattern" = name::PATTERN))]
        account: Text<'de>,
        /// The application (`Agent.AppId`).
        #[schemars(extend("pattern" = name::ID_PATTERN))]
        app_id: Text<'de>,
        /// What to do at first contact with a URL. Overrides the default.
        #[schemars(extend("enum" = ["keep", "replace"]))]
        adoption: Text<'de>,
        /// Call nothing for this organization.
        suspend: Flag,
        /// The callbacks it shall have.
        callbacks: List<Callback<'de>>,
        /// URLs that must not exist: an explicit, reviewed delete.
        #[schemars(extend("uniqueItems" = true, "items" = url::schema()))]
        absent: List<Text<'de>>,
    }
}

record! {
    /// A callback with more than its URL.
    #[schemars(extend("required" = ["url"]))]
    CallbackFields {
        /// The URL that eSign POSTs to.
        #[schemars(extend("pattern" = url::PATTERN, "maxLength" = url::MAX_LENGTH))]
        url: Text<'de>,
        /// The CallbackKey, which encrypts the messages: exactly 32 bytes.
        key: Secretive<'de, Reference<'de>>,
        /// The CallbackToken, which signs the messages.
        token: Secretive<'de, Reference<'de>>,
        /// Never delete it because it is missing from the file.
        protect: Flag,
        /// For people.
        description: Text<'de>,
    }
}

record! {
    /// Where a secret's value comes from: exactly one of these.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    Reference {
        /// The value of an environment variable.
        #[schemars(extend("pattern" = secret::VARIABLE_PATTERN, "not" = secret::reserved_schema()))]
        env: Text<'de>,
        /// The contents of a file, relative to this file's folder; one trailing newline is dropped.
        #[schemars(extend("minLength" = 1))]
        file: Text<'de>,
        /// What a command prints; one trailing newline is dropped. Runs only with --allow-commands.
        #[schemars(extend("minItems" = 1))]
        command: List<Text<'de>>,
    }
}

/// A callback: its URL alone, or a mapping.
#[derive(Clone, Debug)]
pub(in crate::config) enum Callback<'de> {
    Short(Text<'de>),
    Full(Fields<'de, CallbackFields<'de>>),
}

impl<'de> Shape<'de> for Callback<'de> {
    const EXPECTED: &'static str = "a URL or a mapping with `url`";

    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self::Short(Text(text)))
    }

    fn mapping<A: MapAccess<'de>>(entries: A) -> Result<Loose<Self>, A::Error> {
        Ok(Loose::Is(Self::Full(Fields::read(entries)?)))
    }
}
