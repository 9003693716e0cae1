//! Cloudflare against the double of its API, which is held against Cloudflare's schema.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use ddns_core::config::Endpoint;
use ddns_core::ports::{DnsProvider, ProviderError, RecordHandle, UpdateKind, UpdateRequest};
use ddns_core::record::{RecordKey, RecordType};
use ddns_http::HttpStack;
use ddns_provider_cloudflare::Cloudflare;
use ddns_testbed::{Authority, CloudflareDouble, Fault, Record, Scope};

use serde_json::json;

use crate::contract::{LIMITS, NAME, NEW, OLD, Service, ZONE, provider_contract};

const TOKEN: &str = "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB";

pub struct Account {
    double: CloudflareDouble,
    stack: HttpStack,
}

impl Account {
    pub fn new() -> Result<Self> {
        let authority = Authority::new()?;
        let tls = authority.issue(&["127.0.0.1"])?.server_config()?;
        let double = CloudflareDouble::builder(tls, TOKEN).zone(ZONE).start()?;
        Ok(Self { double, stack: HttpStack::new(Some(authority.pem().as_bytes()))? })
    }

    fn with_token(&self, token: &str) -> Result<Arc<dyn DnsProvider>> {
        let endpoint = Endpoint::parse(&self.double.url()).map_err(|reason| anyhow!(reason))?;
        Ok(Arc::new(Cloudflare::new(self.stack.http1(endpoint, LIMITS), token.into(), None)))
    }

    fn fault(&self, fault: &Fault) {
        // Whichever kind of write it is.
        for method in ["PATCH", "POST"] {
            self.double.faults().push_for(Scope::method(method), fault.clone());
        }
    }
}

impl Service for Account {
    fn provider(&self) -> Result<Arc<dyn DnsProvider>> {
        self.with_token(TOKEN)
    }

    fn stranger(&self) -> Result<Arc<dyn DnsProvider>> {
        self.with_token("wRoNgq8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0PsRuAe")
    }

    fn held(&self) -> Result<Vec<String>> {
        Ok(self.double.records_of(NAME, "A").into_iter().map(|record| record.content).collect())
    }

    fn put(&self, address: &str) -> Result<()> {
        self.double.put_record(Record::new("A", NAME, address).ttl(120).comment("kept by hand")).map(drop)
    }

    fn attributes(&self) -> Option<Result<bool>> {
        let kept = || {
            let record = serde_json::to_value(&self.double.records_of(NAME, "A")[0])?;
            Ok(record["ttl"] == 120 && record["comment"] == "kept by hand")
        };
        Some(kept())
    }

    fn lose_answer(&self) {
        self.fault(&Fault::ApplyThenDrop);
    }

    fn garble_answer(&self) {
        self.fault(&Fault::Garbage);
    }
}

fn request(address: &str, handle: Option<RecordHandle>) -> Result<UpdateRequest> {
    let key = RecordKey { name: NAME.parse()?, rtype: RecordType::A };
    Ok(UpdateRequest { key, address: address.parse()?, previous: Some(OLD.parse()?), handle, ttl: None })
}

/// What we create carries our comment; what was there keeps its own, or none.
#[tokio::test(flavor = "current_thread")]
async fn a_new_record_is_marked_and_the_comment_of_an_old_one_stays() -> Result<()> {
    for (before, after) in [(None, Some("managed by ddnsd")), (Some(""), None), (Some("by hand"), Some("by hand"))] {
        let account = Account::new()?;
        if let Some(comment) = before {
            let record = Record::new("A", NAME, OLD);
            account.double.put_record(if comment.is_empty() { record } else { record.comment(comment) })?;
        }
        account.provider()?.update(&request(NEW, None)?).await?;
        let records = account.double.records_of(NAME, "A");
        assert_eq!(records.iter().map(|record| record.comment.as_deref()).collect::<Vec<_>>(), [after]);
    }
    Ok(())
}

/// FAULTS 35: of two records only ours is written; and where the other one has our new address already, none.
#[tokio::test(flavor = "current_thread")]
async fn a_second_record_of_the_name_is_never_touched() -> Result<()> {
    let account = Account::new()?;
    account.put(OLD)?;
    let other = Record::new("A", NAME, "11.0.0.99").comment("theirs");
    let other = account.double.put_record(other)?;
    let theirs = |account: &Account| account.double.records().into_iter().find(|record| record.id == other);
    let before = theirs(&account);
    let provider = account.provider()?;
    let handle = provider.update(&request(NEW, None)?).await?.handle;
    assert_eq!(account.held()?, [NEW, "11.0.0.99"]);
    let error = provider.update(&request("11.0.0.99", handle)?).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unknown { .. }), "{error:?}");
    let key = request(NEW, None)?.key;
    assert_eq!(provider.read(&key).await?.addresses.len(), 2, "what is read then shows both");
    assert_eq!((account.held()?, theirs(&account)), (vec![NEW.to_owned(), "11.0.0.99".to_owned()], before));
    Ok(())
}

/// FAULTS 41 and 42: a record made anew by hand, and a zone that went to another account, are found again by name; what
/// somebody gave the record stays.
#[tokio::test(flavor = "current_thread")]
async fn what_is_not_where_it_was_is_found_by_name_and_keeps_its_attributes() -> Result<()> {
    let moves: [fn(&Account) -> Result<()>; 2] = [
        |account| {
            account.double.remove_record(&account.double.records_of(NAME, "A")[0].id)?;
            account.put(OLD)
        },
        |account| account.double.move_zone(ZONE).map(drop),
    ];
    for moved in moves {
        let account = Account::new()?;
        account.put(OLD)?;
        let provider = account.provider()?;
        let handle = provider.read(&request(NEW, None)?.key).await?.handle;
        moved(&account)?;
        let before = account.double.records_of(NAME, "A");
        let error = provider.update(&request(NEW, handle)?).await.unwrap_err();
        assert!(matches!(error, ProviderError::Stale { .. }), "{error:?}");
        assert_eq!(provider.update(&request(NEW, None)?).await?.kind, UpdateKind::Changed);
        let [after] = &account.double.records_of(NAME, "A")[..] else { panic!("one record") };
        assert!(after.content == NEW && after.is_untouched_since(&before[0]), "{after:?}");
    }
    Ok(())
}

/// Whoever is faster, there is one record, and it is adopted.
#[tokio::test(flavor = "current_thread")]
async fn a_record_that_appears_before_ours_is_created_is_adopted() -> Result<()> {
    let account = Account::new()?;
    let body = json!({
        "success": false, "result": null, "messages": [],
        "errors": [{"code": 81057, "message": "The record already exists."}],
    });
    let exists = Fault::Status { code: 400, retry_after: None, body: Some(body) };
    account.double.faults().push_for(Scope::method("POST"), exists);
    // The first list is empty, the second one is not.
    let empty = json!({"success": true, "errors": [], "messages": [], "result": []});
    let none = Fault::Status { code: 200, retry_after: None, body: Some(empty) };
    let zone = &account.double.zones()[0].id;
    account.double.faults().push_for(Scope::method("GET").under(&format!("/zones/{zone}/dns_records")), none);
    account.put(NEW)?;
    let result = account.provider()?.update(&request(NEW, None)?).await?;
    assert_eq!(result.kind, UpdateKind::Unchanged);
    assert_eq!((account.held()?, account.double.writes()), (vec![NEW.to_owned()], 0));
    assert!(result.handle.is_some(), "the next change is one request");
    Ok(())
}

provider_contract!(against_the_double: crate::cloudflare::Account::new());
