//! The records' addresses in an IP list of the account, which rules of the WAF and others can name.
//!
//! An address stands in a list once, and an item that is added again loses its comment to the new one: so what is there
//! already, whoever put it there, is never added. Changes are operations that Cloudflare carries out one after another, at most
//! one of an account at a time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::error_chain;
use ddns_core::ports::{
    AddressList, Clock, Finding, HttpTransport, ListChange, ListError, Method, ProviderError, Verdict,
};
use ddns_core::record::RecordKey;
use secrecy::SecretString;
use serde::Serialize;

use crate::api::{Api, Part, nonsense};
use crate::messages::{Begun, Item, ItemId, ItemIds, NewItem, Operation, OperationStatus};

/// Items on a page: the most that Cloudflare gives.
const PER_PAGE: u32 = 500;
/// More pages than this are nonsense: an account has at most some ten thousand items.
const MAX_PAGES: u32 = 200;
/// How long an operation is waited for before each look at it, in milliseconds. After the last one it is given up.
const LOOKS: [u64; 10] = [250, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000];
/// IPv6 stands in lists as prefixes of at most this length. Cloudflare's documents of 2020 to 2024 say so; later ones allow
/// more, and all of them allow this.
const LONGEST_IPV6: u8 = 64;

/// An IP list.
pub struct IpList {
    api: Api,
    clock: Arc<dyn Clock>,
    account: String,
    id: String,
    mark: String,
}

/// An address or a prefix, in one form: what two items have in common if they stand for the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Range {
    first: IpAddr,
    length: u8,
}

impl IpList {
    /// The list with an id in an account, on a transport that is bound to the API's base URL. What it adds carries the
    /// mark and the record as its comment, and nothing else is ever removed.
    pub fn new(
        transport: Arc<dyn HttpTransport>,
        token: SecretString,
        clock: Arc<dyn Clock>,
        account: &str,
        id: &str,
        mark: &str,
    ) -> Self {
        let api = Api::new(transport, token, Part::Lists);
        Self { api, clock, account: account.to_owned(), id: id.to_owned(), mark: mark.to_owned() }
    }

    fn comment(&self, key: &RecordKey) -> String {
        format!("{}: {key}", self.mark)
    }

    fn path(&self) -> String {
        format!("/accounts/{}/rules/lists/{}/items", self.account, self.id)
    }

    /// Whether it can be read, without a write.
    pub(crate) async fn check(&self) -> Finding {
        let about = format!("list {}", self.id);
        match self.items().await {
            Ok(items) => {
                let what = format!(
                    "the token sees it, with {} items; the first change shows whether it may edit it (Account / Account \
                     Filter Lists / Edit)",
                    items.len()
                );
                Finding::new(about, Verdict::Unproven, what)
            }
            Err(error) => {
                let verdict = match error {
                    ListError::Unavailable { .. } => Verdict::Unreachable,
                    ListError::Refused { .. } => Verdict::Wrong,
                };
                Finding::new(about, verdict, error_chain(&error))
            }
        }
    }

    /// All items. A page that fails fails the list (trap 7).
    async fn items(&self) -> Result<Vec<Item>, ListError> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let path = format!("{}?per_page={PER_PAGE}{cursor}", self.path());
            let envelope = self.api.get::<Vec<Item>>(&path).await.map_err(|error| self.failed(error))?;
            let page = envelope.result.ok_or_else(|| self.failed(nonsense("no list of items in the answer")))?;
            let empty = page.is_empty();
            items.extend(page);
            let after = envelope.result_info.and_then(|info| info.cursors?.after).filter(|after| !after.is_empty());
            match after {
                Some(after) if !empty => cursor = format!("&cursor={}", escaped(&after)),
                Some(_) | None => return Ok(items),
            }
        }
        Err(self.failed(nonsense("a list of items without end")))
    }

    /// One change, from the request to the end of its operation.
    async fn change(&self, method: Method, body: &(impl Serialize + Sync)) -> Result<(), ListError> {
        let begun: Begun = self.api.write(method, self.path(), body).await.map_err(|error| self.failed(error))?;
        let path = format!("/accounts/{}/rules/lists/bulk_operations/{}", self.account, begun.operation_id);
        for wait in LOOKS {
            self.clock.sleep_until(self.clock.now() + Duration::from_millis(wait)).await;
            let looked = self.api.get::<Operation>(&path).await.map_err(|error| match error {
                ProviderError::Stale { what } => later(format!("Cloudflare knows nothing of its operation: {what}")),
                error => self.failed(error),
            });
            let operation = looked?.result.ok_or_else(|| self.failed(nonsense("no operation in the answer")))?;
            match operation.status {
                OperationStatus::Completed => return Ok(()),
                OperationStatus::Failed => {
                    let says: String = operation.error.unwrap_or_default().chars().take(200).collect();
                    return Err(later(format!("Cloudflare could not change the list; it says: {says}")));
                }
                OperationStatus::Pending | OperationStatus::Running => {}
            }
        }
        let waited: u64 = LOOKS.iter().sum();
        Err(later(format!("Cloudflare has not changed the list within {} seconds", waited / 1000)))
    }

    fn failed(&self, error: ProviderError) -> ListError {
        match error {
            ProviderError::Unauthorized { what } | ProviderError::Refused { what } => ListError::Refused { what },
            ProviderError::Stale { what } => ListError::Refused {
                what: format!(
                    "Cloudflare knows no list {} in account {}: {what}; correct DDNS_PROVIDER_LIST_ACCOUNT_ID or \
                     DDNS_PROVIDER_LIST_ID",
                    self.id, self.account
                ),
            },
            ProviderError::Unavailable { what, retry_after, cause } => {
                ListError::Unavailable { what, retry_after, cause }
            }
            ProviderError::Unreachable { what, cause } | ProviderError::Unknown { what, cause } => {
                ListError::Unavailable { what, retry_after: None, cause }
            }
            ProviderError::Unreadable => later(error.to_string()),
        }
    }
}

#[async_trait]
impl AddressList for IpList {
    async fn keep(&self, held: &BTreeMap<RecordKey, IpAddr>) -> Result<ListChange, ListError> {
        let items = self.items().await?;
        // Records that share an address share its item, and any of them will do for the comment.
        let wanted: BTreeMap<Range, &RecordKey> =
            held.iter().map(|(key, address)| (Range::of(*address), key)).collect();
        let ours: Vec<_> = held.keys().map(|key| self.comment(key)).collect();
        let range = |item: &Item| item.ip.as_deref().and_then(Range::parse);
        let there: Vec<_> = items.iter().filter_map(range).collect();
        let missing = wanted.iter().filter(|(range, _)| !there.contains(range));
        let new: Vec<_> =
            missing.map(|(range, key)| NewItem { ip: range.to_string(), comment: self.comment(key) }).collect();
        let former = |item: &&Item| {
            let ours = item.comment.as_ref().is_some_and(|comment| ours.contains(comment));
            ours && range(item).is_some_and(|range| !wanted.contains_key(&range))
        };
        let former: Vec<_> = items.iter().filter(former).collect();
        let added: Vec<_> = new.iter().map(|item| item.ip.clone()).collect();
        if !new.is_empty() {
            self.change(Method::Post, &new).await?;
        }
        let ids = former.iter().map(|item| ItemId { id: item.id.clone() }).collect();
        if !former.is_empty() {
            self.change(Method::Delete, &ItemIds { items: ids }).await?;
        }
        Ok(ListChange { added, removed: former.into_iter().filter_map(|item| item.ip.clone()).collect() })
    }
}

impl Range {
    /// What stands for an address in a list.
    fn of(address: IpAddr) -> Self {
        Self::new(address, if address.is_ipv4() { 32 } else { LONGEST_IPV6 })
    }

    fn new(address: IpAddr, length: u8) -> Self {
        let first = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { first, length }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address.parse::<IpAddr>().ok()?, Some(length.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(most);
        (length <= most).then(|| Self::new(address, length))
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first.is_ipv4() && self.length == 32 {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}/{}", self.first, self.length)
    }
}

const fn later(what: String) -> ListError {
    ListError::Unavailable { what, retry_after: None, cause: None }
}

/// A text as the value of a query's parameter (RFC 3986 §2.3).
fn escaped(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}
