use std::sync::Arc;

use ddns_core::ports::{
    Credentials, HttpError, HttpRequest, HttpResponse, HttpTransport, Method, ProviderError, RecordHandle,
};
use ddns_core::record::RecordKey;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::messages::{Envelope, Message, Record, RecordChange, Verification, Zone, is_id};

const JSON: &str = "application/json";
/// Records of one name and type on a page; a second page is the exception.
const PER_PAGE: u32 = 100;
/// More pages than this are nonsense.
const MAX_PAGES: u32 = 100;
/// Codes that say that the token is no good, whatever the status: 6003 and 6111 malformed, 9109 invalid, 10000 not
/// authenticated, 10001 not authorised.
const BAD_TOKEN: [i64; 5] = [6003, 6111, 9109, 10_000, 10_001];
/// Of these, those of a token that is not (or no longer) known: 9109 invalid, 6003 and 6111 malformed.
const INVALID_TOKEN: [i64; 3] = [6003, 6111, 9109];
/// Codes that say that a record is not there (any more): 81044, and 7003 for an id that leads nowhere.
const NOT_THERE: [i64; 2] = [81_044, 7003];
/// Codes that say that an identical record is there already.
const IDENTICAL: [i64; 2] = [81_057, 81_058];

/// Where a record is kept: the meaning of the handle.
pub(crate) struct At {
    pub(crate) zone: String,
    pub(crate) record: String,
}

impl At {
    pub(crate) fn handle(&self) -> RecordHandle {
        RecordHandle(format!("{}/{}", self.zone, self.record))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (zone, record) = text.split_once('/')?;
        (is_id(zone) && is_id(record)).then(|| Self { zone: zone.to_owned(), record: record.to_owned() })
    }
}

/// What a request is for, which decides what its failure means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing changes.
    Reads,
    /// A change may happen even if no answer comes.
    Writes,
}

/// A part of the API, with rights and codes of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Dns,
    /// Its codes from 10,000 on mean other things.
    Lists,
}

impl Part {
    const fn rights(self) -> &'static str {
        match self {
            Self::Dns => "Zone:Read and DNS:Edit on the zone",
            Self::Lists => "the right Account / Account Filter Lists / Edit on the list's account",
        }
    }

    const fn knows(self, code: i64) -> bool {
        matches!(self, Self::Dns) || code < 10_000
    }
}

pub(crate) struct Api {
    transport: Arc<dyn HttpTransport>,
    token: SecretString,
    part: Part,
}

impl Api {
    pub(crate) fn new(transport: Arc<dyn HttpTransport>, token: SecretString, part: Part) -> Self {
        Self { transport, token, part }
    }

    /// What Cloudflare says of the token.
    pub(crate) async fn verify(&self) -> Result<Verification, ProviderError> {
        let envelope: Envelope<Verification> = self.get("/user/tokens/verify").await?;
        envelope.result.ok_or_else(|| nonsense("no verification in the answer"))
    }

    /// The zone with an id.
    pub(crate) async fn zone(&self, id: &str) -> Result<Zone, ProviderError> {
        let envelope: Envelope<Zone> = self.get(&format!("/zones/{id}")).await.map_err(|error| match error {
            ProviderError::Stale { what } => ProviderError::Refused {
                what: format!(
                    "{what}; the token sees no zone {id}: correct DDNS_PROVIDER_ZONE_ID or the token's scope"
                ),
            },
            error => error,
        })?;
        envelope.result.ok_or_else(|| nonsense("no zone in the answer"))
    }

    /// The zones of exactly this name that the token sees.
    pub(crate) async fn zones(&self, name: &str) -> Result<Vec<Zone>, ProviderError> {
        let envelope: Envelope<Vec<Zone>> = self.get(&format!("/zones?name={name}")).await?;
        let zones = envelope.result.ok_or_else(|| nonsense("no list of zones in the answer"))?;
        Ok(zones.into_iter().filter(|zone| zone.name.eq_ignore_ascii_case(name)).collect())
    }

    /// All records of this name and type. A page that fails fails the list (trap 7).
    pub(crate) async fn records(&self, zone: &str, key: &RecordKey) -> Result<Vec<Record>, ProviderError> {
        let mut records = Vec::new();
        for page in 1..=MAX_PAGES {
            let path = format!(
                "/zones/{zone}/dns_records?name={}&type={}&page={page}&per_page={PER_PAGE}",
                key.name, key.rtype
            );
            let envelope: Envelope<Vec<Record>> = self.get(&path).await?;
            let found = envelope.result.ok_or_else(|| nonsense("no list of records in the answer"))?;
            let empty = found.is_empty();
            let pages = envelope
                .result_info
                .and_then(|info| info.total_pages.or_else(|| info.total_count.map(|count| count.div_ceil(PER_PAGE))));
            records.extend(found);
            if empty || pages.is_none_or(|pages| page >= pages) {
                let wanted =
                    |record: &Record| record.rtype == key.rtype && record.name.eq_ignore_ascii_case(key.name.as_str());
                return Ok(records.into_iter().filter(wanted).collect());
            }
        }
        Err(nonsense("a list of records without end"))
    }

    /// Changes a record in place.
    pub(crate) async fn change(&self, at: &At, change: &RecordChange<'_>) -> Result<Record, ProviderError> {
        let path = format!("/zones/{}/dns_records/{}", at.zone, at.record);
        self.write(Method::Patch, path, change).await
    }

    /// Creates a record; `None` if an identical one is there already.
    pub(crate) async fn create(&self, zone: &str, new: &RecordChange<'_>) -> Result<Option<Record>, ProviderError> {
        let path = format!("/zones/{zone}/dns_records");
        let response = self.send(Method::Post, path, Some(json(new)?), Effect::Writes).await?;
        if (200..500).contains(&response.status) && says(&response, &IDENTICAL) {
            return Ok(None);
        }
        written(self.judge(&response, Effect::Writes)?).map(Some)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Envelope<T>, ProviderError> {
        self.judge(&self.send(Method::Get, path.to_owned(), None, Effect::Reads).await?, Effect::Reads)
    }

    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: String,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ProviderError> {
        let response = self.send(method, path, Some(json(body)?), Effect::Writes).await?;
        written(self.judge(&response, Effect::Writes)?)
    }

    async fn send(
        &self,
        method: Method,
        path: String,
        body: Option<(&'static str, Vec<u8>)>,
        effect: Effect,
    ) -> Result<HttpResponse, ProviderError> {
        let credentials = Some(Credentials::Bearer(self.token.clone()));
        let request = HttpRequest { method, path, credentials, accept: JSON, body };
        self.transport.exchange(request).await.map_err(|error| not_exchanged(error, effect))
    }

    /// What an answer means (DESIGN: unavailable, unauthorized, refused, outcome unknown).
    fn judge<T: DeserializeOwned>(
        &self,
        response: &HttpResponse,
        effect: Effect,
    ) -> Result<Envelope<T>, ProviderError> {
        let status = response.status;
        let parsed: Result<Envelope<T>, _> = serde_json::from_slice(&response.body);
        if (200..300).contains(&status) {
            return match parsed {
                Ok(envelope) if envelope.success => Ok(envelope),
                Ok(envelope) => Err(self.failed(status, &envelope.errors, response)),
                Err(error) => {
                    let form = if response.body.trim_ascii_start().starts_with(b"<") {
                        "an HTML page"
                    } else {
                        "no API answer"
                    };
                    let what =
                        format!("status {status} came with {form}; is something between this host and Cloudflare?");
                    Err(match effect {
                        Effect::Reads => {
                            ProviderError::Unavailable { what, retry_after: None, cause: Some(error.into()) }
                        }
                        Effect::Writes => ProviderError::Unknown { what, cause: Some(error.into()) },
                    })
                }
            };
        }
        let errors = errors(response);
        if status >= 500 && effect == Effect::Writes {
            let what = format!("Cloudflare answered a write with status {status}{}", words(&errors));
            return Err(ProviderError::Unknown { what, cause: None });
        }
        Err(self.failed(status, &errors, response))
    }

    fn failed(&self, status: u16, errors: &[Message], response: &HttpResponse) -> ProviderError {
        let says = words(errors);
        // A server that fails may say anything: the codes are those of a refusal.
        let known = |error: &Message, codes: &[i64]| codes.contains(&error.code) && self.part.knows(error.code);
        let has = |codes: &[i64]| status < 500 && errors.iter().any(|error| known(error, codes));
        let rights = self.part.rights();
        let retry_after = response.asked_to_wait();
        if status == 429 {
            return ProviderError::Unavailable {
                what: format!("Cloudflare asks for fewer requests (429){says}"),
                retry_after,
                cause: None,
            };
        }
        if status == 403 && !has(&INVALID_TOKEN) {
            let what = format!(
                "Cloudflare does not grant the token this (status 403){says}; give the token of DDNS_PROVIDER_API_TOKEN \
             {rights}, and see that it may be used from this address"
            );
            return ProviderError::Unauthorized { what };
        }
        if matches!(status, 401 | 403) || has(&BAD_TOKEN) {
            let what = format!(
                "Cloudflare does not accept the token (status {status}){says}; give DDNS_PROVIDER_API_TOKEN a valid token \
             with {rights}, and restart"
            );
            return ProviderError::Unauthorized { what };
        }
        if status == 404 || has(&NOT_THERE) {
            return ProviderError::Stale { what: format!("status {status}{says}") };
        }
        if has(&IDENTICAL) {
            return ProviderError::Unknown { what: format!("an identical record has appeared{says}"), cause: None };
        }
        if (400..500).contains(&status) && status != 408 {
            return ProviderError::Refused { what: format!("Cloudflare refuses the request (status {status}){says}") };
        }
        ProviderError::Unavailable {
            what: format!("Cloudflare answered with status {status}{says}"),
            retry_after,
            cause: None,
        }
    }
}

fn json(body: &impl Serialize) -> Result<(&'static str, Vec<u8>), ProviderError> {
    let octets = serde_json::to_vec(body).map_err(|error| ProviderError::Refused { what: error.to_string() })?;
    Ok((JSON, octets))
}

fn written<T>(envelope: Envelope<T>) -> Result<T, ProviderError> {
    envelope.result.ok_or_else(|| lost("no result in the answer to a write"))
}

fn not_exchanged(error: HttpError, effect: Effect) -> ProviderError {
    if let HttpError::UsedUp { wait, .. } = &error {
        let (retry_after, what) = (Some(*wait), "Cloudflare has no request left for us".to_owned());
        return ProviderError::Unavailable { what, retry_after, cause: Some(error.into()) };
    }
    let what = "Cloudflare's API gave no answer".to_owned();
    match (error.sent(), effect) {
        (false, _) => ProviderError::Unreachable { what, cause: Some(error.into()) },
        (true, Effect::Writes) => ProviderError::Unknown { what, cause: Some(error.into()) },
        (true, Effect::Reads) => ProviderError::Unavailable { what, retry_after: None, cause: Some(error.into()) },
    }
}

/// What a refusal says; of an answer that is none of ours, the status alone counts.
fn errors(response: &HttpResponse) -> Vec<Message> {
    serde_json::from_slice::<Envelope<serde_json::Value>>(&response.body)
        .map_or_else(|_| Vec::new(), |envelope| envelope.errors)
}

fn says(response: &HttpResponse, codes: &[i64]) -> bool {
    errors(response).iter().any(|error| codes.contains(&error.code))
}

fn words(errors: &[Message]) -> String {
    let each = errors.iter().take(3).map(|error| {
        let message: String = error.message.chars().take(200).collect();
        format!("; it says: {message} ({})", error.code)
    });
    each.collect()
}

pub(crate) fn nonsense(what: &str) -> ProviderError {
    ProviderError::Unavailable {
        what: format!("Cloudflare's answer makes no sense: {what}"),
        retry_after: None,
        cause: None,
    }
}

fn lost(what: &str) -> ProviderError {
    ProviderError::Unknown { what: format!("Cloudflare's answer makes no sense: {what}"), cause: None }
}
