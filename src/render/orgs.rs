//! The organizations of a group, beside the configuration: as a table, as YAML to paste, and as JSON.

use std::fmt::{self, Write as _};
use std::io;

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::escape::Clean;
use super::style::{Style, Tone};
use super::words::{counted, plural};
use crate::group::{Completeness, Coverage, Group, Handles, Row};
use crate::harmless;
use crate::model::{AccountName, Handle, OperatorId};

/// The group of one account, beside what the configuration declares for it.
#[derive(Clone, Debug)]
pub struct Groups<'a> {
    pub account: &'a AccountName,
    /// In whose name the group was listed.
    pub operator: &'a OperatorId,
    pub group: &'a Group,
    pub rows: Vec<Row<'a>>,
}

const HEADS: [&str; 6] = ["NAME", "ID", "STATUS", "COVERAGE", "CALLBACKS", "HANDLES"];

/// Writes a table for each account, and how many organizations have which coverage.
pub fn orgs_text(groups: &[Groups<'_>], style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    for (number, one) in groups.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        if groups.len() > 1 {
            let title = format!("Account {}", Clean(one.account));
            writeln!(out, "{}", style.paint(Tone::Strong, title))?;
        }
        let rows: Vec<[String; 6]> = one.rows.iter().map(cells).collect();
        table(&rows, &one.rows, style, out)?;
        writeln!(out, "\n{}", totals(&one.rows))?;
    }
    Ok(())
}

fn cells(row: &Row<'_>) -> [String; 6] {
    let name = row.member.map_or("", |member| member.name.as_str());
    let main = row.member.is_some_and(|member| member.is_main);
    let handles: Vec<String> = row
        .handles
        .iter()
        .map(|one| Clean(one).to_string())
        .collect();
    [
        Clean(name).to_string(),
        Clean(row.id).to_string(),
        status(row).to_owned() + if main { " (main)" } else { "" },
        row.coverage.word().to_owned(),
        row.callbacks.to_string(),
        handles.join(", "),
    ]
}

fn status(row: &Row<'_>) -> &'static str {
    row.member
        .map_or("not in the group", |member| member.status.word())
}

fn table(
    cells: &[[String; 6]],
    rows: &[Row<'_>],
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let width = |column: usize| {
        let longest = cells.iter().map(|row| row[column].width()).max();
        longest.unwrap_or(0).max(HEADS[column].width())
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let needed = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    if style.width > 0 && needed > style.width {
        return stacked(cells, rows, style, out);
    }
    let line = |row: [&str; 6]| {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(cell);
            text.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        text.trim_end().to_owned()
    };
    writeln!(out, "{}", style.paint(Tone::Strong, line(HEADS)))?;
    for (row, of) in cells.iter().zip(rows) {
        let text = line(row.each_ref().map(String::as_str));
        writeln!(out, "{}", style.paint(tone(of.coverage), text))?;
    }
    Ok(())
}

/// A block of lines for each organization, for narrow terminals.
fn stacked(
    cells: &[[String; 6]],
    rows: &[Row<'_>],
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    for ([name, id, status, coverage, callbacks, handles], row) in cells.iter().zip(rows) {
        let title = if name.is_empty() { id } else { name };
        writeln!(out, "{}", style.paint(tone(row.coverage), title))?;
        if !name.is_empty() {
            writeln!(out, "  {id}")?;
        }
        writeln!(out, "  {status}, {coverage}")?;
        if !handles.is_empty() {
            let word = plural(row.callbacks, "callback", "callbacks");
            writeln!(out, "  {handles}: {callbacks} {word}")?;
        }
    }
    Ok(())
}

const fn tone(coverage: Coverage) -> Tone {
    match coverage {
        Coverage::Own | Coverage::Main => Tone::Plain,
        Coverage::Uncovered => Tone::Warning,
        Coverage::Inactive => Tone::Faint,
        Coverage::Missing => Tone::Error,
    }
}

fn totals(rows: &[Row<'_>]) -> String {
    let count = |coverage| rows.iter().filter(|row| row.coverage == coverage).count();
    let mut text = format!(
        "{}: {} with callbacks of their own, {} covered by the main organization, {} uncovered, {} inactive",
        counted(rows.len(), "organization", "organizations"),
        count(Coverage::Own),
        count(Coverage::Main),
        count(Coverage::Uncovered),
        count(Coverage::Inactive)
    );
    let declared = rows.iter().filter(|row| {
        row.coverage == Coverage::Missing
            || (row.coverage == Coverage::Inactive && !row.handles.is_empty())
    });
    match declared.count() {
        0 => text.push('.'),
        lost => {
            // Writing to a String does not fail.
            let _ = write!(text, "; {lost} declared and not joined.");
        }
    }
    text
}

/// What is missing from a list, if anything is.
pub fn incomplete(completeness: Completeness, found: usize) -> Option<String> {
    match completeness {
        Completeness::All => None,
        Completeness::Changing => Some(
            "the group changed while it was listed, so a member may be missing; run it again"
                .to_owned(),
        ),
        Completeness::BeyondReach { total } => Some(format!(
            "the group has {total} organizations, and eSign's API lists only the first {found}"
        )),
        Completeness::Short { total } => Some(format!(
            "eSign says that the group has {total} organizations, and listed {found}"
        )),
    }
}

/// Writes the organizations that have joined and are not declared, to be pasted below `organizations:`. `taken` are
/// the handles of the configuration.
pub fn orgs_yaml<'a>(
    groups: &[Groups<'_>],
    taken: impl IntoIterator<Item = &'a Handle>,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let mut handles = Handles::of(taken);
    let mut any = false;
    for one in groups {
        let new = one.rows.iter().filter(|row| {
            row.handles.is_empty() && matches!(row.coverage, Coverage::Main | Coverage::Uncovered)
        });
        for row in new {
            let Some(member) = row.member else {
                continue;
            };
            if !std::mem::replace(&mut any, true) {
                writeln!(out, "  # Paste this below `organizations:`.")?;
            }
            let handle = handles.name(&member.name, row.id);
            writeln!(out, "  # {}", Clean(&member.name))?;
            writeln!(out, "  {handle}:")?;
            if !member.is_main {
                writeln!(
                    out,
                    "    proxy_organization_id: {}",
                    quoted(row.id.as_str())
                )?;
            }
            if one.account.as_str() != AccountName::DEFAULT {
                writeln!(out, "    account: {}", quoted(one.account.as_str()))?;
            }
            writeln!(out, "    operator: {}", quoted(one.operator.as_str()))?;
            writeln!(out, "    callbacks: []")?;
        }
    }
    if !any {
        let whole = groups
            .iter()
            .all(|one| matches!(one.group.completeness, Completeness::All));
        let what = if whole {
            "Every organization that has joined is declared."
        } else {
            "Every organization of the list that has joined is declared, but the list is not complete."
        };
        writeln!(out, "  # {what}")?;
    }
    Ok(())
}

/// A YAML scalar: JSON strings are YAML.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    // Ids have letters and digits; nothing of 20 or more is a word of YAML.
    if letter && text.len() >= 20 && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut bytes = Vec::new();
    let mut json = serde_json::Serializer::with_formatter(&mut bytes, harmless::Json);
    let written = text.serialize(&mut json);
    written.expect("a text is always JSON");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Writes the organizations as one JSON object on one line.
pub fn orgs_json(groups: &[Groups<'_>], mut out: impl io::Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        format_version: &'static str,
        complete: bool,
        organizations: Vec<One<'a>>,
    }
    #[derive(Serialize)]
    struct One<'a> {
        account: &'a str,
        id: &'a str,
        name: Option<&'a str>,
        main: bool,
        status: Option<&'static str>,
        coverage: &'static str,
        callbacks: usize,
        handles: Vec<&'a str>,
    }
    let organizations = groups.iter().flat_map(|group| {
        group.rows.iter().map(|row| One {
            account: group.account.as_str(),
            id: row.id.as_str(),
            name: row.member.map(|member| member.name.as_str()),
            main: row.member.is_some_and(|member| member.is_main),
            status: row.member.map(|member| member.status.word()),
            coverage: row.coverage.word(),
            callbacks: row.callbacks,
            handles: row.handles.iter().map(|handle| handle.as_str()).collect(),
        })
    });
    Document {
        format_version: "1.0",
        complete: groups
            .iter()
            .all(|one| one.group.completeness == Completeness::All),
        organizations: organizations.collect(),
    }
    .serialize(&mut serde_json::Serializer::with_formatter(
        &mut out,
        harmless::Json,
    ))
    .map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Member, Status, rows};
    use crate::model::{OrganizationId, Timestamp};

    fn group() -> Group {
        let member = |name: &str, id: &str, status, is_main| Member {
            id: OrganizationId::new(id),
            name: name.to_owned(),
            status,
            is_main,
            licence_expires: None,
        };
        Group {
            members: vec![
                member("示例集团", "yDmain", Status::Joined, true),
                member(
                    "示例科技（上海）有限公司",
                    "yDshanghai",
                    Status::Joined,
                    false,
                ),
                member("a\n\u{1b}[2J: # x", "yD\"evil\nx: y", Status::Joined, false),
                member("Left Ltd", "yDleft", Status::Left, false),
            ],
            completeness: Completeness::All,
        }
    }

    fn with<T>(show: impl FnOnce(&[Groups<'_>]) -> T) -> T {
        let (group, account) = (group(), AccountName::new("partner"));
        let operator = OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8");
        show(&[Groups {
            account: &account,
            operator: &operator,
            rows: rows(&group, &[]),
            group: &group,
        }])
    }

    #[test]
    fn a_table_or_blocks() {
        let text = |width| {
            let style = Style {
                width,
                ..Style::plain(Timestamp(0))
            };
            let mut out = String::new();
            with(|groups| orgs_text(groups, &style, &mut out)).unwrap();
            out
        };
        insta::assert_snapshot!(text(0), @r#"
        NAME                      ID                STATUS         COVERAGE   CALLBACKS  HANDLES
        示例集团                  yDmain            joined (main)  uncovered  0
        示例科技（上海）有限公司  yDshanghai        joined         uncovered  0
        a\u{a}\u{1b}[2J: # x      yD"evil\u{a}x: y  joined         uncovered  0
        Left Ltd                  yDleft            left           inactive   0

        4 organizations: 0 with callbacks of their own, 0 covered by the main organization, 3 uncovered, 1 inactive.
        "#);
        let narrow = text(40);
        assert!(
            narrow.contains("\n示例科技（上海）有限公司\n  yDshanghai\n  joined, uncovered\n"),
            "{narrow}"
        );
    }

    #[test]
    fn that_all_are_declared_is_said_of_a_whole_list_only() {
        let account = AccountName::new("partner");
        let operator = OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8");
        for (completeness, said) in [
            (
                Completeness::All,
                "  # Every organization that has joined is declared.\n",
            ),
            (
                Completeness::Short { total: 9 },
                "  # Every organization of the list that has joined is declared, but the list is not complete.\n",
            ),
        ] {
            let group = Group {
                members: Vec::new(),
                completeness,
            };
            let groups = [Groups {
                account: &account,
                operator: &operator,
                rows: Vec::new(),
                group: &group,
            }];
            let mut out = String::new();
            orgs_yaml(&groups, [], &mut out).unwrap();
            assert_eq!(out, said);
        }
    }

    #[test]
    fn yaml_to_paste() {
        let taken = Handle::new("示例集团");
        let mut out = String::new();
        with(|groups| orgs_yaml(groups, [&taken], &mut out)).unwrap();
        insta::assert_snapshot!(out, @r#"
        # Paste this below `organizations:`.
        # 示例集团
        示例集团-2:
          account: "partner"
          operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8
          callbacks: []
        # 示例科技（上海）有限公司
        示例科技-上海-有限公司:
          proxy_organization_id: "yDshanghai"
          account: "partner"
          operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8
          callbacks: []
        # a\u{a}\u{1b}[2J: # x
        a-2j-x:
          proxy_organization_id: "yD\"evil\nx: y"
          account: "partner"
          operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8
          callbacks: []
        "#);
    }

    #[test]
    fn a_document() {
        let mut bytes = Vec::new();
        with(|groups| orgs_json(groups, &mut bytes)).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["complete"], true);
        let one = &value["organizations"][1];
        let expected = serde_json::json!({
            "account": "partner", "id": "yDshanghai", "name": "示例科技（上海）有限公司", "main": false,
            "status": "joined", "coverage": "uncovered", "callbacks": 0, "handles": [],
        });
        assert_eq!(*one, expected);
    }
}
