//! DnsProvider by the dyndns2 protocol: one GET with a name and an address, one word for an answer.
//!
//! **A service can't be asked what it holds.** What it acknowledged last and what DNS says has to do, and nothing is sent
//! twice without need: services count that as abuse.

mod factory;
mod preset;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::ports::{
    Credentials, DnsProvider, HttpError, HttpRequest, HttpResponse, HttpTransport, Method, Observed, ProviderError,
    UpdateKind, UpdateRequest, UpdateResult,
};
use ddns_core::record::{RecordKey, RecordType};
use secrecy::{ExposeSecret, SecretString};

pub use factory::{API_URL, Dyndns2Factory, PASSWORD, PRESET, USERNAME};
use preset::{Answers, Domain, Login, Preset};

/// The wait after `911` and `dnserr`.
const SERVICE_TROUBLE: Duration = Duration::from_secs(1800);
/// The wait after `abuse`: as long as the engine obeys. It holds for all records of the service, and over restarts.
const BLOCKED: Duration = Duration::from_secs(3600);

const BADAUTH: &str = "the service does not accept the user or the password (badauth)";

/// The provider.
pub struct Dyndns2 {
    transport: Arc<dyn HttpTransport>,
    user: String,
    password: SecretString,
    preset: Preset,
}

impl Dyndns2 {
    pub(crate) fn new(transport: Arc<dyn HttpTransport>, user: String, password: SecretString, preset: Preset) -> Self {
        Self { transport, user, password, preset }
    }

    /// A provider on a transport that is bound to the URL of updates, path included, of a service without quirks.
    pub fn plain(transport: Arc<dyn HttpTransport>, user: String, password: SecretString) -> Self {
        Self::new(transport, user, password, preset::PLAIN)
    }

    fn template(&self, key: &RecordKey) -> &'static str {
        let [a, aaaa] = self.preset.query;
        match key.rtype {
            RecordType::A => a,
            RecordType::Aaaa => aaaa,
        }
    }

    /// The name's part before the domain, and the domain, as the service wants them; `None` if the name is not there.
    fn parts<'a>(&'a self, key: &'a RecordKey) -> Option<(&'a str, &'a str)> {
        let name = key.name.as_str();
        let domain = match self.preset.domain {
            Domain::Whole => return Some((name, "")),
            Domain::Is(domain) => domain,
            Domain::IsTheUser => &self.user,
        };
        if name == domain {
            return (self.preset.domain == Domain::IsTheUser).then_some(("@", domain));
        }
        Some((name.strip_suffix(domain)?.strip_suffix('.')?, domain))
    }

    fn query(&self, key: &RecordKey, address: IpAddr) -> Option<String> {
        let (label, domain) = self.parts(key)?;
        let words = [("{host}", key.name.as_str()), ("{label}", label), ("{domain}", domain)];
        let query = words.into_iter().fold(self.template(key).to_owned(), |query, (word, is)| query.replace(word, is));
        Some(format!("?{}", query.replace("{address}", &address.to_string())))
    }

    fn credentials(&self) -> Credentials {
        match self.preset.login {
            Login::Basic => Credentials::Basic { user: self.user.clone(), password: self.password.clone() },
            Login::Parameter(name) => {
                let password = self.password.expose_secret().as_bytes();
                let encoded = percent_encoding::percent_encode(password, percent_encoding::NON_ALPHANUMERIC);
                Credentials::Query(SecretString::from(format!("{name}={encoded}")))
            }
        }
    }
}

#[async_trait]
impl DnsProvider for Dyndns2 {
    fn name(&self) -> &'static str {
        factory::NAME
    }

    /// The protocol names hosts, and a wildcard is none. Some services keep no AAAA, or names of one domain alone.
    fn supports(&self, key: &RecordKey) -> bool {
        !key.name.as_str().starts_with("*.") && !self.template(key).is_empty() && self.parts(key).is_some()
    }

    async fn read(&self, _key: &RecordKey) -> Result<Observed, ProviderError> {
        Err(ProviderError::Unreadable)
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        if request.ttl.is_some() {
            let what = format!("dyndns2 sets no time to live; unset the DDNS_RECORD_<N>_TTL of {}", request.key);
            return Err(ProviderError::Refused { what });
        }
        let Some(path) = self.query(&request.key, request.address) else {
            return Err(ProviderError::Refused { what: format!("the service keeps no {}", request.key) });
        };
        let sent = HttpRequest {
            method: Method::Get,
            path,
            credentials: Some(self.credentials()),
            accept: "text/plain, */*",
            body: None,
        };
        let response = self.transport.exchange(sent).await.map_err(|error| {
            if let HttpError::UsedUp { wait, .. } = &error {
                let (retry_after, what) = (Some(*wait), "the service has no request left for us".to_owned());
                return ProviderError::Unavailable { what, retry_after, cause: Some(error.into()) };
            }
            let what = "the service gave no answer".to_owned();
            if error.sent() {
                ProviderError::Unknown { what, cause: Some(error.into()) }
            } else {
                ProviderError::Unreachable { what, cause: Some(error.into()) }
            }
        })?;
        let kind = match self.preset.answers {
            Answers::Words => judge(&response, &request.key, request.address)?,
            Answers::Texts { done, refused } => judge_text(&response, done, refused)?,
        };
        Ok(UpdateResult { kind, proxied: false, handle: None })
    }
}

/// What an answer means. A refusal counts whatever the status is, since services differ in that; success needs both.
fn judge(response: &HttpResponse, key: &RecordKey, address: IpAddr) -> Result<UpdateKind, ProviderError> {
    let text = String::from_utf8_lossy(&response.body);
    let mut words = text.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty());
    let word = words.next().unwrap_or_default();
    let refused = |what: String| Err(ProviderError::Refused { what });
    let later = |what: &str, wait: Duration| {
        Err(ProviderError::Unavailable { what: what.to_owned(), retry_after: Some(wait), cause: None })
    };
    match word {
        "good" | "nochg" if (200..300).contains(&response.status) => {
            let kind = if word == "good" { UpdateKind::Changed } else { UpdateKind::Unchanged };
            let told: Vec<IpAddr> = words.filter_map(|word| word.parse().ok()).collect();
            if told.is_empty() || told.contains(&address) {
                return Ok(kind);
            }
            if told.iter().all(IpAddr::is_loopback) {
                return refused(format!("the service ignores this client (good {}, for badagent)", told[0]));
            }
            refused(format!("the service gave {key} the address {} in place of {address}", told[0]))
        }
        "badauth" => Err(unauthorized(BADAUTH)),
        "!donator" => refused(format!("the service asks for a paid account to update {key} (!donator)")),
        "notfqdn" => refused(format!("the service takes {key} for no full name (notfqdn); correct DDNS_RECORDS")),
        "nohost" | "!yours" => refused(format!(
            "the account has no host {} ({word}); make it at the service, or correct DDNS_RECORDS",
            key.name
        )),
        "numhost" => {
            refused(format!("the service counts too many hosts, or has several addresses for {key} (numhost)"))
        }
        "badagent" => refused("the service does not accept this client (badagent)".to_owned()),
        "badsys" => {
            refused("the service does not know the kind of update (badsys); correct DDNS_PROVIDER_PRESET".to_owned())
        }
        "abuse" => later(
            "the service has blocked the host for abuse (abuse); have it unblocked there. It is tried again in an hour, \
             not sooner after a restart",
            BLOCKED,
        ),
        "dnserr" => later("the service has trouble with its DNS (dnserr)", SERVICE_TROUBLE),
        "911" => later("the service has trouble or is being maintained (911)", SERVICE_TROUBLE),
        _ => by_status(response),
    }
}

/// What an answer means that is none of the protocol's words. What was wrong is told in words of the service's own, or not
/// at all; it is the password or the host as a rule.
fn judge_text(response: &HttpResponse, done: &str, refused: &str) -> Result<UpdateKind, ProviderError> {
    let text = String::from_utf8_lossy(&response.body);
    if (200..300).contains(&response.status) && text.contains(done) {
        return Ok(UpdateKind::Changed);
    }
    if text.contains(refused) {
        return Err(unauthorized("the service does not accept the password, or has no such host"));
    }
    by_status(response)
}

fn unauthorized(what: &str) -> ProviderError {
    let remedy = "correct DDNS_PROVIDER_USERNAME and DDNS_PROVIDER_PASSWORD, and restart";
    ProviderError::Unauthorized { what: format!("{what}; {remedy}") }
}

/// Of an answer without a word of the protocol the status counts.
fn by_status(response: &HttpResponse) -> Result<UpdateKind, ProviderError> {
    let status = response.status;
    match status {
        401 | 403 => Err(unauthorized(BADAUTH)),
        429 => Err(ProviderError::Unavailable {
            what: "the service asks for fewer requests (429)".to_owned(),
            retry_after: response.asked_to_wait(),
            cause: None,
        }),
        300..=407 | 409..=499 => Err(ProviderError::Refused {
            what: format!("the service refuses the request (status {status}); correct DDNS_PROVIDER_API_URL"),
        }),
        _ => Err(ProviderError::Unknown {
            what: format!("the service answered with status {status} and no word of dyndns2; is the URL right?"),
            cause: None,
        }),
    }
}

#[cfg(test)]
mod tests;
