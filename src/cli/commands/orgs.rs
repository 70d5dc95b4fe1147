//! `orgs`: the group's member organizations beside the configuration.

use std::collections::BTreeMap;

use clap::ValueEnum;
use futures_util::future::join_all;

use crate::cli::exit::{Exit, Failure};
use crate::cli::process::signals::Signals;
use crate::cli::remote::group;
use crate::cli::remote::inspect::Inspection;
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::doctor::{Lookup, credentials};
use crate::group::{Group, rows};
use crate::model::{
    Account, AccountName, Desired, OperatorId, Organization, ReadError, ReadFailure,
};
use crate::render::{self, Groups};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OrgsFormat {
    /// A table.
    Text,
    /// What to paste into callbacks.yaml: members that have joined and are not declared.
    Yaml,
    /// One JSON document.
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List only the groups of these accounts. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_ACCOUNT",
        value_name = "NAME",
        value_delimiter = ' '
    )]
    account: Vec<String>,
    /// The employee of the main organization in whose name to ask [default: the operator of the
    /// account's own organization, otherwise of its first one].
    #[arg(long, env = "ESS_CALLBACKS_OPERATOR", value_name = "USER_ID")]
    operator: Option<String>,
    /// How to print the organizations.
    #[arg(
        long,
        env = "ESS_CALLBACKS_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    format: OrgsFormat,
}

/// An account whose group is listed.
struct Asked<'a> {
    name: &'a AccountName,
    operator: OperatorId,
    declared: Vec<&'a Organization>,
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let (_, parsed) = sources::parse(&locations.config, &locations.given)?;
    let desired = parsed.desired;
    let asked = accounts(&desired, &args)?;
    let declared: BTreeMap<AccountName, Account> = desired
        .accounts
        .iter()
        .filter(|(name, _)| asked.iter().any(|one| one.name == *name))
        .map(|(name, account)| (name.clone(), account.clone()))
        .collect();
    let inspection = Inspection::open(settings, &desired, &declared, 20).await?;
    for (name, lookup) in &inspection.lookups {
        if !matches!(lookup, Lookup::Found(_)) {
            let finding = credentials(lookup);
            let failure = Failure::error(format!("account `{name}`: {}", finding.reason));
            return Err(failure.advice(finding.remedy.unwrap_or_default()));
        }
    }
    let mut signals = Signals::new();
    let reading = join_all(asked.iter().map(|one| {
        let reader = inspection.reader(one.name);
        async move { group::read(&reader, &one.operator).await }
    }));
    let read = tokio::select! {
        read = reading => read,
        () = signals.next() => {
            let message = "interrupted; nothing was changed";
            return Err(Failure::new(Exit::Interrupted, message));
        }
    };
    inspection.close().await;
    let mut groups: Vec<(&Asked<'_>, Group)> = Vec::new();
    for (one, group) in asked.iter().zip(read) {
        groups.push((one, group.map_err(|error| unread(one, &error))?));
    }
    for (one, group) in &groups {
        if let Some(missing) = render::incomplete(group.completeness, group.members.len()) {
            ui.aside(format_args!("Warning: account `{}`: {missing}", one.name));
        }
    }
    let beside: Vec<Groups<'_>> = groups
        .iter()
        .map(|(one, group)| Groups {
            account: one.name,
            operator: &one.operator,
            rows: rows(group, &one.declared),
            group,
        })
        .collect();
    match args.format {
        _ if ui.json() => ui.bytes(|out| render::orgs_json(&beside, out)),
        OrgsFormat::Json => ui.bytes(|out| render::orgs_json(&beside, out)),
        OrgsFormat::Yaml => {
            let taken = desired.organizations.iter().map(|one| &one.handle);
            ui.stream(|out| render::orgs_yaml(&beside, taken, out));
        }
        OrgsFormat::Text => {
            let style = ui.style(20);
            ui.stream(|out| render::orgs_text(&beside, &style, out));
        }
    }
    Ok(Exit::Done)
}

/// The accounts that the options name, otherwise those that organizations use; `default` if none does.
fn accounts<'a>(desired: &'a Desired, args: &Args) -> Result<Vec<Asked<'a>>, Failure> {
    let unknown = |name: &&String| {
        let mut known = desired.accounts.keys();
        !known.any(|known| known.as_str() == name.as_str())
    };
    if let Some(name) = args.account.iter().find(unknown) {
        return Err(Failure::usage(format!(
            "--account: the configuration has no account `{}`",
            name.escape_debug()
        )));
    }
    let usable =
        |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(operator) = args.operator.as_ref().filter(|text| !usable(text)) {
        return Err(Failure::usage(format!(
            "--operator: `{}` is not a UserId",
            operator.escape_debug()
        )));
    }
    let uses = |name: &AccountName| {
        desired
            .organizations
            .iter()
            .any(|one| one.scope.account == *name)
    };
    let no_one = desired.organizations.is_empty();
    let mut asked = Vec::new();
    for name in desired.accounts.keys() {
        let is_named = args.account.iter().any(|one| one == name.as_str());
        let is_used = uses(name) || (no_one && name.as_str() == AccountName::DEFAULT);
        if !(is_named || (args.account.is_empty() && is_used)) {
            continue;
        }
        let declared: Vec<&Organization> = desired
            .organizations
            .iter()
            .filter(|one| one.scope.account == *name)
            .collect();
        let own = declared.iter().find(|one| one.scope.organization.is_none());
        let operator = args.operator.as_deref().map(OperatorId::new);
        let operator = operator.or_else(|| Some(own.or(declared.first())?.operator.clone()));
        let Some(operator) = operator else {
            let message =
                format!("no organization uses the account `{name}`, so it has no operator");
            return Err(Failure::error(message).advice(
                "Give the UserId of an employee of the main organization with --operator.",
            ));
        };
        asked.push(Asked {
            name,
            operator,
            declared,
        });
    }
    Ok(asked)
}

fn unread(one: &Asked<'_>, error: &ReadError) -> Failure {
    let ReadError { kind, error } = error;
    let code = error
        .code
        .as_deref()
        .map_or_else(String::new, |code| format!("{code}: "));
    let id = error
        .request_id
        .as_ref()
        .map_or_else(String::new, |id| format!(" [request id {id}]"));
    let message = format!(
        "the group of the account `{}` can't be listed: {code}{}{id}; {}",
        one.name, error.message, error.meaning
    );
    let more = match kind {
        ReadFailure::Refused => {
            " Only an employee of the group's main organization may list it: see --operator."
        }
        ReadFailure::NoAnswer
        | ReadFailure::Busy
        | ReadFailure::Credentials
        | ReadFailure::NotAllowed => "",
    };
    let mut advice: String = error.advice.to_string();
    if let Some(first) = advice.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Failure::error(message).advice(format!(
        "{advice}. `ess-callbacks doctor` finds the cause.{more}"
    ))
}
