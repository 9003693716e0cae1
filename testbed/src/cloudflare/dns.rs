//! Accepted writes on their way into DNS.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;

use super::{EDGE_IPV4, EDGE_IPV6, account::RrsetKey, state::Shared};
use crate::{
    dynamic_update::{Rrset, exchange_ok},
    named::TTL,
};

pub(super) struct Publisher {
    server: SocketAddr,
    /// One update after another, so that DNS ends with the latest state.
    turn: tokio::sync::Mutex<()>,
    late: Mutex<Late>,
}

#[derive(Default)]
struct Late {
    off: bool,
    keys: BTreeSet<RrsetKey>,
}

impl Publisher {
    pub(super) fn new(server: SocketAddr) -> Self {
        Self { server, turn: tokio::sync::Mutex::new(()), late: Mutex::default() }
    }

    /// Returns what was held back and is due.
    pub(super) fn set_propagation(&self, on: bool) -> Vec<RrsetKey> {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.off = !on;
        if on { std::mem::take(&mut late.keys).into_iter().collect() } else { vec![] }
    }

    /// Makes DNS hold what the account holds under `key`, unless propagation is off.
    pub(super) async fn publish(&self, shared: &Shared, key: &RrsetKey) -> Result<()> {
        if !Rrset::is_supported(&key.kind) {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        {
            let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
            if late.off {
                late.keys.insert(key.clone());
                return Ok(());
            }
        }
        let update = rrset(shared, key).update()?;
        exchange_ok(self.server, &update).await.map(drop)
    }
}

pub(super) async fn publish_all(publisher: Arc<Publisher>, shared: Arc<Shared>, keys: Vec<RrsetKey>) -> Result<()> {
    for key in &keys {
        publisher.publish(&shared, key).await?;
    }
    Ok(())
}

fn rrset(shared: &Shared, key: &RrsetKey) -> Rrset {
    let records = shared.lock().records_of(&key.name, &key.kind);
    let mut contents: Vec<_> = records
        .into_iter()
        .map(|record| match (record.proxied, key.kind.as_str()) {
            (true, "A") => EDGE_IPV4.to_owned(),
            (true, "AAAA") => EDGE_IPV6.to_owned(),
            _ => record.content,
        })
        .collect();
    contents.sort();
    contents.dedup();
    Rrset { zone: key.zone.clone(), name: key.name.clone(), kind: key.kind.clone(), contents, ttl: TTL }
}
