//! A scope, with and without its environment.

use serde::{Deserialize, Serialize};

use crate::model::{AccountName, AppId, Environment, OrganizationId, Scope};

/// A scope as an object. Names are shared, so a copy costs a few reference counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeJson {
    environment: Environment,
    account: AccountName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy_organization_id: Option<OrganizationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_id: Option<AppId>,
}

impl From<&Scope> for ScopeJson {
    fn from(scope: &Scope) -> Self {
        let Scope {
            environment,
            account,
            organization,
            app_id,
        } = scope.clone();
        Self {
            environment,
            account,
            proxy_organization_id: organization,
            app_id,
        }
    }
}

impl From<ScopeJson> for Scope {
    fn from(json: ScopeJson) -> Self {
        let ScopeJson {
            environment,
            account,
            proxy_organization_id,
            app_id,
        } = json;
        Self {
            environment,
            account,
            organization: proxy_organization_id,
            app_id,
        }
    }
}

/// A scope in a format that has the environment elsewhere.
#[derive(Serialize)]
pub(crate) struct LocalScopeJson<'a> {
    account: &'a AccountName,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_organization_id: Option<&'a OrganizationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<&'a AppId>,
}

impl<'a> From<&'a Scope> for LocalScopeJson<'a> {
    fn from(scope: &'a Scope) -> Self {
        let Scope {
            environment: _,
            account,
            organization,
            app_id,
        } = scope;
        Self {
            account,
            proxy_organization_id: organization.as_ref(),
            app_id: app_id.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_survives_its_json() {
        for (organization, app_id) in [(None, None), (Some("yDxb"), Some("app"))] {
            let scope = Scope {
                environment: Environment::Test,
                account: AccountName::new("main"),
                organization: organization.map(OrganizationId::new),
                app_id: app_id.map(AppId::new),
            };
            let text = serde_json::to_string(&ScopeJson::from(&scope)).unwrap();
            let read: ScopeJson = serde_json::from_str(&text).unwrap();
            assert_eq!(Scope::from(read), scope);
            let local = serde_json::to_string(&LocalScopeJson::from(&scope)).unwrap();
            assert_eq!(
                text,
                local.replacen('{', r#"{"environment":"test","#, 1),
                "both name the same fields"
            );
        }
    }
}
