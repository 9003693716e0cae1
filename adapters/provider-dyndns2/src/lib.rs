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
use secrecy::SecretString;

pub use factory::{API_URL, Dyndns2Factory, PASSWORD, PRESET, USERNAME};
use preset::{Addresses, Preset};

/// The wait after `911` and `dnserr`.
const SERVICE_TROUBLE: Duration = Duration::from_secs(1800);
/// The wait after `abuse`: as long as the engine obeys. It holds for all records of the service, and over restarts.
const BLOCKED: Duration = Duration::from_secs(3600);

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

    fn query(&self, key: &RecordKey, address: IpAddr) -> String {
        let addresses = match (self.preset.addresses, key.rtype) {
            (Addresses::Myip, _) => format!("myip={address}"),
            (Addresses::PreserveTheOther, RecordType::A) => format!("myip={address}&myipv6=preserve"),
            (Addresses::PreserveTheOther, RecordType::Aaaa) => format!("myip=preserve&myipv6={address}"),
        };
        format!("?{}hostname={}&{addresses}", self.preset.first, key.name)
    }
}

#[async_trait]
impl DnsProvider for Dyndns2 {
    fn name(&self) -> &'static str {
        factory::NAME
    }

    /// The protocol names hosts, and a wildcard is none.
    fn supports(&self, key: &RecordKey) -> bool {
        !key.name.as_str().starts_with("*.")
    }

    async fn read(&self, _key: &RecordKey) -> Result<Observed, ProviderError> {
        Err(ProviderError::Unreadable)
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        if request.ttl.is_some() {
            let what = format!("dyndns2 sets no time to live; unset the DDNS_RECORD_<N>_TTL of {}", request.key);
            return Err(ProviderError::Refused { what });
        }
        let credentials = Credentials::Basic { user: self.user.clone(), password: self.password.clone() };
        let sent = HttpRequest {
            method: Method::Get,
            path: self.query(&request.key, request.address),
            credentials: Some(credentials),
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
        let kind = judge(&response, &request.key, request.address)?;
        Ok(UpdateResult { kind, proxied: false, handle: None })
    }
}

/// What an answer means. A refusal counts whatever the status is, since services differ in that; success needs both.
fn judge(response: &HttpResponse, key: &RecordKey, address: IpAddr) -> Result<UpdateKind, ProviderError> {
    let text = String::from_utf8_lossy(&response.body);
    let mut words = text.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty());
    let word = words.next().unwrap_or_default();
    let refused = |what: String| Err(ProviderError::Refused { what });
    let unauthorized = || {
        Err(ProviderError::Unauthorized {
            what: "the service does not accept the user or the password (badauth); correct DDNS_PROVIDER_USERNAME and \
                   DDNS_PROVIDER_PASSWORD, and restart"
                .to_owned(),
        })
    };
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
        "badauth" => unauthorized(),
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
        _ => by_status(response, &unauthorized),
    }
}

/// Of an answer without a word of the protocol the status counts.
fn by_status(
    response: &HttpResponse,
    unauthorized: &dyn Fn() -> Result<UpdateKind, ProviderError>,
) -> Result<UpdateKind, ProviderError> {
    let status = response.status;
    match status {
        401 | 403 => unauthorized(),
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
