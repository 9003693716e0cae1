use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::address::Family;
use ddns_core::config::HostPort;
use ddns_core::ports::{PathProbe, PathReport, TargetReport, Unreached};
use futures_util::future::join_all;
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::connection::handshake;
use crate::dial::dial;
use crate::tls;

/// For connecting and for the handshake each.
const LIMIT: Duration = Duration::from_secs(5);

/// Completes a TLS handshake, certificate check included, with each of several servers: what answers there is the
/// Internet and no captive portal.
pub struct WanProbe {
    targets: Vec<HostPort>,
    tls: Arc<ClientConfig>,
}

impl WanProbe {
    pub(crate) const fn new(targets: Vec<HostPort>, tls: Arc<ClientConfig>) -> Self {
        Self { targets, tls }
    }

    async fn one(&self, target: &HostPort) -> TargetReport {
        let family = target.host.parse::<IpAddr>().ok().map(|address| Family::of(&address));
        let attempt = async {
            let tcp = dial(&target.host, target.port, None, LIMIT).await;
            let tcp = tcp.map_err(|error| Unreached::Silent(error.to_string()))?;
            match timeout(LIMIT, handshake(tcp, &target.host, Arc::clone(&self.tls))).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(tls::unreached(&error)),
                Err(_) => Err(Unreached::Silent("time-out in the TLS handshake".to_owned())),
            }
        };
        TargetReport { target: target.to_string(), family, outcome: attempt.await }
    }
}

#[async_trait]
impl PathProbe for WanProbe {
    async fn probe(&self) -> PathReport {
        PathReport { targets: join_all(self.targets.iter().map(|target| self.one(target))).await, lan: None }
    }
}
