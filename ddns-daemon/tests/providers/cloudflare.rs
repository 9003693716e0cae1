//! Cloudflare against the double of its API, which is held against Cloudflare's schema.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use ddns_core::config::Endpoint;
use ddns_core::ports::DnsProvider;
use ddns_http::HttpStack;
use ddns_provider_cloudflare::Cloudflare;
use ddns_testbed::{Authority, CloudflareDouble, Fault, Record, Scope};

use crate::contract::{LIMITS, NAME, Service, ZONE, provider_contract};

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

provider_contract!(against_the_double: crate::cloudflare::Account::new());
