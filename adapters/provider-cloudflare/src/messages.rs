use std::net::IpAddr;

use ddns_core::ports::UpdateRequest;
use ddns_core::record::RecordType;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Cloudflare's envelope. Unknown fields are passed over: reading is tolerant, writing strict.
#[derive(Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) success: bool,
    #[serde(default)]
    pub(crate) errors: Vec<Message>,
    #[serde(default = "Option::default")]
    pub(crate) result: Option<T>,
    pub(crate) result_info: Option<Pages>,
}

#[derive(Deserialize)]
pub(crate) struct Message {
    pub(crate) code: i64,
    #[serde(default)]
    pub(crate) message: String,
}

#[derive(Deserialize)]
pub(crate) struct Pages {
    pub(crate) total_pages: Option<u32>,
    pub(crate) total_count: Option<u32>,
    pub(crate) cursors: Option<Cursors>,
}

#[derive(Deserialize)]
pub(crate) struct Cursors {
    /// Leads to the next page; any text.
    pub(crate) after: Option<String>,
}

/// An item of a list.
#[derive(Deserialize)]
pub(crate) struct Item {
    #[serde(deserialize_with = "id")]
    pub(crate) id: String,
    /// An address or a prefix; lists of another kind have none.
    pub(crate) ip: Option<String>,
    pub(crate) comment: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct NewItem {
    pub(crate) ip: String,
    pub(crate) comment: String,
}

#[derive(Serialize)]
pub(crate) struct ItemIds {
    pub(crate) items: Vec<ItemId>,
}

#[derive(Serialize)]
pub(crate) struct ItemId {
    pub(crate) id: String,
}

/// A change of a list is under way.
#[derive(Deserialize)]
pub(crate) struct Begun {
    #[serde(deserialize_with = "id")]
    pub(crate) operation_id: String,
}

#[derive(Deserialize)]
pub(crate) struct Operation {
    pub(crate) status: OperationStatus,
    pub(crate) error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OperationStatus {
    Pending,
    Running,
    Completed,
    Failed,
}

#[derive(Deserialize)]
pub(crate) struct Zone {
    #[serde(deserialize_with = "id")]
    pub(crate) id: String,
    pub(crate) name: String,
    /// What the token may do in it, `#dns_records:edit` and the like; not every answer has it.
    pub(crate) permissions: Option<Vec<String>>,
}

/// What Cloudflare says of a token.
#[derive(Deserialize)]
pub(crate) struct Verification {
    /// `active`, `disabled` or `expired`.
    pub(crate) status: String,
    pub(crate) expires_on: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Record {
    #[serde(deserialize_with = "id")]
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) rtype: RecordType,
    pub(crate) content: IpAddr,
    #[serde(default)]
    pub(crate) proxied: bool,
    pub(crate) comment: Option<String>,
}

/// Whether this is an id. It becomes a part of paths, which nothing else may steer.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_id(&text) { Ok(text) } else { Err(D::Error::custom("an id that is none")) }
}

#[derive(Serialize)]
pub(crate) struct RecordChange<'a> {
    #[serde(rename = "type")]
    rtype: RecordType,
    name: &'a str,
    content: IpAddr,
    /// Seconds; 1 leaves the choice to Cloudflare. Without it a record keeps its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<u32>,
    /// Without it a record keeps its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<&'a str>,
}

impl<'a> RecordChange<'a> {
    pub(crate) fn new(request: &'a UpdateRequest) -> Self {
        let key = &request.key;
        Self { rtype: key.rtype, name: key.name.as_str(), content: request.address, ttl: request.ttl, comment: None }
    }
}
