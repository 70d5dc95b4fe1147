//! A credential that was read once and can't be renewed.

use futures_util::future::{BoxFuture, FutureExt as _, ready};

use super::candidate::{Candidate, Principal};
use super::{CredentialError, CredentialProvider, Issued};
use crate::sign::Credential;

/// Always gives the same.
pub(super) struct Fixed(pub(super) Issued);

impl CredentialProvider for Fixed {
    fn fetch(&self) -> BoxFuture<'_, Result<Issued, CredentialError>> {
        ready(Ok(self.0.clone())).boxed()
    }
}

/// What the checks before the first call saw signs all calls.
pub(super) fn candidate(name: impl Into<String>, credential: Credential) -> Candidate {
    let id = credential.secret_id.clone();
    Candidate {
        name: name.into(),
        principal: match credential.token {
            None => Principal::SecretId(id),
            Some(_) => Principal::Unknown(id),
        },
        provider: Box::new(Fixed(Issued::lasting(credential))),
    }
}
