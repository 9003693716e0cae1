use std::fmt;

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
        if authority.len() > host.len() && uri.port_u16().is_none_or(|port| port == 0) {
            return Err("the port is not a number from 1 to 65535".to_owned());
        }
        if uri.query().is_some() {
            return Err("a URL here has no query".to_owned());
        }
        Ok(Self {
            secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
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
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if bare.is_empty() || (bare == host && host.contains(':')) || bare.contains(char::is_whitespace) {
            return Err("not host:port (an IPv6 address stands in brackets)".to_owned());
        }
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
