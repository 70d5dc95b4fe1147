//! The twins of rotations in the state file whose URLs do not show whose they are.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::line::{Text, check_ids, scope};
use crate::model::{CallbackUrl, Environment, Identity, Scope};

/// One line under `twins`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TwinLine<'a> {
    #[serde(borrow)]
    account: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    proxy_organization_id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    app_id: Option<Text<'a>>,
    #[serde(borrow)]
    url: Text<'a>,
    /// The URL of its callback.
    #[serde(borrow)]
    of: Text<'a>,
}

impl<'a> TwinLine<'a> {
    pub(super) fn of(twin: &'a Identity, of: &'a CallbackUrl) -> Self {
        let Identity { scope, url } = twin;
        let Scope {
            environment: _,
            account,
            organization,
            app_id,
        } = &**scope;
        Self {
            account: Text::of(account.as_str()),
            proxy_organization_id: organization.as_ref().map(|id| Text::of(id.as_str())),
            app_id: app_id.as_ref().map(|id| Text::of(id.as_str())),
            url: Text::of(url.as_str()),
            of: Text::of(of.as_str()),
        }
    }

    pub(super) fn twin(&self, environment: Environment) -> Result<(Identity, CallbackUrl), String> {
        let Self {
            account,
            proxy_organization_id,
            app_id,
            url: Text(url),
            of: Text(of),
        } = self;
        let ids = (proxy_organization_id.as_ref(), app_id.as_ref());
        check_ids(ids.0, ids.1)?;
        let twin = Identity {
            scope: Arc::new(scope(environment, account, ids)),
            url: CallbackUrl::new(&**url),
        };
        Ok((twin, CallbackUrl::new(&**of)))
    }
}
