use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

use super::{PlugFault, PlugSetup};

/// Told of each change of the power.
pub type OnSwitch = Box<dyn Fn(bool) + Send + Sync>;

/// A device's relay and timer.
pub(super) struct Outlet {
    pub(super) on: bool,
    pub(super) history: Vec<(Instant, bool)>,
    pub(super) requests: Vec<String>,
    pub(super) faults: Vec<(String, PlugFault)>,
    pub(super) mac: String,
    pub(super) password: Option<String>,
    /// What is wrong during the request at hand.
    pub(super) wrong: Option<PlugFault>,
    timer: Option<Timer>,
    timers: u64,
}

#[derive(Clone, Copy)]
pub(super) struct Timer {
    number: u64,
    pub(super) length: u64,
    pub(super) started: SystemTime,
    /// What becomes of the power; nothing if nobody listens to the timer.
    to: Option<bool>,
}

impl Timer {
    pub(super) fn left(&self) -> u64 {
        let gone = self.started.elapsed().unwrap_or_default();
        Duration::from_secs(self.length).saturating_sub(gone).as_secs()
    }

    pub(super) fn started_at(&self) -> f64 {
        self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}

impl Outlet {
    /// Switches, unless the device is deaf.
    pub(super) fn switch(&mut self, on: bool) {
        if self.wrong != Some(PlugFault::Deaf) && self.on != on {
            self.on = on;
            self.history.push((Instant::now(), on));
        }
    }

    /// The state as the device tells it.
    pub(super) fn told(&self) -> bool {
        self.on != (self.wrong == Some(PlugFault::Lies))
    }

    pub(super) const fn timer(&self) -> Option<Timer> {
        self.timer
    }

    pub(super) fn disarm(&mut self) {
        self.timer = None;
    }
}

/// An outlet with those who look at it.
pub(super) struct Shared {
    outlet: Mutex<Outlet>,
    on_switch: Option<OnSwitch>,
    pub(super) power: watch::Sender<bool>,
    /// Somebody listens.
    pub(super) present: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(setup: PlugSetup) -> Self {
        let outlet = Outlet {
            on: true,
            history: vec![],
            requests: vec![],
            faults: vec![],
            mac: setup.mac,
            password: setup.password,
            wrong: None,
            timer: None,
            timers: 0,
        };
        let (power, present) = (watch::Sender::new(true), watch::Sender::new(true));
        Self { outlet: Mutex::new(outlet), on_switch: setup.on_switch, power, present }
    }

    /// Does something with the outlet, and tells those who look if the power has changed.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Outlet) -> T) -> T {
        let mut outlet = self.outlet.lock().unwrap_or_else(PoisonError::into_inner);
        let before = outlet.on;
        let value = act(&mut outlet);
        let after = outlet.on;
        drop(outlet);
        if before != after {
            self.power.send_replace(after);
            if let Some(told) = &self.on_switch {
                told(after);
            }
        }
        value
    }

    /// Starts the timer, unless the device ignores that. Inside the runtime of the device.
    pub(super) fn arm(self: &Arc<Self>, seconds: u64, to: Option<bool>) {
        let armed = self.with(|outlet| {
            if matches!(outlet.wrong, Some(PlugFault::IgnoresTimer | PlugFault::Deaf)) {
                return None;
            }
            outlet.timers += 1;
            let timer = Timer { number: outlet.timers, length: seconds, started: SystemTime::now(), to };
            outlet.timer = Some(timer);
            Some(timer)
        });
        if let Some(timer) = armed {
            tokio::spawn(fire(Arc::downgrade(self), timer));
        }
    }
}

async fn fire(shared: Weak<Shared>, timer: Timer) {
    tokio::time::sleep(Duration::from_secs(timer.length)).await;
    let Some(shared) = shared.upgrade() else { return };
    shared.with(|outlet| {
        if outlet.timer.is_some_and(|now| now.number == timer.number) {
            outlet.timer = None;
            if let Some(on) = timer.to {
                outlet.switch(on);
            }
        }
    });
}
