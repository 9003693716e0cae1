//! IP lists of the account, which change by operations that take their time, one at a time.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, ApiError};
use crate::clock::rfc3339_now;

/// The account that has the lists and the zones.
pub const ACCOUNT_ID: &str = "9a7806061c88ada191ed06f989cc3dac";
const FIRST_ID: u128 = 0x34b1_2448_945f_11ea_a1b7_1c4d_701a_b000;
/// The most items on a page.
const MOST: usize = 500;

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListItem {
    /// 32 hexadecimal digits.
    pub id: String,
    /// An address or a prefix.
    pub ip: String,
    /// The operator's remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    created_on: String,
    modified_on: String,
}

struct List {
    id: String,
    items: Vec<ListItem>,
}

enum Change {
    Add(Vec<(String, Option<String>)>),
    Remove(Vec<String>),
}

struct Operation {
    id: String,
    list: String,
    change: Change,
    looks: usize,
    ended: Option<Value>,
}

#[derive(Default)]
pub(super) struct Lists {
    lists: Vec<List>,
    operations: Vec<Operation>,
    ids: u128,
    /// How often an operation is looked at before it ends.
    pub(super) looks: usize,
    /// What operations fail with.
    pub(super) failure: Option<String>,
    pub(super) page_limit: Option<usize>,
}

impl Lists {
    pub(super) fn put(&mut self) -> String {
        let id = self.next_id();
        self.lists.push(List { id: id.clone(), items: vec![] });
        id
    }

    pub(super) fn put_item(&mut self, list: &str, ip: &str, comment: Option<&str>) {
        self.add(list, vec![(ip.to_owned(), comment.map(str::to_owned))]);
    }

    /// The items of a list.
    pub(super) fn items(&self, list: &str) -> &[ListItem] {
        self.lists.iter().find(|found| found.id == list).map_or(&[], |found| &found.items)
    }

    pub(super) fn show(&self, account: &str, list: &str, query: &[(String, String)]) -> Result<Answer, ApiError> {
        self.known(account, list)?;
        let value = |key| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let per_page = match value("per_page") {
            None => MOST,
            Some(text) => text.parse().ok().filter(|number| (1..=MOST).contains(number)).ok_or_else(ApiError::page)?,
        };
        let per_page = per_page.min(self.page_limit.unwrap_or(MOST));
        let start = match value("cursor") {
            None => 0,
            // A client must not make anything of it but pass it on.
            Some(cursor) => cursor
                .strip_prefix("a+b/")
                .and_then(|rest| rest.strip_suffix("=&c"))
                .and_then(|number| number.parse::<usize>().ok())
                .ok_or_else(ApiError::cursor)?,
        };
        let items = self.items(list);
        let shown: Vec<_> = items.iter().skip(start).take(per_page).collect();
        let cursors = if start + per_page < items.len() {
            json!({"after": format!("a+b/{}=&c", start + per_page)})
        } else {
            json!({})
        };
        Ok(Answer::page(json!(shown), json!({"cursors": cursors})))
    }

    pub(super) fn create(&mut self, account: &str, list: &str, body: &[u8]) -> Result<Answer, ApiError> {
        self.known(account, list)?;
        let items: Vec<Map<String, Value>> =
            serde_json::from_slice(body).map_err(|error| ApiError::malformed(&error.to_string()))?;
        let item = |item: &Map<String, Value>| {
            let ip = item.get("ip").and_then(Value::as_str).filter(|ip| is_range(ip)).ok_or_else(ApiError::range)?;
            Ok((ip.to_owned(), item.get("comment").and_then(Value::as_str).map(str::to_owned)))
        };
        let items = items.iter().map(item).collect::<Result<_, ApiError>>()?;
        self.begin(list, Change::Add(items))
    }

    pub(super) fn delete(&mut self, account: &str, list: &str, body: &Map<String, Value>) -> Result<Answer, ApiError> {
        self.known(account, list)?;
        let items = body.get("items").and_then(Value::as_array).ok_or_else(|| ApiError::malformed("no items"))?;
        let id = |item: &Value| item["id"].as_str().map(str::to_owned).ok_or_else(|| ApiError::malformed("no id"));
        let ids = items.iter().map(id).collect::<Result<_, _>>()?;
        self.begin(list, Change::Remove(ids))
    }

    pub(super) fn operation(&mut self, account: &str, id: &str) -> Result<Answer, ApiError> {
        let found = self.operations.iter().position(|operation| operation.id == id && account == ACCOUNT_ID);
        let place = found.ok_or_else(ApiError::no_list)?;
        self.look(place);
        let operation = &self.operations[place];
        let status = if operation.looks <= 1 { "pending" } else { "running" };
        Ok(Answer::result(operation.ended.clone().unwrap_or_else(|| json!({"id": id, "status": status}))))
    }

    fn known(&self, account: &str, list: &str) -> Result<(), ApiError> {
        let known = account == ACCOUNT_ID && self.lists.iter().any(|found| found.id == list);
        known.then_some(()).ok_or_else(ApiError::no_list)
    }

    fn begin(&mut self, list: &str, change: Change) -> Result<Answer, ApiError> {
        if let Some(place) = self.operations.iter().position(|operation| operation.ended.is_none()) {
            // As a look does, so that it ends also if the one who began it is gone.
            self.look(place);
            return Err(ApiError::operation_pending());
        }
        let id = self.next_id();
        self.operations.push(Operation { id: id.clone(), list: list.to_owned(), change, looks: 0, ended: None });
        Ok(Answer::result(json!({"operation_id": id})))
    }

    fn look(&mut self, place: usize) {
        let (wanted, failure) = (self.looks, self.failure.clone());
        let operation = &mut self.operations[place];
        operation.looks = operation.looks.saturating_add(1);
        if operation.ended.is_some() || operation.looks <= wanted {
            return;
        }
        let (id, completed) = (operation.id.clone(), rfc3339_now());
        if let Some(error) = failure {
            operation.ended = Some(json!({"id": id, "status": "failed", "error": error, "completed": completed}));
            return;
        }
        operation.ended = Some(json!({"id": id, "status": "completed", "completed": completed}));
        let list = operation.list.clone();
        match std::mem::replace(&mut operation.change, Change::Remove(vec![])) {
            Change::Add(items) => self.add(&list, items),
            Change::Remove(ids) => {
                if let Some(list) = self.lists.iter_mut().find(|found| found.id == list) {
                    list.items.retain(|item| !ids.contains(&item.id));
                }
            }
        }
    }

    /// What is there already gets the new comment.
    fn add(&mut self, list: &str, items: Vec<(String, Option<String>)>) {
        for (ip, comment) in items {
            let (id, now) = (self.next_id(), rfc3339_now());
            let Some(list) = self.lists.iter_mut().find(|found| found.id == list) else { return };
            let ip = ip.to_ascii_lowercase();
            if let Some(item) = list.items.iter_mut().find(|item| item.ip == ip) {
                (item.comment, item.modified_on) = (comment, now);
            } else {
                list.items.push(ListItem { id, ip, comment, created_on: now.clone(), modified_on: now });
            }
        }
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{:032x}", FIRST_ID + self.ids)
    }
}

/// An IPv4 address, an IPv4 prefix of 8 to 32 or an IPv6 prefix of 12 to 64 bits: what all of Cloudflare's documents allow.
fn is_range(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let length: Option<u8> = match length.map(str::parse) {
        None => None,
        Some(Ok(length)) => Some(length),
        Some(Err(_)) => return false,
    };
    match (address.parse(), length) {
        (Ok(IpAddr::V4(_)), None) => true,
        (Ok(IpAddr::V4(_)), Some(length)) => (8..=32).contains(&length),
        (Ok(IpAddr::V6(address)), Some(length)) => (12..=64).contains(&length) && address.to_bits() << length == 0,
        (Ok(IpAddr::V6(_)), None) | (Err(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lists_hold_is_what_cloudflare_documents() {
        for good in ["11.0.0.1", "11.0.0.0/8", "11.0.0.1/32", "2a00:1:2:3::/64", "2a00::/12"] {
            assert!(is_range(good), "{good}");
        }
        for bad in ["", "11.0.0.0/7", "11.0.0.1/33", "2a00::1", "2a00::/65", "2a00::1/64", "11.0.0.1/x", "example.com"]
        {
            assert!(!is_range(bad), "{bad}");
        }
    }

    #[test]
    fn one_operation_at_a_time_takes_as_many_looks_as_it_is_told() {
        let mut lists = Lists { looks: 2, ..Lists::default() };
        let list = lists.put();
        let begun = lists.create(ACCOUNT_ID, &list, br#"[{"ip": "11.0.0.1"}]"#).expect("begun");
        let id = begun.body["result"]["operation_id"].as_str().expect("an id").to_owned();
        let status = |lists: &mut Lists| {
            let answer = lists.operation(ACCOUNT_ID, &id).expect("known");
            answer.body["result"]["status"].as_str().expect("a status").to_owned()
        };
        assert_eq!(status(&mut lists), "pending");
        let refused = lists.create(ACCOUNT_ID, &list, br#"[{"ip": "11.0.0.2"}]"#).expect_err("one at a time");
        assert_eq!(refused.answer().status, 429);
        assert!(lists.items(&list).is_empty());
        assert_eq!(status(&mut lists), "completed");
        assert_eq!(lists.items(&list)[0].ip, "11.0.0.1");
    }
}
