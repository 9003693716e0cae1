//! When a list of addresses is brought up to what its records hold.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::record::RecordKey;
use crate::time::Instant;

/// Between attempts that fail.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(30), Duration::from_secs(30 * 60));
/// A service that asks for a longer time is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What the records of one list hold, and when the list is looked at next. Only what was verified since the start is in
/// it, so that the first verification of a record brings an attempt, and a record of which nothing is known none.
///
/// ```text
/// Settled ──another address is verified──▶ Due (at once, or when the service allows) ──done──▶ Settled
///                                          ▲ └──failed──┐ ◀── another address: at once, from the first wait on
///                                          └──the wait──┘
/// ```
#[derive(Debug)]
pub struct ListUpkeep {
    held: BTreeMap<RecordKey, IpAddr>,
    due: Option<Instant>,
    failures: u32,
    /// The service asked for no request before.
    not_before: Instant,
    jitter: Jitter,
}

impl ListUpkeep {
    /// Nothing is known of any record.
    pub fn new(seed: u64) -> Self {
        let not_before = Instant::default();
        Self { held: BTreeMap::new(), due: None, failures: 0, not_before, jitter: Jitter::new(seed) }
    }

    /// The record is proven to hold this address.
    pub fn verified(&mut self, now: Instant, key: RecordKey, address: IpAddr) {
        if self.held.insert(key, address) != Some(address) {
            self.failures = 0;
            self.due = Some(now.max(self.not_before));
        }
    }

    /// The time of the next attempt; `None` while all is done.
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What an attempt has to bring the list to.
    pub const fn held(&self) -> &BTreeMap<RecordKey, IpAddr> {
        &self.held
    }

    /// The attempt has succeeded.
    pub const fn done(&mut self) {
        (self.due, self.failures) = (None, 0);
    }

    /// The attempt has failed, and the service asked for a time, or did not. The wait until the next one.
    pub fn failed(&mut self, now: Instant, retry_after: Option<Duration>) -> Duration {
        let wait = BACKOFF.wait(self.failures, &mut self.jitter);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + retry_after.unwrap_or_default().min(LONGEST_WAIT);
        let due = self.not_before.max(now + wait);
        self.due = Some(due);
        due.saturating_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::since_boot(Duration::from_secs(1000));

    fn key(name: &str) -> RecordKey {
        RecordKey { name: name.parse().unwrap(), rtype: crate::record::RecordType::A }
    }

    fn verified(upkeep: &mut ListUpkeep, now: Instant, address: &str) {
        upkeep.verified(now, key("vpn.example.com"), address.parse().unwrap());
    }

    #[test]
    fn the_first_verification_is_due_at_once_and_a_repetition_never() {
        let mut upkeep = ListUpkeep::new(7);
        assert_eq!(upkeep.due(), None);
        verified(&mut upkeep, START, "11.0.0.1");
        assert_eq!(upkeep.due(), Some(START));
        upkeep.done();
        verified(&mut upkeep, START, "11.0.0.1");
        assert_eq!(upkeep.due(), None);
        verified(&mut upkeep, START, "11.0.0.2");
        assert_eq!((upkeep.due(), upkeep.held().len()), (Some(START), 1));
    }

    #[test]
    fn failures_wait_from_half_a_minute_to_half_an_hour_and_success_begins_anew() {
        let mut upkeep = ListUpkeep::new(7);
        verified(&mut upkeep, START, "11.0.0.1");
        for failures in 0..12 {
            let plain = Duration::from_secs((30 << failures).min(1800));
            let wait = upkeep.failed(START, None);
            assert!(wait >= plain * 3 / 4 && wait <= plain * 5 / 4, "{failures}: {wait:?}");
            assert_eq!(upkeep.due(), Some(START + wait));
        }
        upkeep.done();
        assert!(upkeep.failed(START, None) < Duration::from_secs(40));
    }

    #[test]
    fn another_address_ends_the_wait_but_not_one_that_the_service_asked_for() {
        let mut upkeep = ListUpkeep::new(7);
        verified(&mut upkeep, START, "11.0.0.1");
        upkeep.failed(START, None);
        verified(&mut upkeep, START, "11.0.0.2");
        assert_eq!(upkeep.due(), Some(START));
        let asked = Duration::from_secs(600);
        assert_eq!(upkeep.failed(START, Some(asked)), asked);
        verified(&mut upkeep, START, "11.0.0.3");
        assert_eq!(upkeep.due(), Some(START + asked));
        assert_eq!(upkeep.failed(START, Some(Duration::MAX)), LONGEST_WAIT);
    }
}
