use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Cause;

/// A smart plug that feeds the router. Single-shot, bounded in time, without a memory: it never retries and never
/// schedules.
#[async_trait]
pub trait PowerSwitch: Send + Sync {
    /// Carries out an order, then reads back what the device says of itself. An answer that does not say whether the
    /// power is on is an error, never a guess.
    async fn carry_out(&self, order: PlugOrder) -> Result<PlugReport, PlugError>;
}

/// What a plug is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlugOrder {
    /// Nothing; only the read-back is wanted.
    Look,
    /// Power off. A device with a timer switches itself on again after this time, whatever becomes of this host.
    Off {
        /// After which time.
        back_on: Duration,
    },
    /// Power on.
    On,
}

/// What a plug says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlugReport {
    /// Power is on.
    pub on: bool,
    /// What tells this device from every other one, such as its MAC address, where it says so.
    pub device: Option<String>,
}

/// Why a plug's state is not known.
#[derive(Debug, thiserror::Error)]
pub enum PlugError {
    /// It was not reached; the order did not arrive.
    #[error("the plug at {at} is not reached")]
    Unreachable {
        /// Where it was looked for.
        at: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The order may have been carried out.
    #[error("the plug at {at} did not confirm")]
    Unconfirmed {
        /// Where it is.
        at: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// It answered, and it can't work like this: another kind of device, a wrong password.
    #[error("the plug at {at} refuses: {what}")]
    Refused {
        /// Where it is.
        at: String,
        /// What it said, and the remedy.
        what: String,
    },
}

/// Which plug, and how it is spoken to. It is kept beside the intent to switch it off, so that a later start can switch
/// it on whatever its configuration says. It holds no password.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlugAddress {
    /// The kind of device.
    pub kind: String,
    /// Scheme, host and port.
    pub endpoint: String,
    /// What else the kind needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// The plug of a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlugChoice {
    /// Which one.
    pub plug: PlugAddress,
    /// The device switches itself on again after an off.
    pub has_timer: bool,
    /// The operator says that it is reached without the router that it feeds.
    pub reachable_without_router: bool,
}

/// Opens plugs: the one that is configured, or one that an earlier configuration named.
pub trait PowerSwitches: Send + Sync {
    /// The plug of the configuration, if it has one.
    fn configured(&self) -> Option<&PlugChoice>;
    /// The plug at this address. One that can't be opened says why with every order.
    fn open(&self, plug: &PlugAddress) -> Arc<dyn PowerSwitch>;
}
