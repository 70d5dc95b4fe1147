//! The two secrets of a callback.

/// What eSign uses a secret for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretRole {
    /// `CallbackKey`: encrypts the messages.
    Key,
    /// `CallbackToken`: signs them.
    Token,
}

impl SecretRole {
    /// The field in callbacks.yaml.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
        }
    }
}
