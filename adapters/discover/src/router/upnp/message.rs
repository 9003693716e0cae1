//! What goes to and fro, pure. Of XML only what these documents need: elements are found by name, and none nests in its
//! own kind.

use std::net::{Ipv4Addr, SocketAddrV4};

use ddns_core::ports::VoteError;

use crate::quote::quoted;

/// UDA 1.1 §1.3.2; version 2 of the device answers to version 1 as well.
pub const SEARCH: &[u8] = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
    ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n";
/// The one action in use.
pub const ACTION: &str = "GetExternalIPAddress";

const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];
/// Longer ones are no router's.
const LONGEST_PATH: usize = 512;

/// Where something is at the gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Address and port.
    pub address: SocketAddrV4,
    /// Path and query, printable ASCII that begins with a slash.
    pub path: String,
}

impl Place {
    /// Reads an `http` URL; none if it leads anywhere but to the gateway.
    pub fn parse(url: &str, gateway: Ipv4Addr) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let address = match authority.split_once(':') {
            Some((host, port)) => SocketAddrV4::new(host.parse().ok()?, port.parse().ok()?),
            None => SocketAddrV4::new(authority.parse().ok()?, 80),
        };
        let path = if path.is_empty() { "/" } else { path };
        (*address.ip() == gateway && address.port() != 0).then(|| Self { address, path: String::new() })?.at(path)
    }

    /// Another path at the same server.
    fn at(&self, path: &str) -> Option<Self> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let plain = |octet: u8| octet.is_ascii_graphic() && octet != b'#';
        (path.len() <= LONGEST_PATH && path.bytes().all(plain)).then_some(Self { address: self.address, path })
    }
}

/// The place of the description in an answer to [`SEARCH`]; none if it isn't at the gateway.
pub fn location(datagram: &[u8], gateway: Ipv4Addr) -> Option<Place> {
    let text = str::from_utf8(datagram).ok()?;
    let (first, fields) = text.split_once("\r\n")?;
    let mut start = first.split(' ');
    if !start.next()?.starts_with("HTTP/1.") || start.next()? != "200" {
        return None;
    }
    let fields = fields.split("\r\n").take_while(|line| !line.is_empty());
    let mut locations = fields.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("LOCATION").then_some(value)
    });
    Place::parse(locations.next()?.trim(), gateway)
}

/// The text of the first element of this name, and what follows the element.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let mut rest = text;
    loop {
        rest = rest.split_once('<')?.1;
        let Some(after) = rest.strip_prefix(name) else { continue };
        if after.starts_with('>') || after.starts_with(|c: char| c.is_ascii_whitespace()) {
            let (_, inner) = after.split_once('>')?;
            return inner.split_once(&format!("</{name}>")).map(|(inner, rest)| (inner.trim(), rest));
        }
    }
}

/// Where the description, got from `place`, says that the WAN connection is controlled, and by which service. None if that
/// isn't at the gateway.
pub fn control(description: &[u8], place: &Place) -> Option<(Place, &'static str)> {
    let text = str::from_utf8(description).ok()?;
    let gateway = *place.address.ip();
    let base = match element(text, "URLBase") {
        Some((url, _)) if !url.is_empty() => Place::parse(url, gateway)?,
        Some(_) | None => place.clone(),
    };
    let mut rest = text;
    while let Some((service, after)) = element(rest, "service") {
        rest = after;
        let kind = element(service, "serviceType")?.0;
        if let Some(known) = SERVICES.into_iter().find(|known| *known == kind) {
            let url = element(service, "controlURL")?.0.replace("&amp;", "&");
            let control = if url.contains("://") { Place::parse(&url, gateway) } else { base.at(&url) };
            return control.map(|control| (control, known));
        }
    }
    None
}

/// The SOAP envelope that asks for the address.
pub fn call(service: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
         <u:{ACTION} xmlns:u=\"{service}\"></u:{ACTION}></s:Body></s:Envelope>\r\n"
    )
}

/// The address in the answer to [`call`].
pub fn external_address(answer: &[u8]) -> Result<Ipv4Addr, VoteError> {
    let text = str::from_utf8(answer).map_err(|_| VoteError::Garbage("not UTF-8".to_owned()))?;
    let (value, _) = element(text, "NewExternalIPAddress").ok_or_else(|| VoteError::Garbage(quoted(answer)))?;
    match value.parse::<Ipv4Addr>() {
        Ok(address) if !address.is_unspecified() => Ok(address),
        Err(_) if !value.is_empty() => Err(VoteError::Garbage(quoted(value.as_bytes()))),
        Ok(_) | Err(_) => Err(VoteError::Refused("the router has no external address".to_owned())),
    }
}

/// An answer with another status than 200, with the UPnP error code if there is one (UDA 1.1 §3.2.2).
pub fn refused(status: u16, body: &[u8]) -> VoteError {
    let code = str::from_utf8(body).ok().and_then(|text| element(text, "errorCode")?.0.parse::<u16>().ok());
    VoteError::Refused(match code {
        Some(code) => format!("status {status}, UPnP error {code}"),
        None => format!("status {status}"),
    })
}

#[cfg(test)]
mod tests;
