//! Keeps lists of addresses up to what their providers' records hold. What fails there is a line of the log, and tried again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ddns_core::config::Config;
use ddns_core::driver::{Connections, View};
use ddns_core::engine::{Status, Transition};
use ddns_core::list_upkeep::ListUpkeep;
use ddns_core::ports::{AddressList, Clock, DnsProvider, ListChange, ListError};
use ddns_core::record::RecordKey;
use ddns_core::time::Instant;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

/// The lists of the providers.
pub(crate) struct Lists {
    /// By [`ddns_core::config::ProviderId`]; those without a list are passed over.
    pub(crate) providers: Vec<Arc<dyn DnsProvider>>,
    pub(crate) connections: Arc<dyn Connections>,
    pub(crate) clock: Arc<dyn Clock>,
}

type Verified = (RecordKey, IpAddr);

/// Passes on what was verified.
pub(crate) struct ListView(BTreeMap<RecordKey, mpsc::UnboundedSender<Verified>>);

impl View for ListView {
    fn observe(&mut self, _now: Instant, transition: &Transition, _status: &Status) {
        if let Transition::Verified { key, address, .. } = transition
            && let Some(list) = self.0.get(key)
        {
            // Nobody listens any more at the very end alone.
            let _ = list.send((key.clone(), *address));
        }
    }
}

impl Lists {
    /// The view that the engine tells, and the work that follows; it needs no end of its own, since the first
    /// verifications after the next start make good what was left undone.
    pub(crate) fn keep(self, config: &Config) -> (ListView, impl Future<Output = ()> + use<>) {
        let (mut view, mut kept) = (ListView(BTreeMap::new()), Vec::new());
        for (id, provider) in self.providers.into_iter().enumerate() {
            if provider.address_list().is_none() {
                continue;
            }
            let (verified, news) = mpsc::unbounded_channel();
            let here = config.records.iter().filter(|record| record.provider.0 == id);
            view.0.extend(here.map(|record| (record.key.clone(), verified.clone())));
            kept.push(keep(provider, Arc::clone(&self.connections), Arc::clone(&self.clock), news));
        }
        (view, async { drop(join_all(kept).await) })
    }
}

async fn keep(
    provider: Arc<dyn DnsProvider>,
    connections: Arc<dyn Connections>,
    clock: Arc<dyn Clock>,
    mut news: mpsc::UnboundedReceiver<Verified>,
) {
    let Some(list) = provider.address_list() else { return };
    let mut upkeep = ListUpkeep::new(clock.wall().as_millis() ^ clock.now().as_nanos());
    loop {
        let due = upkeep.due();
        tokio::select! {
            biased;
            verified = news.recv() => match verified {
                Some((key, address)) => upkeep.verified(clock.now(), key, address),
                None => return,
            },
            () = clock.sleep_until(due.unwrap_or_default()), if due.is_some() => {
                attempt(list, &mut upkeep, &*clock).await;
                connections.close_idle();
            }
        }
    }
}

async fn attempt(list: &dyn AddressList, upkeep: &mut ListUpkeep, clock: &dyn Clock) {
    match list.keep(upkeep.held()).await {
        Ok(ListChange { added, removed }) if added.is_empty() && removed.is_empty() => {
            debug!("The list of addresses is right");
            upkeep.done();
        }
        Ok(ListChange { added, removed }) => {
            info!(added = added.join(", "), removed = removed.join(", "), "The list of addresses follows");
            upkeep.done();
        }
        Err(failure) => {
            let retry_after = match &failure {
                ListError::Unavailable { retry_after, .. } => *retry_after,
                ListError::Refused { .. } => None,
            };
            let wait_secs = upkeep.failed(clock.now(), retry_after).as_secs();
            let error = ddns_core::error_chain(&failure);
            match failure {
                ListError::Unavailable { .. } => warn!(error, wait_secs, "The list of addresses is not kept"),
                ListError::Refused { .. } => error!(error, wait_secs, "The list of addresses is not kept"),
            }
        }
    }
}
