//! `--experimental-cloudaudit`: asks CloudAudit what became of lost calls, and says what it settles.

use crate::cli::exit::Failure;
use crate::cli::random::random;
use crate::cli::remote::{Remote, cloudaudit};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::model::{Address, Desired, Sought, Witnessed};
use crate::render;
use crate::run::Testimonies;

/// What CloudAudit says of these calls. What hinders it is a warning.
pub(in crate::cli::commands) async fn ask(
    settings: &Settings,
    desired: &Desired,
    sought: &[Sought],
    ui: &mut Ui,
) -> Option<Testimonies> {
    let mut hindered = Vec::new();
    let said = cloudaudit::ask(settings, desired, sought, |why| hindered.push(why)).await;
    for why in hindered {
        ui.warn(format_args!(
            "Warning: CloudAudit (experimental) was not read, and the run goes on without it: {why}"
        ));
    }
    said
}

/// Says which lost calls are settled.
pub(in crate::cli::commands) fn report(settled: &[(Address, Witnessed)], ui: &mut Ui) {
    if settled.is_empty() {
        ui.note(format_args!(
            "Note: CloudAudit (experimental) settles no lost call now, which proves nothing: events come minutes late \
             or not at all, and a call is settled only when it can't arrive any more."
        ));
    }
    for (address, witnessed) in settled {
        let line = render::witnessed_line(address, witnessed);
        ui.say(format_args!("{line}"));
    }
}

/// Marks the calls, so that CloudAudit's events of them are recognised.
pub(in crate::cli::commands) fn mark(remote: &Remote) -> Result<(), Failure> {
    let seeds = [random()?, random()?];
    remote.api.mark_calls(seeds.map(u64::from_be_bytes));
    Ok(())
}
