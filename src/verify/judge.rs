//! What the answer to a probe means.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the judgement is a pure function of the answer"
)]

use std::time::Duration;

use url::Url;

use super::failure::Failure;
use super::findings;
use super::probe::ProbeKind;
use crate::model::{Finding, Gravity};

/// How a probe ended.
pub type Seen = Result<Answer, Failure>;

/// An answer that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// `Location`, without secrets and control characters.
    pub location: Option<String>,
    /// Whether the body is an HTML page.
    pub html: bool,
    /// From the beginning of the request, or of its connection, to the end of the body.
    pub took: Duration,
}

/// What is sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The other probes.
    Continue,
    /// None that needs an accepted message.
    NoMessages,
    /// Nothing: the answers would be the same.
    Stop,
}

/// What an answer means, and what is sent next.
pub fn judge(url: &str, kind: ProbeKind, seen: &Seen) -> (Option<Finding>, Next) {
    let answer = match seen {
        Ok(answer) => answer,
        // To close the connection is one way to refuse.
        Err(_) if !kind.must_be_accepted() => return (None, Next::Continue),
        Err(failure) => return (Some(findings::failure(kind, failure)), Next::Stop),
    };
    if !kind.must_be_accepted() {
        let accepted = answer.status == 200 && kind != ProbeKind::VendorsCheck;
        return (accepted.then(|| findings::accepted(kind)), Next::Continue);
    }
    if let (300..=399, Some(location)) = (answer.status, &answer.location) {
        return (Some(redirect(url, answer.status, location)), Next::Stop);
    }
    if answer.status != 200 {
        let next = match kind {
            ProbeKind::Message => Next::NoMessages,
            ProbeKind::Empty
            | ProbeKind::EmptySigned
            | ProbeKind::Again
            | ProbeKind::Unusual
            | ProbeKind::Forged
            | ProbeKind::Unsigned
            | ProbeKind::WrongKey
            | ProbeKind::VendorsCheck => Next::Continue,
        };
        return (Some(findings::refused(kind, answer.status)), next);
    }
    (answer.html.then(findings::html), Next::Continue)
}

/// What the refusal of the vendor's check means. A receiver that refuses what is forged can't accept it.
pub(super) fn judge_vendors_check(status: u16, has_secrets: bool) -> Option<Finding> {
    let gravity = if has_secrets {
        Gravity::Note
    } else {
        Gravity::Warning
    };
    (status != 200).then(|| findings::vendors_check(status, gravity))
}

fn redirect(url: &str, status: u16, location: &str) -> Finding {
    let target = Url::parse(url).and_then(|url| url.join(location));
    let same_host_by_https = Url::parse(url).is_ok_and(|url| {
        url.scheme() == "http"
            && target
                .as_ref()
                .is_ok_and(|target| target.scheme() == "https" && target.host() == url.host())
    });
    findings::redirect(status, location, same_host_by_https)
}

/// Whether a body begins as an HTML page does. The type alone says nothing: several frameworks answer `ok` as
/// `text/html`.
pub(super) fn is_html(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    ["<!doctype html", "<html", "<head", "<body", "<script"]
        .iter()
        .any(|mark| text.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            location: None,
            html: false,
            took: Duration::from_millis(20),
        }
    }

    const ALL: [ProbeKind; 9] = [
        ProbeKind::Empty,
        ProbeKind::EmptySigned,
        ProbeKind::Message,
        ProbeKind::Again,
        ProbeKind::Unusual,
        ProbeKind::Forged,
        ProbeKind::Unsigned,
        ProbeKind::WrongKey,
        ProbeKind::VendorsCheck,
    ];

    fn code_of(kind: ProbeKind, answer: Answer) -> Option<(&'static str, Gravity)> {
        let (finding, _) = judge("http://a.example/cb", kind, &Ok(answer));
        finding.map(|finding| (finding.code, finding.severity))
    }

    #[test]
    fn what_esign_sends_must_get_200_and_nothing_else() {
        for kind in ALL {
            for status in [200, 201, 204, 400, 403, 404, 500, 502] {
                let found = code_of(kind, answer(status));
                if kind.must_be_accepted() {
                    assert_eq!(found.is_none(), status == 200, "{kind:?} {status}");
                    assert!(found.is_none_or(|(_, gravity)| gravity == Gravity::Error));
                } else {
                    assert!(found.is_none_or(|(_, gravity)| gravity == Gravity::Warning));
                }
            }
        }
        let accepted = |kind| code_of(kind, answer(200)).map(|(code, _)| code);
        assert_eq!(accepted(ProbeKind::Forged), Some("V040"));
        assert_eq!(accepted(ProbeKind::Unsigned), Some("V041"));
        assert_eq!(accepted(ProbeKind::WrongKey), Some("V042"));
        assert_eq!(accepted(ProbeKind::VendorsCheck), None);
    }

    #[rstest]
    #[case("http://a.example/cb", "https://a.example/cb", "V001")]
    #[case("http://a.example/cb", "https://b.example/cb", "V002")]
    #[case("http://a.example/cb", "/other", "V002")]
    #[case("https://a.example/cb", "https://a.example/cb/", "V002")]
    #[case("http://a.example:80/cb", "https://a.example:8443/", "V001")]
    #[case("http://a.example/cb", "not a url at all ://", "V002")]
    fn redirects(#[case] url: &str, #[case] location: &str, #[case] code: &str) {
        let seen = Ok(Answer {
            location: Some(location.to_owned()),
            ..answer(301)
        });
        let (finding, next) = judge(url, ProbeKind::Empty, &seen);
        let finding = finding.unwrap();
        assert_eq!((finding.code, next), (code, Next::Stop));
        assert!(finding.message.contains(location), "{}", finding.message);
    }

    #[test]
    fn a_page_is_told_by_its_text() {
        for (body, html) in [
            ("ok", false),
            ("{\"code\":0}", false),
            ("<xml>ok</xml>", false),
            ("\n <!DOCTYPE html><title>Just a moment...</title>", true),
            ("\u{feff}<HTML>", true),
            ("<script>challenge()</script>", true),
            ("", false),
        ] {
            assert_eq!(is_html(body.as_bytes()), html, "{body}");
        }
        let page = Answer {
            html: true,
            ..answer(200)
        };
        assert_eq!(
            code_of(ProbeKind::Message, page),
            Some(("V031", Gravity::Warning))
        );
    }

    #[test]
    fn a_strict_receiver_is_not_blamed_for_the_vendors_check() {
        assert_eq!(
            judge_vendors_check(403, true).unwrap().severity,
            Gravity::Note
        );
        assert_eq!(
            judge_vendors_check(403, false).unwrap().severity,
            Gravity::Warning
        );
        assert_eq!(judge_vendors_check(200, false), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_and_any_location_cause_no_panic(body: Vec<u8>, url in ".{0,40}", location in ".{0,40}") {
            let _html = is_html(&body);
            let seen = Ok(Answer { location: Some(location), ..answer(302) });
            proptest::prop_assert_eq!(judge(&url, ProbeKind::Empty, &seen).1, Next::Stop);
        }
    }
}
