use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ddns_core::address::Family;
use ddns_core::config::{Endpoint, HostPort};
use ddns_core::driver::Connections;
use rustls::ClientConfig;
use tokio::sync::watch;

use crate::dns::TcpDns;
use crate::dns_udp::UdpDns;
use crate::transport::{Held, HyperTransport, Limits, holds};
use crate::{WanProbe, trust};

/// Makes transports, and keeps them in view: what the host no longer holds, and what nobody uses, is closed.
pub struct HttpStack {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    held: watch::Sender<Held>,
    transports: Mutex<Vec<Weak<HyperTransport>>>,
}

impl HttpStack {
    /// A stack that trusts Mozilla's roots and those in `further` PEM text.
    pub fn new(further: Option<&[u8]>) -> Result<Self, crate::TrustError> {
        let plain = trust(further)?;
        let offering = |protocols: &[&[u8]]| {
            let mut config = ClientConfig::clone(&plain);
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Self {
            http1: offering(&[b"http/1.1"]),
            http2: offering(&[b"h2", b"http/1.1"]),
            held: watch::Sender::new(None),
            transports: Mutex::default(),
        })
    }

    /// A transport that speaks HTTP/1.1.
    pub fn http1(&self, endpoint: Endpoint, limits: Limits) -> Arc<HyperTransport> {
        self.add(endpoint, None, limits, &self.http1)
    }

    /// One that goes over `family` and no other (trap 17), with a connection of its own for each exchange.
    pub fn http1_over(&self, family: Family, endpoint: Endpoint, limits: Limits) -> Arc<HyperTransport> {
        self.add(endpoint, Some(family), limits, &self.http1)
    }

    /// A transport that speaks HTTP/2 where the server does, as RFC 8484 §5.2 asks for, else HTTP/1.1.
    pub fn http2(&self, endpoint: Endpoint, limits: Limits) -> Arc<HyperTransport> {
        self.add(endpoint, None, limits, &self.http2)
    }

    /// A transport for DNS messages to one server, over TCP.
    pub fn dns(&self, server: HostPort, limits: Limits) -> TcpDns {
        TcpDns::new(server, None, limits, self.held.subscribe())
    }

    /// One that goes over UDP first.
    pub fn dns_udp(&self, server: HostPort, limits: Limits) -> UdpDns {
        UdpDns::new(self.dns(server, limits))
    }

    /// One that goes over `family` and no other.
    pub fn dns_over(&self, family: Family, server: HostPort, limits: Limits) -> TcpDns {
        TcpDns::new(server, Some(family), limits, self.held.subscribe())
    }

    /// A probe of these targets.
    pub fn probe(&self, targets: Vec<HostPort>) -> WanProbe {
        WanProbe::new(targets, Arc::clone(&self.http2))
    }

    fn add(
        &self,
        endpoint: Endpoint,
        pinned: Option<Family>,
        limits: Limits,
        tls: &Arc<ClientConfig>,
    ) -> Arc<HyperTransport> {
        let (tls, held) = (Arc::clone(tls), self.held.subscribe());
        let transport = Arc::new(HyperTransport::new(endpoint, pinned, tls, limits, held));
        let mut transports = self.transports.lock().unwrap_or_else(PoisonError::into_inner);
        transports.retain(|transport| transport.strong_count() > 0);
        transports.push(Arc::downgrade(&transport));
        drop(transports);
        transport
    }

    fn drop_idle(&self, keep: impl Fn(IpAddr) -> bool) {
        let transports = self.transports.lock().unwrap_or_else(PoisonError::into_inner);
        transports.iter().filter_map(Weak::upgrade).for_each(|transport| transport.drop_idle(&keep));
    }
}

impl Connections for HttpStack {
    fn addresses_held(&self, held: &[IpAddr]) {
        self.drop_idle(|local| holds(held, local));
        self.held.send_replace(Some(held.into()));
    }

    fn close_idle(&self) {
        self.drop_idle(|_| false);
    }
}
