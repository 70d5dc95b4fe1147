//! The actions that read: who the group's members, the employees and their roles are.
//!
//! Source: Tencent eSign API 2020-11-11, as the vendor's SDK has it. Answers hold personal data: phones, e-mail
//! addresses, names of people, numbers of identity documents, a link to an export of all. None of it has a field
//! here, so none of it is read into memory as more than bytes.

use serde::{Deserialize, Serialize};

use super::{Agent, UserInfo};

/// `X-TC-Action`: the members of the account's group.
pub const GROUP: &str = "DescribeOrganizationGroupOrganizations";
/// `X-TC-Action`: the employees of an organization.
pub const EMPLOYEES: &str = "DescribeIntegrationEmployees";
/// `X-TC-Action`: what the roles of an organization may do.
pub const ROLES: &str = "DescribeIntegrationRoles";
/// `X-TC-Action`: whether an enterprise is verified.
pub const VERIFY_STATUS: &str = "DescribeOrganizationVerifyStatus";

/// The largest `Limit` of [`GROUP`].
pub const MOST_MEMBERS: u32 = 200;
/// The largest `Limit` of [`EMPLOYEES`].
pub const MOST_EMPLOYEES: u32 = 20;
/// The largest `Offset` of [`GROUP`] and [`EMPLOYEES`].
pub const MOST_OFFSET: u32 = 20_000;
/// The largest `Limit` of [`ROLES`].
pub const MOST_ROLES: u32 = 200;
/// The largest `Offset` of [`ROLES`].
pub const MOST_ROLES_OFFSET: u32 = 2000;

/// The body of [`GROUP`]. `Export` is never sent: it ignores `Limit` and makes a file of everything.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupRequest {
    pub operator: UserInfo,
    /// At most [`MOST_MEMBERS`].
    pub limit: u32,
    /// At most [`MOST_OFFSET`].
    pub offset: u32,
    /// Only the member with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A page of the group. `JoinedTotal` is not read: it counts members that are *not yet* active.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupPage {
    /// How many there are on all pages.
    pub total: u64,
    #[serde(default, deserialize_with = "null_is_default")]
    pub list: Vec<Member>,
}

/// An organization of the group.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Member {
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub organization_id: String,
    /// 1 to be authorized, 2 authorized and not active, 3 refused, 4 left, 5 joined.
    pub status: i64,
    #[serde(default, deserialize_with = "null_is_default")]
    pub is_main_organization: bool,
    /// When its licence ends, in UNIX seconds; 0 or missing when there is none.
    #[serde(default, deserialize_with = "null_is_default")]
    pub license_expire_time: i64,
}

/// The body of [`EMPLOYEES`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EmployeesRequest {
    pub operator: UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// At most [`MOST_EMPLOYEES`].
    pub limit: u32,
    pub filters: Vec<Filter>,
}

/// A condition on what is listed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Filter {
    pub key: &'static str,
    pub values: Vec<String>,
}

/// Employees that match.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Employees {
    #[serde(default, deserialize_with = "null_is_default")]
    pub employees: Vec<Staff>,
}

/// An employee, without name, phone and address.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Staff {
    #[serde(default, deserialize_with = "null_is_default")]
    pub user_id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub roles: Vec<RoleOfEmployee>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub verified: bool,
    /// 1 when the employee has left. The spelling is the vendor's.
    #[serde(default, deserialize_with = "null_is_default")]
    pub quite_job: i64,
}

/// A role that an employee has.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleOfEmployee {
    #[serde(default, deserialize_with = "null_is_default")]
    pub role_id: String,
}

/// The body of [`ROLES`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RolesRequest {
    pub operator: UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// At most [`MOST_ROLES`].
    pub limit: u32,
    /// At most [`MOST_ROLES_OFFSET`].
    pub offset: u32,
}

/// A page of roles.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Roles {
    #[serde(default, deserialize_with = "null_is_default")]
    pub integrate_roles: Vec<Role>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub total_count: u64,
}

/// A role of an organization.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Role {
    #[serde(default, deserialize_with = "null_is_default")]
    pub role_id: String,
    /// 1 on, 2 off.
    #[serde(default, deserialize_with = "null_is_default")]
    pub role_status: i64,
    /// Whether it is a role of the group, which covers the members of `sub_org_id_list`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub is_group_role: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    pub sub_org_id_list: Vec<String>,
}

/// The body of [`VERIFY_STATUS`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyRequest {
    pub operator: UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

/// Whether an enterprise is verified.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyStatus {
    /// 0 no, 1 under way, 2 yes.
    pub verify_status: i64,
}

/// The SDKs take `null` for any member.
fn null_is_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_not_read() {
        let page: GroupPage = serde_json::from_str(
            r#"{"Total": 1, "JoinedTotal": 0, "ExportUrl": "https://canary.example/all.xlsx", "RequestId": "r",
                "List": [{"Name": "Acme", "Alias": null, "OrganizationId": "yD1", "Status": 5, "IsMainOrganization": null,
                          "IdCardNumber": "canary-id", "AdminInfo": {"Name": "canary-name", "Mobile": "138****canary"},
                          "License": "x", "LicenseExpireTime": null}]}"#,
        )
        .unwrap();
        let employees: Employees = serde_json::from_str(
            r#"{"Employees": [{"UserId": "yD2", "DisplayName": "canary", "Mobile": "canary", "Email": "canary",
                               "Verified": true, "QuiteJob": null, "Roles": [{"RoleId": "r", "RoleName": "canary"}]}],
                "TotalCount": 1}"#,
        )
        .unwrap();
        let kept = format!("{page:?}{employees:?}");
        assert!(!kept.contains("canary"), "{kept}");
        assert_eq!(page.list[0].status, 5);
        assert_eq!(employees.employees[0].roles[0].role_id, "r");
    }

    #[test]
    fn a_list_may_be_null_but_a_total_must_be_there() {
        let page: GroupPage = serde_json::from_str(r#"{"Total": 0, "List": null}"#).unwrap();
        assert!(page.list.is_empty());
        serde_json::from_str::<GroupPage>(r#"{"List": []}"#).unwrap_err();
        serde_json::from_str::<VerifyStatus>("{}").unwrap_err();
    }
}
