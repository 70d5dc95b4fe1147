//! eSign's error codes: what each says about the call, what it means, and what to do next.
//!
//! Source: the vendor's list of public error codes and that of `ModifyApplicationCallbackInfo`. A code
//! like `AuthFailure.SignatureFailure` is looked up whole first, then by its family `AuthFailure`. A
//! code that is in neither form here proves nothing about the call.

use crate::model::Blast;

/// What a code says about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Too many calls; this one was not applied.
    Throttled,
    /// It may have been applied.
    Unknown,
    /// The signature's time is off; not applied.
    ClockOff,
    /// Temporary credentials ran out; not applied.
    TokenExpired,
    /// Refused; not applied, and it would be refused again.
    Refused(Blast),
}

/// One code, or one family of codes.
#[derive(Debug)]
pub(super) struct Known {
    /// Without a final dot.
    pub(super) code: &'static str,
    /// Whether it covers `code.…` too.
    pub(super) family: bool,
    /// What it says about the call.
    pub(super) says: Says,
    pub(super) meaning: &'static str,
    /// What to do next.
    pub(super) advice: &'static str,
}

/// What is known of a code.
pub(super) fn look_up(code: &str) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.code == code).or_else(|| {
        let mut rest = code;
        while let Some((parent, _)) = rest.rsplit_once('.') {
            rest = parent;
            let found = TABLE
                .iter()
                .find(|known| known.family && known.code == parent);
            if found.is_some() {
                return found;
            }
        }
        None
    })
}

const ACCOUNT: Says = Says::Refused(Blast::Account);
const ORGANIZATION: Says = Says::Refused(Blast::Organization);
const CALL: Says = Says::Refused(Blast::Call);

const fn exact(
    code: &'static str,
    says: Says,
    meaning: &'static str,
    advice: &'static str,
) -> Known {
    Known {
        code,
        family: false,
        says,
        meaning,
        advice,
    }
}

const fn family(
    code: &'static str,
    says: Says,
    meaning: &'static str,
    advice: &'static str,
) -> Known {
    Known {
        code,
        family: true,
        says,
        meaning,
        advice,
    }
}

const SLOWER: &str = "nothing to do: the account goes slower for a while by itself; if it keeps happening, something else uses the same credentials, or lower --rate";
const AGAIN: &str = "run apply again: it settles the open call before anything else; if it persists, give the RequestId to eSign's support";
const REPORT: &str =
    "check what the message names; if it looks right, give the RequestId to eSign's support";

static TABLE: &[Known] = &[
    // Not applied: too many.
    family(
        "RequestLimitExceeded",
        Says::Throttled,
        "more calls than eSign allows in a second",
        SLOWER,
    ),
    exact(
        "RequestLimitExceeded.UinLimitExceeded",
        Says::Throttled,
        "more calls than eSign allows the main account in a second",
        SLOWER,
    ),
    exact(
        "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
        Says::Throttled,
        "more calls than eSign allows the main account over all regions in a second",
        SLOWER,
    ),
    exact(
        "RequestLimitExceeded.IPLimitExceeded",
        Says::Throttled,
        "more calls than eSign allows this network address in a second",
        SLOWER,
    ),
    exact(
        "FailedOperation.RequestLimitExceeded",
        Says::Throttled,
        "more calls than eSign allows in a second",
        SLOWER,
    ),
    // Perhaps applied.
    family(
        "InternalError",
        Says::Unknown,
        "a failure inside eSign; the call may have been carried out",
        AGAIN,
    ),
    family(
        "ResourceInUse",
        Says::Unknown,
        "eSign was busy with the same thing; the call may have been carried out",
        AGAIN,
    ),
    family(
        "ResourceInsufficient",
        Says::Unknown,
        "eSign lacked resources; the call may have been carried out",
        AGAIN,
    ),
    family(
        "ResourceUnavailable",
        Says::Unknown,
        "something eSign needs was out of reach; the call may have been carried out",
        AGAIN,
    ),
    family(
        "ServiceUnavailable",
        Says::Unknown,
        "eSign is out of service for the moment; the call may have been carried out",
        AGAIN,
    ),
    // Credentials.
    exact(
        "AuthFailure.SignatureExpire",
        Says::ClockOff,
        "this machine's clock and eSign's are more than five minutes apart",
        "set this machine's clock (NTP)",
    ),
    exact(
        "AuthFailure.TokenFailure",
        Says::TokenExpired,
        "the session token of the temporary credentials is wrong or has run out",
        "get new temporary credentials; SecretId, SecretKey and token must come from the same set",
    ),
    exact(
        "AuthFailure.SecretIdNotFound",
        ACCOUNT,
        "eSign does not know this SecretId",
        "check the SecretId for a typing mistake, and that it is not the other environment's: production and test have separate keys",
    ),
    exact(
        "AuthFailure.InvalidSecretId",
        ACCOUNT,
        "this SecretId is not one for calling the API, or is disabled",
        "use an API key pair, and check in the console that it is enabled",
    ),
    exact(
        "AuthFailure.SignatureFailure",
        ACCOUNT,
        "the SecretKey does not belong to the SecretId",
        "check the SecretKey: copied whole, without white space, from the same pair as the SecretId",
    ),
    exact(
        "AuthFailure.InvalidAuthorization",
        ACCOUNT,
        "eSign could not read the Authorization header",
        "check the SecretId for odd characters; a proxy on the way may rewrite headers",
    ),
    exact(
        "AuthFailure.MFAFailure",
        ACCOUNT,
        "the account asks for multi-factor authentication, which a program can't pass",
        "use the key of a sub-account without MFA for API calls",
    ),
    exact(
        "AuthFailure.UnauthorizedOperation",
        ACCOUNT,
        "CAM does not allow these credentials to call ModifyApplicationCallbackInfo",
        "grant the sub-account the permission for eSign (ess) in CAM",
    ),
    family(
        "AuthFailure",
        ACCOUNT,
        "eSign refused the credentials",
        "check SecretId and SecretKey, and that they are enabled",
    ),
    family(
        "IpInBlacklist",
        ACCOUNT,
        "this machine's network address is on the account's black list",
        "call from another address, or change the list in the console",
    ),
    family(
        "IpNotInWhitelist",
        ACCOUNT,
        "this machine's network address is not on the account's white list",
        "add the address that eSign sees (that of the NAT gateway or proxy) to the list in the console",
    ),
    // Permissions of one organization.
    exact(
        "UnauthorizedOperation.NoPermissionFeature",
        ORGANIZATION,
        "the organization's eSign edition does not have this feature",
        "upgrade the edition, or put `suspend: true` on the organization",
    ),
    family(
        "UnauthorizedOperation",
        ORGANIZATION,
        "the credentials are not allowed to do this for the organization",
        "have the organization's super-administrator grant the permission in the eSign console",
    ),
    exact(
        "OperationDenied.NoApiAuth",
        ORGANIZATION,
        "the organization has not opened the API",
        "have its super-administrator open API access in the eSign console",
    ),
    exact(
        "OperationDenied.OperatorHasNoPermission",
        ORGANIZATION,
        "the operator lacks the permission to configure callbacks",
        "have the super-administrator give the operator the role in the eSign console, or name another `operator`",
    ),
    exact(
        "OperationDenied.UserNotInOrganization",
        ORGANIZATION,
        "the operator is not an employee of the organization, or has left it",
        "name an `operator` who works there and is verified; it is a UserId of this organization, not of the group's",
    ),
    exact(
        "OperationDenied.SubOrgNotJoin",
        ORGANIZATION,
        "the member organization has not joined the group, or has left it",
        "check `proxy_organization_id` against the members that eSign's console lists; have the organization accept the invitation",
    ),
    exact(
        "OperationDenied.LicenseHasExpired",
        ORGANIZATION,
        "the organization's eSign licence has run out",
        "renew it, or put `suspend: true` on the organization until then",
    ),
    // This call only.
    family("OperationDenied", CALL, "eSign does not allow this", REPORT),
    family(
        "ResourceNotFound",
        CALL,
        "something the call names does not exist",
        "check `operator`, `proxy_organization_id` and `app_id`",
    ),
    exact(
        "InvalidParameter.DataExists",
        CALL,
        "eSign says that it exists already",
        REPORT,
    ),
    family(
        "InvalidParameter",
        CALL,
        "eSign does not take one of the values",
        "check the URL, the key (32 bytes), the token and the ids",
    ),
    family(
        "InvalidParameterValue",
        CALL,
        "eSign does not take one of the values",
        "check the URL, the key (32 bytes), the token and the ids",
    ),
    family(
        "MissingParameter",
        CALL,
        "eSign misses a value",
        "a group's member organization needs `proxy_organization_id`; every organization needs an `operator`",
    ),
    family(
        "UnknownParameter",
        CALL,
        "eSign does not know a parameter that was sent",
        "this version may be too old for the API; see if there is a newer one",
    ),
    family(
        "InvalidAction",
        CALL,
        "this host does not know ModifyApplicationCallbackInfo",
        "check --endpoint",
    ),
    family(
        "NoSuchVersion",
        CALL,
        "this host does not know version 2020-11-11 of the API",
        "check --endpoint",
    ),
    family(
        "UnsupportedOperation",
        CALL,
        "eSign does not support this",
        REPORT,
    ),
    family(
        "UnsupportedRegion",
        CALL,
        "eSign is not there in this region",
        "leave the region out",
    ),
    family(
        "LimitExceeded",
        CALL,
        "eSign's limit for callbacks is reached",
        "remove callbacks that are not needed, or ask eSign's support for more",
    ),
    family(
        "FailedOperation",
        CALL,
        "eSign could not do it; its message says why",
        REPORT,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_whole_before_its_family() {
        let said = |code: &str| look_up(code).map(|known| known.says);
        assert_eq!(said("AuthFailure.SignatureExpire"), Some(Says::ClockOff));
        assert_eq!(said("AuthFailure.Whatever"), Some(ACCOUNT));
        assert_eq!(said("AuthFailure.Whatever.More"), Some(ACCOUNT));
        assert_eq!(said("AuthFailure"), Some(ACCOUNT));
        assert_eq!(said("AuthFailures"), None);
        assert_eq!(said(""), None);
        assert_eq!(said("."), None);
    }

    #[test]
    fn the_table_names_each_code_once_and_says_everything() {
        for (position, known) in TABLE.iter().enumerate() {
            assert!(!known.meaning.is_empty() && !known.advice.is_empty());
            for text in [known.meaning, known.advice] {
                // It is put into a sentence that ends after it.
                assert!(!text.ends_with(['.', '?', '!']), "{}: {text}", known.code);
            }
            assert!(
                TABLE[position + 1..]
                    .iter()
                    .all(|other| other.code != known.code),
                "{} is there twice",
                known.code
            );
        }
    }
}
