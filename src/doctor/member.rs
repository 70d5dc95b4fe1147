//! Whether a member organization may have callbacks: has it joined, and is it licensed?

use super::{Finding, sentence, told};
use crate::group::{Member, Status};
use crate::model::{ReadError, Timestamp};

/// An expiry nearer than this, in seconds, is a warning.
const SOON: i64 = 30 * 86_400;

/// Whether the declared member has joined, as the group lists it. `complete` says whether a member that is not
/// listed is really not there.
pub fn member(listed: Option<&Member>, complete: bool, now: Timestamp) -> Finding {
    let Some(member) = listed else {
        return if complete {
            // The probe tells whether calls for it are accepted all the same.
            Finding::warning(
                "the group's list does not have this organization",
                "Check `proxy_organization_id`, and the account: `orgs` lists the members with their ids.",
            )
        } else {
            Finding::warning(
                "it is not among the members that could be listed",
                "Look for it in eSign's console.",
            )
        };
    };
    match member.status {
        Status::Joined => licence(member, now),
        Status::Authorized => Finding::failed(
            "it is authorized, and not active yet",
            "Have its administrator activate it in eSign's console.",
        ),
        Status::Invited => Finding::failed(
            "it was asked to join the group, and has not answered",
            "Have its administrator accept the invitation.",
        ),
        Status::Refused => Finding::failed(
            "it refused to join the group",
            "Invite it again, or remove it from the configuration.",
        ),
        Status::Left => Finding::failed(
            "it has left the group, so its callbacks can't be managed any more",
            "Remove it from the configuration and forget its callbacks with `ess-callbacks state rm`, or put \
             `suspend: true` on it until it joins again.",
        ),
        Status::Other(number) => Finding::warning(
            format!("eSign answers the status {number}, which is not documented"),
            "Look at the organization in eSign's console.",
        ),
    }
}

fn licence(member: &Member, now: Timestamp) -> Finding {
    let Some(end) = member.licence_expires else {
        return Finding::ok("it has joined");
    };
    let left = end.seconds_since(now);
    let day = end.utc_date();
    if left <= 0 {
        // The probe tells whether eSign minds.
        Finding::warning(
            format!("it has joined, but its licence ended on {day}"),
            "Renew the licence, or put `suspend: true` on the organization until then.",
        )
    } else if left <= SOON {
        Finding::warning(
            format!("it has joined; its licence ends on {day}"),
            "Renew the licence before that day: eSign refuses all calls after it.",
        )
    } else {
        Finding::ok(format!("it has joined; its licence ends on {day}"))
    }
}

/// The group could not be listed, so nothing is known of its members.
pub fn group_unknown(why: &ReadError) -> Finding {
    Finding::warning(
        format!("the group's members can't be listed: {}", told(&why.error)),
        sentence(&why.error.advice),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::CheckResult;
    use crate::model::OrganizationId;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn of(status: Status, licence: Option<i64>) -> Member {
        Member {
            id: OrganizationId::new("m"),
            name: "M".to_owned(),
            status,
            is_main: false,
            licence_expires: licence.map(|seconds| NOW.plus(seconds)),
        }
    }

    #[test]
    fn only_a_joined_and_licensed_member_is_well() {
        for (status, licence, result) in [
            (Status::Joined, None, CheckResult::Ok),
            (Status::Joined, Some(SOON + 1), CheckResult::Ok),
            (Status::Joined, Some(SOON), CheckResult::Warning),
            (Status::Joined, Some(0), CheckResult::Warning),
            (Status::Authorized, None, CheckResult::Failed),
            (Status::Invited, None, CheckResult::Failed),
            (Status::Refused, None, CheckResult::Failed),
            (Status::Left, None, CheckResult::Failed),
            (Status::Other(9), None, CheckResult::Warning),
        ] {
            let member = of(status, licence);
            assert_eq!(super::member(Some(&member), true, NOW).result, result);
        }
        assert_eq!(member(None, true, NOW).result, CheckResult::Warning);
        assert_eq!(member(None, false, NOW).result, CheckResult::Warning);
    }
}
