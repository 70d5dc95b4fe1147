//! One record of the journal, and its way to and from an intent or outcome.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    ApiError, Blast, CallId, CallbackUrl, Environment, Handle, Identity, Intent, Nonce, OperatorId,
    Outcome, RequestId, Scope, Timestamp,
};
use crate::state::format::{CallRecord, Text, check_ids, check_names, check_number, scope};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record<'a> {
    #[serde(borrow)]
    Intent(IntentRecord<'a>),
    #[serde(borrow)]
    Outcome(OutcomeRecord<'a>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntentRecord<'a> {
    pub(super) id: CallId,
    #[serde(borrow)]
    handle: Text<'a>,
    #[serde(borrow)]
    account: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    proxy_organization_id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    app_id: Option<Text<'a>>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    operator: Text<'a>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    protect: bool,
    call: CallRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Nonce>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutcomeRecord<'a> {
    pub(super) id: CallId,
    kind: Kind,
    pub(super) at: Timestamp,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    request_id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    code: Option<Text<'a>>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Applied,
    AlreadyThere,
    NotThere,
    Throttled,
    NotSent,
    ClockOff,
    TokenExpired,
    Rejected,
    Unknown,
}

/// Adds the record of a call that is about to leave, with a comma before it.
pub(in crate::state) fn push_intent(records: &mut Vec<u8>, id: CallId, intent: &Intent) {
    let Intent {
        identity: Identity { scope, url },
        handle,
        operator,
        protect,
        call,
        nonce,
    } = intent;
    let Scope {
        environment: _,
        account,
        organization,
        app_id,
    } = &**scope;
    push(
        records,
        &Record::Intent(IntentRecord {
            id,
            handle: Text::of(handle.as_str()),
            account: Text::of(account.as_str()),
            proxy_organization_id: organization.as_ref().map(|id| Text::of(id.as_str())),
            app_id: app_id.as_ref().map(|id| Text::of(id.as_str())),
            url: Text::of(url.as_str()),
            operator: Text::of(operator.as_str()),
            protect: *protect,
            call: CallRecord::of(*call),
            nonce: *nonce,
        }),
    );
}

/// Adds the record of a call's outcome, with a comma before it.
pub(in crate::state) fn push_outcome(
    records: &mut Vec<u8>,
    id: CallId,
    outcome: &Outcome,
    at: Timestamp,
) {
    let (kind, request_id) = match outcome {
        Outcome::Applied(id) => (Kind::Applied, Some(id)),
        Outcome::AlreadyThere(id) => (Kind::AlreadyThere, Some(id)),
        Outcome::NotThere(id) => (Kind::NotThere, Some(id)),
        Outcome::Throttled(error) => (Kind::Throttled, error.request_id.as_ref()),
        Outcome::NotSent(error) | Outcome::NotSigned(error) => {
            (Kind::NotSent, error.request_id.as_ref())
        }
        Outcome::ClockOff(error) => (Kind::ClockOff, error.request_id.as_ref()),
        Outcome::TokenExpired(error) => (Kind::TokenExpired, error.request_id.as_ref()),
        Outcome::Rejected(_, error) => (Kind::Rejected, error.request_id.as_ref()),
        Outcome::Unknown(error) => (Kind::Unknown, error.request_id.as_ref()),
    };
    let code = outcome.error().and_then(|error| error.code.as_deref());
    push(
        records,
        &Record::Outcome(OutcomeRecord {
            id,
            kind,
            at,
            request_id: request_id.map(|id| Text::of(id.as_str())),
            code: code.map(Text::of),
        }),
    );
}

fn push(records: &mut Vec<u8>, record: &Record<'_>) {
    records.push(b',');
    serde_json::to_writer(records, record).expect("plain values always become JSON");
}

impl IntentRecord<'_> {
    /// Where its callback lives.
    pub(super) fn scope(&self, environment: Environment) -> Scope {
        let ids = (self.proxy_organization_id.as_ref(), self.app_id.as_ref());
        scope(environment, &self.account, ids)
    }

    /// The intent, in this scope.
    pub(super) fn intent(&self, scope: Arc<Scope>) -> Result<Intent, String> {
        let Self {
            id,
            handle: Text(handle),
            account: Text(account),
            proxy_organization_id,
            app_id,
            url: Text(url),
            operator: Text(operator),
            protect,
            call,
            nonce,
        } = self;
        check_number("id", id.0)?;
        check_ids(proxy_organization_id.as_ref(), app_id.as_ref())?;
        check_names(url, handle, account, operator)?;
        Ok(Intent {
            identity: Identity {
                scope,
                url: CallbackUrl::new(&**url),
            },
            handle: Handle::new(&**handle),
            operator: OperatorId::new(&**operator),
            protect: *protect,
            call: call.call()?,
            nonce: *nonce,
        })
    }
}

impl OutcomeRecord<'_> {
    /// The outcome, as far as it matters for what is known.
    pub(super) fn outcome(&self) -> Result<Outcome, String> {
        let request_id = self
            .request_id
            .as_ref()
            .map(|Text(id)| RequestId::new(&**id));
        let answer = || {
            request_id
                .clone()
                .ok_or_else(|| "`request_id` is missing".to_owned())
        };
        // Words for people were shown when it happened; what matters here is what is known.
        let error = || ApiError {
            code: self.code.as_ref().map(|Text(code)| (**code).to_owned()),
            message: String::new(),
            request_id: request_id.clone(),
            meaning: "".into(),
            advice: "".into(),
        };
        Ok(match self.kind {
            Kind::Applied => Outcome::Applied(answer()?),
            Kind::AlreadyThere => Outcome::AlreadyThere(answer()?),
            Kind::NotThere => Outcome::NotThere(answer()?),
            Kind::Throttled => Outcome::Throttled(error()),
            Kind::NotSent => Outcome::NotSent(error()),
            Kind::ClockOff => Outcome::ClockOff(error()),
            Kind::TokenExpired => Outcome::TokenExpired(error()),
            Kind::Rejected => Outcome::Rejected(Blast::Call, error()),
            Kind::Unknown => Outcome::Unknown(error()),
        })
    }
}
