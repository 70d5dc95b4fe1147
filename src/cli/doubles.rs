//! Services of Tencent Cloud that tests replace by doubles on this machine.

use super::environment::ProcessEnvironment;
use super::exit::Failure;
use crate::client::Endpoint;

/// The variables of tests that replace services of Tencent Cloud by doubles on this machine.
pub(crate) const STS: &str = "ESS_CALLBACKS_STS_ENDPOINT";
pub(crate) const CLOUDAUDIT: &str = "ESS_CALLBACKS_CLOUDAUDIT_ENDPOINT";
pub(crate) const METADATA: &str = "ESS_CALLBACKS_METADATA_ENDPOINT";

/// The double that a variable names. It must be on this machine.
pub(crate) fn double(
    variables: &ProcessEnvironment,
    name: &str,
) -> Result<Option<Endpoint>, Failure> {
    let Some(value) = variables.variable(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let endpoint = Endpoint::parse(&value.to_string_lossy());
    let endpoint = endpoint.map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    if endpoint.is_loopback() {
        return Ok(Some(endpoint));
    }
    let message = format!("{name} is for tests: it can only name a server on this machine");
    Err(Failure::usage(message).advice(format!("Unset {name}.")))
}
