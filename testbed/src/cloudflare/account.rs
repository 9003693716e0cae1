//! Zones and records, and what the API does to them. Opens nothing, so it can be tested without a network.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, ApiError},
    record::Record,
};
use crate::clock::rfc3339_now;

const FIRST_ID: u128 = 0x023e_105f_4ece_f8ad_9ca3_1a83_72d0_0000;

/// The rights that zones tell of a token that may write records.
pub(super) const EDITOR: &[&str] = &["#dns_records:edit", "#dns_records:read", "#zone:read"];
/// And of one that may not.
pub(super) const READER: &[&str] = &["#dns_records:read", "#zone:read"];

/// A zone of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The domain.
    pub name: String,
    created_on: String,
}

/// A name and a type: what one dynamic update replaces as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RrsetKey {
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) kind: String,
}

/// An accepted write: its answer and the RRsets that it may have changed.
pub(super) struct Written {
    pub(super) answer: Answer,
    pub(super) keys: Vec<RrsetKey>,
}

#[derive(Default)]
pub(super) struct Account {
    zones: Vec<Zone>,
    records: Vec<Record>,
    ids: u128,
    pub(super) page_limit: Option<usize>,
    /// What zones tell of the token's rights.
    pub(super) permissions: Option<&'static [&'static str]>,
}

impl Account {
    pub(super) fn new(zones: &[String]) -> Self {
        let mut account = Self { permissions: Some(EDITOR), ..Self::default() };
        for name in zones {
            let zone = Zone { id: account.next_id(), name: name.to_ascii_lowercase(), created_on: rfc3339_now() };
            account.zones.push(zone);
        }
        account
    }

    pub(super) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn list_zones(&self, query: &[(String, String)]) -> Result<Answer, ApiError> {
        let wanted = value_of(query, "name").map(str::to_ascii_lowercase);
        let found: Vec<_> = self
            .zones
            .iter()
            .filter(|zone| wanted.as_ref().is_none_or(|name| *name == zone.name))
            .map(|zone| self.shown(zone))
            .collect();
        self.paged(&found, query, 20, 50)
    }

    pub(super) fn zone(&self, id: &str) -> Result<&Zone, ApiError> {
        self.zones.iter().find(|zone| zone.id == id).ok_or_else(|| ApiError::no_route(&format!("/zones/{id}")))
    }

    pub(super) fn show_zone(&self, id: &str) -> Result<Answer, ApiError> {
        self.zone(id).map(|zone| Answer::result(self.shown(zone)))
    }

    fn shown(&self, zone: &Zone) -> Value {
        let mut shown = shown_zone(zone);
        if let Some(permissions) = self.permissions {
            shown["permissions"] = json!(permissions);
        }
        shown
    }

    pub(super) fn list_records(&self, zone_id: &str, query: &[(String, String)]) -> Result<Answer, ApiError> {
        self.zone(zone_id)?;
        let any = value_of(query, "match") == Some("any");
        let mut found = vec![];
        for record in self.records.iter().filter(|record| record.zone_id == zone_id) {
            let verdicts: Vec<bool> = query.iter().filter_map(|(key, value)| fits(record, key, value)).collect();
            let fitting = verdicts.iter().filter(|&&fits| fits).count();
            if verdicts.is_empty() || fitting == verdicts.len() || any && fitting > 0 {
                found.push(json!(record));
            }
        }
        self.paged(&found, query, 100, 5_000_000)
    }

    pub(super) fn show_record(&self, zone_id: &str, id: &str) -> Result<Answer, ApiError> {
        self.position(zone_id, id).map(|position| Answer::result(json!(self.records[position])))
    }

    pub(super) fn create(&mut self, zone_id: &str, body: &Map<String, Value>) -> Result<Written, ApiError> {
        let record = self.complete(zone_id, body)?;
        let record = Record { id: self.next_id(), ..record };
        let written = self.written(&record, None);
        self.records.push(record);
        Ok(written)
    }

    pub(super) fn patch(&mut self, zone_id: &str, id: &str, body: &Map<String, Value>) -> Result<Written, ApiError> {
        let position = self.position(zone_id, id)?;
        let mut record = self.records[position].clone();
        record.merge(body, &self.zone(zone_id)?.name)?;
        self.replace(position, record)
    }

    pub(super) fn put(&mut self, zone_id: &str, id: &str, body: &Map<String, Value>) -> Result<Written, ApiError> {
        let position = self.position(zone_id, id)?;
        let record = self.complete_as(zone_id, body, Some(id))?;
        let old = &self.records[position];
        let record =
            Record { id: old.id.clone(), created_on: old.created_on.clone(), meta: old.meta.clone(), ..record };
        self.replace(position, record)
    }

    pub(super) fn delete(&mut self, zone_id: &str, id: &str) -> Result<Written, ApiError> {
        let position = self.position(zone_id, id)?;
        let record = self.records.remove(position);
        Ok(Written { answer: Answer::result(json!({"id": record.id})), keys: vec![self.key(&record)] })
    }

    /// Puts in a record by hand; its zone is the one that its name lies in.
    pub(super) fn insert(&mut self, mut record: Record) -> Result<(String, RrsetKey)> {
        let inside =
            |zone: &&Zone| record.name.strip_suffix(&zone.name).is_some_and(|r| r.is_empty() || r.ends_with('.'));
        let zone =
            self.zones.iter().find(inside).with_context(|| format!("no zone of the double holds {}", record.name))?;
        record.zone_id = zone.id.clone();
        record.id = self.next_id();
        let inserted = (record.id.clone(), self.key(&record));
        self.records.push(record);
        Ok(inserted)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<RrsetKey> {
        let position = self.records.iter().position(|record| record.id == id)?;
        let record = self.records.remove(position);
        Some(self.key(&record))
    }

    pub(super) fn move_zone(&mut self, name: &str) -> Option<String> {
        let id = self.next_id();
        let zone = self.zones.iter_mut().find(|zone| zone.name == name)?;
        let old = std::mem::replace(&mut zone.id, id.clone());
        for record in self.records.iter_mut().filter(|record| record.zone_id == old) {
            record.zone_id.clone_from(&id);
        }
        Some(id)
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{:032x}", FIRST_ID + self.ids)
    }

    fn position(&self, zone_id: &str, id: &str) -> Result<usize, ApiError> {
        self.zone(zone_id)?;
        let same = |record: &Record| record.zone_id == zone_id && record.id == id;
        self.records.iter().position(same).ok_or_else(ApiError::no_record)
    }

    fn complete(&self, zone_id: &str, body: &Map<String, Value>) -> Result<Record, ApiError> {
        self.complete_as(zone_id, body, None)
    }

    fn complete_as(&self, zone_id: &str, body: &Map<String, Value>, own: Option<&str>) -> Result<Record, ApiError> {
        if let Some(member) = ["type", "name", "content"].into_iter().find(|&member| !body.contains_key(member)) {
            return Err(ApiError::missing(member));
        }
        let mut record = Record { zone_id: zone_id.to_owned(), ..Record::new("", "", "") };
        record.merge(body, &self.zone(zone_id)?.name)?;
        self.admit(&record, own)?;
        Ok(record)
    }

    fn admit(&self, record: &Record, own: Option<&str>) -> Result<(), ApiError> {
        let others = || {
            let neighbour = |other: &&Record| other.zone_id == record.zone_id && other.name == record.name;
            self.records.iter().filter(neighbour).filter(|other| own != Some(other.id.as_str()))
        };
        if others().any(|other| other.kind == record.kind && other.content == record.content) {
            return Err(ApiError::identical());
        }
        let exclusive = |kind: &str| matches!(kind, "A" | "AAAA" | "CNAME");
        let clash = |other: &Record| {
            exclusive(&other.kind) && exclusive(&record.kind) && (other.kind == "CNAME" || record.kind == "CNAME")
        };
        if others().any(clash) { Err(ApiError::host_taken()) } else { Ok(()) }
    }

    fn replace(&mut self, position: usize, mut record: Record) -> Result<Written, ApiError> {
        self.admit(&record, Some(&record.id))?;
        record.modified_on = rfc3339_now();
        let written = self.written(&record, Some(&self.records[position]));
        self.records[position] = record;
        Ok(written)
    }

    fn written(&self, record: &Record, before: Option<&Record>) -> Written {
        let mut keys: Vec<_> = before.into_iter().chain([record]).map(|record| self.key(record)).collect();
        keys.dedup();
        Written { answer: Answer::result(json!(record)), keys }
    }

    fn key(&self, record: &Record) -> RrsetKey {
        let zone = self.zones.iter().find(|zone| zone.id == record.zone_id).map(|zone| zone.name.clone());
        RrsetKey { zone: zone.unwrap_or_default(), name: record.name.clone(), kind: record.kind.clone() }
    }

    fn paged(
        &self,
        all: &[Value],
        query: &[(String, String)],
        default: usize,
        most: usize,
    ) -> Result<Answer, ApiError> {
        let number = |key, default| match value_of(query, key) {
            None => Ok(default),
            Some(text) => text.parse().ok().filter(|&number: &usize| number > 0).ok_or_else(ApiError::page),
        };
        let page = number("page", 1)?;
        let per_page = number("per_page", default)?.min(most).min(self.page_limit.unwrap_or(most));
        let shown: Vec<_> = all.iter().skip((page - 1).saturating_mul(per_page)).take(per_page).cloned().collect();
        let info = json!({
            "page": page, "per_page": per_page, "count": shown.len(),
            "total_count": all.len(), "total_pages": all.len().div_ceil(per_page),
        });
        Ok(Answer::page(json!(shown), info))
    }
}

fn value_of<'a>(query: &'a [(String, String)], key: &str) -> Option<&'a str> {
    query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// Whether the record passes one filter; `None` for parameters that are no filters.
fn fits(record: &Record, key: &str, value: &str) -> Option<bool> {
    match key {
        "name" | "name.exact" => Some(record.name.eq_ignore_ascii_case(value)),
        "type" => Some(record.kind == value),
        "content" | "content.exact" => Some(record.content == value),
        "proxied" => Some(record.proxied.to_string() == value),
        "comment" | "comment.exact" => {
            Some(record.comment.as_deref().is_some_and(|comment| comment.eq_ignore_ascii_case(value)))
        }
        "tag" | "tag.exact" => Some(record.tags.iter().any(|tag| tag.eq_ignore_ascii_case(value))),
        _ => None,
    }
}

fn shown_zone(zone: &Zone) -> Value {
    json!({
        "id": zone.id, "name": zone.name, "status": "active", "paused": false, "type": "full", "development_mode": 0,
        "name_servers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
        "original_name_servers": null, "original_registrar": null, "original_dnshost": null,
        "created_on": zone.created_on, "modified_on": zone.created_on, "activated_on": zone.created_on,
        "meta": {"step": 4, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false},
        "owner": {"id": "9a7806061c88ada191ed06f989cc3dac", "type": "user", "name": "testbed"},
        "account": {"id": super::ACCOUNT_ID, "name": "testbed"},
        "plan": {
            "id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website", "price": 0, "currency": "USD",
            "frequency": "", "is_subscribed": false, "can_subscribe": false, "legacy_id": "free",
            "legacy_discount": false, "externally_managed": false,
        },
    })
}

#[cfg(test)]
mod tests;
