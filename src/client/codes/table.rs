//! The table of [`look_up`](super::look_up).

use super::{Known, Says};
use crate::model::Blast;

const THROTTLED: Says = Says::Throttled;
const UNKNOWN: Says = Says::Unknown;
const CLOCK_OFF: Says = Says::ClockOff;
const TOKEN_EXPIRED: Says = Says::TokenExpired;
const ACCOUNT: Says = Says::Refused(Blast::Account);
const ORGANIZATION: Says = Says::Refused(Blast::Organization);
const CALL: Says = Says::Refused(Blast::Call);

const SLOWER: &str = "nothing to do: the account goes slower for a while by itself; if it keeps happening, something else uses the same credentials, or lower --rate";
const AGAIN: &str = "run apply again: it settles the open call before anything else; if it persists, give the RequestId to eSign's support";
const REPORT: &str =
    "check what the message names; if it looks right, give the RequestId to eSign's support";
const EXISTS: &str = "nothing for an add; for any other call, check what the message names, and if it looks right, give the RequestId to eSign's support";
const VALUES: &str = "check the URL, the key (32 bytes), the token and the ids";
const UPGRADE: &str = "see whether there is a newer version of ess-callbacks";
const ENDPOINT: &str = "check --endpoint";

macro_rules! codes {
    (@ family) => { true };
    (@ exact) => { false };
    ($($kind:ident $says:ident $code:literal $meaning:literal => $advice:expr;)*) => {
        /// Every known code, in the order of `docs/errors.md`.
        pub const ALL: &[Known] = &[$(Known {
            code: $code,
            family: codes!(@ $kind),
            says: $says,
            meaning: $meaning,
            advice: $advice,
        }),*];
    };
}

codes! {
    // Not applied: too many.
    family THROTTLED "RequestLimitExceeded"
        "more calls than eSign allows in a second"
        => SLOWER;
    exact THROTTLED "RequestLimitExceeded.UinLimitExceeded"
        "more calls than eSign allows the main account in a second"
        => SLOWER;
    exact THROTTLED "RequestLimitExceeded.GlobalRegionUinLimitExceeded"
        "more calls than eSign allows the main account over all regions in a second"
        => SLOWER;
    exact THROTTLED "RequestLimitExceeded.IPLimitExceeded"
        "more calls than eSign allows this network address in a second"
        => SLOWER;
    exact THROTTLED "FailedOperation.RequestLimitExceeded"
        "more calls than eSign allows in a second"
        => SLOWER;
    // Perhaps applied.
    family UNKNOWN "InternalError"
        "a failure inside eSign; the call may have been carried out"
        => AGAIN;
    family UNKNOWN "ResourceInUse"
        "eSign was busy with the same thing; the call may have been carried out"
        => AGAIN;
    family UNKNOWN "ResourceInsufficient"
        "eSign lacked resources; the call may have been carried out"
        => AGAIN;
    family UNKNOWN "ResourceUnavailable"
        "something eSign needs was out of reach; the call may have been carried out"
        => AGAIN;
    family UNKNOWN "ServiceUnavailable"
        "eSign is out of service for the moment; the call may have been carried out"
        => AGAIN;
    exact UNKNOWN "ResponseSizeLimitExceeded"
        "the answer was too large to be sent; the call may have been carried out"
        => AGAIN;
    // Credentials.
    family ACCOUNT "AuthFailure"
        "eSign refused the credentials"
        => "check SecretId and SecretKey, and that they are enabled";
    exact CLOCK_OFF "AuthFailure.SignatureExpire"
        "this machine's clock and eSign's are more than five minutes apart"
        => "set this machine's clock (NTP)";
    exact TOKEN_EXPIRED "AuthFailure.TokenFailure"
        "the session token of the temporary credentials is wrong or has run out"
        => "get new temporary credentials; SecretId, SecretKey and token must come from the same set";
    exact ACCOUNT "AuthFailure.SecretIdNotFound"
        "this SecretId does not exist"
        => "check the SecretId for a typing mistake, and that it is not the other environment's: production and test have separate keys";
    exact ACCOUNT "AuthFailure.InvalidSecretId"
        "this SecretId is not one for calling the API, or is disabled"
        => "use an API key pair, and check in the console that it is enabled";
    exact ACCOUNT "AuthFailure.SignatureFailure"
        "the SecretKey does not belong to the SecretId"
        => "check the SecretKey: copied whole, without white space, from the same pair as the SecretId";
    exact ACCOUNT "AuthFailure.InvalidAuthorization"
        "the Authorization header of the request is invalid"
        => "check the SecretId for odd characters; a proxy on the way may rewrite headers";
    exact ACCOUNT "AuthFailure.MFAFailure"
        "the account requires multi-factor authentication, which a program can't pass"
        => "use the key of a sub-account without MFA for API calls";
    exact ACCOUNT "AuthFailure.UnauthorizedOperation"
        "CAM does not allow these credentials to call ModifyApplicationCallbackInfo"
        => "grant the sub-account the permission for eSign (ess) in CAM";
    family ACCOUNT "IpInBlacklist"
        "this machine's network address is on the account's block list"
        => "call from another address, or change the list in the console";
    family ACCOUNT "IpNotInWhitelist"
        "this machine's network address is not on the account's allow list"
        => "add the address that eSign sees (that of the NAT gateway or proxy) to the list in the console";
    // An organization, or its operator.
    family ORGANIZATION "UnauthorizedOperation"
        "the credentials are not allowed to do this for the organization"
        => "have the organization's super-administrator grant the permission in the eSign console";
    exact ORGANIZATION "UnauthorizedOperation.NoPermissionFeature"
        "the organization's eSign edition does not have this feature"
        => "upgrade the edition, or put `suspend: true` on the organization";
    exact ORGANIZATION "OperationDenied.NoApiAuth"
        "the organization has not opened the API"
        => "have its super-administrator open API access in the eSign console";
    exact ORGANIZATION "OperationDenied.OperatorHasNoPermission"
        "the operator lacks the permission to configure callbacks"
        => "have the super-administrator give the operator the role in the eSign console, or name another `operator`";
    exact ORGANIZATION "OperationDenied.UserNotInOrganization"
        "the operator is not an employee of the organization, or has left it"
        => "name an `operator` who works there and is verified; for a member organization, an employee of the main one who may act for it";
    exact ORGANIZATION "OperationDenied.UserNoAudit"
        "the operator's application to join the organization is not approved yet"
        => "have an administrator approve it in the eSign console, or name another `operator`";
    exact ORGANIZATION "OperationDenied.NoIdentityVerify"
        "the operator has not passed the verification of a person's identity"
        => "have the operator complete it in eSign, or name another `operator` who is verified";
    exact ORGANIZATION "OperationDenied.NoVerify"
        "the operator or the organization is not verified"
        => "complete the verification in eSign, or name another `operator` who is verified";
    exact ORGANIZATION "OperationDenied.NoLogin"
        "eSign regards the operator as not logged in"
        => "have the operator log in to eSign once, or name another `operator`";
    exact ORGANIZATION "OperationDenied.SubOrgNotJoin"
        "the member organization has not joined the group, or has left it"
        => "check `proxy_organization_id` against the members that eSign's console lists; have the organization accept the invitation";
    exact ORGANIZATION "OperationDenied.OrganizationNotActivated"
        "the organization is not activated"
        => "have its super-administrator complete the activation in eSign, or put `suspend: true` on the organization";
    exact ORGANIZATION "OperationDenied.OrganizationClosing"
        "the organization's eSign account is being closed"
        => "put `suspend: true` on the organization, or remove it and forget it with `ess-callbacks state rm`";
    exact ORGANIZATION "OperationDenied.LicenseHasExpired"
        "the organization's eSign licence has run out"
        => "renew it, or put `suspend: true` on the organization until then";
    exact ORGANIZATION "OperationDenied.NotFoundLicense"
        "the organization has no usable eSign licence"
        => "assign a licence to it in the eSign console, or put `suspend: true` on the organization until then";
    exact ORGANIZATION "OperationDenied.WhiteListForbid"
        "the feature is not opened for the organization"
        => "ask eSign's support to open it, or put `suspend: true` on the organization until then";
    exact ORGANIZATION "OperationDenied.NotBelongSuperAdminOrLegalPerson"
        "only the super-administrator or the legal representative may do this"
        => "name the super-administrator as `operator`";
    exact ORGANIZATION "ResourceNotFound.Organization"
        "the organization does not exist, or is not verified"
        => "check `proxy_organization_id`, and that the organization is verified";
    exact ORGANIZATION "ResourceNotFound.AuthActiveOrganization"
        "the organization has not completed its verification and activation"
        => "complete both in eSign, or put `suspend: true` on the organization until then";
    exact ORGANIZATION "ResourceNotFound.ErrNotExistRole"
        "the operator has no role in the organization"
        => "have the super-administrator give the operator a role in the eSign console, or name another `operator`";
    exact ORGANIZATION "InvalidParameter.InvalidOperatorId"
        "the UserId of the operator is invalid"
        => "check `operator`: a UserId has 32 characters, and belongs to one environment";
    exact ORGANIZATION "InvalidParameter.InvalidOrganizationId"
        "the id of the organization is invalid"
        => "check `proxy_organization_id`: an id has 32 characters, and belongs to one environment";
    // One call.
    family CALL "FailedOperation"
        "the operation failed at eSign; its message says why"
        => REPORT;
    family CALL "OperationDenied"
        "eSign does not allow this"
        => REPORT;
    exact CALL "OperationDenied.Forbid"
        "eSign forbids this operation"
        => "check the permissions of the operator in the eSign console; if they look right, give the RequestId to eSign's support";
    exact CALL "OperationDenied.AlreadyHas"
        "eSign reports that it exists already"
        => EXISTS;
    family CALL "ResourceNotFound"
        "something the call names does not exist"
        => "check `operator`, `proxy_organization_id` and `app_id`";
    exact CALL "ResourceNotFound.Application"
        "the application does not exist, or was deleted"
        => "check `app_id`";
    exact CALL "ResourceNotFound.NotExistApplication"
        "the application does not exist"
        => "check `app_id`";
    family CALL "InvalidParameter"
        "one of the values is invalid"
        => VALUES;
    exact CALL "InvalidParameter.ParamError"
        "one of the values is invalid"
        => VALUES;
    exact CALL "InvalidParameter.DataExists"
        "eSign reports that it exists already"
        => EXISTS;
    family CALL "InvalidParameterValue"
        "one of the values is invalid"
        => VALUES;
    family CALL "MissingParameter"
        "a required value is missing"
        => "a group's member organization needs `proxy_organization_id`; every organization needs an `operator`";
    family CALL "UnknownParameter"
        "a parameter that was sent is unknown to eSign"
        => UPGRADE;
    family CALL "UnsupportedOperation"
        "eSign does not support this"
        => REPORT;
    family CALL "LimitExceeded"
        "eSign's limit for callbacks is reached"
        => "remove callbacks that are not needed, or ask eSign's support for more";
    family CALL "InvalidAction"
        "this host has no action ModifyApplicationCallbackInfo"
        => ENDPOINT;
    family CALL "NoSuchVersion"
        "this host has no version 2020-11-11 of the API"
        => ENDPOINT;
    exact CALL "NoSuchProduct"
        "this host does not serve eSign"
        => ENDPOINT;
    exact CALL "ActionOffline"
        "eSign has withdrawn this action"
        => UPGRADE;
    family CALL "UnsupportedRegion"
        "eSign is not available in this region"
        => "remove the region";
    exact CALL "UnsupportedProtocol"
        "the request's protocol is not supported; eSign takes a POST over HTTPS"
        => "check --endpoint and the proxy";
    exact CALL "InvalidRequest"
        "the body of the request is malformed"
        => "check the proxy, which may rewrite the body; else give the RequestId to eSign's support";
    exact CALL "RequestSizeLimitExceeded"
        "the request is larger than eSign allows"
        => "shorten the URL or the token";
    // Of STS, which issues temporary credentials. Its other codes are in the families above.
    exact ACCOUNT "AuthFailure.AccessKeyIllegal"
        "the key pair is invalid"
        => "check SecretId and SecretKey, and that they are enabled";
    exact ACCOUNT "InvalidParameter.AccessKeyNotSupport"
        "this kind of key can't be used for this"
        => "use an API key pair of a sub-account, and not temporary credentials";
    exact ACCOUNT "InvalidParameter.OverTimeError"
        "the requested duration of the temporary credentials is longer than the role allows"
        => "request a shorter duration, or raise the role's longest session in CAM";
    exact ACCOUNT "InvalidParameter.WebIdentityTokenError"
        "the OIDC token is invalid or has expired"
        => "check the token's audience and issuer against the identity provider in CAM, and that the token is fresh";
    exact ACCOUNT "ResourceNotFound.RoleNotFound"
        "the role does not exist in its account"
        => "check the ARN of the role: the account's number and the role's name";
}
