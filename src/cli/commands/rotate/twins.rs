//! Which callbacks are rotated, and the URLs of their twins.

use std::collections::BTreeMap;

use super::Args;
use crate::cli::exit::Failure;
use crate::cli::terminal::Ui;
use crate::cli::workspace::Loaded;
use crate::config;
use crate::model::{Address, Callback, CallbackUrl};
use crate::plan::{Pattern, twin};
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
        let twins = given(url, chosen.into_iter().map(|(_, _, address)| address))?;
        if config::is_http(url)
            && !twins
                .keys()
                .any(|address| config::is_http(address.url.as_str()))
        {
            ui.warn(format_args!(
                "Warning: --twin is http, and the callback is https: others can read and change the messages on the way"
            ));
        }
        return Ok(twins);
    }
    let values = loaded.values.as_ref().map(|values| &values.known);
    let made = |callback: &Callback| {
        let key = callback.key.and_then(|index| values?.get(&index));
        twin(&callback.url, key.map(Check::of))
    };
    let mut twins = BTreeMap::new();
    for (_, callback, address) in chosen {
        let twin = made(callback);
        if let Some(problem) = config::url_error(twin.as_str()) {
            let message = format!(
                "the URL of the twin of `{address}` is not valid: {problem}; nothing was called"
            );
            return Err(Failure::error(message)
                .advice("Give a shorter URL of the same receiver with --twin."));
        }
        twins.insert(address, twin);
    }
    Ok(twins)
}

/// The twin of `--twin`, for the one callback that is rotated.
fn given(
    url: &str,
    mut chosen: impl ExactSizeIterator<Item = Address>,
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
    if twin == address.url {
        let message = format!("--twin is the URL of `{address}` itself");
        return Err(Failure::usage(message).advice(
            "Give another URL that reaches the same receiver. It takes the messages while the callback is replaced.",
        ));
    }
    Ok(BTreeMap::from([(address, twin)]))
}
