//! Which callbacks are rotated, and the URLs of their twins.

use std::collections::BTreeMap;

use super::Args;
use crate::cli::exit::Failure;
use crate::cli::terminal::Ui;
use crate::cli::workspace::Loaded;
use crate::config;
use crate::model::{Address, Callback, CallbackUrl, Desired, Organization};
use crate::plan::{Pattern, Rotation, Stage, twin};
use crate::secret::Check;

/// The declared callbacks that the arguments name, each with its twin.
pub(super) fn twins(
    loaded: &Loaded,
    patterns: &[Pattern],
    args: &Args,
    ui: &mut Ui,
) -> Result<BTreeMap<Address, CallbackUrl>, Failure> {
    let chosen = loaded.chosen(patterns)?;
    if let Some(url) = &args.twin {
        let twins = given(
            url,
            chosen.into_iter().map(|(_, _, address)| address),
            &loaded.desired,
        )?;
        for (address, twin) in &twins {
            for warning in config::url_warnings(twin, &address.url) {
                ui.warn(format_args!("Warning: --twin: {warning}"));
            }
        }
        return Ok(twins);
    }
    let values = loaded.values.as_ref().map(|values| &values.known);
    let made = |callback: &Callback| {
        let key = callback.key.and_then(|index| values?.get(&index));
        twin(&callback.url, key.map(Check::of))
    };
    Ok(chosen
        .into_iter()
        .map(|(_, callback, address)| (address, made(callback)))
        .collect())
}

/// Why this rotation can't be begun, if it can't. Nothing was called yet.
pub(super) fn refusal(rotation: &Rotation, desired: &Desired) -> Option<Failure> {
    let Rotation {
        address,
        twin,
        stage,
        ..
    } = rotation;
    let refused = |why: &str| {
        Failure::error(format!(
            "the twin of `{address}`, {twin}, {why}; nothing was called"
        ))
    };
    Some(match stage {
        Stage::Nothing | Stage::Finish => return None,
        Stage::Begin => {
            let problem = config::url_error(twin.as_str())?;
            let message = format!(
                "the URL of the twin of `{address}` is not valid: {problem}; nothing was called"
            );
            Failure::error(message)
                .advice("Give a shorter URL of the same receiver with --twin.")
        }
        Stage::TwinDeclared => declared(rotation, desired, refused),
        Stage::TwinOfAnother => refused("is that of another callback, which may need it").advice(
            "Finish the rotation of the other callback first, with `rotate` or, if the file does not declare it any \
             more, with `ess-callbacks apply`. Or give another URL with --twin.",
        ),
        Stage::TwinRecorded => refused(
            "is recorded as a callback that callbacks.yaml does not declare, and would be deleted at the end",
        )
        .advice(
            "Give another URL with --twin, one that is not configured at eSign; or run `ess-callbacks apply` first, \
             which deletes the callback.",
        ),
    })
}

fn declared(rotation: &Rotation, desired: &Desired, refused: impl Fn(&str) -> Failure) -> Failure {
    let Rotation { address, twin, .. } = rotation;
    let handle = &address.handle;
    let mut organizations = desired.organizations.iter();
    let own = organizations.find(|one| one.handle == *handle);
    if own.is_some_and(|own| own.absent.contains(twin)) {
        return refused("is listed under `absent` in callbacks.yaml, so any apply deletes it")
            .advice("Remove it there, or give another URL with --twin.");
    }
    let has = |one: &&Organization| one.callbacks.iter().any(|other| other.url == *twin);
    if own.as_ref().is_some_and(has) {
        return refused("is in callbacks.yaml itself, so it can't be deleted at the end").advice(
            "If you rotate with the file, run `ess-callbacks apply` and remove the twin from the file afterwards. \
             Otherwise remove it first, or give another URL with --twin.",
        );
    }
    let mut organizations = desired.organizations.iter();
    let other = organizations.find(|one| has(one) || one.absent.contains(twin));
    let of = other.map_or_else(String::new, |other| format!(" for `{}`", other.handle));
    refused(&format!("is in callbacks.yaml{of}"))
        .advice("Give another URL with --twin, one that is not configured at eSign.")
}

/// The twin of `--twin`, for the one callback that is rotated.
fn given(
    url: &str,
    mut chosen: impl ExactSizeIterator<Item = Address>,
    desired: &Desired,
) -> Result<BTreeMap<Address, CallbackUrl>, Failure> {
    let count = chosen.len();
    let (1, Some(address)) = (count, chosen.next()) else {
        let message = format!("--twin is for one callback, and the addresses match {count}");
        return Err(Failure::usage(message).advice("Rotate them one after the other."));
    };
    if let Some(problem) = config::url_error(url) {
        return Err(Failure::usage(format!("--twin: {problem}")));
    }
    let twin = CallbackUrl::new(url);
    let problem = if twin == address.url {
        format!("--twin is the URL of `{address}` itself")
    } else if config::are_similar(&twin, &address.url) {
        format!(
            "--twin is nearly the URL of `{address}`: eSign or the receiver may take both for one"
        )
    } else if let Some(other) = alike(desired, &twin) {
        format!(
            "--twin is nearly {other}, which is declared: eSign or the receiver may take both for one"
        )
    } else {
        return Ok(BTreeMap::from([(address, twin)]));
    };
    Err(Failure::usage(problem).advice(
        "Give another URL that reaches the same receiver. It takes the messages while the callback is replaced.",
    ))
}

/// A declared URL that is nearly this one. The same one is refused later, with more to say.
fn alike<'d>(desired: &'d Desired, twin: &CallbackUrl) -> Option<&'d CallbackUrl> {
    let organizations = desired.organizations.iter();
    let urls = organizations
        .flat_map(|one| &one.callbacks)
        .map(|callback| &callback.url);
    urls.filter(|url| *url != twin)
        .find(|url| config::are_similar(url, twin))
}
