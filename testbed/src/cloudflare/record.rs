//! A DNS record as the API shows it.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::ApiError;
use crate::clock::rfc3339_now;

/// One record. Two are equal only if every attribute is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// 32 hexadecimal digits; empty until the record is in a zone.
    pub id: String,
    /// The owner name.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The data as text.
    pub content: String,
    /// Whether Cloudflare could proxy it.
    pub proxiable: bool,
    /// Whether Cloudflare proxies it.
    pub proxied: bool,
    /// Seconds; 1 means automatic.
    pub ttl: u32,
    /// The operator's remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The operator's tags, `name:value`.
    pub tags: Vec<String>,
    /// Settings of the record.
    pub settings: Value,
    /// What Cloudflare says about the record.
    pub meta: Value,
    /// RFC 3339.
    pub created_on: String,
    /// RFC 3339.
    pub modified_on: String,
    #[serde(skip)]
    pub(super) zone_id: String,
}

impl Record {
    /// A record with the defaults of the API.
    pub fn new(kind: &str, name: &str, content: &str) -> Self {
        let now = rfc3339_now();
        Self {
            id: String::new(),
            name: name.to_ascii_lowercase(),
            kind: kind.to_owned(),
            content: content.to_owned(),
            proxiable: matches!(kind, "A" | "AAAA" | "CNAME"),
            proxied: false,
            ttl: 1,
            comment: None,
            tags: vec![],
            settings: json!({}),
            meta: json!({}),
            created_on: now.clone(),
            modified_on: now,
            zone_id: String::new(),
        }
    }

    /// With this time to live.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }

    /// With or without Cloudflare's proxy.
    #[must_use]
    pub fn proxied(mut self, proxied: bool) -> Self {
        self.proxied = proxied;
        self
    }

    /// With a comment.
    #[must_use]
    pub fn comment(mut self, comment: &str) -> Self {
        self.comment = Some(comment.to_owned());
        self
    }

    /// With tags.
    #[must_use]
    pub fn tags(mut self, tags: &[&str]) -> Self {
        self.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self
    }

    /// With settings.
    #[must_use]
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// Whether everything but the content and the time of the change is as it was, the id included.
    pub fn is_untouched_since(&self, before: &Self) -> bool {
        let content = self.content.clone();
        *self == Self { content, modified_on: self.modified_on.clone(), ..before.clone() }
    }

    /// Takes over what `body` mentions; members that a client cannot set are passed over, as the API does.
    pub(super) fn merge(&mut self, body: &Map<String, Value>, zone: &str) -> Result<(), ApiError> {
        if let Some(kind) = text(body, "type")? {
            self.kind = kind.to_owned();
            self.proxiable = matches!(kind, "A" | "AAAA" | "CNAME");
        }
        if let Some(name) = text(body, "name")? {
            self.name = within(name, zone);
        }
        if let Some(content) = text(body, "content")? {
            self.content = content.to_owned();
        }
        match body.get("ttl") {
            None => {}
            Some(ttl) => self.ttl = ttl.as_u64().and_then(|ttl| u32::try_from(ttl).ok()).ok_or_else(ApiError::ttl)?,
        }
        match body.get("proxied") {
            None => {}
            Some(Value::Bool(proxied)) => self.proxied = *proxied,
            Some(_) => return Err(ApiError::malformed("proxied must be a boolean")),
        }
        match body.get("comment") {
            None => {}
            Some(Value::Null) => self.comment = None,
            Some(Value::String(comment)) => self.comment = Some(comment.clone()).filter(|comment| !comment.is_empty()),
            Some(_) => return Err(ApiError::malformed("comment must be a string")),
        }
        if let Some(tags) = body.get("tags") {
            self.tags = tags
                .as_array()
                .and_then(|tags| tags.iter().map(|tag| tag.as_str().map(str::to_owned)).collect())
                .ok_or_else(|| ApiError::malformed("tags must be strings"))?;
        }
        if let Some(settings) = body.get("settings") {
            self.settings = settings.clone();
        }
        self.normalise()
    }

    fn normalise(&mut self) -> Result<(), ApiError> {
        match self.kind.as_str() {
            "A" => self.content.parse::<Ipv4Addr>().map(drop).map_err(|_| ApiError::content("A", "IPv4"))?,
            "AAAA" => {
                let address: Ipv6Addr = self.content.parse().map_err(|_| ApiError::content("AAAA", "IPv6"))?;
                self.content = address.to_string();
            }
            "CNAME" | "TXT" | "MX" | "NS" | "SRV" | "CAA" | "PTR" => {}
            kind => return Err(ApiError::malformed(&format!("the testbed knows no {kind} records"))),
        }
        if self.name.len() > 253 || self.name.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(ApiError::name());
        }
        if self.ttl != 1 && !(60..=86_400).contains(&self.ttl) {
            return Err(ApiError::ttl());
        }
        if self.proxied && !self.proxiable {
            return Err(ApiError::proxied());
        }
        if self.proxied {
            self.ttl = 1;
        }
        Ok(())
    }
}

fn text<'a>(body: &'a Map<String, Value>, member: &str) -> Result<Option<&'a str>, ApiError> {
    match body.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::malformed(&format!("{member} must be a string"))),
    }
}

/// The API accepts `@`, a name relative to the zone, and a full name.
fn within(name: &str, zone: &str) -> String {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name == "@" {
        zone.to_owned()
    } else if name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.')) {
        name
    } else {
        format!("{name}.{zone}")
    }
}
