//! Doubles of smart plugs, by their vendors' documented interfaces, with timers that really run.

mod digest;
mod outlet;
mod plain;
mod server;
mod shelly_gen1;
mod shelly_gen2;
mod tasmota;

use std::{
    net::SocketAddr,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use tokio::sync::{oneshot, watch};

pub use outlet::OnSwitch;
pub use plain::PlainPlug;
pub use shelly_gen1::ShellyGen1;
pub use shelly_gen2::ShellyGen2;
pub use tasmota::Tasmota;

use crate::{Namespace, namespace::spawn_thread};
use outlet::Shared;
use server::{Model, run};

/// What is wrong with a plug.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlugFault {
    /// Nobody listens.
    Unreachable,
    /// It takes the request and says nothing, for ever.
    Hang,
    /// It answers with this status and does nothing.
    Status(u16),
    /// It answers with this and does nothing.
    Says(&'static str),
    /// It does what it is told, and the answer is lost.
    ApplyThenDrop,
    /// It says that it does what it is told, and doesn't.
    Deaf,
    /// It says of its state the opposite.
    Lies,
    /// It takes the order and not the time.
    IgnoresTimer,
}

/// What a plug is like when it starts. It is on.
pub struct PlugSetup {
    /// Its MAC address: twelve upper-case hexadecimal digits.
    pub mac: String,
    /// The password of the user `admin`, if it asks for one.
    pub password: Option<String>,
    /// Called with each change of the power, after it, from the plug's own thread.
    pub on_switch: Option<OnSwitch>,
}

impl Default for PlugSetup {
    fn default() -> Self {
        Self { mac: "A8032AB12345".to_owned(), password: None, on_switch: None }
    }
}

/// What all kinds have in common. It ends when it is dropped.
pub struct Plug {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Result<()>>>>,
}

impl Plug {
    /// Starts one on `address`, inside the namespace if there is one; port 0 is any free one.
    fn start(
        (namespace, address): (Option<&Namespace>, SocketAddr),
        setup: PlugSetup,
        model: impl Model,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::new(setup));
        let (stop, stopped) = oneshot::channel();
        let (bound, listening) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(&shared);
        let thread = spawn_thread(namespace, "plug double", move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("a tokio runtime")?;
            let outcome = runtime.block_on(async move {
                tokio::select! {
                    outcome = run(address, of_thread, model, bound) => outcome,
                    _ = stopped => Ok(()),
                }
            });
            runtime.shutdown_background();
            outcome
        })?;
        let address = listening.recv().map_err(|_| anyhow!("the plug double did not start on {address}"))?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The power is on.
    pub fn is_on(&self) -> bool {
        self.shared.with(|outlet| outlet.on)
    }

    /// Every change of the power, in order.
    pub fn history(&self) -> Vec<(Instant, bool)> {
        self.shared.with(|outlet| outlet.history.clone())
    }

    /// The power, and each change of it.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.shared.power.subscribe()
    }

    /// Completes when the power is on or off, as wanted; fails after `limit`.
    pub async fn wait_for(&self, on: bool, limit: Duration) -> Result<()> {
        let mut power = self.watch();
        let found = tokio::time::timeout(limit, power.wait_for(|now| *now == on)).await;
        found.with_context(|| format!("the power did not become {on}"))?.map(drop).context("the plug ended")
    }

    /// The targets of all requests so far, those without an answer as well.
    pub fn requests(&self) -> Vec<String> {
        self.shared.with(|outlet| outlet.requests.clone())
    }

    /// Somebody presses the button on the device.
    pub fn press(&self, on: bool) {
        self.shared.with(|outlet| outlet.switch(on));
    }

    /// Another device has this address from here on.
    pub fn replace_by(&self, mac: &str) {
        self.shared.with(|outlet| mac.clone_into(&mut outlet.mac));
    }

    /// All requests meet this fault from here on.
    pub fn set(&self, fault: PlugFault) {
        self.set_for("", fault);
    }

    /// Requests whose target contains `part` meet this fault from here on.
    pub fn set_for(&self, part: &str, fault: PlugFault) {
        let absent = fault == PlugFault::Unreachable;
        self.shared.with(|outlet| outlet.faults.push((part.to_owned(), fault)));
        if absent {
            self.shared.present.send_replace(false);
        }
    }

    /// Nothing is wrong with it any more.
    pub fn heal(&self) {
        self.shared.with(|outlet| outlet.faults.clear());
        self.shared.present.send_replace(true);
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Every kind is a [`Plug`].
macro_rules! is_a_plug {
    ($kind:ident) => {
        impl std::ops::Deref for $kind {
            type Target = crate::Plug;

            fn deref(&self) -> &crate::Plug {
                &self.0
            }
        }
    };
}
use is_a_plug;
