//! Digest authentication with SHA-256 and `qop=auth` (RFC 7616), the client's side.

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use crate::Login;

/// What a server asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// The nonce of the last request was right once, and no longer is.
    pub(crate) stale: bool,
}

impl Challenge {
    /// The first challenge of a `WWW-Authenticate` field that can be answered here.
    pub(crate) fn read(field: &str) -> Option<Self> {
        let (mut scheme, mut parameters, mut all) = (String::new(), Vec::new(), Vec::new());
        let mut rest = field;
        while let Some((name, after)) = token(rest) {
            if let Some(value) = after.trim_start().strip_prefix('=') {
                let (value, after) = value_of(value.trim_start())?;
                parameters.push((name.to_ascii_lowercase(), value));
                rest = after;
            } else {
                all.push((std::mem::replace(&mut scheme, name.to_ascii_lowercase()), std::mem::take(&mut parameters)));
                rest = after;
            }
        }
        all.push((scheme, parameters));
        all.iter().find_map(|(scheme, parameters)| Self::of(scheme, parameters))
    }

    fn of(scheme: &str, parameters: &[(String, String)]) -> Option<Self> {
        let find = |name: &str| parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        let is = |name: &str, wanted: &str| find(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted));
        let auth = find("qop")?.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth"));
        if scheme != "digest" || !auth || !is("algorithm", "SHA-256") {
            return None;
        }
        Some(Self { realm: find("realm")?, nonce: find("nonce")?, opaque: find("opaque"), stale: is("stale", "true") })
    }

    /// The answer to the challenge for the `count`th request with its nonce. `cnonce` is new for each.
    pub(crate) fn answer(&self, login: &Login, method: &str, uri: &str, count: u32, cnonce: &str) -> SecretString {
        let password = login.password.expose_secret();
        let user = SecretString::from(hex(&format!("{}:{}:{password}", login.user, self.realm)));
        let asked = hex(&format!("{method}:{uri}"));
        let (user, nonce) = (user.expose_secret(), &self.nonce);
        let response = hex(&format!("{user}:{nonce}:{count:08x}:{cnonce}:auth:{asked}"));
        let mut field = format!(
            "username={}, realm={}, nonce={}, uri={}, algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce={}, \
             response=\"{response}\"",
            quoted(&login.user),
            quoted(&self.realm),
            quoted(nonce),
            quoted(uri),
            quoted(cnonce),
        );
        if let Some(opaque) = &self.opaque {
            let _ = write!(field, ", opaque={}", quoted(opaque));
        }
        SecretString::from(field)
    }
}

/// 128 bits that nobody can guess; `None` if the system has none to give.
pub(crate) fn cnonce() -> Option<String> {
    let mut octets = [0; 16];
    SystemRandom::new().fill(&mut octets).ok()?;
    Some(in_hex(&octets))
}

fn hex(text: &str) -> String {
    in_hex(digest(&SHA256, text.as_bytes()).as_ref())
}

fn in_hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// RFC 9110 §5.6.4.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The next token, after commas and white space.
fn token(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([',', ' ', '\t']);
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A token or a quoted string, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(inside) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let (mut value, mut characters) = (String::new(), inside.char_indices());
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &inside[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c if c.is_control() || !c.is_ascii() => return None,
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
                       nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                       opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_answer_of_the_rfc_comes_out() {
        let login = Login { user: "Mufasa".to_owned(), password: "Circle of Life".into() };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let challenge = Challenge::read(RFC).expect("a challenge");
        let answer = challenge.answer(&login, "GET", "/dir/index.html", 1, cnonce);
        let response = "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";
        assert!(answer.expose_secret().contains(response), "{}", answer.expose_secret());
        assert!(answer.expose_secret().contains("nc=00000001"), "{}", answer.expose_secret());
    }

    #[test]
    fn the_right_challenge_is_found_among_several_and_what_cannot_be_answered_is_none() {
        let several =
            format!("Basic realm=\"x, Digest y\", Digest realm=\"a\", nonce=\"b\", qop=\"auth\", {}", "algorithm=MD5");
        assert_eq!(Challenge::read(&several), None, "MD5");
        let both = format!("{several}, {RFC}");
        assert_eq!(Challenge::read(&both), Challenge::read(RFC));
        let shelly = "Digest qop=\"auth\", realm=\"shellyplugsg3-a8032ab12345\", nonce=\"60dc59c6\", algorithm=SHA-256";
        assert_eq!(Challenge::read(shelly).expect("a challenge").nonce, "60dc59c6");
        assert!(Challenge::read(&format!("{shelly}, stale=TRUE")).expect("a challenge").stale);
        for field in
            ["", "Digest", "Basic realm=\"a\"", "Digest nonce=\"a", "Digest realm=a, nonce=b, algorithm=SHA-256"]
        {
            assert_eq!(Challenge::read(field), None, "{field}");
        }
    }
}
