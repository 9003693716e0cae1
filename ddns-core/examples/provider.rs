//! How to write a provider: one for an imaginary service, whose API is `GET /names/NAME/TYPE` for the address and
//! `POST /names/NAME/TYPE` with the new one, under a token. `cargo run --package ddns-core --example provider`.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ddns_core::config::{Endpoint, Kind, Settings, Variable};
use ddns_core::ports::{
    Credentials, DnsProvider, HttpError, HttpRequest, HttpResponse, HttpTransport, Method, Observed, ProviderError,
    UpdateKind, UpdateRequest, UpdateResult,
};
use ddns_core::record::RecordKey;
use ddns_core::registry::{Factory, Parts};
use futures_util::FutureExt;
use secrecy::SecretString;

/// What the provider needs from the configuration. `DDNS_PROVIDER_…` and `DDNS_<KIND>_…` can stand in a named group.
const TOKEN: Variable = Variable {
    name: "DDNS_PROVIDER_API_TOKEN",
    kind: Kind::Secret,
    help: "Imaginary: the token that the service issued.",
};
const URL: &str = "https://api.example.com/v1";

/// The factory reads settings and hands out a transport that is bound to the service. It opens nothing.
pub struct ImaginaryFactory;

impl Factory<dyn DnsProvider> for ImaginaryFactory {
    fn name(&self) -> &'static str {
        "imaginary"
    }
    fn variables(&self) -> &'static [Variable] {
        &[TOKEN]
    }
    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn DnsProvider>> {
        // A problem is left in the settings, so that all problems show at once.
        let token = settings.secret(&TOKEN)?;
        let transport = (parts.transports)(&Endpoint::parse(URL).ok()?);
        Some(Arc::new(Imaginary { transport, token }))
    }
}

/// The provider: a transport and a credential, no state.
struct Imaginary {
    transport: Arc<dyn HttpTransport>,
    token: SecretString,
}

impl Imaginary {
    /// One exchange. What its failure means depends on whether it may have changed something.
    async fn ask(&self, method: Method, key: &RecordKey, body: Option<String>) -> Result<HttpResponse, ProviderError> {
        let writes = body.is_some();
        let request = HttpRequest {
            method,
            path: format!("/names/{}/{}", key.name, key.rtype),
            credentials: Some(Credentials::Bearer(self.token.clone())),
            accept: "text/plain",
            body: body.map(|text| ("text/plain", text.into_bytes())),
        };
        let what = || "the service gave no answer".to_owned();
        let response = self.transport.exchange(request).await.map_err(|error| match (error.sent(), writes) {
            (false, _) => ProviderError::Unreachable { what: what(), cause: Some(error.into()) },
            (true, true) => ProviderError::Unknown { what: what(), cause: Some(error.into()) },
            (true, false) => ProviderError::Unavailable { what: what(), retry_after: None, cause: Some(error.into()) },
        })?;
        let status = response.status;
        match status {
            200 | 404 => Ok(response),
            401 | 403 => Err(ProviderError::Unauthorized {
                what: format!(
                    "the service does not accept the token (status {status}); correct DDNS_PROVIDER_API_TOKEN"
                ),
            }),
            400..=499 => Err(ProviderError::Refused { what: format!("the service refuses the request ({status})") }),
            _ if writes => Err(ProviderError::Unknown { what: format!("status {status} to a write"), cause: None }),
            _ => Err(ProviderError::Unavailable { what: format!("status {status}"), retry_after: None, cause: None }),
        }
    }
}

#[async_trait]
impl DnsProvider for Imaginary {
    fn name(&self) -> &'static str {
        "imaginary"
    }
    fn supports(&self, _key: &RecordKey) -> bool {
        true
    }
    async fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError> {
        let response = self.ask(Method::Get, key, None).await?;
        if response.status == 404 {
            return Ok(Observed::default());
        }
        let text = String::from_utf8_lossy(&response.body);
        // Nonsense is no empty record: nothing is ever concluded from it.
        let address = text.trim().parse().map_err(|_| ProviderError::Unavailable {
            what: "the service answered with no address".to_owned(),
            retry_after: None,
            cause: None,
        })?;
        Ok(Observed { addresses: [address].into(), proxied: false, handle: None })
    }
    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        let response = self.ask(Method::Post, &request.key, Some(request.address.to_string())).await?;
        // Only an answer that shows the address is an acknowledgement.
        if response.status == 200 && response.body == request.address.to_string().as_bytes() {
            return Ok(UpdateResult { kind: UpdateKind::Changed, proxied: false, handle: None });
        }
        Err(ProviderError::Unknown { what: "the service acknowledged something else".to_owned(), cause: None })
    }
}

/// The service, which keeps one record.
#[derive(Default)]
struct Service(Mutex<Option<Vec<u8>>>);

#[async_trait]
impl HttpTransport for Service {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, new)) = request.body {
            *held = Some(new);
        }
        let status = if held.is_some() { 200 } else { 404 };
        Ok(HttpResponse { status, body: held.clone().unwrap_or_default(), ..HttpResponse::default() })
    }
}

/// Creates a record and reads it back.
pub fn main() -> Result<(), Box<dyn Error>> {
    let token = SecretString::from("q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps");
    let provider = Imaginary { transport: Arc::<Service>::default(), token };
    let key = RecordKey { name: "vpn.example.com".parse()?, rtype: ddns_core::record::RecordType::A };
    let read = || provider.read(&key).now_or_never().ok_or("the service answers at once");
    assert!(read()??.addresses.is_empty());
    let address = "11.0.0.2".parse()?;
    let request = UpdateRequest { key: key.clone(), address, previous: None, handle: None, ttl: None };
    let result = provider.update(&request).now_or_never().ok_or("the service answers at once")??;
    println!("{key}: {:?}, and the service holds {:?}", result.kind, read()??.addresses);
    assert!(read()??.addresses.contains(&address));
    Ok(())
}
