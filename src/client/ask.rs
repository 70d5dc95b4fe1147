//! Reading calls, of eSign and of its neighbours: they change nothing, so a failure is just a failure.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::classify::error_in_our_words;
use super::http::{Destination, HttpApi};
use super::redact::Redactor;
use super::transport::{self, TIMEOUT};
use crate::model::{AccountName, ApiError, RequestId, Timestamp};
use crate::wire::{ErrorBody, STS};

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "Response")]
    response: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    error: ErrorBody,
    request_id: String,
}

impl HttpApi {
    /// Sends a reading action once and gives what is inside `Response`. The answer may hold personal
    /// data: take only the members that are needed, and print none of the rest.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        account: &AccountName,
        action: &'static str,
        body: &(impl Serialize + Sync),
        signed_at: Timestamp,
    ) -> Result<T, ApiError> {
        self.ask_within(account, action, body, signed_at, TIMEOUT)
            .await
    }

    /// The same, with the time that an answer may take.
    pub(super) async fn ask_within<T: DeserializeOwned>(
        &self,
        account: &AccountName,
        action: &'static str,
        body: &(impl Serialize + Sync),
        signed_at: Timestamp,
        timeout: Duration,
    ) -> Result<T, ApiError> {
        self.ask_of(self.esign(), account, action, body, signed_at, timeout)
            .await
    }

    /// The same of any service, with the time that an answer may take.
    pub(super) async fn ask_of<T: DeserializeOwned>(
        &self,
        to: Destination<'_>,
        account: &AccountName,
        action: &'static str,
        body: &(impl Serialize + Sync),
        signed_at: Timestamp,
        timeout: Duration,
    ) -> Result<T, ApiError> {
        let asked = self.ask_dated(to, account, action, body, signed_at, timeout);
        asked.await.map(|(answer, _)| answer)
    }

    /// The same, with the server's clock: the answer's `Date`.
    pub(super) async fn ask_dated<T: DeserializeOwned>(
        &self,
        to: Destination<'_>,
        account: &AccountName,
        action: &'static str,
        body: &(impl Serialize + Sync),
        signed_at: Timestamp,
        timeout: Duration,
    ) -> Result<(T, Option<Timestamp>), ApiError> {
        let trouble = |message: String| ApiError {
            code: None,
            message,
            request_id: None,
            meaning: Cow::Borrowed("nothing was learnt, and nothing was changed"),
            advice: Cow::Borrowed(if *to.service == STS {
                to.endpoint.advice_of_token_service()
            } else {
                "try again; if it persists, check --endpoint and the network"
            }),
        };
        let body = serde_json::to_vec(body).map_err(|error| trouble(error.to_string()))?;
        let Some(credentials) = self.credentials_of(account) else {
            return Err(trouble(format!("no credentials for account `{account}`")));
        };
        let credential = credentials.get().await;
        let credential = credential.map_err(|error| error.of_call(account))?;
        let redactor =
            Redactor::new(std::iter::once(&credential.secret_key).chain(credential.token.as_ref()));
        let lost = |error: &reqwest::Error| {
            trouble(format!(
                "no answer to {action} from {}: {}",
                to.endpoint.host(),
                redactor.clean(&transport::reasons(error))
            ))
        };
        let request = self
            .signed((to, account), action, body, &credential, signed_at)
            .map_err(|error| trouble(error.to_string()))?;
        let request = request.timeout(timeout);
        let response = request.send().await.map_err(|error| lost(&error))?;
        let server_time = transport::server_time(&response);
        let status = response.status().as_u16();
        let body = transport::read(response)
            .await
            .map_err(|unread| match unread {
                transport::Unread::TooLarge => {
                    trouble(format!("the answer to {action} is too large"))
                }
                transport::Unread::Lost(error) => lost(&error),
            })?;
        if let Ok(Envelope { response }) = serde_json::from_slice::<Envelope<Failure>>(&body) {
            let id = RequestId::new(redactor.clean(&response.request_id));
            return Err(error_in_our_words(&response.error, id, &redactor));
        }
        if status != 200 {
            return Err(trouble(format!(
                "the answer to {action} has HTTP status {status}"
            )));
        }
        // An answer that can't be read is not quoted: it may hold people's names.
        serde_json::from_slice::<Envelope<T>>(&body)
            .map(|envelope| (envelope.response, server_time))
            .map_err(|_| {
                trouble(format!(
                    "the answer to {action}, HTTP status {status}, is not in the documented form"
                ))
            })
    }
}
