use std::net::IpAddr;

use ddns_core::config::{Endpoint, HostPort};
use ddns_core::discovery::VoterSpec;
use ddns_core::record::RecordName;

use crate::whoami::WhoamiType;

/// DNS servers listen there (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// A voter as the configuration names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Configured {
    pub(crate) spec: VoterSpec,
    pub(crate) kind: Kind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Http(Endpoint),
    Dns(HostPort, RecordName, WhoamiType),
    Stun(HostPort),
    Router,
}

impl Configured {
    /// Reads `[OPERATOR=]http:URL`, `[OPERATOR=]dns:SERVER/NAME/TYPE`, `[OPERATOR=]stun:HOST:PORT` or `router`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "router" {
            let spec = VoterSpec { name: text.to_owned(), operator: text.to_owned(), router: true };
            return Ok(Self { spec, kind: Kind::Router });
        }
        // An operator's name holds no colon, so that one in a URL's path or query is none.
        let (operator, voter) = match text.split_once('=') {
            Some((operator, voter)) if !operator.contains(':') => (Some(operator), voter),
            Some(_) | None => (None, text),
        };
        if operator.is_some_and(|name| name.is_empty() || name == "router" || name.contains(char::is_whitespace)) {
            return Err("the operator's name is empty, \"router\", or has white space".to_owned());
        }
        let (kind, host) = match voter.split_once(':') {
            Some(("http", url)) => {
                let endpoint = Endpoint::parse(url)?;
                let host = endpoint.host.clone();
                (Kind::Http(endpoint), host)
            }
            Some(("dns", whoami)) => {
                let [server, name, rtype] = whoami.split('/').collect::<Vec<_>>()[..] else {
                    return Err("not dns:SERVER/NAME/TYPE".to_owned());
                };
                let server = HostPort::parse(server).or_else(|_| HostPort::parse(&format!("{server}:{DNS_PORT}")))?;
                let name: RecordName = name.parse().map_err(|error| format!("{error}"))?;
                let rtype =
                    rtype.parse().map_err(|error: crate::whoami::UnknownType| format!("the type is {error}"))?;
                let host = server.host.clone();
                (Kind::Dns(server, name, rtype), host)
            }
            Some(("stun", server)) => {
                let server = HostPort::parse(server)?;
                let host = server.host.clone();
                (Kind::Stun(server), host)
            }
            Some(_) | None => return Err("it begins with none of http:, dns: and stun:, and is not router".to_owned()),
        };
        let operator = operator.map_or_else(|| operator_of(&host), ToOwned::to_owned);
        Ok(Self { spec: VoterSpec { name: voter.to_owned(), operator, router: false }, kind })
    }
}

/// The registrable domain of a name, by the Public Suffix List; an address stands for itself.
fn operator_of(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            psl::domain_str(&host).map(ToOwned::to_owned).unwrap_or(host)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(text: &str) -> String {
        Configured::parse(text).unwrap().spec.operator
    }

    #[test]
    fn an_operator_is_a_registrable_domain_or_an_address_unless_it_is_named() {
        assert_eq!(operator("http:https://api.ipify.org"), "ipify.org");
        assert_eq!(operator("http:https://a.b.example.co.uk/ip"), "example.co.uk");
        assert_eq!(operator("http:https://IPv4.Example.CO.UK./ip"), "example.co.uk");
        assert_eq!(operator("http:https://192.0.2.10:8443/"), "192.0.2.10");
        assert_eq!(operator("stun:[2001:db8::1]:3478"), "2001:db8::1");
        assert_eq!(operator("dns:ns1.google.com/o-o.myaddr.l.google.com/TXT"), "google.com");
        assert_eq!(operator("cloudflare=http:https://icanhazip.com"), "cloudflare");
        assert_eq!(operator("router"), "router");
    }

    #[test]
    fn each_kind_is_read_with_what_it_needs() {
        let kind = |text| Configured::parse(text).unwrap().kind;
        let server = |host: &str, port| HostPort { host: host.to_owned(), port };
        let name = "whoami.example.com".parse::<RecordName>().unwrap();
        assert_eq!(
            kind("dns:192.0.2.53/whoami.example.com/A"),
            Kind::Dns(server("192.0.2.53", 53), name.clone(), WhoamiType::Address)
        );
        assert_eq!(
            kind("dns:[2001:db8::53]:5353/whoami.example.com/TXT"),
            Kind::Dns(server("2001:db8::53", 5353), name, WhoamiType::Txt)
        );
        assert_eq!(kind("stun:stun.example.net:3478"), Kind::Stun(server("stun.example.net", 3478)));
        assert!(matches!(kind("a=http:https://x.example/a=b"), Kind::Http(endpoint) if endpoint.path == "/a=b"));
        assert!(matches!(kind("http:https://x.example/a=b"), Kind::Http(endpoint) if endpoint.path == "/a=b"));
    }

    #[test]
    fn what_is_no_voter_says_why() {
        for text in [
            "",
            "https://api.ipify.org",
            "http:api.ipify.org",
            "ftp:x",
            "stun:host",
            "dns:server",
            "dns:server/name",
            "dns:s/n/MX",
            "=stun:a.example:1",
            "router=stun:a.example:1",
            "a b=stun:a.example:1",
            "x=router",
        ] {
            assert!(Configured::parse(text).is_err(), "{text}");
        }
    }
}
