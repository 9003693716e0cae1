use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ddns_core::driver::View;
use ddns_core::engine::{Status, Transition};
use ddns_core::error_chain;
use ddns_core::ports::Clock;
use ddns_core::record::RecordKey;
use ddns_core::time::{Instant, Wall};
use ddns_core::wireguard::{HandshakeWatch, Peer, PeerKey, Return};
use ddns_linux::{PeersError, WireGuardPeers};
use ddns_telemetry::Telemetry;
use tokio::sync::watch;
use tracing::{info, warn};

/// The WireGuard interface that the records lead to.
pub(crate) struct Tunnel {
    interface: String,
    peers: WireGuardPeers,
    clock: Arc<dyn Clock>,
    /// What the last look has shown.
    last: Mutex<Vec<Peer>>,
}

/// When and at what wall time the host's address changed: by the kernel's own stamp, where it has one.
type Change = Option<(Instant, Wall)>;

impl Tunnel {
    pub(crate) fn new(interface: String, clock: Arc<dyn Clock>) -> Self {
        Self { peers: WireGuardPeers::new(interface.clone()), interface, clock, last: Mutex::default() }
    }

    /// Its name.
    pub(crate) fn interface(&self) -> &str {
        &self.interface
    }

    /// Looks at the peers at this moment.
    pub(crate) async fn look(&self) -> Result<Vec<Peer>, PeersError> {
        let peers = self.peers.look().await?;
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&peers);
        Ok(peers)
    }

    /// How long ago each peer had its last handshake, as far as the last look has shown one.
    pub(crate) fn handshake_ages(&self) -> Vec<(PeerKey, Option<Duration>)> {
        let wall = self.clock.wall();
        let age = |peer: &Peer| (peer.key, peer.handshake.map(|handshake| wall.saturating_since(handshake)));
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().map(age).collect()
    }

    /// The view that the engine tells, and what follows its news.
    pub(crate) fn watch(
        self: &Arc<Self>,
        telemetry: Option<Arc<Telemetry>>,
    ) -> (TunnelView, impl Future<Output = ()> + use<>) {
        let (changed, changes) = watch::channel(None);
        let view = TunnelView {
            interface: self.interface.clone(),
            clock: Arc::clone(&self.clock),
            changed,
            proxied: BTreeSet::new(),
        };
        (view, follow(Arc::clone(self), changes, telemetry))
    }
}

/// Looks at the peers once at the start, so that a refusal shows, and after that only while a change is young.
async fn follow(tunnel: Arc<Tunnel>, mut changes: watch::Receiver<Change>, telemetry: Option<Arc<Telemetry>>) {
    let (mut watch, mut refused) = (HandshakeWatch::default(), None);
    look(&tunnel, &mut watch, &mut refused, telemetry.as_deref()).await;
    loop {
        let due = async {
            match watch.deadline() {
                Some(deadline) => tunnel.clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = changes.changed() => match (changed, *changes.borrow_and_update()) {
                (Err(_), _) => return,
                (Ok(()), Some((now, wall))) => watch.changed(now, wall),
                (Ok(()), None) => {}
            },
            () = due => look(&tunnel, &mut watch, &mut refused, telemetry.as_deref()).await,
        }
    }
}

async fn look(
    tunnel: &Tunnel,
    watch: &mut HandshakeWatch,
    refused: &mut Option<String>,
    telemetry: Option<&Telemetry>,
) {
    let (looked, interface) = (tunnel.look().await, &tunnel.interface);
    let now = tunnel.clock.now();
    match looked {
        Ok(peers) => {
            *refused = None;
            for told in watch.looked(now, &peers) {
                match told {
                    Return::Back(peer, after) => {
                        if let Some(telemetry) = telemetry {
                            telemetry.peer_returned(interface, after);
                        }
                        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                        info!(interface, %peer, after_ms, "WireGuard handshake after an address change");
                    }
                    Return::Away(peer) => {
                        let within_secs = ddns_core::wireguard::PATIENCE.as_secs();
                        info!(interface, %peer, within_secs, "No WireGuard handshake since the address change");
                    }
                }
            }
        }
        Err(error) => {
            watch.failed(now);
            let error = error_chain(&error);
            if refused.as_ref() != Some(&error) {
                warn!(interface, error, "WireGuard handshakes can't be measured");
                *refused = Some(error);
            }
        }
    }
}

/// Passes address changes on, and warns of records that lead to a proxy instead of the tunnel.
pub(crate) struct TunnelView {
    interface: String,
    clock: Arc<dyn Clock>,
    changed: watch::Sender<Change>,
    proxied: BTreeSet<RecordKey>,
}

impl View for TunnelView {
    fn observe(&mut self, now: Instant, transition: &Transition, status: &Status) {
        // The first address after the start is no change.
        if let Transition::AddressChanged { from: Some(_), hint, .. } = transition {
            let at = hint.and_then(|hint| hint.kernel_at).unwrap_or(now).min(now);
            self.changed.send_replace(Some((at, self.clock.wall().before(now.saturating_since(at)))));
        }
        for record in &status.records {
            if !record.proxied {
                self.proxied.remove(&record.key);
            } else if self.proxied.insert(record.key.clone()) {
                warn!(
                    record = %record.key.name,
                    r#type = %record.key.rtype,
                    interface = self.interface,
                    remedy = "set it to \"DNS only\" at the provider",
                    "The record is proxied; WireGuard doesn't pass through the proxy"
                );
            }
        }
    }
}
