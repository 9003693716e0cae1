//! The contract of `DnsProvider`, one test for each case.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ddns_core::ports::{DnsProvider, ProviderError, RecordHandle, UpdateKind, UpdateRequest, UpdateResult};
use ddns_core::record::{RecordKey, RecordType};
use ddns_http::Limits;

pub const ZONE: &str = "ddns.test";
pub const NAME: &str = "vpn.ddns.test";
pub const OLD: &str = "11.0.0.1";
pub const NEW: &str = "11.0.0.2";
pub const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    handshake: Duration::from_secs(10),
    answer: Duration::from_secs(20),
    body: 1 << 20,
};

/// A service with one zone, [`ZONE`], in which [`NAME`] can be.
pub trait Service {
    /// A provider with good credentials.
    fn provider(&self) -> Result<Arc<dyn DnsProvider>>;
    /// One with credentials that the service does not accept.
    fn stranger(&self) -> Result<Arc<dyn DnsProvider>>;
    /// What the service holds for A of [`NAME`].
    fn held(&self) -> Result<Vec<String>>;
    /// Puts an A record of [`NAME`] with attributes that an update leaves alone.
    fn put(&self, address: &str) -> Result<()>;
    /// The attributes of [`Self::put`] are there; `None` if the service has none.
    fn attributes(&self) -> Option<Result<bool>>;
    /// The next write takes effect, and its answer is lost.
    fn lose_answer(&self);
    /// The next write is answered with nonsense.
    fn garble_answer(&self);
}

fn key(name: &str) -> RecordKey {
    RecordKey { name: name.parse().unwrap(), rtype: RecordType::A }
}

/// What the engine would send: with the handle of a read, if there is one.
async fn update(provider: &dyn DnsProvider, to: &str, previous: Option<&str>) -> Result<UpdateResult, ProviderError> {
    let handle: Option<RecordHandle> = provider.read(&key(NAME)).await.ok().and_then(|observed| observed.handle);
    let previous = previous.map(|address| address.parse::<IpAddr>().unwrap());
    let request = UpdateRequest { key: key(NAME), address: to.parse().unwrap(), previous, handle, ttl: None };
    provider.update(&request).await
}

/// Whoever can be read says what is held.
async fn check_read(provider: &dyn DnsProvider, expected: &[&str]) {
    match provider.read(&key(NAME)).await {
        Ok(observed) => {
            let read: Vec<_> = observed.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(read, expected);
        }
        Err(ProviderError::Unreadable) => {}
        Err(error) => panic!("{error}"),
    }
}

pub async fn creates_a_record(service: &impl Service) -> Result<()> {
    let provider = service.provider()?;
    check_read(&*provider, &[]).await;
    let result = update(&*provider, NEW, None).await?;
    assert!(matches!(result.kind, UpdateKind::Created | UpdateKind::Changed), "{result:?}");
    assert_eq!(service.held()?, [NEW]);
    check_read(&*provider, &[NEW]).await;
    Ok(())
}

pub async fn changes_a_record(service: &impl Service) -> Result<()> {
    service.put(OLD)?;
    let provider = service.provider()?;
    let result = update(&*provider, NEW, Some(OLD)).await?;
    assert_eq!(result.kind, UpdateKind::Changed);
    assert_eq!(service.held()?, [NEW]);
    // With the handle of that change, and back.
    let request = UpdateRequest {
        key: key(NAME),
        address: OLD.parse()?,
        previous: Some(NEW.parse()?),
        handle: result.handle,
        ttl: None,
    };
    assert_eq!(provider.update(&request).await?.kind, UpdateKind::Changed);
    assert_eq!(service.held()?, [OLD]);
    Ok(())
}

pub async fn a_repetition_changes_nothing(service: &impl Service) -> Result<()> {
    let provider = service.provider()?;
    update(&*provider, NEW, None).await?;
    // A provider that writes in place with its handle may say so again; there is one record all the same.
    let again = update(&*provider, NEW, Some(NEW)).await?;
    assert!(matches!(again.kind, UpdateKind::Unchanged | UpdateKind::Changed), "{again:?}");
    assert_eq!(service.held()?, [NEW]);
    Ok(())
}

pub async fn attributes_stay(service: &impl Service) -> Result<()> {
    service.put(OLD)?;
    let provider = service.provider()?;
    update(&*provider, NEW, Some(OLD)).await?;
    assert!(service.attributes().transpose()?.unwrap_or(true), "the attributes");
    assert_eq!(service.held()?, [NEW]);
    Ok(())
}

pub async fn a_lost_answer_is_unknown_and_a_repetition_does_no_harm(service: &impl Service) -> Result<()> {
    service.put(OLD)?;
    let provider = service.provider()?;
    service.lose_answer();
    let error = update(&*provider, NEW, Some(OLD)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unknown { .. }), "{error:?}");
    assert_eq!(service.held()?, [NEW], "it took effect");
    update(&*provider, NEW, Some(OLD)).await?;
    assert_eq!(service.held()?, [NEW]);
    Ok(())
}

pub async fn wrong_credentials_are_unauthorized(service: &impl Service) -> Result<()> {
    service.put(OLD)?;
    let stranger = service.stranger()?;
    let error = update(&*stranger, NEW, Some(OLD)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unauthorized { .. }), "{error:?}");
    assert_eq!(service.held()?, [OLD]);
    Ok(())
}

pub async fn a_name_outside_the_zone_is_refused(service: &impl Service) -> Result<()> {
    let provider = service.provider()?;
    let key = key("vpn.elsewhere.test");
    let request = UpdateRequest { key, address: NEW.parse()?, previous: None, handle: None, ttl: None };
    let error = provider.update(&request).await.unwrap_err();
    assert!(matches!(error, ProviderError::Refused { .. }), "{error:?}");
    Ok(())
}

pub async fn nonsense_is_no_success(service: &impl Service) -> Result<()> {
    service.put(OLD)?;
    let provider = service.provider()?;
    service.garble_answer();
    let error = update(&*provider, NEW, Some(OLD)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unknown { .. }), "{error:?}");
    update(&*provider, NEW, Some(OLD)).await?;
    assert_eq!(service.held()?, [NEW]);
    Ok(())
}

/// One test for each case of the contract, each against a service of its own.
macro_rules! provider_contract {
    ($($module:ident: $service:expr),+ $(,)?) => {
        $(mod $module {
            use crate::contract::provider_contract;
            provider_contract!(@cases $service;
                creates_a_record,
                changes_a_record,
                a_repetition_changes_nothing,
                attributes_stay,
                a_lost_answer_is_unknown_and_a_repetition_does_no_harm,
                wrong_credentials_are_unauthorized,
                a_name_outside_the_zone_is_refused,
                nonsense_is_no_success,
            );
        })+
    };
    (@cases $service:expr; $($case:ident),+ $(,)?) => {
        $(#[tokio::test(flavor = "current_thread")]
        async fn $case() -> anyhow::Result<()> {
            $crate::contract::$case(&$service?).await
        })+
    };
}
pub(crate) use provider_contract;
