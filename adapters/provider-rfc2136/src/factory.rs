use std::sync::Arc;

use ddns_core::config::{HostPort, Kind, Settings, Variable};
use ddns_core::ports::DnsProvider;
use ddns_core::registry::{Factory, Parts};
use hickory_proto::rr::Name;

use crate::Rfc2136;
use crate::key::parse_key;
use crate::mark::Mark;

pub(crate) const NAME: &str = "rfc2136";
/// Plain DNS.
const PORT: u16 = 53;

/// The server.
pub const SERVER: Variable = Variable {
    name: "DDNS_RFC2136_SERVER",
    kind: Kind::Required { format: "host or host:port" },
    help: "RFC 2136: the zone's primary name server, which takes the updates; port 53 unless given.",
};
/// The zone.
pub const ZONE: Variable = Variable {
    name: "DDNS_RFC2136_ZONE",
    kind: Kind::Optional { format: "a zone's name, such as example.com" },
    help: "RFC 2136: the zone of the records. Without it the server is asked.",
};
/// The key.
pub const TSIG_KEY: Variable = Variable {
    name: "DDNS_RFC2136_TSIG_KEY",
    kind: Kind::Secret,
    help: "RFC 2136: the key that signs updates, as `tsig-keygen` prints it (a `key` statement with hmac-sha256, -384 or \
           -512). Best in a file: `DDNS_RFC2136_TSIG_KEY_FILE`, or systemd's \
           `LoadCredential=ddns_rfc2136_tsig_key:PATH`.",
};

/// What messages go over.
pub const TRANSPORT: Variable = Variable {
    name: "DDNS_RFC2136_TRANSPORT",
    kind: Kind::Choice { values: &["tcp", "udp"], default: "tcp" },
    help: "RFC 2136: what messages go over. `udp`: in one datagram of at most 512 octets, and over TCP if the answer doesn't \
           come within four seconds or is cut short.",
};

/// The owner's mark.
pub const OWNER: Variable = Variable {
    name: "DDNS_RFC2136_OWNER",
    kind: Kind::Optional { format: "a name without spaces, such as this host's" },
    help: "RFC 2136: a TXT record beside each record (`_ddnsd-a.NAME`, `_ddnsd-aaaa.NAME`) says that it is this owner's. \
           What carries somebody else's mark, or none although it was there before, is left alone.",
};

/// Makes [`Rfc2136`].
pub struct Rfc2136Factory;

impl Factory<dyn DnsProvider> for Rfc2136Factory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn variables(&self) -> &'static [Variable] {
        &[SERVER, ZONE, TSIG_KEY, TRANSPORT, OWNER]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn DnsProvider>> {
        let server = settings.parsed(&SERVER, parse_server);
        let zone = match settings.text(&ZONE) {
            Some(_) => Some(settings.parsed(&ZONE, parse_zone)?),
            None => None,
        };
        let key = settings.secret_as(&TSIG_KEY, "put in what `tsig-keygen` printed, and nothing else", parse_key);
        let owner = match settings.text(&OWNER) {
            Some(_) => Some(settings.parsed(&OWNER, Mark::parse)?),
            None => None,
        };
        let transports = if settings.choice(&TRANSPORT) == "udp" { parts.dns_udp } else { parts.dns };
        let provider = Rfc2136::new(transports(&server?), Arc::clone(&parts.clock), key?, zone);
        Some(Arc::new(Rfc2136 { mark: owner, ..provider }))
    }
}

fn parse_server(text: &str) -> Result<HostPort, String> {
    // What stands behind the last colon is a port, unless it belongs to an address in brackets.
    let has_port = text.rsplit_once(':').is_some_and(|(_, tail)| !tail.ends_with(']'));
    if has_port { HostPort::parse(text) } else { HostPort::parse(&format!("{text}:{PORT}")) }
}

fn parse_zone(text: &str) -> Result<Name, String> {
    let mut zone = Name::from_ascii(text).map_err(|error| format!("not a zone's name ({error})"))?.to_lowercase();
    zone.set_fqdn(true);
    if zone.is_root() { Err("the root is not a zone for records".to_owned()) } else { Ok(zone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_port_53_unless_it_is_given() {
        let server = |text| parse_server(text).map(|server| server.to_string());
        for (text, expected) in [
            ("ns1.example.com", "ns1.example.com:53"),
            ("ns1.example.com:5353", "ns1.example.com:5353"),
            ("192.0.2.1", "192.0.2.1:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            assert_eq!(server(text).as_deref(), Ok(expected));
        }
        for text in ["", "2001:db8::1", "ns1:0", "ns1:dns", "ns1:", "a b", "[ns1]"] {
            assert!(server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_zone_is_a_name_and_not_the_root() {
        assert_eq!(parse_zone("Example.COM").map(|zone| zone.to_ascii()).as_deref(), Ok("example.com."));
        assert!(parse_zone("lan").is_ok() && parse_zone("example.com.").is_ok());
        for text in [".", "a..b", "."] {
            assert!(parse_zone(text).is_err(), "{text}");
        }
    }
}
