//! The error when an address can't be listened on.

use std::io::ErrorKind;

use super::exit::Failure;
use crate::serving::BindError;

/// `risk` is what other machines could do, and the advice about it.
pub(super) fn not_bound(address: &str, error: &BindError, (risk, advice): (&str, &str)) -> Failure {
    match error {
        BindError::NotLoopback => Failure::usage(format!(
            "{address} is not a loopback address: other machines could {risk}"
        ))
        .advice(advice),
        BindError::Listen(error) => {
            let failure = Failure::error(format!("can't listen on {address}: {error}"));
            if error.kind() == ErrorKind::AddrInUse {
                return failure
                    .advice("Name another address with --listen; port 0 chooses a free one.");
            }
            failure
        }
    }
}
