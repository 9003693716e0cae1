//! A router.

use std::time::Duration;

/// It needs power, boots for minutes, and may freeze.
#[derive(Clone, Debug)]
pub struct Router {
    boots_for: Duration,
    /// Since when it has power.
    powered: Option<Duration>,
    frozen: bool,
}

impl Router {
    /// A router that has been up for long.
    pub const fn new(boots_for: Duration) -> Self {
        Self { boots_for, powered: Some(Duration::ZERO), frozen: false }
    }

    /// Only power that goes and comes back helps.
    pub const fn freezes(&mut self) {
        self.frozen = true;
    }

    /// The plug before it is on or off from now on.
    pub const fn power(&mut self, now: Duration, on: bool) {
        if !on {
            (self.powered, self.frozen) = (None, false);
        } else if self.powered.is_none() {
            self.powered = Some(now);
        }
    }

    /// Whether it passes packets on.
    pub fn is_up(&self, now: Duration) -> bool {
        !self.frozen && self.powered.is_some_and(|since| since == Duration::ZERO || now >= since + self.boots_for)
    }
}

#[test]
fn it_needs_power_and_minutes_to_boot() {
    let minute = Duration::from_secs(60);
    let mut router = Router::new(minute * 5);
    assert!(router.is_up(Duration::ZERO));
    router.power(minute, false);
    assert!(!router.is_up(minute * 30));
    router.power(minute * 30, true);
    router.power(minute * 31, true);
    assert!(!router.is_up(minute * 34));
    assert!(router.is_up(minute * 35));
}

#[test]
fn a_frozen_one_stays_so_until_its_power_goes() {
    let minute = Duration::from_secs(60);
    let mut router = Router::new(minute);
    router.freezes();
    router.power(minute, true);
    assert!(!router.is_up(minute * 1000));
    router.power(minute * 1000, false);
    router.power(minute * 1001, true);
    assert!(router.is_up(minute * 1002));
}
