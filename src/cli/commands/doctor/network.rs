//! Tries the way to eSign: proxy, name, connection.

use std::net::IpAddr;
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::environment::ProcessEnvironment;
use crate::cli::remote::inspect::Inspection;
use crate::doctor::{Connection, Names};
use crate::model::Environment;

/// How long the name server may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn look(
    inspection: &Inspection,
    environment: Environment,
    variables: &ProcessEnvironment,
) -> Connection {
    let endpoint = &inspection.endpoint;
    let proxy = if endpoint.is_loopback() {
        None
    } else {
        proxy(&endpoint.to_string())
    };
    let names = names(endpoint.host(), endpoint.is_https(), proxy.is_some()).await;
    let asked_at = SystemClock.now();
    let reached = inspection.api.reach().await;
    let esigns = *endpoint == crate::client::Endpoint::of(environment);
    let whose = if inspection.is_sandbox() {
        format!("the sandbox, for environment {environment}")
    } else if esigns {
        format!("eSign's, environment {environment}")
    } else {
        format!("given by --endpoint or ESS_CALLBACKS_ENDPOINT, for environment {environment}")
    };
    Connection {
        endpoint: endpoint.to_string(),
        whose,
        host: endpoint.host().to_owned(),
        is_given: !esigns && !inspection.is_sandbox(),
        https: endpoint.is_https(),
        unusable_proxy: if proxy.is_none() && !endpoint.is_loopback() {
            unusable_proxy(variables, &endpoint.to_string())
        } else {
            None
        },
        proxy,
        names,
        reached,
        asked_at,
        answered_at: SystemClock.now(),
    }
}

/// The proxy for this URL, by the same rules as the calls, without user and password.
fn proxy(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let found = Matcher::from_system().intercept(&url)?;
    let authority = found.uri().authority()?.as_str();
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    Some(place.to_owned())
}

/// The variable that names a proxy for this URL, but not one that calls can use. `NO_PROXY` is left aside: who lists
/// the host there wants no proxy.
fn unusable_proxy(variables: &ProcessEnvironment, url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let all = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let set = all.into_iter().find_map(|name| {
        let value = variables.variable(name)?.to_str()?.trim();
        (!value.is_empty()).then(|| (name, value.to_owned()))
    });
    let (name, value) = set?;
    let without_exceptions = Matcher::builder().all(value).build();
    without_exceptions
        .intercept(&url)
        .is_none()
        .then(|| name.to_owned())
}

async fn names(host: &str, https: bool, proxied: bool) -> Names {
    if proxied {
        return Names::NotNeeded("the proxy resolves the name");
    }
    let with_port = match host.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ if https => format!("{host}:443"),
        _ => format!("{host}:80"),
    };
    let name = with_port.rsplit_once(':').map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Names::NotNeeded("the endpoint is an address");
    }
    match timeout(PATIENCE, lookup_host(&with_port)).await {
        Err(_) => Names::Failed(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Names::Failed(error.to_string()),
        Ok(Ok(found)) => match found.count() {
            0 => Names::Failed("the name server knows none".to_owned()),
            count => Names::Resolved(count),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_names_no_usable_proxy_is_found() {
        for (variables, found) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", "")], None),
            (&[("HTTPS_PROXY", "http://proxy.example:3128")], None),
            (&[("https_proxy", "proxy.example:3128")], None),
            (&[("ALL_PROXY", "http://")], Some("ALL_PROXY")),
            (&[("HTTPS_PROXY", "://proxy")], Some("HTTPS_PROXY")),
        ] {
            let variables = ProcessEnvironment::of(variables);
            let unusable = unusable_proxy(&variables, "https://ess.example/");
            assert_eq!(unusable.as_deref(), found, "{variables:?}");
        }
    }
}
