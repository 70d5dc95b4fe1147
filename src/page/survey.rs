//! What is recorded and what is pending, side by side: a row for each callback, in groups by organization.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Page;
use crate::model::{
    Belief, CallbackUrl, Calls, Entry, Evidence, Handle, Identity, OperatorId, Scope, Timestamp,
};
use crate::plan::{Change, OrganizationPlan, Plan, Tripped};

/// A callback.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) url: &'a CallbackUrl,
    /// `None` when nothing is recorded of it.
    pub(super) entry: Option<&'a Entry>,
    /// `None` when the plan does not mention it, or there is no plan.
    pub(super) change: Option<&'a Change>,
    pub(super) seen: Option<Timestamp>,
    pub(super) description: Option<&'a str>,
}

/// How well something is known, as the page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    Unknown,
    Assumed,
    Proven,
    /// Proven absent.
    Absent,
    /// Nothing is recorded.
    Not,
}

/// An organization, or an application of one: the callbacks of a scope.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) scope: &'a Arc<Scope>,
    /// More than one after a change of name.
    pub(super) handles: BTreeSet<&'a Handle>,
    pub(super) operators: BTreeSet<&'a OperatorId>,
    /// Those with a call first, and what is unknown before what is proven.
    pub(super) rows: Vec<Row<'a>>,
    pub(super) counts: Counts,
    /// A guard refuses what would be done to it.
    pub(super) refused: bool,
    pub(super) suspended: bool,
}

/// Counts of callbacks, of an organization or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) known: BTreeMap<Known, usize>,
    /// Changes with calls.
    pub(super) pending: usize,
}

/// Everything on the page that is about callbacks.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    /// What needs attention first, then by handle.
    pub(super) groups: Vec<Group<'a>>,
    pub(super) counts: Counts,
}

impl Known {
    pub(super) const ALL: [Self; 5] = [
        Self::Proven,
        Self::Assumed,
        Self::Unknown,
        Self::Absent,
        Self::Not,
    ];

    fn of(entry: Option<&Entry>) -> Self {
        let Some(entry) = entry else {
            return Self::Not;
        };
        if entry.belief == Belief::ABSENT {
            return Self::Absent;
        }
        match entry.belief.evidence() {
            Evidence::Proven => Self::Proven,
            Evidence::Assumed => Self::Assumed,
            Evidence::Unknown => Self::Unknown,
        }
    }
}

impl Row<'_> {
    pub(super) fn known(&self) -> Known {
        Known::of(self.entry)
    }

    /// Whether a call is planned.
    pub(super) fn is_pending(&self) -> bool {
        self.change
            .is_some_and(|change| change.calls() != Calls::Nothing)
    }
}

impl Group<'_> {
    /// Whether someone has to look at it.
    pub(super) fn needs_attention(&self) -> bool {
        self.refused || self.counts.of(Known::Unknown) > 0
    }

    fn rank(&self) -> u8 {
        match (self.needs_attention(), self.counts.pending) {
            (true, _) => 0,
            (false, 1..) => 1,
            (false, 0) => 2,
        }
    }
}

impl Counts {
    pub(super) fn of(&self, known: Known) -> usize {
        self.known.get(&known).copied().unwrap_or(0)
    }

    /// How many there are, without those that are known to be absent or not recorded.
    pub(super) fn present(&self) -> usize {
        self.of(Known::Proven) + self.of(Known::Assumed) + self.of(Known::Unknown)
    }

    /// How many there are.
    pub(super) fn all(&self) -> usize {
        self.known.values().sum()
    }

    fn count(&mut self, row: &Row<'_>) {
        *self.known.entry(row.known()).or_default() += 1;
        self.pending += usize::from(row.is_pending());
    }
}

impl<'a> Survey<'a> {
    pub(super) fn of(page: &Page<'a>) -> Self {
        let mut rows = rows(page);
        let plans: BTreeMap<_, _> = page
            .plan
            .into_iter()
            .flat_map(|plan| &plan.organizations)
            .map(|organization| (&*organization.scope, organization))
            .collect();
        let refused = page.plan.map_or_else(BTreeSet::new, refused);
        let mut counts = Counts::default();
        let mut groups = Vec::with_capacity(rows.len());
        while let Some((scope, urls)) = rows.pop_first() {
            let group = group(
                scope,
                urls.into_values(),
                plans.get(&**scope).copied(),
                &refused,
            );
            for row in &group.rows {
                counts.count(row);
            }
            groups.push(group);
        }
        groups.sort_by(|one, two| {
            let key = |group: &Group<'a>| (group.rank(), group.handles.first().copied());
            key(one).cmp(&key(two))
        });
        Self { groups, counts }
    }
}

type Rows<'a> = BTreeMap<&'a Arc<Scope>, BTreeMap<&'a CallbackUrl, Row<'a>>>;

/// What is recorded, in the scope that it belongs to now, joined with what is planned.
fn rows<'a>(page: &Page<'a>) -> Rows<'a> {
    let moved: BTreeMap<&Scope, &Arc<Scope>> = page
        .plan
        .into_iter()
        .flat_map(|plan| &plan.moves)
        .map(|item| (&*item.from, &item.to))
        .collect();
    let mut rows = Rows::new();
    for (scope, url, entry) in page.recorded.iter() {
        let scope = moved.get(&**scope).copied().unwrap_or(scope);
        row(&mut rows, page, scope, url).entry = Some(entry);
    }
    let organizations = page.plan.into_iter().flat_map(|plan| &plan.organizations);
    for organization in organizations {
        for change in &organization.changes {
            let url = &change.address.url;
            row(&mut rows, page, &organization.scope, url).change = Some(change);
        }
    }
    rows
}

fn row<'r, 'a>(
    rows: &'r mut Rows<'a>,
    page: &Page<'a>,
    scope: &'a Arc<Scope>,
    url: &'a CallbackUrl,
) -> &'r mut Row<'a> {
    let of_scope = rows.entry(scope).or_default();
    of_scope.entry(url).or_insert_with(|| {
        let identity = (page.seen.is_some() || page.descriptions.is_some()).then(|| Identity {
            scope: Arc::clone(scope),
            url: url.clone(),
        });
        let identity = identity.as_ref();
        Row {
            url,
            entry: None,
            change: None,
            seen: identity.and_then(|identity| page.seen?.get(identity).copied()),
            description: identity.and_then(|identity| Some(&**page.descriptions?.get(identity)?)),
        }
    })
}

fn group<'a>(
    scope: &'a Arc<Scope>,
    rows: impl Iterator<Item = Row<'a>>,
    plan: Option<&'a OrganizationPlan>,
    refused: &BTreeSet<&Handle>,
) -> Group<'a> {
    let mut rows: Vec<_> = rows.collect();
    // Stable: those alike stay in the order of their URLs.
    rows.sort_by_key(|row| (!row.is_pending(), row.known() != Known::Unknown));
    let mut counts = Counts::default();
    for row in &rows {
        counts.count(row);
    }
    let entries = || rows.iter().filter_map(|row| row.entry);
    let handles: BTreeSet<_> = match plan {
        Some(plan) => BTreeSet::from([&plan.handle]),
        None => entries().map(|entry| &entry.handle).collect(),
    };
    let changes = rows.iter().filter_map(|row| row.change);
    let operators = match changes
        .map(|change| &change.operator)
        .collect::<BTreeSet<_>>()
    {
        planned if planned.is_empty() => entries().map(|entry| &entry.operator).collect(),
        planned => planned,
    };
    Group {
        scope,
        refused: counts.pending > 0 && handles.iter().any(|handle| refused.contains(handle)),
        suspended: plan.is_some_and(|plan| plan.suspended),
        handles,
        operators,
        rows,
        counts,
    }
}

/// The handles that guards name.
fn refused(plan: &Plan) -> BTreeSet<&Handle> {
    let named = plan.tripped.iter().filter_map(|tripped| match tripped {
        Tripped::MostOfOrganization { handle, .. }
        | Tripped::LastOfOrganization { handle, .. }
        | Tripped::PerhapsShared { handle, .. } => Some(handle),
        Tripped::Protected { address } => Some(&address.handle),
        Tripped::MostOfAll { .. } | Tripped::WrongAllowance { .. } => None,
    });
    named.collect()
}
