//! DnsProvider for Cloudflare's API, version 4.
//!
//! **Holds no state.** The zone is found by walking up the labels of the name against the API, the record by its name
//! and type; both go out in the handle, so that the next change is one request. A change sends `type`, `name` and
//! `content`, which the API asks for, and nothing else, so that proxied, TTL, comment and tags stay as they are. What it
//! creates carries a comment as its mark.
//!
//! [`IpList`] keeps the records' addresses in a list of the account. It has a transport of its own, so that a limit on lists
//! holds up no record.

mod api;
mod check;
mod factory;
mod list;
mod messages;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::ports::{
    AddressList, DnsProvider, Finding, HttpTransport, Observed, ProviderError, RecordHandle, UpdateKind, UpdateRequest,
    UpdateResult,
};
use ddns_core::record::RecordKey;
use secrecy::SecretString;

use api::{Api, At, Part};
pub use factory::{API_TOKEN, API_URL, COMMENT, CloudflareFactory, LIST_ACCOUNT_ID, LIST_ID, ZONE_ID};
pub use list::IpList;
use messages::{Record, RecordChange, Zone};

/// The TTL of records that we create, in seconds: the least of Cloudflare's ordinary plans.
const NEW_TTL: u32 = 60;

/// The provider.
pub struct Cloudflare {
    api: Api,
    zone_id: Option<String>,
    mark: Option<String>,
    list: Option<IpList>,
}

impl Cloudflare {
    /// A provider on a transport that is bound to the API's base URL. Without a zone's id the zone is looked for.
    pub fn new(transport: Arc<dyn HttpTransport>, token: SecretString, zone_id: Option<String>) -> Self {
        let api = Api::new(transport, token, Part::Dns);
        Self { api, zone_id, mark: Some(factory::MARK.to_owned()), list: None }
    }

    /// The comment of the records that it creates, by which it knows its own among several; `None` for none.
    #[must_use]
    pub fn with_comment(mut self, comment: Option<String>) -> Self {
        self.mark = comment;
        self
    }

    /// The list that follows its records.
    #[must_use]
    pub fn with_list(mut self, list: Option<IpList>) -> Self {
        self.list = list;
        self
    }

    async fn zone_of(&self, key: &RecordKey) -> Result<Zone, ProviderError> {
        if let Some(id) = &self.zone_id {
            let zone = self.api.zone(id).await?;
            if key.name.is_within(&zone.name) {
                return Ok(zone);
            }
            let what = format!(
                "{} does not lie in zone {}; correct DDNS_RECORDS or DDNS_PROVIDER_ZONE_ID",
                key.name, zone.name
            );
            return Err(ProviderError::Refused { what });
        }
        for candidate in key.name.ancestors() {
            let mut zones = self.api.zones(candidate).await?;
            match (zones.pop(), zones.is_empty()) {
                (None, _) => {}
                (Some(zone), true) => return Ok(zone),
                (Some(_), false) => {
                    let what = format!("the token sees several zones {candidate}; set DDNS_PROVIDER_ZONE_ID");
                    return Err(ProviderError::Refused { what });
                }
            }
        }
        let what = format!(
            "the token sees no zone that holds {}; give it Zone:Read and DNS:Edit on that zone, or correct DDNS_RECORDS",
            key.name
        );
        Err(ProviderError::Refused { what })
    }

    async fn change(&self, at: &At, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        let change = RecordChange::new(request);
        let record = self.api.change(at, &change).await?;
        acknowledged(at.zone.clone(), record, request.address, UpdateKind::Changed)
    }

    async fn create(&self, zone: String, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        let mut new = RecordChange::new(request);
        new.ttl.get_or_insert(NEW_TTL);
        new.comment = self.mark.as_deref();
        if let Some(record) = self.api.create(&zone, &new).await? {
            return acknowledged(zone, record, request.address, UpdateKind::Created);
        }
        // Somebody was faster, or an earlier attempt of ours of which no answer came.
        let records = self.api.records(&zone, &request.key).await?;
        let Some(record) = records.into_iter().find(|record| record.content == request.address) else {
            let what =
                format!("Cloudflare says that there is {} with {}, and lists none", request.key, request.address);
            return Err(ProviderError::Unavailable { what, retry_after: None, cause: None });
        };
        acknowledged(zone, record, request.address, UpdateKind::Unchanged)
    }
}

/// The answer to a write has to show the address, else nothing is known.
fn acknowledged(
    zone: String,
    record: Record,
    address: IpAddr,
    kind: UpdateKind,
) -> Result<UpdateResult, ProviderError> {
    if record.content != address {
        let what = format!("Cloudflare acknowledged the write of {address} with {}", record.content);
        return Err(ProviderError::Unknown { what, cause: None });
    }
    let handle = At { zone, record: record.id }.handle();
    Ok(UpdateResult { kind, proxied: record.proxied, handle: Some(handle) })
}

fn observed(zone: String, records: &[Record]) -> Observed {
    let handle = match records {
        [record] => Some(At { zone, record: record.id.clone() }.handle()),
        _ => None,
    };
    Observed {
        proxied: records.iter().any(|record| record.proxied),
        addresses: records.iter().map(|record| record.content).collect(),
        handle,
    }
}

/// Of several records of one name and type, the one that is ours: it holds what we want, or what we wrote last, or it is
/// the only one with our mark.
fn ours<'a>(records: &'a [Record], request: &UpdateRequest, mark: Option<&str>) -> Option<&'a Record> {
    let holding = |address: IpAddr| records.iter().find(|record| record.content == address);
    let marked = || {
        let mut marked = records.iter().filter(|record| mark.is_some() && record.comment.as_deref() == mark);
        marked.next().filter(|_| marked.next().is_none())
    };
    match records {
        [record] => Some(record),
        _ => holding(request.address).or_else(|| request.previous.and_then(holding)).or_else(marked),
    }
}

#[async_trait]
impl DnsProvider for Cloudflare {
    fn name(&self) -> &'static str {
        factory::NAME
    }

    fn supports(&self, _key: &RecordKey) -> bool {
        true
    }

    async fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError> {
        let zone = self.zone_of(key).await?.id;
        let records = self.api.records(&zone, key).await?;
        Ok(observed(zone, &records))
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        if let Some(at) = request.handle.as_ref().and_then(|RecordHandle(text)| At::parse(text)) {
            return self.change(&at, request).await;
        }
        let zone = self.zone_of(&request.key).await?.id;
        let records = self.api.records(&zone, &request.key).await?;
        if records.is_empty() {
            return self.create(zone, request).await;
        }
        let Some(record) = ours(&records, request, self.mark.as_deref()) else {
            let what = format!(
                "there are {} records {} and none holds an address that we wrote or our comment alone; delete all but \
                 one",
                records.len(),
                request.key
            );
            return Err(ProviderError::Refused { what });
        };
        if record.content == request.address {
            return acknowledged(zone, record.clone(), request.address, UpdateKind::Unchanged);
        }
        self.change(&At { zone, record: record.id.clone() }, request).await
    }

    async fn check(&self, keys: &[RecordKey]) -> Vec<Finding> {
        check::check(self, keys).await
    }

    fn address_list(&self) -> Option<&dyn AddressList> {
        self.list.as_ref().map(|list| list as &dyn AddressList)
    }
}

#[cfg(test)]
mod tests;
