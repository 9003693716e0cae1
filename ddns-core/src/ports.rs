//! The ports: what the core needs of the world. Adapters implement them; the daemon introduces both.

mod address_list;
mod clock;
mod dns_transport;
mod finding;
mod gateways;
mod http_transport;
mod ip_source;
mod path_probe;
mod power_switch;
mod provider;
mod rate_limit;
mod state_store;
mod verifier;
mod voter;

pub use address_list::{AddressList, ListChange, ListError};
pub use clock::Clock;
pub use dns_transport::{DnsError, DnsTransport};
pub use finding::{Finding, Verdict};
pub use gateways::{Gateway, Gateways};
pub use http_transport::{Credentials, HttpError, HttpRequest, HttpResponse, HttpTransport, Method, Phase};
pub use ip_source::{IpSource, SourceError};
pub use path_probe::{LanReport, PathProbe, PathReport, TargetReport, Unreached};
pub use power_switch::{PlugAddress, PlugChoice, PlugError, PlugOrder, PlugReport, PowerSwitch, PowerSwitches};
pub use provider::{DnsProvider, Observed, ProviderError, RecordHandle, UpdateKind, UpdateRequest, UpdateResult};
pub use state_store::{LoadError, SaveError, StateStore};
pub use verifier::{Answer, LookupError, Verifier, Vote};
pub use voter::{VoteError, Voter};

/// A cause from beneath a port, kept for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;
