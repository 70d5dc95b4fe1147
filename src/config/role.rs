//! Roles of CAM and regions, as accounts name them: in Rust and as patterns for the schema.

use crate::model::AssumedRole;

/// Regions. Equal to [`is_region`].
pub(super) const REGION_PATTERN: &str = "^[a-z]{2,}(-[a-z0-9]+)+$";

/// ARNs of roles. Equal to [`is_arn`].
pub(super) const ARN_PATTERN: &str =
    "^qcs::cam::uin/[0-9]{1,20}:(roleName|role)/[A-Za-z0-9_+=,.@/-]+$";

/// Names of sessions. Equal to [`is_session`].
pub(super) const SESSION_PATTERN: &str = "^[A-Za-z0-9_+=,.@-]{2,128}$";

/// External IDs. Equal to [`is_external_id`].
pub(super) const EXTERNAL_ID_PATTERN: &str = "^[A-Za-z0-9_+=,.@:/-]{2,128}$";

/// The longest that the credentials of a role can be valid, in seconds.
pub(super) const LONGEST: u32 = 43200;

/// The most calls a second that eSign allows one set of credentials.
pub(super) const FASTEST: u32 = 20;

pub(super) fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    first.len() >= 2
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && !rest.is_empty()
        && rest.iter().all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

pub(super) fn is_arn(text: &str) -> bool {
    AssumedRole::is_arn(text)
}

pub(super) fn is_session(text: &str) -> bool {
    (2..=128).contains(&text.len()) && consists_of(text, b"_+=,.@-")
}

pub(super) fn is_external_id(text: &str) -> bool {
    (2..=128).contains(&text.len()) && consists_of(text, b"_+=,.@:/-")
}

/// Whether the text has only letters, digits and these.
fn consists_of(text: &str, others: &[u8]) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn agree(text: &str) {
        for (pattern, accepts) in [
            (REGION_PATTERN, is_region as fn(&str) -> bool),
            (ARN_PATTERN, is_arn),
            (SESSION_PATTERN, is_session),
            (EXTERNAL_ID_PATTERN, is_external_id),
        ] {
            let matches = jsonschema::is_valid(&json!({ "pattern": pattern }), &json!(text));
            assert_eq!(matches, accepts(text), "{pattern} {text:?}");
        }
    }

    #[test]
    fn regions_and_roles_as_the_vendor_writes_them() {
        for good in [
            "ap-guangzhou",
            "ap-shanghai-fsi",
            "na-siliconvalley",
            "ap-beijing-1",
        ] {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "",
            "ap",
            "guangzhou-",
            "AP-guangzhou",
            "a-b",
            "ap guangzhou",
            "ap-guangzhou\n",
        ] {
            assert!(!is_region(bad), "{bad}");
        }
        for good in [
            "qcs::cam::uin/100000000001:roleName/callbacks",
            "qcs::cam::uin/1:role/tencentcloudServiceRoleName/4611686018427397919",
        ] {
            assert!(is_arn(good), "{good}");
        }
        for bad in [
            "callbacks",
            "qcs::cam::uin/x:roleName/a",
            "qcs::cam::uin/1:roleName/",
            "arn:aws:iam::1:role/a",
        ] {
            assert!(!is_arn(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_patterns_say_what_the_code_says(
            text in "[a-zA-Z0-9_:/+@-]{0,6}|[a-z]{1,3}(-[a-z0-9]{0,3}){0,3}|qcs::cam::uin/[0-9]{0,22}:(roleName|role)/[a-z/+ ]{0,3}|.{0,3}|[a-z]{126,130}"
        ) {
            agree(&text);
        }
    }
}
