use async_trait::async_trait;
use ddns_core::ports::{DnsProvider, Observed, ProviderError, UpdateRequest, UpdateResult};
use ddns_core::record::RecordKey;

struct Counting {
    asked: u32,
}

#[async_trait]
impl DnsProvider for Counting {
    fn name(&self) -> &'static str {
        self.asked += 1;
        "counting"
    }

    fn supports(&self, _key: &RecordKey) -> bool {
        true
    }

    async fn read(&self, _key: &RecordKey) -> Result<Observed, ProviderError> {
        Ok(Observed::default())
    }

    async fn update(&self, _request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        Err(ProviderError::Stale { what: String::new() })
    }
}

fn main() {}
