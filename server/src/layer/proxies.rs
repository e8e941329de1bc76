//! Who calls, where proxies call for others.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::Deserialize;

/// The addresses that a call came over, as each proxy appends the other end of its connection.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of proxies whose word is taken for whom they call for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(try_from = "Vec<String>")]
pub struct Proxies(Vec<IpNet>);

impl TryFrom<Vec<String>> for Proxies {
    type Error = String;

    fn try_from(networks: Vec<String>) -> Result<Self, String> {
        let network = |text: String| {
            let one = || text.parse().map(IpAddr::into);
            text.parse()
                .or_else(|_| one())
                .map_err(|_| format!("`{text}` is no network such as 10.0.0.0/8, and no address"))
        };
        networks.into_iter().map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl Proxies {
    /// Who calls: the nearest that is no proxy. What stands before it in the header is what they say themselves.
    pub(super) fn caller(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut caller = peer?;
        let lines = headers.get_all(FORWARDED_FOR).iter();
        let hops: Vec<_> = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).collect();
        for hop in hops.into_iter().rev() {
            if !self.0.iter().any(|network| network.contains(&caller)) {
                break;
            }
            let Some(before) = address(hop) else { break };
            caller = before;
        }
        Some(caller)
    }
}

/// An address, which some proxies give a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let with_port = || hop.parse().map(|address: SocketAddr| address.ip());
    hop.parse().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn caller(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let trusted = trusted.iter().map(|network| (*network).to_owned()).collect::<Vec<_>>();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).expect("a header"));
        }
        let proxies = Proxies::try_from(trusted).expect("networks");
        proxies.caller(peer.parse().ok(), &headers).expect("a caller").to_string()
    }

    /// Guard: whom the networks name.
    #[test]
    fn nobody_but_a_proxy_is_believed() {
        assert_eq!(caller(&[], "10.0.0.1", &["203.0.113.9"]), "10.0.0.1");
        assert_eq!(caller(&["10.0.0.0/8"], "198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(caller(&["10.0.0.1"], "10.0.0.2", &["203.0.113.9"]), "10.0.0.2");
        assert_eq!(caller(&["10.0.0.0/8"], "10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(caller(&["2001:db8::/32"], "2001:db8::1", &["2001:db9::5"]), "2001:db9::5");
        assert_eq!(caller(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
    }

    /// Guard: the header is read from its end.
    #[test]
    fn what_callers_say_of_themselves_is_not_believed() {
        let trusted = ["10.0.0.0/8", "127.0.0.1"];
        assert_eq!(caller(&trusted, "127.0.0.1", &["192.0.2.1, 203.0.113.9, 10.1.2.3"]), "203.0.113.9");
        assert_eq!(caller(&trusted, "127.0.0.1", &["192.0.2.1", "203.0.113.9", "10.1.2.3"]), "203.0.113.9");
        assert_eq!(caller(&trusted, "127.0.0.1", &["192.0.2.1, unknown"]), "127.0.0.1", "a proxy that does not know");
        assert_eq!(caller(&trusted, "127.0.0.1", &["민아, 203.0.113.9"]), "203.0.113.9", "a proxy's word stands");
        assert_eq!(caller(&trusted, "127.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(caller(&trusted, "127.0.0.1", &["[2001:db9::5]:4711"]), "2001:db9::5");
        assert_eq!(caller(&trusted, "127.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(caller(&trusted, "127.0.0.1", &["10.0.0.1"]), "10.0.0.1", "who stands behind is not told");
    }

    #[test]
    fn a_network_that_is_none_is_told() {
        let refused = Proxies::try_from(vec!["10.0.0.0/8".to_owned(), "10.0.0.0/80".to_owned()]).expect_err("80 bits");
        assert!(refused.contains("`10.0.0.0/80`"), "{refused}");
    }
}
