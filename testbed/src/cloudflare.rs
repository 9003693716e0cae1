//! A double of the Cloudflare API (v4, zones, DNS records and IP lists) over real TLS.
//!
//! It answers as the real one does, keeps every attribute of a record so that a test can see what a client left alone,
//! writes down every exchange, and misbehaves on request. Attached to a [`Named`], each accepted write is in DNS before the
//! answer goes out. One known difference: a record without a comment has no `comment` member, as the official schema
//! wants it, where the real API answers `null`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustls::ServerConfig;

use crate::{Named, Namespace};

mod account;
mod answer;
mod body;
mod dns;
mod fault;
mod list;
mod quota;
mod record;
mod route;
mod server;
mod state;
mod token;
mod transcript;

pub use account::Zone;
pub use fault::{Fault, Faults, Scope};
pub use list::{ACCOUNT_ID, ListItem};
pub use record::Record;
pub use state::State;
pub use token::TokenState;
pub use transcript::Exchange;

/// The API's port in a namespace; on loopback it is any free one.
pub const API_PORT: u16 = 8443;
/// The path under which the API lies.
pub const BASE_PATH: &str = "/client/v4";
/// What a proxied A record looks like in DNS.
pub const EDGE_IPV4: &str = "104.16.132.229";
/// What a proxied AAAA record looks like in DNS.
pub const EDGE_IPV6: &str = "2606:4700::6810:84e5";

/// A running double. It stops when dropped.
pub struct CloudflareDouble {
    shared: Arc<state::Shared>,
    dns: Option<Arc<dns::Publisher>>,
    server: server::Server,
}

/// What a double is made of; see [`CloudflareDouble::builder`].
pub struct Builder<'a> {
    tls: Arc<ServerConfig>,
    namespace: Option<&'a Namespace>,
    addresses: Vec<SocketAddr>,
    token: String,
    zones: Vec<String>,
    name_server: Option<SocketAddr>,
}

impl CloudflareDouble {
    /// A double that accepts `token` and presents the certificate of `tls`; by default on a free port of 127.0.0.1.
    pub fn builder<'a>(tls: Arc<ServerConfig>, token: &str) -> Builder<'a> {
        Builder { tls, namespace: None, addresses: vec![], token: token.to_owned(), zones: vec![], name_server: None }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// The value for `DDNS_PROVIDER_API_URL`.
    pub fn url(&self) -> String {
        format!("https://{}{BASE_PATH}", self.address())
    }

    /// The scripted answers, which come before the normal ones.
    pub fn faults(&self) -> Faults<'_> {
        Faults::new(&self.shared)
    }

    /// Every exchange so far, in the order in which the requests came.
    pub fn transcript(&self) -> Vec<Exchange> {
        self.shared.lock().transcript().to_vec()
    }

    /// Every record of every zone.
    pub fn records(&self) -> Vec<Record> {
        self.shared.lock().records().to_vec()
    }

    /// The records of one name and type.
    pub fn records_of(&self, name: &str, kind: &str) -> Vec<Record> {
        self.shared.lock().records_of(name, kind)
    }

    /// The zones.
    pub fn zones(&self) -> Vec<Zone> {
        self.shared.lock().zones().to_vec()
    }

    /// How many writes took effect, including those whose answer was lost.
    pub fn writes(&self) -> usize {
        self.shared.lock().writes()
    }

    /// How many TCP connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections()
    }

    /// How many TLS handshakes failed, for example because the client refused the certificate.
    pub fn failed_handshakes(&self) -> usize {
        self.shared.lock().failed_handshakes()
    }

    /// Puts a record into its zone as someone with a browser would; returns its id. It counts as no write.
    pub fn put_record(&self, record: Record) -> Result<String> {
        let (id, key) = self.shared.lock().account_mut().insert(record)?;
        self.publish(&[key])?;
        Ok(id)
    }

    /// Removes a record as someone with a browser would. It counts as no write.
    pub fn remove_record(&self, id: &str) -> Result<()> {
        let key = self.shared.lock().account_mut().remove(id).with_context(|| format!("removing record {id}"))?;
        self.publish(&[key])
    }

    /// Moves a zone and its records to another id, as moving it to another account does.
    pub fn move_zone(&self, name: &str) -> Result<String> {
        self.shared.lock().account_mut().move_zone(name).with_context(|| format!("there is no zone {name}"))
    }

    /// A new IP list of the account [`ACCOUNT_ID`]; its id.
    pub fn put_list(&self) -> String {
        self.shared.lock().lists_mut().put()
    }

    /// Puts an item into a list as someone with a browser would.
    pub fn put_list_item(&self, list: &str, ip: &str, comment: Option<&str>) {
        self.shared.lock().lists_mut().put_item(list, ip, comment);
    }

    /// The items of a list.
    pub fn list_items(&self, list: &str) -> Vec<ListItem> {
        self.shared.lock().list_items(list).to_vec()
    }

    /// Operations on lists are under way for this many looks at them.
    pub fn set_list_looks(&self, looks: usize) {
        self.shared.lock().lists_mut().looks = looks;
    }

    /// Operations on lists fail, saying this.
    pub fn fail_list_operations(&self, error: Option<&str>) {
        self.shared.lock().lists_mut().failure = error.map(str::to_owned);
    }

    /// No page of a list has more items.
    pub fn set_list_page_limit(&self, limit: usize) {
        self.shared.lock().lists_mut().page_limit = Some(limit);
    }

    /// Whether the token works from here on.
    pub fn set_token_state(&self, state: TokenState) {
        let mut shared = self.shared.lock();
        shared.token_mut().state = state;
        let permissions = if state == TokenState::ReadOnly { account::READER } else { account::EDITOR };
        shared.account_mut().permissions = Some(permissions);
    }

    /// Zones say nothing of the token's rights.
    pub fn hide_permissions(&self) {
        self.shared.lock().account_mut().permissions = None;
    }

    /// No page has more than `limit` entries, whatever the client asks for; without a limit, Cloudflare's own holds.
    pub fn set_page_limit(&self, limit: Option<usize>) {
        self.shared.lock().account_mut().page_limit = limit;
    }

    /// With `false`, DNS keeps what it has; with `true`, it catches up at once and follows again.
    pub fn set_propagation(&self, on: bool) -> Result<()> {
        let Some(dns) = &self.dns else { return Ok(()) };
        let late = dns.set_propagation(on);
        self.publish(&late)
    }

    /// Waits until `condition` holds, at most `timeout`; checked at the start and after every change.
    pub fn wait_for(&self, what: &str, timeout: Duration, condition: impl Fn(&State) -> bool) -> Result<()> {
        self.shared.wait_for(what, timeout, condition)
    }

    fn publish(&self, keys: &[account::RrsetKey]) -> Result<()> {
        let Some(dns) = &self.dns else { return Ok(()) };
        self.server.run(dns::publish_all(Arc::clone(dns), Arc::clone(&self.shared), keys.to_vec()))
    }
}

impl<'a> Builder<'a> {
    /// Answers inside `namespace` on `addresses`, port [`API_PORT`].
    #[must_use]
    pub fn inside(mut self, namespace: &'a Namespace, addresses: &[IpAddr]) -> Self {
        self.namespace = Some(namespace);
        self.addresses = addresses.iter().map(|&address| SocketAddr::new(address, API_PORT)).collect();
        self
    }

    /// On another port than the usual one, after [`Self::inside`].
    #[must_use]
    pub fn at_port(mut self, port: u16) -> Self {
        self.addresses.iter_mut().for_each(|address| address.set_port(port));
        self
    }

    /// Holds the zone `name`.
    #[must_use]
    pub fn zone(mut self, name: &str) -> Self {
        self.zones.push(name.to_owned());
        self
    }

    /// Sends every accepted write to `named` as a dynamic update before the answer goes out.
    #[must_use]
    pub fn publishing_to(mut self, named: &Named<'_>) -> Self {
        self.name_server = Some(named.dns());
        self
    }

    /// Starts it.
    pub fn start(self) -> Result<CloudflareDouble> {
        ensure!(!self.zones.is_empty(), "a Cloudflare double needs at least one zone");
        let shared = Arc::new(state::Shared::new(&self.token, &self.zones));
        let dns = self.name_server.map(|server| Arc::new(dns::Publisher::new(server)));
        let addresses =
            if self.addresses.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], 0))] } else { self.addresses };
        let server = server::Server::start(self.namespace, &addresses, self.tls, Arc::clone(&shared), dns.clone())?;
        Ok(CloudflareDouble { shared, dns, server })
    }
}
