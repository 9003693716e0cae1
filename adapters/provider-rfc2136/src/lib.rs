//! DnsProvider by dynamic updates of DNS (RFC 2136), signed with TSIG (RFC 8945).
//!
//! **Holds no state.** The zone is what the server says it is, and goes out in the handle. A change is three exchanges:
//! the RRset is read, changed under the prerequisite that it is still what was read, and read again, since NOERROR alone
//! proves nothing (an update of a name that is an alias is ignored, RFC 2136 §3.4.2.2). Only the address that we wrote
//! goes; others of the same name and type, and the TTL, stay as they are. An update that arrives twice does no harm: the
//! second time its prerequisites don't hold, and the read after it shows what the first one did.

mod exchange;
mod factory;
mod key;
mod mark;
mod message;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::ports::{
    Clock, DnsProvider, DnsTransport, Finding, Observed, ProviderError, RecordHandle, UpdateKind, UpdateRequest,
    UpdateResult, Verdict,
};
use ddns_core::record::RecordKey;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RecordType as WireType, TSigner};

use exchange::{Effect, Exchange, nonsense, unavailable};
pub use factory::{OWNER, Rfc2136Factory, SERVER, TRANSPORT, TSIG_KEY, ZONE};
use mark::{Mark, Whose};
use message::{Rrset, Said, Update, absolute, query, said, wire_type, zone_of};

/// The TTL of records that we create, in seconds.
const NEW_TTL: u32 = 60;

/// The provider.
pub struct Rfc2136 {
    exchange: Exchange,
    zone: Option<Name>,
    mark: Option<Mark>,
}

/// The mark beside a record, and whether it is there already.
type Marked<'a> = Option<(&'a Mark, Name, bool)>;

/// Where a record is: its zone, and its name.
struct Place {
    zone: Name,
    name: Name,
}

impl Place {
    fn handle(&self) -> Option<RecordHandle> {
        Some(RecordHandle(self.zone.to_ascii()))
    }
}

impl Rfc2136 {
    fn new(transport: Arc<dyn DnsTransport>, clock: Arc<dyn Clock>, key: TSigner, zone: Option<Name>) -> Self {
        Self { exchange: Exchange::new(transport, clock, key), zone, mark: None }
    }

    /// A provider on a transport that is bound to the zone's primary server. `key` is the text of a key file, as
    /// `tsig-keygen` prints it; without a zone the server is asked for it. The error says what is wrong with which.
    pub fn with_key(
        transport: Arc<dyn DnsTransport>,
        clock: Arc<dyn Clock>,
        key: &str,
        zone: Option<&str>,
    ) -> Result<Self, String> {
        let zone = zone.map(|zone| absolute(zone).ok_or_else(|| format!("{zone:?} is no zone"))).transpose()?;
        Ok(Self::new(transport, clock, key::parse_key(key)?, zone))
    }

    /// The same for records that carry a mark of this owner, and for none of anybody else's. The error says what is wrong
    /// with the owner's name.
    pub fn owned_by(self, owner: &str) -> Result<Self, String> {
        Ok(Self { mark: Some(Mark::parse(owner)?), ..self })
    }

    /// Whether the record is ours to change, by the mark beside it.
    async fn marked(
        &self,
        place: &Place,
        request: &UpdateRequest,
        before: &Rrset,
    ) -> Result<Marked<'_>, ProviderError> {
        let Some(mark) = &self.mark else { return Ok(None) };
        let Some(at) = Mark::place(&place.name, &request.key) else {
            return Err(refused(format!(
                "the mark of {} would have too long a name; unset DDNS_RFC2136_OWNER",
                request.key
            )));
        };
        let answer = self.exchange.ask(query(&at, WireType::TXT), Effect::Reads).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(failed(code, Effect::Reads, &at, "")),
        }
        match mark.whose(&answer, &at) {
            Whose::Ours => Ok(Some((mark, at, true))),
            Whose::Nobodys if before.addresses.is_empty() => Ok(Some((mark, at, false))),
            Whose::Nobodys => Err(refused(format!(
                "{} is there and carries no mark; delete it, or hand it over by adding the TXT record {at} with the text \
                 {}",
                request.key,
                mark.text()
            ))),
            Whose::Others(other) => Err(refused(format!(
                "{} is somebody else's: the TXT record {at} says \"{other}\"; delete that, or correct DDNS_RFC2136_OWNER",
                request.key
            ))),
        }
    }

    /// The record's place: by the configured zone, by the handle, or by asking for SOA records upwards.
    async fn place(&self, key: &RecordKey, handle: Option<&RecordHandle>) -> Result<Place, ProviderError> {
        let Some(name) = absolute(key.name.as_str()) else {
            return Err(refused(format!("{} has no wire form", key.name)));
        };
        if let Some(zone) = &self.zone {
            if zone.zone_of(&name) {
                return Ok(Place { zone: zone.clone(), name });
            }
            let what = format!("{name} does not lie in zone {zone}; correct DDNS_RECORDS or DDNS_RFC2136_ZONE");
            return Err(refused(what));
        }
        let known = handle.and_then(|RecordHandle(zone)| absolute(zone)).filter(|zone| zone.zone_of(&name));
        if let Some(zone) = known {
            return Ok(Place { zone, name });
        }
        for candidate in key.name.ancestors().filter_map(absolute) {
            let answer = self.exchange.ask(query(&candidate, WireType::SOA), Effect::Reads).await?;
            match answer.metadata.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain if answer.metadata.authoritative => {
                    if let Some(zone) = zone_of(&answer, &name) {
                        return Ok(Place { zone, name });
                    }
                }
                // None of its zones, or an alias.
                ResponseCode::NoError | ResponseCode::NXDomain | ResponseCode::Refused | ResponseCode::NotAuth => {}
                code => return Err(failed(code, Effect::Reads, &name, "")),
            }
        }
        let what = format!(
            "the name server has no zone that holds {name}; name the zone's primary in DDNS_RFC2136_SERVER, or correct \
             DDNS_RECORDS"
        );
        Err(refused(what))
    }

    /// What the server holds.
    async fn rrset(&self, place: &Place, key: &RecordKey) -> Result<Rrset, ProviderError> {
        let name = &place.name;
        let answer = self.exchange.ask(query(name, wire_type(key.rtype)), Effect::Reads).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(failed(code, Effect::Reads, name, "")),
        }
        if !answer.metadata.authoritative {
            let what = format!(
                "the name server has no authority over {name}; name the zone's primary in DDNS_RFC2136_SERVER, and the \
                 zone that the name is in if that is delegated"
            );
            return Err(refused(what));
        }
        match said(&answer, name, key.rtype) {
            Said::Holds(rrset) => Ok(rrset),
            Said::Alias(target) => Err(refused(format!(
                "{name} is an alias of {target}, beside which no address can be; delete the CNAME"
            ))),
        }
    }

    async fn observed(&self, place: &Place, key: &RecordKey) -> Result<Observed, ProviderError> {
        let rrset = self.rrset(place, key).await?;
        Ok(Observed { addresses: rrset.addresses, proxied: false, handle: place.handle() })
    }

    /// Sends an update, whose effect is what a read afterwards shows. False if the RRset is not what it was based on.
    async fn send(&self, update: Message, place: &Place, walked: bool) -> Result<bool, ProviderError> {
        let answer = self.exchange.ask(update, Effect::Writes).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(true),
            ResponseCode::NXRRSet | ResponseCode::YXRRSet => Ok(false),
            code @ (ResponseCode::NotAuth | ResponseCode::NotZone) if walked => {
                Err(ProviderError::Stale { what: format!("{} is no longer its zone ({code})", place.zone) })
            }
            code => Err(failed(code, Effect::Writes, &place.name, &self.exchange.key_name())),
        }
    }

    /// Changes what was read into what is wanted. An update that came twice, since the answer to the first was lost, fails
    /// the second time for its prerequisites, and has done what it should.
    async fn change(
        &self,
        request: &UpdateRequest,
        place: &Place,
        before: &Rrset,
        old: Option<IpAddr>,
        marked: &Marked<'_>,
    ) -> Result<UpdateKind, ProviderError> {
        let walked = self.zone.is_none() && request.handle.is_some();
        let mark = marked.as_ref().map(|(mark, at, there)| (*mark, at, *there));
        let update = || Update::new(&place.zone, &place.name, &request.key).marked(mark);
        if let Some(old) = old {
            let ttl = request.ttl.unwrap_or(before.ttl);
            let changed = update().only_if(&before.addresses).delete(old).add(request.address, ttl);
            if self.send(changed, place, walked).await? {
                return Ok(UpdateKind::Changed);
            }
            let now = self.rrset(place, &request.key).await?;
            if now.addresses.contains(&request.address) {
                return Ok(UpdateKind::Changed);
            }
            // What a wildcard answers with (RFC 4592) looks like a record, and is none: it has not changed.
            if now != *before {
                return Err(changed_meanwhile(place));
            }
        }
        let ttl = request.ttl.unwrap_or(NEW_TTL);
        let created = update().only_if(&BTreeSet::new()).add(request.address, ttl);
        if self.send(created, place, walked).await? {
            return Ok(UpdateKind::Created);
        }
        let now = self.rrset(place, &request.key).await?;
        if now.addresses.contains(&request.address) { Ok(UpdateKind::Created) } else { Err(changed_meanwhile(place)) }
    }
}

fn changed_meanwhile(place: &Place) -> ProviderError {
    ProviderError::Stale { what: format!("someone else has changed {} meanwhile", place.name) }
}

#[async_trait]
impl DnsProvider for Rfc2136 {
    fn name(&self) -> &'static str {
        factory::NAME
    }

    fn supports(&self, _key: &RecordKey) -> bool {
        true
    }

    async fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError> {
        let place = self.place(key, None).await?;
        self.observed(&place, key).await
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        let place = self.place(&request.key, request.handle.as_ref()).await?;
        let before = self.rrset(&place, &request.key).await?;
        let result = |kind| UpdateResult { kind, proxied: false, handle: place.handle() };
        if before.addresses.contains(&request.address) {
            return Ok(result(UpdateKind::Unchanged));
        }
        let marked = self.marked(&place, request, &before).await?;
        let old = ours(&before, request)?;
        let kind = self.change(request, &place, &before, old, &marked).await?;
        // The write went out: whatever hinders the proof, its outcome is not known.
        match self.rrset(&place, &request.key).await {
            Ok(after) if after.addresses.contains(&request.address) => Ok(result(kind)),
            Ok(after) => {
                let what = format!(
                    "the name server acknowledged {} for {} and answers with {:?}",
                    request.address, request.key, after.addresses
                );
                Err(ProviderError::Unknown { what, cause: None })
            }
            Err(error) => {
                let what = format!("{} was acknowledged and could not be read again", request.key);
                Err(ProviderError::Unknown { what, cause: Some(error.into()) })
            }
        }
    }

    /// Every answer is signed, so that one to a query shows server, zone and key. The right to update shows with a write.
    async fn check(&self, keys: &[RecordKey]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for key in keys {
            let looked = async {
                let place = self.place(key, None).await?;
                let held = self.observed(&place, key).await?.finding(key);
                let what = format!("zone {} answers with the key's signature; {}", place.zone, held.what);
                Ok(Finding { what, ..held })
            };
            let looked: Result<_, ProviderError> = looked.await;
            findings.push(looked.unwrap_or_else(|error| Finding::failed(key.to_string(), &error)));
        }
        let what = "whether an update may be made with it shows with the first: the zone's update-policy or allow-update \
                    has to grant it";
        findings.push(Finding::new(format!("key {}", self.exchange.key_name()), Verdict::Unproven, what));
        findings
    }
}

/// The address to take out, `None` if there is no record: the one that we wrote, or the only one if we don't know of any.
fn ours(before: &Rrset, request: &UpdateRequest) -> Result<Option<IpAddr>, ProviderError> {
    let held = &before.addresses;
    let sole = held.first().copied().filter(|_| held.len() == 1);
    match (request.previous.filter(|previous| held.contains(previous)), sole) {
        (Some(previous), _) => Ok(Some(previous)),
        (None, _) if held.is_empty() => Ok(None),
        (None, Some(other)) if request.previous.is_none() => Ok(Some(other)),
        (None, Some(other)) => {
            Err(ProviderError::Stale { what: format!("someone else has changed {} to {other}", request.key) })
        }
        (None, None) => {
            let what = format!(
                "there are {} records {} and none holds an address that we wrote; delete all but one",
                held.len(),
                request.key
            );
            Err(refused(what))
        }
    }
}

const fn refused(what: String) -> ProviderError {
    ProviderError::Refused { what }
}

/// What a response code means that is no success.
fn failed(code: ResponseCode, effect: Effect, name: &Name, key: &str) -> ProviderError {
    match (code, effect) {
        (ResponseCode::ServFail, Effect::Reads) => {
            unavailable(&format!("the name server can't answer for {name} now (SERVFAIL); its log says why"))
        }
        (ResponseCode::ServFail, Effect::Writes) => ProviderError::Unknown {
            what: format!("the name server failed to update {name} (SERVFAIL); its log says why"),
            cause: None,
        },
        (ResponseCode::Refused, Effect::Reads) => refused(format!(
            "the name server refuses to answer for {name} (REFUSED); name the zone's primary in DDNS_RFC2136_SERVER, and \
             let it answer this host"
        )),
        (ResponseCode::Refused, Effect::Writes) => ProviderError::Unauthorized {
            what: format!(
                "the name server refuses the update of {name} (REFUSED); grant it to the key {key} in the zone's \
                 update-policy or allow-update, thaw the zone if it is frozen, or name the zone's primary in \
                 DDNS_RFC2136_SERVER if this is a secondary"
            ),
        },
        (ResponseCode::NotAuth, _) => refused(format!(
            "the name server is not the primary of the zone of {name} (NOTAUTH); name that in DDNS_RFC2136_SERVER, or \
             correct DDNS_RFC2136_ZONE"
        )),
        (ResponseCode::NotZone, _) => refused(format!(
            "{name} is not in the zone that was updated (NOTZONE); name the zone it is in in DDNS_RFC2136_ZONE"
        )),
        (ResponseCode::NotImp, _) => refused(format!(
            "the name server takes no updates of {name} (NOTIMP); name the zone's primary in DDNS_RFC2136_SERVER"
        )),
        (ResponseCode::FormErr, _) => refused(format!(
            "the name server does not understand the request for {name} (FORMERR); is it a name server with RFC 2136?"
        )),
        (code, effect) => nonsense(effect, &format!("the response code {code} fits nothing that was asked")),
    }
}

#[cfg(test)]
mod tests;
