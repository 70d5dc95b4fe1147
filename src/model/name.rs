//! Newtypes for everything that is a string to eSign but not the same string to us.
//!
//! Each holds an `Arc<str>`: the names are shared between the configuration, the state and the plan,
//! and a million of them are cloned without copying. Validity is checked where text enters
//! (`config`, `state`), so that the messages there can point at a place; a value of these types that
//! came from there is valid.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::credential::masked;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        name! { @opaque $(#[$doc])* $name }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
    (@opaque $(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is; whoever reads it from outside checks it.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text, byte for byte as given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

name! { @opaque
    /// The URL that eSign POSTs to. Part of a callback's identity, compared byte for byte.
    ///
    /// Shown to people it has `***` in the place of what looks like a credential; serialized and by
    /// [`as_str`](Self::as_str) it is whole, for the state and for eSign.
    CallbackUrl
}

impl CallbackUrl {
    /// As people see it.
    pub fn shown(&self) -> Cow<'_, str> {
        masked(&self.0)
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown())
    }
}

impl fmt::Debug for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.shown(), f)
    }
}
name! {
    /// What people call an organization in callbacks.yaml. Not part of any identity.
    Handle
}
name! {
    /// The eSign `UserId` of the employee in whose name a call is made.
    OperatorId
}
name! {
    /// The name of a set of credentials, a key under `accounts:`.
    AccountName
}
name! {
    /// The number of a Tencent Cloud account (`GetCallerIdentity`'s `AccountId`): decimal digits.
    AccountId
}
name! {
    /// A region of Tencent Cloud, like `ap-guangzhou`.
    Region
}
name! {
    /// `Agent.ProxyOrganizationId`: a member organization of a group.
    OrganizationId
}
name! {
    /// `Agent.AppId`: an application of the organization.
    AppId
}
name! {
    /// The id that eSign gives every answer; its support asks for it.
    RequestId
}

impl AccountName {
    /// The account that exists without being declared.
    pub const DEFAULT: &'static str = "default";

    /// The account `default`, on the default credential chain.
    pub fn default_account() -> Self {
        Self::new(Self::DEFAULT)
    }
}

/// How people point at one callback: `handle/URL`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub handle: Handle,
    pub url: CallbackUrl,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.handle, self.url)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
