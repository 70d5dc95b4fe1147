//! `verify`: sends the receivers of declared callbacks what eSign would, and reports what is wrong with the answers.

use std::time::Duration;

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::duration;
use crate::cli::options::receivers::Receivers;
use crate::cli::options::secret_commands::Commands;
use crate::cli::process::signals;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::verification::{self, How, PARALLEL, Subject};
use crate::cli::workspace::{Loaded, Resolve};
use crate::model::{Verdict, Verified};
use crate::plan::Pattern;
use crate::render;
use crate::verify::MsgType;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these callbacks: HANDLE or HANDLE/URL, where * matches any text [default: all]. `explain V001` and the like
    /// explain what is found, and docs/verify.md the document of --json.
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<String>,
    #[command(flatten)]
    receivers: Receivers,
    /// Maximum number of receivers verified at once; never more than 4 of one host.
    #[arg(
        long,
        env = "ESS_CALLBACKS_PARALLEL",
        value_name = "N",
        default_value_t = PARALLEL
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=256))]
    parallel: u32,
    /// How long to wait for each answer, such as 10s.
    #[arg(long, env = "ESS_CALLBACKS_TIMEOUT", value_name = "DURATION", value_parser = timeout)]
    #[arg(default_value = "10s")]
    timeout: Duration,
    /// Send messages of this type instead of one that eSign does not have, which receivers ignore.
    #[arg(long, env = "ESS_CALLBACKS_MSG_TYPE", value_name = "TYPE", value_parser = MsgType::parse)]
    msg_type: Option<MsgType>,
    #[command(flatten)]
    commands: Commands,
}

/// A second to five minutes.
fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration::parse(text)?;
    if (1..=300).contains(&timeout.as_secs()) {
        Ok(timeout)
    } else {
        Err("it must be at least 1s and at most 5m".to_owned())
    }
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    ui.print_one_document();
    let patterns = args
        .addresses
        .iter()
        .map(|text| Pattern::parse(text).map_err(|error| Failure::usage(error.to_string())));
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    let resolve = Resolve {
        commands: args.commands,
        only: patterns.clone(),
    };
    let loaded = Loaded::read(settings.locations()?, Some(resolve), ui).await?;
    let Chosen { subjects, left_out } = chosen(&loaded, &patterns)?;
    let values = loaded.values.map(|values| values.known).unwrap_or_default();
    let how = How {
        allow_private: args.receivers.allow_private,
        parallel: args.parallel,
        timeout: args.timeout,
        msg_type: args.msg_type.unwrap_or_else(MsgType::harmless),
    };
    let stop = signals::listen(|| "What was verified was not printed.".to_owned());
    let stopped = stop.clone();
    let verified = verification::verify(&subjects, &values, how, settings, Some(stop), ui).await?;
    let interrupted = *stopped.borrow();
    print(&verified, left_out, subjects.len() - verified.len(), ui);
    let failed = |one: &Verified| one.verdict() == Verdict::Failed;
    Ok(if interrupted {
        Exit::Interrupted
    } else if verified.iter().any(failed) {
        Exit::Unverified
    } else {
        Exit::Done
    })
}

struct Chosen {
    subjects: Vec<Subject>,
    /// Suspended or disabled ones.
    left_out: usize,
}

/// The declared callbacks that a pattern matches, in the order of the file.
fn chosen(loaded: &Loaded, patterns: &[Pattern]) -> Result<Chosen, Failure> {
    let mut left_out = 0;
    let mut found = Vec::new();
    for (organization, callback, address) in loaded.chosen(patterns)? {
        if organization.suspend || !callback.enabled {
            left_out += 1;
            continue;
        }
        let subject = Subject {
            address,
            key: callback.key,
            token: callback.token,
        };
        found.push(((organization.place, callback.place), subject));
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(Chosen {
        subjects: found.into_iter().map(|(_, subject)| subject).collect(),
        left_out,
    })
}

fn print(verified: &[Verified], left_out: usize, not_done: usize, ui: &mut Ui) {
    if ui.json() {
        ui.bytes(|out| render::verified_json(verified, out));
        ui.flush();
        return;
    }
    let style = ui.style(0);
    ui.stream(|out| render::verified_text(verified, &style, out));
    let summary = render::verified_summary(verified, left_out, not_done);
    ui.say(format_args!("{summary}"));
    ui.flush();
}
