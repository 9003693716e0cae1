//! Cloudflare's IP lists against the double of its API, which is held against Cloudflare's own client.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use ddns_core::config::Endpoint;
use ddns_core::ports::{AddressList, Clock, DnsProvider, ListChange, ListError, Verdict};
use ddns_core::record::RecordKey;
use ddns_core::time::{Instant, Wall};
use ddns_http::HttpStack;
use ddns_provider_cloudflare::{Cloudflare, IpList};
use ddns_testbed::cloudflare::ACCOUNT_ID;
use ddns_testbed::{Authority, CloudflareDouble, Fault, Scope};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use crate::contract::{LIMITS, ZONE};

const TOKEN: &str = "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB";
const MARK: &str = "managed by ddnsd";

/// Whoever sleeps finds that it is then.
#[derive(Default)]
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Wall {
        Wall::default()
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        self.0.fetch_max(deadline.as_nanos(), Ordering::Relaxed);
        ready(()).boxed()
    }
}

struct Account {
    double: CloudflareDouble,
    stack: HttpStack,
    clock: Arc<Hasty>,
    list: String,
}

impl Account {
    fn new() -> Result<Self> {
        let authority = Authority::new()?;
        let tls = authority.issue(&["127.0.0.1"])?.server_config()?;
        let double = CloudflareDouble::builder(tls, TOKEN).zone(ZONE).start()?;
        let list = double.put_list();
        let stack = HttpStack::new(Some(authority.pem().as_bytes()))?;
        Ok(Self { double, stack, clock: Arc::default(), list })
    }

    fn list(&self, id: &str) -> Result<IpList> {
        let endpoint = Endpoint::parse(&self.double.url()).map_err(|reason| anyhow!(reason))?;
        let transport = self.stack.http1(endpoint, LIMITS);
        let clock: Arc<dyn Clock> = Arc::<Hasty>::clone(&self.clock);
        Ok(IpList::new(transport, TOKEN.into(), clock, ACCOUNT_ID, id, MARK))
    }

    async fn keep(&self, held: &[(&str, &str)]) -> Result<ListChange, ListError> {
        let held: BTreeMap<RecordKey, IpAddr> =
            held.iter().map(|(key, address)| (record(key), address.parse().unwrap())).collect();
        self.list(&self.list).unwrap().keep(&held).await
    }

    fn put(&self, ip: &str, comment: &str) {
        self.double.put_list_item(&self.list, ip, Some(comment).filter(|comment| !comment.is_empty()));
    }

    /// Address and comment of every item.
    fn items(&self) -> Vec<(String, String)> {
        let items = self.double.list_items(&self.list).into_iter();
        items.map(|item| (item.ip, item.comment.unwrap_or_default())).collect()
    }

    /// The methods of the requests that wanted a change.
    fn writes(&self) -> Vec<String> {
        let exchanges = self.double.transcript().into_iter();
        exchanges.filter(ddns_testbed::Exchange::is_write).map(|exchange| exchange.method).collect()
    }
}

fn record(key: &str) -> RecordKey {
    let (name, rtype) = key.split_once(' ').unwrap();
    let rtype = serde_json::from_value(rtype.into()).unwrap();
    RecordKey { name: name.parse().unwrap(), rtype }
}

fn pairs(items: &[(&str, &str)]) -> Vec<(String, String)> {
    items.iter().map(|(ip, comment)| ((*ip).to_owned(), (*comment).to_owned())).collect()
}

const A: &str = "vpn.example.com A";
const AAAA: &str = "vpn.example.com AAAA";
const OURS: &str = "managed by ddnsd: vpn.example.com A";

#[tokio::test(flavor = "current_thread")]
async fn an_address_is_added_and_the_former_one_removed_after_it() -> Result<()> {
    let account = Account::new()?;
    account.double.set_list_looks(3);
    let change = account.keep(&[(A, "11.0.0.1")]).await?;
    assert_eq!((change.added, change.removed.len()), (vec!["11.0.0.1".to_owned()], 0));
    account.keep(&[(A, "11.0.0.2")]).await?;
    assert_eq!(account.items(), pairs(&[("11.0.0.2", OURS)]));
    assert_eq!(account.writes(), ["POST", "POST", "DELETE"], "one at a time, the addition first");
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_there_already_is_not_written_whoever_put_it_there() -> Result<()> {
    for (ip, comment) in [("11.0.0.1", OURS), ("11.0.0.1", "by hand"), ("11.0.0.1/32", "")] {
        let account = Account::new()?;
        account.put(ip, comment);
        assert_eq!(account.keep(&[(A, "11.0.0.1")]).await?, ListChange::default());
        assert_eq!((account.items(), account.writes().len()), (pairs(&[(ip, comment)]), 0));
    }
    Ok(())
}

/// Not those of others, and not ours of a record of which nothing is known.
#[tokio::test(flavor = "current_thread")]
async fn items_of_anybody_else_stay() -> Result<()> {
    let account = Account::new()?;
    let others = [
        ("11.0.0.7", ""),
        ("11.0.0.8", "by hand"),
        ("11.0.0.9", "managed by ddnsd"),
        ("11.0.0.10", "managed by ddnsd: vpn.example.com AAAA"),
        ("11.0.0.11", "managed by another: vpn.example.com A"),
    ];
    others.iter().for_each(|(ip, comment)| account.put(ip, comment));
    account.put("11.0.0.1", OURS);
    account.keep(&[(A, "11.0.0.2")]).await?;
    let mut expected = pairs(&others);
    expected.extend(pairs(&[("11.0.0.2", OURS)]));
    assert_eq!(account.items(), expected);
    Ok(())
}

/// An address stands in a list once, with the comment of one record.
#[tokio::test(flavor = "current_thread")]
async fn an_address_that_another_record_still_holds_stays() -> Result<()> {
    let account = Account::new()?;
    account.put("11.0.0.1", OURS);
    account.keep(&[(A, "11.0.0.2"), ("www.example.com A", "11.0.0.1")]).await?;
    assert_eq!(account.items(), pairs(&[("11.0.0.1", OURS), ("11.0.0.2", OURS)]));
    account.keep(&[(A, "11.0.0.2"), ("www.example.com A", "11.0.0.2")]).await?;
    assert_eq!(account.items(), pairs(&[("11.0.0.2", OURS)]));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_list_of_several_pages_is_read_to_its_end() -> Result<()> {
    let account = Account::new()?;
    account.double.set_list_page_limit(2);
    (1..=4).for_each(|number| account.put(&format!("12.0.0.{number}"), "by hand"));
    account.put("11.0.0.2", "by hand");
    assert_eq!(account.keep(&[(A, "11.0.0.2")]).await?, ListChange::default());
    assert_eq!(account.double.transcript().len(), 3);
    // A page that fails is no end.
    account.double.faults().push_for(Scope::method("GET").times(2), Fault::Slow(Duration::ZERO));
    account.double.faults().push_for(Scope::method("GET"), Fault::status(500));
    let error = account.keep(&[(A, "11.0.0.3")]).await.unwrap_err();
    assert!(matches!(error, ListError::Unavailable { .. }), "{error:?}");
    assert_eq!(account.writes().len(), 0);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn of_ipv6_the_64_stands_in_the_list() -> Result<()> {
    let account = Account::new()?;
    account.keep(&[(AAAA, "2a00:1:2:3:4:5:6:7")]).await?;
    let expected = pairs(&[("2a00:1:2:3::/64", "managed by ddnsd: vpn.example.com AAAA")]);
    assert_eq!(account.items(), expected);
    assert_eq!(account.keep(&[(AAAA, "2a00:1:2:3::99")]).await?, ListChange::default());
    assert_eq!((account.items(), account.writes().len()), (expected, 1));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn an_operation_that_fails_says_why_and_nothing_is_removed() -> Result<()> {
    let account = Account::new()?;
    account.put("11.0.0.1", OURS);
    account.double.fail_list_operations(Some("the list is full"));
    let error = account.keep(&[(A, "11.0.0.2")]).await.unwrap_err();
    assert!(matches!(&error, ListError::Unavailable { what, .. } if what.contains("the list is full")), "{error:?}");
    assert_eq!((account.items(), account.writes()), (pairs(&[("11.0.0.1", OURS)]), vec!["POST".to_owned()]));
    account.double.fail_list_operations(None);
    account.keep(&[(A, "11.0.0.2")]).await?;
    assert_eq!(account.items(), pairs(&[("11.0.0.2", OURS)]));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn an_operation_that_never_ends_is_given_up_and_the_next_is_refused_meanwhile() -> Result<()> {
    let account = Account::new()?;
    account.put("11.0.0.1", OURS);
    account.double.set_list_looks(usize::MAX);
    let error = account.keep(&[(A, "11.0.0.2")]).await.unwrap_err();
    assert!(matches!(&error, ListError::Unavailable { .. }), "{error:?}");
    assert_eq!((account.double.transcript().len(), account.writes()), (12, vec!["POST".to_owned()]), "ten looks");
    assert_eq!(account.clock.now(), Instant::since_boot(Duration::from_millis(47_750)));
    let error = account.keep(&[(A, "11.0.0.2")]).await.unwrap_err();
    assert!(matches!(&error, ListError::Unavailable { what, .. } if what.contains("429")), "{error:?}");
    assert_eq!(account.items(), pairs(&[("11.0.0.1", OURS)]));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn what_the_token_lacks_and_a_list_that_is_not_there_are_told_with_the_remedy() -> Result<()> {
    let account = Account::new()?;
    account.double.faults().push(Fault::status(403));
    let error = account.keep(&[(A, "11.0.0.1")]).await.unwrap_err();
    let right = "Account / Account Filter Lists / Edit";
    assert!(matches!(&error, ListError::Refused { what } if what.contains(right)), "{error:?}");
    let elsewhere = account.list("ffffffffffffffffffffffffffffffff")?.keep(&BTreeMap::new()).await.unwrap_err();
    let told = elsewhere.to_string();
    assert!(told.contains("DDNS_PROVIDER_LIST_ID") && !told.contains(right), "{told}");
    assert!(!told.contains(TOKEN));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn the_time_that_cloudflare_asks_for_is_passed_on() -> Result<()> {
    let account = Account::new()?;
    account.double.faults().push_for(Scope::method("POST"), Fault::too_many_requests(Some("7")));
    let error = account.keep(&[(A, "11.0.0.1")]).await.unwrap_err();
    let ListError::Unavailable { retry_after, .. } = error else { panic!("{error:?}") };
    assert_eq!((retry_after, account.items().len()), (Some(Duration::from_secs(7)), 0));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_check_reads_the_list_and_writes_nothing() -> Result<()> {
    let account = Account::new()?;
    account.put("11.0.0.1", "by hand");
    for (id, verdict, says) in [
        (account.list.as_str(), Verdict::Unproven, "with 1 items"),
        ("ffffffffffffffffffffffffffffffff", Verdict::Wrong, "DDNS_PROVIDER_LIST_ID"),
    ] {
        let endpoint = Endpoint::parse(&account.double.url()).map_err(|reason| anyhow!(reason))?;
        let provider = Cloudflare::new(account.stack.http1(endpoint, LIMITS), TOKEN.into(), None);
        let findings = provider.with_list(Some(account.list(id)?)).check(&[]).await;
        let [_, finding] = &findings[..] else { panic!("{findings:?}") };
        assert!((finding.verdict, &finding.about) == (verdict, &format!("list {id}")), "{finding:?}");
        assert!(finding.what.contains(says), "{finding:?}");
    }
    assert_eq!(account.writes().len(), 0);
    Ok(())
}
