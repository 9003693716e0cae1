//! What can be known of a token and its zones without a write.

use std::collections::BTreeSet;

use ddns_core::error_chain;
use ddns_core::ports::{Finding, ProviderError, Verdict};
use ddns_core::record::RecordKey;

use crate::messages::{Verification, Zone};
use crate::{Cloudflare, observed};

/// What a token needs to write records.
const EDIT: &str = "#dns_records:edit";
const TOKEN: &str = "token";

/// The token, then each zone once, then each record, as far as it can be read.
pub(crate) async fn check(provider: &Cloudflare, keys: &[RecordKey]) -> Vec<Finding> {
    let verified = provider.api.verify().await;
    let mut findings = Vec::new();
    let mut zones = BTreeSet::new();
    for key in keys {
        let read = async {
            let zone = provider.zone_of(key).await?;
            if zones.insert(zone.id.clone()) {
                findings.push(of_zone(&zone));
            }
            Ok(observed(zone.id.clone(), &provider.api.records(&zone.id, key).await?))
        };
        let read: Result<_, ProviderError> = read.await;
        findings.push(match read {
            Ok(observed) => observed.finding(key),
            Err(error) => Finding::failed(key.to_string(), &error),
        });
    }
    findings.insert(0, of_token(verified, !zones.is_empty()));
    if let Some(list) = &provider.list {
        findings.push(list.check().await);
    }
    findings
}

/// Cloudflare verifies the tokens of users only: to one of an account it says that there is no such token.
fn of_token(verified: Result<Verification, ProviderError>, sees_zones: bool) -> Finding {
    match verified {
        Ok(Verification { status, expires_on }) if status == "active" => {
            let until = expires_on.map(|time| format!(" until {time}")).unwrap_or_default();
            Finding::new(TOKEN, Verdict::Good, format!("Cloudflare says that it is valid{until}"))
        }
        Ok(Verification { status, .. }) => {
            let what =
                format!("Cloudflare says that it is {status}; give DDNS_PROVIDER_API_TOKEN a token that is active");
            Finding::new(TOKEN, Verdict::Wrong, what)
        }
        Err(ProviderError::Unauthorized { .. }) if sees_zones => {
            let what = "Cloudflare verifies no token like it, and answers it: it is an account's, not a user's";
            Finding::new(TOKEN, Verdict::Unproven, what)
        }
        Err(error) => Finding { what: error_chain(&error), ..Finding::failed(TOKEN, &error) },
    }
}

/// The rights stand in the zone where Cloudflare tells them, which it does not have to.
fn of_zone(zone: &Zone) -> Finding {
    let about = format!("zone {}", zone.name);
    match &zone.permissions {
        Some(granted) if granted.iter().any(|right| right == EDIT) => {
            Finding::new(about, Verdict::Good, format!("the token may edit its records ({EDIT})"))
        }
        Some(granted) if !granted.is_empty() => {
            let what = format!(
                "the token sees it and may not edit its records ({EDIT} is not among its rights); give it DNS:Edit on the \
                 zone"
            );
            Finding::new(about, Verdict::Wrong, what)
        }
        Some(_) | None => {
            let what =
                "the token sees it; Cloudflare does not tell whether it may edit records, the first update shows it";
            Finding::new(about, Verdict::Unproven, what)
        }
    }
}
