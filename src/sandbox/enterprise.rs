//! The enterprise behind the sandbox: its members, employees and roles, and what they may do.
//!
//! The default has none of them and allows everything: then every organization is a member, and every well-formed
//! `UserId` a verified employee. What is listed restricts: with employees, only those may be operators.

use serde::Deserialize;

/// What `--enterprise` describes, as JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Enterprise {
    /// The group's member organizations. With none, every organization may be acted for; with some, only these.
    pub members: Vec<Member>,
    /// With none, every well-formed `UserId` is an employee who may do everything.
    pub employees: Vec<Employee>,
    pub roles: Vec<Role>,
    /// What `DescribeOrganizationVerifyStatus` answers.
    pub verified: Verified,
    /// Editions below the professional one can't configure the callbacks of members.
    pub edition: Edition,
    /// URLs of a host that ends with one of these are refused as invalid.
    pub invalid_hosts: Vec<String>,
    /// Actions that CAM does not allow the credentials.
    pub denied_actions: Vec<String>,
}

/// A member organization of the group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// `ProxyOrganizationId`.
    pub id: String,
    /// What `DescribeOrganizationGroupOrganizations` calls it.
    #[serde(default)]
    pub name: String,
    /// 1 to authorize, 2 authorized, 3 refused, 4 left, 5 joined.
    #[serde(default = "joined")]
    pub status: u8,
    /// When its licence ends, in UNIX seconds; 0 without one.
    #[serde(default)]
    pub licence_expires: i64,
}

const fn joined() -> u8 {
    5
}

/// Whether the enterprise is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    No,
    UnderWay,
    #[default]
    Yes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// Without callbacks of members.
    Basic,
    #[default]
    Professional,
}

/// Someone who may be an operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Employee {
    pub user_id: String,
    /// The member organization; the main one without.
    #[serde(default)]
    pub organization: Option<String>,
    #[serde(default = "yes")]
    pub verified: bool,
    #[serde(default)]
    pub left: bool,
    /// Ids of `roles`. With none, the employee may do everything.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// What an employee may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it allows to configure callbacks.
    #[serde(default = "yes")]
    pub callbacks: bool,
    /// For a role of the group: the members that it covers. Without, it is one of the organization itself, and
    /// covers all.
    #[serde(default)]
    pub members: Option<Vec<String>>,
}

const fn yes() -> bool {
    true
}

/// Why an operator may not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bar {
    Unknown,
    Left,
    NotVerified,
    NoPermission,
}

impl Enterprise {
    /// Reads the JSON that describes one.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            return Err("it is not a JSON object".to_owned());
        }
        let enterprise: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let wrong = |member: &&Member| member.id.is_empty() || !(1..=5).contains(&member.status);
        if let Some(member) = enterprise.members.iter().find(wrong) {
            return Err(format!(
                "the member `{}` needs an id and a status from 1 to 5",
                member.id.escape_debug()
            ));
        }
        Ok(enterprise)
    }

    /// Whether each id is there once, and each that is referred to is there. For when all members were added.
    ///
    /// # Errors
    ///
    /// What is duplicate or unknown.
    pub fn check(&self) -> Result<(), String> {
        let shown = |id: &str| id.escape_debug().to_string();
        let members: Vec<&str> = self.members.iter().map(|it| it.id.as_str()).collect();
        let employees: Vec<&str> = self.employees.iter().map(|it| &*it.user_id).collect();
        let roles: Vec<&str> = self.roles.iter().map(|it| it.id.as_str()).collect();
        for (what, ids) in [
            ("member", &members),
            ("employee", &employees),
            ("role", &roles),
        ] {
            let mut sorted = ids.clone();
            sorted.sort_unstable();
            if let Some([id, _]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(format!("duplicate {what} `{}`", shown(id)));
            }
        }
        for employee in &self.employees {
            let unknown = |id: &&String| !roles.contains(&id.as_str());
            if let Some(id) = employee.roles.iter().find(unknown) {
                return Err(format!(
                    "the employee `{}` has the unknown role `{}`",
                    shown(&employee.user_id),
                    shown(id)
                ));
            }
        }
        // Without members, every organization is one.
        let unknown = |id: &&String| !members.is_empty() && !members.contains(&id.as_str());
        for employee in &self.employees {
            if let Some(id) = employee.organization.iter().find(unknown) {
                let of = shown(&employee.user_id);
                return Err(format!(
                    "the employee `{of}` is of the unknown member `{}`",
                    shown(id)
                ));
            }
        }
        for role in &self.roles {
            if let Some(id) = role.members.iter().flatten().find(unknown) {
                let of = shown(&role.id);
                return Err(format!(
                    "the role `{of}` covers the unknown member `{}`",
                    shown(id)
                ));
            }
        }
        Ok(())
    }

    /// Whether this organization may be acted for.
    pub(super) fn has_joined(&self, id: &str) -> bool {
        self.members.is_empty()
            || self
                .members
                .iter()
                .any(|member| member.id == id && member.status == 5)
    }

    /// The employee with this id, if all are listed.
    pub(super) fn employee(&self, id: &str) -> Option<&Employee> {
        self.employees.iter().find(|one| one.user_id == id)
    }

    /// Whether this operator may read.
    pub(super) fn may_read(&self, operator: &str) -> Result<(), Bar> {
        if self.employees.is_empty() {
            return Ok(());
        }
        let employee = self.employee(operator).ok_or(Bar::Unknown)?;
        match employee {
            Employee { left: true, .. } => Err(Bar::Left),
            Employee {
                verified: false, ..
            } => Err(Bar::NotVerified),
            Employee { .. } => Ok(()),
        }
    }

    /// Whether this operator may configure callbacks, of the account's own organization or of a member.
    pub(super) fn may_configure(&self, operator: &str, member: Option<&str>) -> Result<(), Bar> {
        self.may_read(operator)?;
        let Some(employee) = self.employee(operator) else {
            return Ok(());
        };
        let place = employee.organization.as_deref();
        if place.is_some() && place != member {
            return Err(Bar::Unknown);
        }
        let allows = |role: &Role| {
            role.enabled
                && role.callbacks
                && match (&role.members, member) {
                    (None, _) | (Some(_), None) => true,
                    (Some(covered), Some(member)) => covered.iter().any(|id| id == member),
                }
        };
        let mut roles = self
            .roles
            .iter()
            .filter(|role| employee.roles.contains(&role.id));
        if employee.roles.is_empty() || roles.any(allows) {
            Ok(())
        } else {
            Err(Bar::NoPermission)
        }
    }

    /// Whether URLs of this host are refused.
    pub(super) fn refuses_host(&self, host: &str) -> bool {
        let ends = |end: &String| host.ends_with(end.as_str());
        self.invalid_hosts.iter().any(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enterprise() -> Enterprise {
        Enterprise::parse(
            r#"{"members": [{"id": "a"}, {"id": "b"}, {"id": "c", "name": "C", "status": 4}],
                "employees": [{"user_id": "boss"}, {"user_id": "gone", "left": true},
                              {"user_id": "new", "verified": false}, {"user_id": "clerk", "roles": ["reads"]},
                              {"user_id": "regional", "roles": ["group"]}, {"user_id": "local", "organization": "b"}],
                "roles": [{"id": "reads", "callbacks": false}, {"id": "group", "members": ["a"]}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn who_may_configure_what() {
        for (operator, member, expected) in [
            ("boss", None, Ok(())),
            ("boss", Some("b"), Ok(())),
            ("gone", None, Err(Bar::Left)),
            ("new", None, Err(Bar::NotVerified)),
            ("nobody", None, Err(Bar::Unknown)),
            ("clerk", None, Err(Bar::NoPermission)),
            ("regional", Some("a"), Ok(())),
            ("regional", Some("b"), Err(Bar::NoPermission)),
            ("local", Some("b"), Ok(())),
            ("local", Some("a"), Err(Bar::Unknown)),
        ] {
            assert_eq!(
                enterprise().may_configure(operator, member),
                expected,
                "{operator} {member:?}"
            );
        }
        assert_eq!(Enterprise::default().may_configure("x", Some("y")), Ok(()));
    }

    #[test]
    fn only_joined_members_may_be_acted_for() {
        let enterprise = enterprise();
        assert!(enterprise.has_joined("a") && !enterprise.has_joined("c"));
        assert!(!enterprise.has_joined("d") && Enterprise::default().has_joined("d"));
    }

    #[test]
    fn what_is_duplicate_or_unknown_is_an_error() {
        assert_eq!(enterprise().check(), Ok(()));
        let checked = |text| Enterprise::parse(text).unwrap().check().unwrap_err();
        for (text, expected) in [
            (
                r#"{"members": [{"id": "a"}, {"id": "a"}]}"#,
                "duplicate member `a`",
            ),
            (
                r#"{"employees": [{"user_id": "a"}, {"user_id": "b"}, {"user_id": "a"}]}"#,
                "duplicate employee `a`",
            ),
            (
                r#"{"roles": [{"id": "r"}, {"id": "r"}]}"#,
                "duplicate role `r`",
            ),
            (
                r#"{"employees": [{"user_id": "a", "roles": ["r"]}]}"#,
                "the employee `a` has the unknown role `r`",
            ),
            (
                r#"{"members": [{"id": "m"}], "employees": [{"user_id": "a", "organization": "n"}]}"#,
                "the employee `a` is of the unknown member `n`",
            ),
            (
                r#"{"members": [{"id": "m"}], "roles": [{"id": "r", "members": ["m", "n"]}]}"#,
                "the role `r` covers the unknown member `n`",
            ),
        ] {
            assert_eq!(checked(text), expected);
        }
    }

    #[test]
    fn a_mistake_is_an_error() {
        for text in [
            "",
            "[]",
            r#"{"member": []}"#,
            r#"{"members": [{"id": ""}]}"#,
            r#"{"members": [{"id": "a", "status": 6}]}"#,
            r#"{"employees": [{}]}"#,
        ] {
            Enterprise::parse(text).unwrap_err();
        }
    }
}
