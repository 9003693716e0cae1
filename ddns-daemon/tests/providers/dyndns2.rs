//! dyndns2 against a double of a service.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use ddns_core::config::Endpoint;
use ddns_core::ports::DnsProvider;
use ddns_http::HttpStack;
use ddns_provider_dyndns2::Dyndns2;
use ddns_testbed::{Authority, DyndnsDouble, DyndnsFault};

use crate::contract::{LIMITS, NAME, Service, ZONE, provider_contract};

pub struct Account {
    double: DyndnsDouble,
    stack: HttpStack,
}

impl Account {
    pub fn new() -> Result<Self> {
        let authority = Authority::new()?;
        let tls = authority.issue(&["127.0.0.1"])?.server_config()?;
        // me:good password
        let credentials = "bWU6Z29vZCBwYXNzd29yZA==";
        let double = DyndnsDouble::start((None, ([127, 0, 0, 1], 0).into()), tls, credentials, (ZONE, &[NAME]), None)?;
        Ok(Self { double, stack: HttpStack::new(Some(authority.pem().as_bytes()))? })
    }

    fn with_password(&self, password: &str) -> Result<Arc<dyn DnsProvider>> {
        let endpoint = Endpoint::parse(&self.double.url()).map_err(|reason| anyhow!(reason))?;
        Ok(Arc::new(Dyndns2::plain(self.stack.http1(endpoint, LIMITS), "me".to_owned(), password.into())))
    }
}

impl Service for Account {
    fn provider(&self) -> Result<Arc<dyn DnsProvider>> {
        self.with_password("good password")
    }

    fn stranger(&self) -> Result<Arc<dyn DnsProvider>> {
        self.with_password("bad password")
    }

    fn held(&self) -> Result<Vec<String>> {
        Ok(self.double.holds(NAME, false).iter().map(ToString::to_string).collect())
    }

    fn put(&self, address: &str) -> Result<()> {
        self.double.set(NAME, address.parse()?);
        Ok(())
    }

    fn attributes(&self) -> Option<Result<bool>> {
        None
    }

    fn lose_answer(&self) {
        self.double.push(DyndnsFault::ApplyThenDrop);
    }

    fn garble_answer(&self) {
        self.double.push(DyndnsFault::Says("<html>it works</html>"));
    }
}

provider_contract!(against_the_double: crate::dyndns2::Account::new());
