//! Which organizations of a group have callbacks.
//!
//! eSign also sends the messages of members to the main organization's callbacks. So a member without its own is
//! covered when the main one has some.

use super::{Group, Member, Status};
use crate::model::{Handle, Organization, OrganizationId};

/// What happens to an organization's messages, as far as callbacks.yaml says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// It has callbacks.
    Own,
    /// They go to the callbacks of the main organization.
    Main,
    /// Nothing gets them.
    Uncovered,
    /// It is not an active member, so no callback can be configured for it.
    Inactive,
    /// It is declared, and not in the group.
    Missing,
}

/// An organization of the group, or one that is declared and not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub id: &'a OrganizationId,
    /// As eSign lists it.
    pub member: Option<&'a Member>,
    /// The organizations of callbacks.yaml that are it; several with different applications.
    pub handles: Vec<&'a Handle>,
    /// How many callbacks they declare that can be called for.
    pub callbacks: usize,
    pub coverage: Coverage,
}

/// A row for each organization of the group in its order, then those that are only declared. `declared` are the
/// organizations of the same account, sorted by handle.
pub fn rows<'a>(group: &'a Group, declared: &[&'a Organization]) -> Vec<Row<'a>> {
    let of = |id: &OrganizationId, is_main: bool| -> Vec<&'a Organization> {
        let same = |one: &&&Organization| match &one.scope.organization {
            Some(member) => member == id,
            None => is_main,
        };
        declared.iter().filter(same).copied().collect()
    };
    // Also if eSign does not list the main organization.
    let main = declared
        .iter()
        .filter(|one| one.scope.organization.is_none());
    let listed = group.members.iter().filter(|member| member.is_main);
    let main_has = main.map(|one| callbacks(one)).sum::<usize>() > 0
        || listed
            .flat_map(|member| of(&member.id, true))
            .any(|one| callbacks(one) > 0);
    let mut rows: Vec<Row<'a>> = group
        .members
        .iter()
        .map(|member| {
            let declared = of(&member.id, member.is_main);
            let callbacks: usize = declared.iter().map(|one| callbacks(one)).sum();
            let coverage = if !member.is_main && member.status != Status::Joined {
                Coverage::Inactive
            } else if callbacks > 0 {
                Coverage::Own
            } else if main_has {
                Coverage::Main
            } else {
                Coverage::Uncovered
            };
            Row {
                id: &member.id,
                member: Some(member),
                handles: declared.iter().map(|one| &one.handle).collect(),
                callbacks,
                coverage,
            }
        })
        .collect();
    for one in declared {
        let Some(id) = &one.scope.organization else {
            continue;
        };
        if let Some(row) = rows.iter_mut().find(|row| row.id == id) {
            // In the group, or a second application of a row from below.
            if !row.handles.contains(&&one.handle) {
                row.handles.push(&one.handle);
                row.callbacks += callbacks(one);
            }
        } else {
            rows.push(Row {
                id,
                member: None,
                handles: vec![&one.handle],
                callbacks: callbacks(one),
                coverage: Coverage::Missing,
            });
        }
    }
    rows
}

/// How many callbacks of an organization can be called for.
fn callbacks(organization: &Organization) -> usize {
    if organization.suspend {
        return 0;
    }
    let callbacks = organization.callbacks.iter();
    callbacks.filter(|callback| callback.enabled).count()
}

impl Coverage {
    /// Its word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Main => "main",
            Self::Uncovered => "uncovered",
            Self::Inactive => "inactive",
            Self::Missing => "missing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Place;
    use crate::group::Completeness;
    use crate::model::{
        AccountName, Adoption, AppId, Callback, CallbackUrl, Environment, OperatorId, Scope,
    };
    use std::sync::Arc;

    fn member(id: &str, status: Status, is_main: bool) -> Member {
        Member {
            id: OrganizationId::new(id),
            name: id.to_owned(),
            status,
            is_main,
            licence_expires: None,
        }
    }

    fn declared(main: usize) -> Vec<Organization> {
        [
            ("a-main", None, None, false, main),
            ("b-own", Some("own"), None, false, 1),
            ("c-app", Some("own"), Some("x"), false, 1),
            ("d-suspended", Some("suspended"), None, true, 1),
            ("e-left", Some("left"), None, false, 1),
            ("f-gone", Some("gone"), None, false, 1),
        ]
        .into_iter()
        .map(|(handle, id, app, suspend, count)| Organization {
            handle: Handle::new(handle),
            scope: Arc::new(Scope {
                environment: Environment::Test,
                account: AccountName::default_account(),
                organization: id.map(OrganizationId::new),
                app_id: app.map(AppId::new),
            }),
            operator: OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
            adoption: Adoption::Keep,
            suspend,
            callbacks: (0..count)
                .map(|number| Callback {
                    url: CallbackUrl::new(format!("https://a.example/{number}")),
                    key: None,
                    token: None,
                    enabled: true,
                    protect: false,
                    description: None,
                    place: Place::default(),
                })
                .collect(),
            absent: Vec::new(),
            place: Place::default(),
        })
        .collect()
    }

    fn coverages(main: usize) -> Vec<(String, Coverage, usize)> {
        let group = Group {
            members: vec![
                member("main", Status::Joined, true),
                member("other", Status::Joined, false),
                member("own", Status::Joined, false),
                member("suspended", Status::Joined, false),
                member("left", Status::Left, false),
                member("new", Status::Authorized, false),
            ],
            completeness: Completeness::All,
        };
        let declared = declared(main);
        let declared: Vec<_> = declared.iter().collect();
        rows(&group, &declared)
            .into_iter()
            .map(|row| (row.id.as_str().to_owned(), row.coverage, row.handles.len()))
            .collect()
    }

    #[test]
    fn every_organization_has_a_coverage() {
        let with_main = coverages(1);
        let expected = [
            ("main", Coverage::Own, 1),
            ("other", Coverage::Main, 0),
            ("own", Coverage::Own, 2),
            ("suspended", Coverage::Main, 1),
            ("left", Coverage::Inactive, 1),
            ("new", Coverage::Inactive, 0),
            ("gone", Coverage::Missing, 1),
        ];
        let expected = expected.map(|(id, coverage, handles)| (id.to_owned(), coverage, handles));
        assert_eq!(with_main, expected);
        let without = coverages(0);
        assert_eq!(without[1].1, Coverage::Uncovered);
        assert_eq!(without[0].1, Coverage::Uncovered);
    }
}
