//! The permission probe: a delete of a URL that no one has.
//!
//! eSign looks for the URL only after it has accepted the credentials, the clock, the operator, the member and the
//! edition for just this action. So the answer that there is no such callback proves that callbacks may be
//! configured, and nothing has changed.
//!
//! The URL holds 128 random bits and is compared with everything that is declared or recorded, so no callback can
//! be hit, however eSign compares URLs.

use super::{Finding, sentence, told};
use crate::model::{ApiError, Blast, CallbackUrl, Outcome};

/// The random part of the URLs of one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe(String);

/// With which URL a probe was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// On a host under the reserved domain `.invalid`, which no one can have.
    Reserved,
    /// On a host of the configuration.
    OwnHost,
}

/// What to do after a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing more.
    Done,
    /// Probe again, with a URL on a host of the configuration.
    OtherUrl,
    /// Ask for the operator, to find out why.
    Explain,
    /// Every call of this account fails.
    StopAccount,
}

impl Probe {
    pub fn new(bits: [u8; 16]) -> Self {
        Self(hex::encode(bits))
    }

    /// Whether no URL here contains the random part.
    pub fn is_free<'u>(&self, mut taken: impl Iterator<Item = &'u CallbackUrl>) -> bool {
        !taken.any(|url| url.as_str().to_ascii_lowercase().contains(&self.0))
    }

    /// A URL on a reserved host.
    pub fn reserved(&self) -> CallbackUrl {
        CallbackUrl::new(format!("https://ess-callbacks-probe-{}.invalid/", self.0))
    }

    /// A URL on the host of this one.
    pub fn on_host_of(&self, url: &CallbackUrl) -> Option<CallbackUrl> {
        let text = url.as_str();
        let (scheme, rest) = text.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        (!host.is_empty())
            .then(|| CallbackUrl::new(format!("{scheme}://{host}/ess-callbacks-probe-{}", self.0)))
    }
}

/// What the answer to a probe says.
pub fn permission(outcome: &Outcome, tried: Tried) -> (Finding, Next) {
    match outcome {
        Outcome::NotThere(_) => (
            Finding::ok(
                "callbacks may be configured: eSign looked for the probe's URL and has no such callback",
            ),
            Next::Done,
        ),
        Outcome::Applied(id) => (
            Finding::warning(
                format!(
                    "callbacks may be configured; but eSign answered success to the delete of a URL that no one has \
                     [request id {id}]"
                ),
                "Please report this: then a successful delete does not tell whether the callback was there.",
            ),
            Next::Done,
        ),
        Outcome::AlreadyThere(id) => (
            Finding::warning(
                format!("eSign answered the probe in a way that fits no delete [request id {id}]"),
                "Please report this.",
            ),
            Next::Done,
        ),
        Outcome::Throttled(error) => (
            Finding::warning(
                told(error),
                "Run doctor again in a minute; if it keeps happening, something else uses the same credentials.",
            ),
            Next::Done,
        ),
        Outcome::NotSent(error) => (
            Finding::failed(
                told(error),
                "Check the network, the name server, HTTPS_PROXY and, for certificates, --ca-file.",
            ),
            Next::StopAccount,
        ),
        Outcome::Unknown(error) => (
            Finding::failed(
                format!("the probe got no usable answer: {}", said(error)),
                "Run doctor again; if it persists, check --endpoint and the proxy, or give the RequestId to eSign's support. \
                 The probe changes nothing, also if it arrives late.",
            ),
            Next::Done,
        ),
        Outcome::NotSigned(error) | Outcome::ClockOff(error) | Outcome::TokenExpired(error) => {
            (refused(error), Next::StopAccount)
        }
        Outcome::Rejected(Blast::Account, error) => (refused(error), Next::StopAccount),
        Outcome::Rejected(Blast::Organization, error) => (refused(error), Next::Explain),
        Outcome::Rejected(Blast::Call, error) => {
            let next = if tried == Tried::Reserved && is_about_a_value(error) {
                Next::OtherUrl
            } else {
                Next::Explain
            };
            (refused(error), next)
        }
    }
}

fn refused(error: &ApiError) -> Finding {
    // The message says it all, where the code says nothing.
    let known = [
        (
            "没有权限",
            "the operator has no permission to configure callbacks",
            "Have the super-administrator give the operator the permission, or name another `operator`.",
        ),
        (
            "未加入集团",
            "the member organization has not joined the group, or has left it",
            "Check `proxy_organization_id` against `orgs`.",
        ),
    ];
    if let Some((_, meaning, remedy)) = known
        .iter()
        .find(|(words, _, _)| error.message.contains(words))
    {
        return Finding::failed(format!("{meaning} ({})", said(error)), *remedy);
    }
    // The probe has no key and no token, and its URL was tried on two hosts.
    if is_about_a_value(error) {
        return Finding::failed(
            format!(
                "eSign does not take one of the probe's values ({})",
                said(error)
            ),
            "Check `operator`, `proxy_organization_id` and `app_id`; the check of the operator below says more.",
        );
    }
    Finding::failed(told(error), sentence(&error.advice))
}

/// The error in eSign's words only: what it would mean for a change does not hold for the probe.
fn said(error: &ApiError) -> String {
    let code = error
        .code
        .as_deref()
        .map_or_else(String::new, |code| format!("{code}: "));
    let id = error
        .request_id
        .as_ref()
        .map_or_else(String::new, |id| format!(" [request id {id}]"));
    format!("{code}{}{id}", error.message.trim_end_matches(['。', '.']))
}

/// Whether eSign refuses a value, which may be the URL.
fn is_about_a_value(error: &ApiError) -> bool {
    let family = error
        .code
        .as_deref()
        .and_then(|code| code.split('.').next());
    matches!(family, Some("InvalidParameter" | "InvalidParameterValue"))
}

/// For organizations that the sample leaves out.
pub fn not_sampled(count: usize) -> Finding {
    let more = if count == 1 {
        "1 more organization was"
    } else {
        return Finding::skipped(format!(
            "{count} more organizations were not probed; --all probes every one"
        ));
    };
    Finding::skipped(format!("{more} not probed; --all probes every one"))
}

/// For an organization that nothing is called for.
pub fn suspended() -> Finding {
    Finding::skipped("`suspend: true`: nothing is called for it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{CheckResult, fixtures::error};
    use crate::model::RequestId;
    use proptest::prelude::*;

    #[test]
    fn each_outcome_has_a_meaning() {
        let id = || RequestId::new("r");
        let with = |code: &str, message: &str| error(Some(code), message);
        let value = || with("InvalidParameterValue", "x");
        for (outcome, tried, result, next) in [
            (
                Outcome::NotThere(id()),
                Tried::Reserved,
                CheckResult::Ok,
                Next::Done,
            ),
            (
                Outcome::Applied(id()),
                Tried::Reserved,
                CheckResult::Warning,
                Next::Done,
            ),
            (
                Outcome::AlreadyThere(id()),
                Tried::Reserved,
                CheckResult::Warning,
                Next::Done,
            ),
            (
                Outcome::Throttled(with("R", "")),
                Tried::Reserved,
                CheckResult::Warning,
                Next::Done,
            ),
            (
                Outcome::Unknown(with("I", "")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::Done,
            ),
            (
                Outcome::NotSent(with("I", "")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::StopAccount,
            ),
            (
                Outcome::NotSigned(with("I", "")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::StopAccount,
            ),
            (
                Outcome::ClockOff(with("I", "")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::StopAccount,
            ),
            (
                Outcome::TokenExpired(with("I", "")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::StopAccount,
            ),
            (
                Outcome::Rejected(Blast::Account, with("AuthFailure", "")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::StopAccount,
            ),
            (
                Outcome::Rejected(Blast::Organization, with("U", "")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::Explain,
            ),
            (
                Outcome::Rejected(Blast::Call, value()),
                Tried::Reserved,
                CheckResult::Failed,
                Next::OtherUrl,
            ),
            (
                Outcome::Rejected(Blast::Call, value()),
                Tried::OwnHost,
                CheckResult::Failed,
                Next::Explain,
            ),
            (
                Outcome::Rejected(Blast::Call, with("FailedOperation", "操作人没有权限。")),
                Tried::Reserved,
                CheckResult::Failed,
                Next::Explain,
            ),
        ] {
            let (finding, then) = permission(&outcome, tried);
            assert_eq!((finding.result, then), (result, next), "{outcome:?}");
            let bad = result == CheckResult::Failed || result == CheckResult::Warning;
            assert_eq!(finding.remedy.is_some(), bad, "{outcome:?}");
        }
    }

    #[test]
    fn a_probe_on_an_own_host_has_a_path_of_its_own() {
        let probe = Probe::new([0xab; 16]);
        let own = probe
            .on_host_of(&CallbackUrl::new("https://h.example:8443?x=1"))
            .unwrap();
        insta::assert_snapshot!(own.as_str(), @"https://h.example:8443/ess-callbacks-probe-abababababababababababababababab");
        assert!(probe.on_host_of(&CallbackUrl::new("nonsense")).is_none());
        insta::assert_snapshot!(probe.reserved().as_str(), @"https://ess-callbacks-probe-abababababababababababababababab.invalid/");
    }

    proptest! {
        /// Whatever is declared or recorded, and however eSign compares.
        #[test]
        fn no_probe_is_a_callback(bits: [u8; 16], urls in proptest::collection::vec("https://[a-z]{1,9}\\.example/[a-zA-Z0-9/]{0,40}", 1..9)) {
            let probe = Probe::new(bits);
            let urls: Vec<_> = urls.into_iter().map(CallbackUrl::new).collect();
            for made in [Some(probe.reserved()), probe.on_host_of(&urls[0])].into_iter().flatten() {
                prop_assert!(!probe.is_free([&made].into_iter()));
                let shouted = CallbackUrl::new(made.as_str().to_uppercase());
                prop_assert!(!probe.is_free([&shouted].into_iter()));
                if probe.is_free(urls.iter()) {
                    for url in &urls {
                        prop_assert!(!url.as_str().eq_ignore_ascii_case(made.as_str()));
                    }
                }
            }
        }
    }
}
