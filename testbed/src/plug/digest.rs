//! Digest authentication with SHA-256 (RFC 7616), the server's side.

use std::{collections::BTreeMap, fmt::Write};

use ring::digest::{Context, SHA256};

use super::server::Request;

/// Gives nonces out and checks what is made of them.
pub(super) struct Guard {
    /// A nonce is stale after so many requests.
    lasts: u32,
    given: u32,
    /// The last count of each nonce.
    used: BTreeMap<String, u32>,
}

impl Guard {
    pub(super) const fn new(lasts: u32) -> Self {
        Self { lasts, given: 0, used: BTreeMap::new() }
    }

    /// The challenge for whoever isn't the user `admin` with this password.
    pub(super) fn refusal(&mut self, realm: &str, password: &str, request: &Request) -> Option<String> {
        let fields = request.authorization.strip_prefix("Digest ").map(fields).unwrap_or_default();
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let counted = u32::from_str_radix(field("nc"), 16).ok().filter(|_| field("nc").len() == 8);
        let fits = field("username") == "admin"
            && field("realm") == realm
            && field("uri") == request.target
            && field("qop") == "auth"
            && field("algorithm") == "SHA-256"
            && !field("cnonce").is_empty()
            && field("response") == response(("admin", realm, password), &request.method, &fields);
        let last = self.used.get(field("nonce")).copied();
        match (fits, counted, last) {
            (true, Some(count), Some(last)) if count > last && count <= self.lasts => {
                self.used.insert(field("nonce").to_owned(), count);
                None
            }
            (true, Some(count), Some(_)) if count > self.lasts => Some(self.challenge(realm, true)),
            _ => Some(self.challenge(realm, false)),
        }
    }

    fn challenge(&mut self, realm: &str, stale: bool) -> String {
        self.given += 1;
        let nonce = format!("{:08x}", 0x60dc_59c6_u32.wrapping_add(self.given));
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = format!("Digest qop=\"auth\", realm=\"{realm}\", nonce=\"{nonce}\", algorithm=SHA-256{stale}");
        self.used.insert(nonce, 0);
        challenge
    }
}

/// §3.4.1 to §3.4.3, from the fields of the answer themselves.
fn response((user, realm, password): (&str, &str, &str), method: &str, fields: &BTreeMap<String, String>) -> String {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let a1 = sha256(&[user, realm, password]);
    let a2 = sha256(&[method, field("uri")]);
    sha256(&[&a1, field("nonce"), field("nc"), field("cnonce"), field("qop"), &a2])
}

/// The hash of parts with colons between, in hexadecimal digits.
fn sha256(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            context.update(b":");
        }
        context.update(part.as_bytes());
    }
    let mut text = String::new();
    for octet in context.finish().as_ref() {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let (mut fields, mut quoted) = (BTreeMap::new(), false);
    let comma = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    for pair in text.split(comma) {
        if let Some((name, value)) = pair.split_once('=') {
            fields.insert(name.trim().to_owned(), value.trim().trim_matches('"').to_owned());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::{fields, response};

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_response_of_the_rfc_is_accepted() {
        let fields = fields(
            "username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=SHA-256, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth",
        );
        let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(response(("Mufasa", "http-auth@example.org", "Circle of Life"), "GET", &fields), expected);
    }
}
