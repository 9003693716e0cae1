use std::fmt;
use std::net::Ipv6Addr;

/// An HTTP service: origin and base path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// `https`, as opposed to plain `http`.
    pub secure: bool,
    /// A name or an address, the latter without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, without a slash at its end; empty for the root.
    pub path: String,
}

impl Endpoint {
    /// Reads `https://host[:port][/path]`; `http://` as well.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: http::Uri = text.parse().map_err(|error| format!("not a URL ({error})"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err("not a URL that begins with https://".to_owned()),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("a URL here holds no user name or password".to_owned());
        }
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err("the URL has no host".to_owned());
        }
        let bare = without_brackets(host).ok_or("the host is not a name or an address (IPv6 in brackets)")?;
        if authority.len() > host.len() && uri.port_u16().is_none_or(|port| port == 0) {
            return Err("the port is not a number from 1 to 65535".to_owned());
        }
        if uri.query().is_some() {
            return Err("a URL here has no query".to_owned());
        }
        Ok(Self {
            secure,
            host: bare.to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Host and port as in a URL.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.secure { "https" } else { "http" }, self.authority(), self.path)
    }
}

/// The host as it is looked up. Brackets stand around an IPv6 address, with or without a zone, and nothing else.
fn without_brackets(host: &str) -> Option<&str> {
    let Some(rest) = host.strip_prefix('[') else {
        return (!host.is_empty() && !host.contains([':', '[', ']'])).then_some(host);
    };
    let inside = rest.strip_suffix(']')?;
    let (address, zone) = inside.split_once('%').unwrap_or((inside, ""));
    (address.parse::<Ipv6Addr>().is_ok() && !zone.contains([':', '[', ']'])).then_some(inside)
}

/// A `host:port`, an IPv6 address in brackets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostPort {
    /// A name or an address, the latter without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Reads `host:port`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or("not host:port")?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or("the port is not a number from 1 to 65535")?;
        let bare = without_brackets(host).filter(|bare| !bare.contains(char::is_whitespace));
        let bare = bare.ok_or("not host:port (an IPv6 address stands in brackets)")?;
        Ok(Self { host: bare.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_hold_an_ipv6_address_and_nothing_else() {
        assert_eq!(HostPort::parse("[2001:db8::1]:53").map(|read| read.host).as_deref(), Ok("2001:db8::1"));
        assert_eq!(HostPort::parse("[fe80::1%eth0]:53").map(|read| read.host).as_deref(), Ok("fe80::1%eth0"));
        assert_eq!(Endpoint::parse("https://[2001:db8::1]/x").map(|read| read.host).as_deref(), Ok("2001:db8::1"));
        for host in ["[]", "[[a]]", "[a]", "[a", "a]", "[::1", "::1]", "[a:b]", "::1", "[fe80::1%]]"] {
            assert!(HostPort::parse(&format!("{host}:53")).is_err(), "{host}");
            assert!(Endpoint::parse(&format!("http://{host}")).is_err(), "{host}");
        }
    }
}
