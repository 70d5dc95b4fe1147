//! How a plan that waits is approved: the whole command.

use std::net::SocketAddr;

use url::Url;

use super::advice::{APPROVE, NO_TOKEN};
use crate::cli::options::variables::CONTROLLER_TOKEN;

/// Where approvals go.
#[derive(Debug)]
pub(super) struct Approving {
    /// The address of the server, as people reach it, with a slash at the end.
    base: String,
    has_token: bool,
}

impl Approving {
    /// At the address of the status page, if it is given, and otherwise at that of the server.
    pub(super) fn new(status_url: Option<&str>, address: SocketAddr, has_token: bool) -> Self {
        let given = status_url.and_then(|url| Url::parse(url).ok());
        let base = match given {
            Some(mut url) => {
                url.set_query(None);
                url.set_fragment(None);
                String::from(url)
            }
            None if address.ip().is_unspecified() => {
                format!("http://127.0.0.1:{}/", address.port())
            }
            None => format!("http://{address}/"),
        };
        Self {
            base: format!("{}/", base.trim_end_matches('/')),
            has_token,
        }
    }

    /// What to do to approve the plan with this digest.
    pub(super) fn how(&self, digest: &str) -> String {
        if !self.has_token {
            return NO_TOKEN.0.to_owned();
        }
        let base = &self.base;
        let approve = APPROVE.0;
        format!(
            "{approve}`curl -H \"Authorization: Bearer ${CONTROLLER_TOKEN}\" {base}approve \
             -d '{{\"digest\":\"{digest}\"}}'`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_the_address_that_people_use() {
        let how = |url, address: &str, has_token| {
            let address = address.parse().unwrap();
            Approving::new(url, address, has_token).how("sha256:aa")
        };
        insta::assert_snapshot!(
            how(None, "127.0.0.1:8980", true),
            @r#"To approve exactly these calls: `curl -H "Authorization: Bearer $ESS_CALLBACKS_CONTROLLER_TOKEN" http://127.0.0.1:8980/approve -d '{"digest":"sha256:aa"}'`"#
        );
        for (url, address, expected) in [
            (None, "0.0.0.0:1", " http://127.0.0.1:1/approve "),
            (None, "[::1]:1", " http://[::1]:1/approve "),
            (
                Some("https://a.example"),
                "0.0.0.0:1",
                " https://a.example/approve ",
            ),
            (
                Some("https://a.example/x?y#z"),
                "0.0.0.0:1",
                " https://a.example/x/approve ",
            ),
        ] {
            let how = how(url, address, true);
            assert!(how.contains(expected), "{how}");
        }
        assert!(how(None, "127.0.0.1:1", false).contains("need a token"));
    }
}
