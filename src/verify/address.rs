//! Which addresses may be connected to.
//!
//! A callback URL comes from a file that others may have written, and a request to a machine of the internal network
//! can do harm. eSign can't reach such an address either. Addresses are checked after the URL was parsed, which turns
//! `0x7f.1` into 127.0.0.1, and after its name was resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the internet.
    Public,
    /// All: `--allow-private`.
    Anywhere,
    /// Only those of this machine: with `--sandbox`, nothing leaves it.
    ThisMachine,
}

/// Why an address must not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not of the internet; what it is.
    Private(&'static str),
    /// It is not of this machine.
    NotThisMachine,
}

/// What a callback URL names that must not be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// An address, its own or one that its name resolves to.
    Address(IpAddr, Refused),
    /// With `--sandbox`, a name other than `localhost`, which is not looked up.
    Name(String),
}

impl Reach {
    /// Whether this host name may be looked up: a query leaves this machine.
    ///
    /// # Errors
    ///
    /// The name must not be looked up.
    pub fn allows_lookup(self, name: &str) -> Result<(), Forbidden> {
        match self {
            Self::Public | Self::Anywhere => Ok(()),
            Self::ThisMachine if is_localhost(name) => Ok(()),
            Self::ThisMachine => Err(Forbidden::Name(name.to_owned())),
        }
    }

    /// Whether this address may be connected to.
    ///
    /// # Errors
    ///
    /// Why it must not.
    pub fn allows(self, address: IpAddr) -> Result<(), Refused> {
        match self {
            Self::Anywhere => Ok(()),
            Self::ThisMachine if plain(address).is_loopback() => Ok(()),
            Self::ThisMachine => Err(Refused::NotThisMachine),
            Self::Public => private(address).map_or(Ok(()), |what| Err(Refused::Private(what))),
        }
    }
}

/// The one name that no resolver asks another machine for.
fn is_localhost(name: &str) -> bool {
    name.strip_suffix('.')
        .unwrap_or(name)
        .eq_ignore_ascii_case("localhost")
}

/// An IPv4 address that is written as an IPv6 one is that IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => embedded(six).map_or(address, IpAddr::V4),
    }
}

/// The IPv4 address inside: mapped, compatible, or of a translator (NAT64, 6to4).
const fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => (high, low),
        // `::` and `::1` are no IPv4 addresses.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => (high, low),
        [0x2002, high, low, _, _, _, _, _] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

/// What an address is that is not of the internet.
fn private(address: IpAddr) -> Option<&'static str> {
    match plain(address) {
        IpAddr::V4(four) => private_v4(four),
        IpAddr::V6(six) => private_v6(six),
    }
}

const fn private_v4(four: Ipv4Addr) -> Option<&'static str> {
    Some(match four.octets() {
        [0, ..] => "an unspecified address",
        [127, ..] => "a loopback address",
        [169, 254, 169, 254] | [169, 254, 0, 23] | [100, 100, 100, 200] | [168, 63, 129, 16] => {
            "a metadata service of a cloud"
        }
        [169, 254, ..] => "a link-local address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "a shared address of a carrier (CGNAT)",
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => "an address for special purposes",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address for documentation",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

const fn private_v6(six: Ipv6Addr) -> Option<&'static str> {
    Some(match six.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "an unspecified address",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => "a metadata service of a cloud",
        [0xfc00..=0xfdff, ..] => "a private address (ULA)",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfec0..=0xfeff, ..] => "a site-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x64, 0xff9b, 1, ..] => "an address of a local translator",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "an address for documentation",
        // Teredo holds an IPv4 address that can't be checked.
        [0x2001, 0, ..] => "an address of a tunnel",
        // Everything that is given out on the internet is in here.
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("127.0.0.1", "loopback")]
    #[case("127.8.9.10", "loopback")]
    #[case("0.0.0.0", "unspecified")]
    #[case("10.1.2.3", "private")]
    #[case("172.31.0.1", "private")]
    #[case("192.168.1.1", "private")]
    #[case("169.254.1.1", "link-local")]
    #[case("169.254.169.254", "metadata")]
    #[case("169.254.0.23", "metadata")]
    #[case("168.63.129.16", "metadata")]
    #[case("192.88.99.1", "special purposes")]
    #[case("100.64.0.1", "CGNAT")]
    #[case("100.127.255.255", "CGNAT")]
    #[case("224.0.0.1", "multicast")]
    #[case("255.255.255.255", "reserved")]
    #[case("::1", "loopback")]
    #[case("::", "unspecified")]
    #[case("fd12::1", "ULA")]
    #[case("fe80::1", "link-local")]
    #[case("::ffff:10.0.0.1", "private")]
    #[case("::ffff:127.0.0.1", "loopback")]
    #[case("::127.0.0.1", "loopback")]
    #[case("64:ff9b::a00:1", "private")]
    #[case("2002:7f00:1::", "loopback")]
    #[case("fd00:ec2::254", "metadata")]
    #[case("4000::1", "reserved")]
    fn what_is_not_of_the_internet_is_refused(#[case] text: &str, #[case] what: &str) {
        let refused = Reach::Public.allows(text.parse().unwrap());
        assert!(
            matches!(refused, Err(Refused::Private(text)) if text.contains(what)),
            "{text}: {refused:?}"
        );
        assert_eq!(Reach::Anywhere.allows(text.parse().unwrap()), Ok(()));
    }

    #[rstest]
    #[case("8.8.8.8")]
    #[case("100.63.255.255")]
    #[case("100.128.0.1")]
    #[case("172.32.0.1")]
    #[case("::ffff:8.8.8.8")]
    #[case("2606:4700::1111")]
    fn what_is_of_the_internet_is_allowed(#[case] text: &str) {
        let address = text.parse().unwrap();
        assert_eq!(Reach::Public.allows(address), Ok(()));
        assert_eq!(
            Reach::ThisMachine.allows(address),
            Err(Refused::NotThisMachine)
        );
    }

    #[test]
    fn a_url_is_checked_after_it_was_parsed() {
        for text in ["http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/"] {
            let url = url::Url::parse(text).unwrap();
            let Some(url::Host::Ipv4(address)) = url.host() else {
                panic!("{text}")
            };
            assert!(Reach::Public.allows(address.into()).is_err(), "{text}");
            assert_eq!(Reach::ThisMachine.allows(address.into()), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn however_an_ipv4_address_is_written_the_answer_is_the_same(bits: u32) {
            let four = Ipv4Addr::from(bits);
            let mapped = IpAddr::V6(four.to_ipv6_mapped());
            for reach in [Reach::Public, Reach::Anywhere, Reach::ThisMachine] {
                prop_assert_eq!(reach.allows(four.into()), reach.allows(mapped));
            }
            let standard = four.is_private() || four.is_loopback() || four.is_link_local()
                || four.is_multicast() || four.is_broadcast() || four.is_documentation();
            prop_assert!(!standard || Reach::Public.allows(four.into()).is_err());
        }
    }
}
