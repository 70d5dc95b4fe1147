//! Which callback URL a request belongs to.
//!
//! A proxy may change the scheme, the host and the port that a request was sent to, but rarely its path, so a request is
//! matched by path and query. The host decides between URLs with the same path, and then the secrets that open the
//! request.

use std::collections::BTreeMap;

use crate::model::twin::original;
use crate::model::{Address, CallbackUrl, MASK, SecretIndex, masked};
use crate::receiver::{Content, Opened, Receiver, Rejection, Secrets};

/// A callback URL, or every path, with what opens its requests.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `None` if the user named none.
    pub(super) url: Option<CallbackUrl>,
    /// Whether it takes requests to any path.
    pub(super) any_path: bool,
    pub(super) receiver: Receiver,
    /// The declared callbacks of each pair of the receiver. Pairs after these are from the command line.
    pub(super) owners: Vec<Vec<Address>>,
}

/// How a request was addressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The path and query.
    pub(super) path: &'a str,
    pub(super) host: Option<&'a str>,
    /// `http` or `https`, if a trusted proxy says so.
    pub(super) scheme: Option<&'a str>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) place: &'a Place,
    pub(super) opened: Result<Opened, Rejection>,
    /// Other URLs that the request may belong to just as well.
    pub(super) ambiguous: bool,
}

impl Place {
    /// The declared callbacks whose secrets opened a request, and whether these were given on the command line.
    pub(super) fn owners_of(&self, pair: Option<usize>) -> (Vec<Address>, bool) {
        match pair {
            Some(pair) => match self.owners.get(pair) {
                Some(owners) => (owners.clone(), false),
                None => (Vec::new(), !self.owners.is_empty()),
            },
            None => (self.owners.iter().flatten().cloned().collect(), false),
        }
    }

    /// What tells the callback of this pair from others. Pairs from the command line are of the first.
    pub(super) fn callback(&self, pair: Option<usize>) -> String {
        let url = self.url.as_ref().map_or("", CallbackUrl::as_str);
        let pair = pair.filter(|pair| *pair < self.owners.len());
        format!("{} {url}", pair.unwrap_or_default())
    }

    /// The port of its URL, if that is another one of this machine than the one that is listened on.
    pub(super) fn other_port(&self, listened: u16) -> Option<u16> {
        let url = url::Url::parse(self.url.as_ref()?.as_str()).ok()?;
        let here = match url.host()? {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        let port = url.port_or_known_default()?;
        (here && port != listened).then_some(port)
    }

    /// The URL that a request to this path was sent to, as far as is known: its own, or that of a twin.
    pub(super) fn url_of(&self, path: &str) -> Option<CallbackUrl> {
        let url = self.url.as_ref()?;
        let own = path_of(url.as_str());
        let added = path.strip_prefix(own.as_str()).unwrap_or_default();
        Some(if is_twin(path, &own) {
            CallbackUrl::new(format!("{url}{added}", url = url.as_str()))
        } else {
            url.clone()
        })
    }

    fn takes(&self, path: &str) -> bool {
        self.any_path || self.own_path().is_some_and(|own| own == path)
    }

    /// Whether a rotation adds a twin with this path.
    fn takes_as_twin(&self, path: &str) -> bool {
        self.own_path().is_some_and(|own| is_twin(path, &own))
    }

    fn own_path(&self) -> Option<String> {
        self.url.as_ref().map(|url| path_of(url.as_str()))
    }
}

/// Whether a path is that of the twin that a rotation adds beside a URL with this path.
fn is_twin(path: &str, own: &str) -> bool {
    original(&CallbackUrl::new(path)).is_some_and(|of| of.as_str() == own)
}

/// The path and query of a URL, byte for byte as a client sends them.
pub(super) fn path_of(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => rest[at..].to_owned(),
        Some(at) => format!("/{}", &rest[at..]),
        None => "/".to_owned(),
    }
}

fn is_at(url: &str, scheme: Option<&str>, host: Option<&str>) -> bool {
    let (own_scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let own_host = rest.split(['/', '?']).next().unwrap_or_default();
    scheme.is_none_or(|scheme| own_scheme.eq_ignore_ascii_case(scheme))
        && host.is_none_or(|host| own_host.eq_ignore_ascii_case(host))
}

/// Opens a request at the place it belongs to; `None` if no URL has its path.
pub(super) fn open<'p>(
    places: &'p [Place],
    target: Target<'_>,
    open: impl Fn(&Receiver) -> Result<Opened, Rejection>,
) -> Option<Found<'p>> {
    let mut candidates: Vec<&Place> = places
        .iter()
        .filter(|place| place.takes(target.path))
        .collect();
    if candidates.is_empty() {
        let twins = places.iter();
        candidates.extend(twins.filter(|place| place.takes_as_twin(target.path)));
    }
    for (scheme, host) in [(None, target.host), (target.scheme, None)] {
        let here = |place: &&&Place| {
            place
                .url
                .as_ref()
                .is_some_and(|url| is_at(url.as_str(), scheme, host))
        };
        let named: Vec<&Place> = candidates.iter().filter(here).copied().collect();
        if !named.is_empty() {
            candidates = named;
        }
    }
    let mut first = None;
    let mut opened: Option<Found<'p>> = None;
    for place in candidates {
        match open(&place.receiver) {
            Ok(content) => match &mut opened {
                Some(found) => found.ambiguous = true,
                None => {
                    opened = Some(Found {
                        place,
                        opened: Ok(content),
                        ambiguous: false,
                    });
                }
            },
            Err(rejection) => match &mut first {
                Some(Found { ambiguous, .. }) => *ambiguous = true,
                None => {
                    first = Some(Found {
                        place,
                        opened: Err(rejection),
                        ambiguous: false,
                    });
                }
            },
        }
    }
    // Which address was probed does not show in what opens it.
    let is_probe = |found: &Found<'_>| {
        found
            .opened
            .as_ref()
            .is_ok_and(|opened| opened.content == Content::Probe)
    };
    match opened {
        Some(found) if is_probe(&found) && first.is_some() => Some(Found {
            ambiguous: true,
            ..found
        }),
        Some(found) => Some(found),
        None => first,
    }
}

/// A declared callback with its secrets.
pub(super) struct Declared {
    pub(super) address: Address,
    pub(super) indices: (Option<SecretIndex>, Option<SecretIndex>),
    pub(super) secrets: Secrets,
}

/// One place for each URL. Callbacks with the same URL and secrets are one pair; `older` gives the pairs from the
/// command line for the secrets of the first.
pub(super) fn of_declared(
    declared: Vec<Declared>,
    older: impl Fn(&Secrets) -> Vec<Secrets>,
) -> Vec<Place> {
    let mut urls: BTreeMap<CallbackUrl, BTreeMap<_, (Secrets, Vec<Address>)>> = BTreeMap::new();
    for Declared {
        address,
        indices,
        secrets,
    } in declared
    {
        let pairs = urls.entry(address.url.clone()).or_default();
        let pair = pairs
            .entry(indices)
            .or_insert_with(|| (secrets, Vec::new()));
        pair.1.push(address);
    }
    let place = |(url, pairs): (CallbackUrl, BTreeMap<_, (Secrets, Vec<Address>)>)| {
        let mut pairs = pairs.into_values();
        let (current, owners) = pairs.next()?;
        let older = older(&current);
        let mut all = vec![owners];
        let mut receiver = Receiver::new(current);
        for (secrets, owners) in pairs {
            receiver = receiver.also(secrets);
            all.push(owners);
        }
        for secrets in older {
            receiver = receiver.also(secrets);
        }
        Some(Place {
            url: Some(url),
            any_path: false,
            receiver,
            owners: all,
        })
    };
    urls.into_iter().filter_map(place).collect()
}

/// A path for people: without the credentials in its query.
pub(super) fn shown(path: &str) -> String {
    const HOST: &str = "http://listen";
    let url = format!("{HOST}{path}");
    let shown = masked(&url);
    shown.strip_prefix(HOST).unwrap_or(&shown).to_owned()
}

/// A path that belongs to no callback: anything may be in its query.
pub(super) fn shown_foreign(path: &str) -> String {
    match path.split_once('?') {
        Some((path, _)) => format!("{}?{MASK}", shown(path)),
        None => shown(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::content_signature;
    use crate::secret::Secret;

    fn place(url: &str, token: &str) -> Place {
        let secrets = Secrets::new(None, Some(Secret::new(token))).unwrap();
        Place {
            url: Some(CallbackUrl::new(url)),
            any_path: false,
            receiver: Receiver::new(secrets),
            owners: vec![Vec::new()],
        }
    }

    /// The URL that a request signed with `t` belongs to, with `?` if it may be another.
    fn found(places: &[Place], path: &str, host: Option<&str>, scheme: Option<&str>) -> String {
        let body = br#"{"MsgType":"X"}"#;
        let signature = content_signature(&Secret::new("t"), body);
        let target = Target { path, host, scheme };
        let found = open(places, target, |receiver| {
            receiver.open([("Content-Signature", signature.as_bytes())], body)
        });
        found.map_or_else(String::new, |found| {
            let url = found.place.url.as_ref().unwrap().as_str();
            let why = if found.opened.is_err() {
                " rejected"
            } else {
                ""
            };
            format!("{url}{why}{}", if found.ambiguous { " ?" } else { "" })
        })
    }

    #[test]
    fn a_request_belongs_to_the_url_with_its_path() {
        let (a, b) = ("https://a.example/x?y=1", "https://b.example");
        let places = [place(a, "t"), place(b, "t")];
        assert_eq!(found(&places, "/x?y=1", Some("127.0.0.1:8902"), None), a);
        assert_eq!(found(&places, "/", None, None), b);
        assert_eq!(found(&places, "/x", None, None), "");
        assert_eq!(path_of("https://b.example?z"), "/?z");
    }

    #[test]
    fn the_twin_of_a_rotation_belongs_to_its_callback_unless_it_is_declared() {
        let (a, b) = ("https://a.example/x?y=1", "https://b.example/x");
        let twin = "https://b.example/x?esign-rotation=3f";
        let places = [place(a, "t"), place(b, "t"), place(twin, "u")];
        assert_eq!(
            found(&places[..2], "/x?y=1&esign-rotation=3f", None, None),
            a
        );
        assert_eq!(found(&places[..2], "/x?esign-rotation=3f", None, None), b);
        let declared = format!("{twin} rejected");
        assert_eq!(found(&places, "/x?esign-rotation=3f", None, None), declared);
        assert_eq!(found(&places, "/x?esign-rotation=3g", None, None), "");
        let url = |place: &Place, path| place.url_of(path).unwrap().as_str().to_owned();
        assert_eq!(url(&places[1], "/x?esign-rotation=3f"), twin);
        assert_eq!(url(&places[1], "/x"), b);
        let root = place("https://c.example", "t");
        let of_root = "https://c.example?esign-rotation=3f";
        assert_eq!(url(&root, "/?esign-rotation=3f"), of_root);
    }

    #[test]
    fn host_scheme_and_secrets_decide_between_urls_with_one_path() {
        let (a, b, c) = (
            "https://a.example/x",
            "https://b.example/x",
            "http://b.example/x",
        );
        let places = [place(a, "u"), place(b, "t"), place(c, "t")];
        assert_eq!(
            found(&places, "/x", Some("A.example"), None),
            format!("{a} rejected")
        );
        assert_eq!(found(&places, "/x", Some("b.example"), Some("http")), c);
        assert_eq!(
            found(&places, "/x", Some("b.example"), None),
            format!("{b} ?")
        );
        assert_eq!(found(&places[..2], "/x", Some("tunnel.example"), None), b);
        assert_eq!(
            found(&[place(a, "u"), place(b, "u")], "/x", None, None),
            format!("{a} rejected ?")
        );
    }

    #[test]
    fn a_port_of_this_machine_that_is_not_listened_on_is_found() {
        for (url, expected) in [
            ("http://127.0.0.1:9000/x", Some(9000)),
            ("http://LOCALHOST/x", Some(80)),
            ("http://[::1]:9000/x", Some(9000)),
            ("http://127.0.0.1:8902/x", None),
            ("https://hooks.example/x", None),
        ] {
            assert_eq!(place(url, "t").other_port(8902), expected, "{url}");
        }
    }

    #[test]
    fn a_path_is_shown_without_credentials() {
        assert_eq!(shown("/plain?token=canary&a=1"), "/plain?token=***&a=1");
        assert_eq!(shown("/"), "/");
        assert_eq!(shown_foreign("/nope?a=canary"), "/nope?***");
    }
}
