//! Why an operator may not configure callbacks: asked only when the probe was refused.

use super::{Finding, sentence, told};
use crate::model::{OperatorId, OrganizationId, ReadError};
use crate::wire::{Employees, Role, Staff};

/// Codes with which eSign says that the operator who asks is not an employee.
const UNKNOWN: [&str; 2] = [
    "InvalidParameter.InvalidOperatorId",
    "OperationDenied.UserNotInOrganization",
];
const NOT_VERIFIED: &str = "OperationDenied.NoIdentityVerify";

/// Whether the operator exists, is verified and has not left.
pub fn operator(id: &OperatorId, answer: &Result<Employees, ReadError>) -> Finding {
    let unknown = || {
        Finding::failed(
            format!("the operator {id} is not an employee of the organization, or has left it"),
            "Name another `operator`: a UserId of this environment, which eSign's console shows with the employees.",
        )
    };
    let not_verified = || {
        Finding::failed(
            format!("the operator {id} is not verified (实名认证)"),
            "Have the employee complete the verification in eSign, or name another `operator`.",
        )
    };
    let employees = match answer {
        Ok(Employees { employees }) => employees,
        Err(ReadError { error, .. }) => {
            return match error.code.as_deref() {
                Some(code) if UNKNOWN.contains(&code) => unknown(),
                Some(NOT_VERIFIED) => not_verified(),
                Some(_) | None => Finding::warning(
                    format!("the operator can't be asked for: {}", told(error)),
                    sentence(&error.advice),
                ),
            };
        }
    };
    match find(id, employees) {
        None => unknown(),
        Some(Staff { quite_job: 1, .. }) => Finding::failed(
            format!("the operator {id} has left the organization"),
            "Name another `operator` who works there; their callbacks stay as they are.",
        ),
        Some(Staff {
            verified: false, ..
        }) => not_verified(),
        Some(Staff { .. }) => Finding::ok(format!(
            "the operator {id} exists, is verified and has not left"
        )),
    }
}

/// Whether the operator's roles cover the member organization. Which permission configures callbacks is not
/// documented, so only this and roles that are off can be told.
pub fn roles(
    id: &OperatorId,
    member: Option<&OrganizationId>,
    employees: &Employees,
    answer: &Result<Vec<Role>, ReadError>,
) -> Finding {
    const HINT: &str = "Have the super-administrator give the operator a role that has the permissions of applications \
                        (应用模块), such as the super-administrator's or the IT administrator's, or name another `operator`.";
    let all = match answer {
        Ok(roles) => roles,
        Err(ReadError { error, .. }) => {
            return Finding::warning(
                format!("the roles can't be asked for: {}", told(error)),
                sentence(&error.advice),
            );
        }
    };
    let has = find(id, &employees.employees).map_or(&[][..], |staff| &staff.roles[..]);
    let roles: Vec<&Role> = all
        .iter()
        .filter(|role| has.iter().any(|own| own.role_id == role.role_id))
        .collect();
    let on: Vec<&Role> = roles
        .iter()
        .copied()
        .filter(|role| role.role_status != 2)
        .collect();
    let covers = |role: &&Role| {
        !role.is_group_role
            || member
                .is_none_or(|member| role.sub_org_id_list.iter().any(|id| id == member.as_str()))
    };
    if on.is_empty() {
        let why = if roles.is_empty() {
            "has no role"
        } else {
            "has only roles that are switched off"
        };
        return Finding::failed(format!("the operator {id} {why}"), HINT);
    }
    if !on.iter().any(covers) {
        return Finding::failed(
            format!("no role of the operator {id} covers this member organization"),
            "Have the super-administrator add the organization to the group role of the operator, or name another \
             `operator`.",
        );
    }
    Finding::warning(
        format!(
            "the operator {id} has roles here; whether one has the permission can't be told from them"
        ),
        HINT,
    )
}

fn find<'e>(id: &OperatorId, employees: &'e [Staff]) -> Option<&'e Staff> {
    employees.iter().find(|staff| staff.user_id == id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{CheckResult, fixtures::error};
    use crate::model::ReadFailure;
    use crate::wire::RoleOfEmployee;

    fn staff(verified: bool, quite_job: i64) -> Employees {
        Employees {
            employees: vec![Staff {
                user_id: "yD1".to_owned(),
                roles: vec![RoleOfEmployee {
                    role_id: "r".to_owned(),
                }],
                verified,
                quite_job,
            }],
        }
    }

    fn refused<T>(code: &str) -> Result<T, ReadError> {
        Err(ReadError {
            kind: ReadFailure::Refused,
            error: error(Some(code), "x"),
        })
    }

    #[test]
    fn an_operator_is_well_or_there_is_a_reason() {
        let id = OperatorId::new("yD1");
        let nobody = Employees {
            employees: Vec::new(),
        };
        for (answer, result, word) in [
            (Ok(staff(true, 0)), CheckResult::Ok, "exists"),
            (Ok(staff(false, 0)), CheckResult::Failed, "verified"),
            (Ok(staff(true, 1)), CheckResult::Failed, "has left"),
            (Ok(nobody), CheckResult::Failed, "not an employee"),
            (refused(UNKNOWN[0]), CheckResult::Failed, "not an employee"),
            (refused(NOT_VERIFIED), CheckResult::Failed, "verified"),
            (
                refused("OperationDenied.Forbid"),
                CheckResult::Warning,
                "can't be asked",
            ),
        ] {
            let finding = operator(&id, &answer);
            assert_eq!(finding.result, result, "{finding:?}");
            assert!(finding.reason.contains(word), "{finding:?}");
        }
        // Another employee than the one asked for is none.
        let other = operator(&OperatorId::new("yD2"), &Ok(staff(true, 0)));
        assert_eq!(other.result, CheckResult::Failed);
    }

    #[test]
    fn a_group_role_covers_only_its_members() {
        let id = OperatorId::new("yD1");
        let role = |is_group_role: bool, role_status: i64| {
            Ok(vec![Role {
                role_id: "r".to_owned(),
                role_status,
                is_group_role,
                sub_org_id_list: vec!["covered".to_owned()],
            }])
        };
        let member = |text: &str| Some(OrganizationId::new(text));
        for (answer, member, result) in [
            (role(true, 1), member("covered"), CheckResult::Warning),
            (role(true, 1), member("other"), CheckResult::Failed),
            (role(true, 1), None, CheckResult::Warning),
            (role(false, 1), member("other"), CheckResult::Warning),
            (role(false, 2), member("covered"), CheckResult::Failed),
            (Ok(Vec::new()), None, CheckResult::Failed),
            (
                refused("OperationDenied.Forbid"),
                None,
                CheckResult::Warning,
            ),
        ] {
            let finding = roles(&id, member.as_ref(), &staff(true, 0), &answer);
            assert_eq!(finding.result, result, "{finding:?}");
        }
    }
}
