//! eSign's errors, in its words.
//!
//! Codes are those of the vendor's documentation; so are the messages, as far as any published
//! example or report shows them. The others are in their style.

use super::enterprise::Bar;
use crate::wire::NOT_CONFIGURED;

/// An error to answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    chinese: String,
    english: String,
}

/// `X-TC-Language`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Failure {
    fn new(code: &'static str, chinese: impl Into<String>, english: impl Into<String>) -> Self {
        Self {
            code,
            chinese: chinese.into(),
            english: english.into(),
        }
    }

    pub(super) fn message(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.chinese,
            Language::English => &self.english,
        }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("请求缺少必要参数`{parameter}`。"),
            format!("The request is missing a required parameter `{parameter}`."),
        )
    }

    pub(super) fn unknown_parameter(parameter: &str) -> Self {
        let parameter = excerpt(parameter);
        Self::new(
            "UnknownParameter",
            format!("参数`{parameter}`无法识别。"),
            format!("The parameter `{parameter}` is not recognized."),
        )
    }

    pub(super) fn wrong_type(parameter: &str) -> Self {
        Self::new(
            "InvalidParameter",
            format!("参数`{parameter}`的类型不正确。"),
            format!("The value type of parameter `{parameter}` is not valid."),
        )
    }

    pub(super) fn not_json() -> Self {
        Self::new(
            "InvalidParameter",
            "请求包体不是合法的JSON。",
            "The request body is not a valid JSON object.",
        )
    }

    pub(super) fn too_many_values() -> Self {
        Self::new(
            "InvalidParameter",
            "请求包体中的参数过多。",
            "The request body has too many values.",
        )
    }

    pub(super) fn invalid_value(parameter: &str, why: (&str, &str)) -> Self {
        let (chinese, english) = why;
        Self::new(
            "InvalidParameterValue",
            format!("参数`{parameter}`{chinese}。"),
            format!("The value of parameter `{parameter}` {english}."),
        )
    }

    pub(super) fn invalid_operator() -> Self {
        Self::new(
            "InvalidParameter.ParamError",
            "参数错误，操作人ID不正确。",
            "The operator's ID is not correct.",
        )
    }

    /// For the action that lists employees, which has its own code.
    pub(super) fn unknown_operator() -> Self {
        Self::new(
            "InvalidParameter.InvalidOperatorId",
            "操作人ID不正确。",
            "The operator's ID is not correct.",
        )
    }

    pub(super) fn operator_not_verified() -> Self {
        Self::new(
            "OperationDenied.NoIdentityVerify",
            "操作人未完成实名认证。",
            "The operator is not verified.",
        )
    }

    /// Why the action that changes callbacks refuses an operator, whose documentation has no code for it.
    pub(super) fn operator_barred(why: Bar) -> Self {
        let (chinese, english) = match why {
            Bar::Unknown => return Self::invalid_operator(),
            Bar::Left => ("操作人已离职。", "The operator has left."),
            Bar::NotVerified => ("操作人未完成实名认证。", "The operator is not verified."),
            Bar::NoPermission => ("操作人没有权限。", "The operator has no permission."),
        };
        Self::new("FailedOperation", chinese, english)
    }

    pub(super) fn no_permission_feature() -> Self {
        Self::new(
            "UnauthorizedOperation.NoPermissionFeature",
            "当前企业版本不支持该功能。",
            "The edition of the organization does not have this feature.",
        )
    }

    pub(super) fn not_allowed_by_cam(action: &str) -> Self {
        Self::new(
            "AuthFailure.UnauthorizedOperation",
            format!("请求未授权。请检查CAM策略是否允许`{action}`。"),
            format!("The request is not authorized: CAM does not allow `{action}`."),
        )
    }

    pub(super) fn not_joined() -> Self {
        Self::new(
            "OperationDenied.SubOrgNotJoin",
            "子企业未加入集团。",
            "The organization has not joined the group.",
        )
    }

    /// The same error for the action that changes callbacks, whose documentation lacks that code.
    pub(super) fn not_joined_to_modify() -> Self {
        Self::new(
            "FailedOperation",
            "子企业未加入集团。",
            "The organization has not joined the group.",
        )
    }

    pub(super) fn data_exists() -> Self {
        Self::new(
            "FailedOperation",
            "回调地址已存在",
            "The callback URL already exists.",
        )
    }

    pub(super) fn not_configured() -> Self {
        Self::new(
            "FailedOperation",
            NOT_CONFIGURED,
            "The configuration does not exist.",
        )
    }

    pub(super) fn internal() -> Self {
        Self::new(
            "InternalError.System",
            "系统错误，请稍后重试。",
            "System error, please try again later.",
        )
    }

    pub(super) fn throttled(limit: u32) -> Self {
        let seen = limit.saturating_add(1);
        Self::new(
            "RequestLimitExceeded",
            format!("您当前每秒请求 `{seen}` 次，超过了每秒频率上限 `{limit}` 次，请稍后重试。"),
            format!(
                "Your current request times equals to `{seen}` in a second, which exceeds the \
                 frequency limit `{limit}` for a second. Please reduce the frequency of calls."
            ),
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            "RequestSizeLimitExceeded",
            "请求包超过限制大小。",
            "The size of the request exceeds the upper limit.",
        )
    }

    pub(super) fn unsupported_protocol() -> Self {
        Self::new(
            "UnsupportedProtocol",
            "HTTP(S)请求协议错误，沙箱只支持 POST 的 application/json 请求。",
            "The sandbox supports POST requests with application/json only.",
        )
    }

    pub(super) fn invalid_action(action: &str) -> Self {
        let action = excerpt(action);
        Self::new(
            "InvalidAction",
            format!("接口`{action}`不存在。"),
            format!("The action `{action}` is not found."),
        )
    }

    pub(super) fn no_such_version(version: &str) -> Self {
        let version = excerpt(version);
        Self::new(
            "NoSuchVersion",
            format!("接口版本`{version}`不存在。"),
            format!("The API version `{version}` is not found."),
        )
    }

    pub(super) fn invalid_authorization(why: &str) -> Self {
        Self::new(
            "AuthFailure.InvalidAuthorization",
            "请求头部的 Authorization 不符合腾讯云标准。",
            format!("The request header `Authorization` is not valid: {why}."),
        )
    }

    pub(super) fn secret_id_not_found() -> Self {
        Self::new(
            "AuthFailure.SecretIdNotFound",
            "密钥不存在，请检查您的SecretId是否正确。",
            "The SecretId is not found, please ensure that your SecretId is correct.",
        )
    }

    pub(super) fn signature_expired() -> Self {
        Self::new(
            "AuthFailure.SignatureExpire",
            "签名过期。Timestamp 和服务器时间相差不得超过五分钟，请检查本地时间是否和标准时间同步。",
            "Signature expired. Timestamp and server time cannot differ by more than five minutes. \
             Please ensure your current local time matches the standard time.",
        )
    }

    pub(super) fn signature_wrong() -> Self {
        Self::new(
            "AuthFailure.SignatureFailure",
            "请求签名验证失败，请检查您的签名计算是否正确。",
            "The provided credentials could not be validated. Please check your signature is correct.",
        )
    }

    pub(super) fn token_wrong() -> Self {
        Self::new(
            "AuthFailure.TokenFailure",
            "token 错误。",
            "The provided token is not valid.",
        )
    }
}

/// Text of the request for a message, shortened: it may have any length.
fn excerpt(text: &str) -> &str {
    text.char_indices()
        .nth(100)
        .map_or(text, |(end, _)| &text[..end])
}
