//! PowerSwitch: the smart plug that feeds the router. Shelly Gen1, Shelly Gen2 and later, Tasmota, and whatever else obeys
//! plain HTTP.
//!
//! **What a device says is checked, never assumed.** An off goes only to a device that has told its kind and its name; an
//! on goes out whatever it tells. Both end with a read-back. A device with a timer of its own has to show that the timer
//! runs, or it is switched on again at once.
//!
//! An on costs at most five exchanges, an off a dozen, each bounded by its transport. Nothing is kept from one order to the next: each
//! has a transport of its own, since what was connected before a power cut is not connected after it.

mod digest;
mod factory;
mod mac;
mod plain;
mod session;
mod shelly;
mod switch;
mod tasmota;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::config::Endpoint;
use ddns_core::ports::{PlugAddress, PlugChoice, PlugError, PlugOrder, PlugReport, PowerSwitch, PowerSwitches};
use ddns_core::registry::PlugTransports;
use secrecy::SecretString;

pub use factory::{
    FEEDS, HOST, ID, KIND, OFF_PATH, ON_PATH, PASSWORD, PlugFactory, REACHABLE, STATE_OFF, STATE_ON, STATE_PATH, USER,
};
use plain::Plain;
pub(crate) use session::Login;
use shelly::{Gen1, Gen2};
use switch::{Device, Switch};
use tasmota::Tasmota;

/// The detail that holds the wanted MAC address.
pub(crate) const DEVICE: &str = "device";

/// Opens plugs of all kinds.
pub struct Plugs {
    configured: Option<PlugChoice>,
    login: Option<Login>,
    transports: PlugTransports,
}

impl Plugs {
    pub(crate) fn new(configured: Option<PlugChoice>, login: Option<Login>, transports: PlugTransports) -> Self {
        Self { configured, login, transports }
    }

    /// For the plugs of earlier configurations alone; no password is known.
    pub fn unconfigured(transports: PlugTransports) -> Self {
        Self::new(None, None, transports)
    }

    /// The plug at one address, with its user and password. It has a timer.
    pub fn with_login(plug: PlugAddress, user: &str, password: SecretString, transports: PlugTransports) -> Self {
        let choice = PlugChoice { plug, has_timer: true, reachable_without_router: false };
        Self::new(Some(choice), Some(Login { user: user.to_owned(), password }), transports)
    }
}

impl PowerSwitches for Plugs {
    fn configured(&self) -> Option<&PlugChoice> {
        self.configured.as_ref()
    }

    /// The user and the password go to the configured endpoint and to no other.
    fn open(&self, plug: &PlugAddress) -> Arc<dyn PowerSwitch> {
        let opened = endpoint(&plug.endpoint).and_then(|endpoint| {
            let wanted = plug.details.get(DEVICE).map(|text| mac::parse(text)).transpose()?;
            let device = device(&plug.kind, &plug.details)?;
            let ours = self.configured.as_ref().is_some_and(|choice| choice.plug.endpoint == plug.endpoint);
            let login = self.login.clone().filter(|_| ours);
            Ok(Switch {
                at: endpoint.authority(),
                endpoint,
                device,
                wanted,
                login,
                transports: self.transports.clone(),
            })
        });
        match opened {
            Ok(switch) => Arc::new(switch),
            Err(why) => Arc::new(Unopened { at: plug.endpoint.escape_debug().to_string(), why }),
        }
    }
}

/// The device of a kind.
fn device(kind: &str, details: &BTreeMap<String, String>) -> Result<Box<dyn Device>, String> {
    match kind {
        "shelly1" => Ok(Box::new(Gen1)),
        "shelly2" => Ok(Box::new(Gen2)),
        "tasmota" => Ok(Box::new(Tasmota)),
        "http" => Ok(Box::new(Plain::from_details(details)?)),
        _ => Err("the saved state names a kind of plug that this version doesn't know; switch it by hand".to_owned()),
    }
}

/// An origin without a path.
fn endpoint(text: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::parse(text)?;
    if !endpoint.path.is_empty() {
        return Err("a plug's address has no path".to_owned());
    }
    Ok(endpoint)
}

/// A plug whose address makes no sense.
struct Unopened {
    at: String,
    why: String,
}

#[async_trait]
impl PowerSwitch for Unopened {
    async fn carry_out(&self, _order: PlugOrder) -> Result<PlugReport, PlugError> {
        Err(PlugError::Refused { at: self.at.clone(), what: self.why.clone() })
    }
}
