//! The body of a call: the one place where a callback's secrets leave their custody.

use crate::model::{Call, Operation};
use crate::secret::Secret;
use crate::wire::{Agent, CallbackInfo, ModifyRequest, OPERATE_ADD, OPERATE_DELETE, UserInfo};

/// The JSON of `ModifyApplicationCallbackInfo` for this call. It holds the secrets in clear: hand it
/// to the connection and to nothing else.
pub(super) fn modify(call: &Call) -> Vec<u8> {
    let (operate_type, key, token) = match &call.operation {
        Operation::Add { key, token } => (OPERATE_ADD, key.as_ref(), token.as_ref()),
        Operation::Delete => (OPERATE_DELETE, None, None),
    };
    let scope = &*call.scope;
    let agent = Agent {
        proxy_organization_id: scope.organization.as_ref().map(ToString::to_string),
        app_id: scope.app_id.as_ref().map(ToString::to_string),
    };
    let needs_agent = agent.proxy_organization_id.is_some() || agent.app_id.is_some();
    let request = ModifyRequest {
        operator: UserInfo {
            user_id: call.operator.to_string(),
        },
        operate_type,
        callback_info: CallbackInfo {
            callback_url: call.url.as_str().to_owned(),
            callback_key: key.map(Secret::expose),
            callback_token: token.map(Secret::expose),
        },
        agent: needs_agent.then_some(agent),
    };
    serde_json::to_vec(&request).expect("strings and numbers always fit into JSON")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        AccountName, AppId, CallbackUrl, Environment, OperatorId, OrganizationId, Scope,
    };

    fn body(organization: Option<&str>, app: Option<&str>, operation: Operation) -> String {
        let call = Call {
            scope: Arc::new(Scope {
                environment: Environment::Production,
                account: AccountName::default_account(),
                organization: organization.map(OrganizationId::new),
                app_id: app.map(AppId::new),
            }),
            operator: OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
            url: CallbackUrl::new("https://tsign.tencent.com/callback"),
            operation,
            nonce: None,
            new_connection: false,
        };
        String::from_utf8(modify(&call)).unwrap()
    }

    #[test]
    fn an_add_is_what_the_vendors_sdk_sends() {
        let add = Operation::Add {
            key: Some(Secret::new("8DD3B29CE10D469D8978393074A767FD")),
            token: Some(Secret::new("5AF866900CA34D1A95382C48C678A085")),
        };
        insta::assert_snapshot!(body(None, None, add), @r#"{"Operator":{"UserId":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"},"OperateType":1,"CallbackInfo":{"CallbackUrl":"https://tsign.tencent.com/callback","CallbackKey":"8DD3B29CE10D469D8978393074A767FD","CallbackToken":"5AF866900CA34D1A95382C48C678A085"}}"#);
    }

    #[test]
    fn what_is_not_there_is_not_sent() {
        let add = Operation::Add {
            key: None,
            token: None,
        };
        insta::assert_snapshot!(body(None, None, add), @r#"{"Operator":{"UserId":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"},"OperateType":1,"CallbackInfo":{"CallbackUrl":"https://tsign.tencent.com/callback"}}"#);
        insta::assert_snapshot!(body(None, None, Operation::Delete), @r#"{"Operator":{"UserId":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"},"OperateType":2,"CallbackInfo":{"CallbackUrl":"https://tsign.tencent.com/callback"}}"#);
    }

    #[test]
    fn an_agent_names_the_member_organization_and_the_application() {
        insta::assert_snapshot!(body(Some("yDtw"), Some("app"), Operation::Delete), @r#"{"Operator":{"UserId":"yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"},"OperateType":2,"CallbackInfo":{"CallbackUrl":"https://tsign.tencent.com/callback"},"Agent":{"ProxyOrganizationId":"yDtw","AppId":"app"}}"#);
        assert!(
            body(Some("yDtw"), None, Operation::Delete)
                .ends_with(r#""Agent":{"ProxyOrganizationId":"yDtw"}}"#)
        );
    }
}
