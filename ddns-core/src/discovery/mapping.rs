use std::num::NonZeroU16;
use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::time::Instant;

/// What is asked for; a router may grant less.
const LIFETIME: Duration = Duration::from_secs(7200);
/// Between a refused or unanswered request and the next.
const AFTER_FAILURE: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(900));
/// A router that grants seconds is not asked more often than this (RFC 6887 §11.2.1).
const RENEW_AT_LEAST: Duration = Duration::from_secs(4);

/// A request to map a UDP port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRequest {
    /// The port on this host.
    pub internal_port: NonZeroU16,
    /// The port wanted outside, 0 for any. The router may grant another.
    pub external_port: u16,
    /// For how long, in whole seconds; zero ends the mapping.
    pub lifetime: Duration,
}

/// What the router granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// The port outside.
    pub external_port: u16,
    /// For how long.
    pub lifetime: Duration,
}

/// Where a mapping stands, for views.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MappingStatus {
    /// Not asked for yet.
    Wanted,
    /// It stands.
    Mapped {
        /// The port on this host.
        internal_port: u16,
        /// The port outside.
        external_port: u16,
    },
    /// It does not stand.
    Failed(String),
}

/// Keeps one UDP port of this host mapped at the router.
///
/// ```text
///  ┌─────┐  due   ┌────────────┐  granted   ┌────────┐ half of its life
///  │ Due │───────▶│ Requesting │───────────▶│ Mapped │────────┐
///  └─────┘        └────────────┘            └────────┘        │
///     ▲  refused, silent │                      │ epoch lost, │
///     │  (back-off)      │                      │ new gateway │
///     └──────────────────┴──────────────────────┴─────────────┘
/// ```
#[derive(Debug)]
pub struct Mapping {
    port: NonZeroU16,
    state: State,
    failures: u32,
    status: MappingStatus,
    external_port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Due(Instant),
    Requesting { again: bool },
}

impl Mapping {
    /// A mapping of this port, due at once.
    pub const fn new(port: NonZeroU16, now: Instant) -> Self {
        Self { port, state: State::Due(now), failures: 0, status: MappingStatus::Wanted, external_port: port.get() }
    }

    /// The router has forgotten it, or is another one.
    pub const fn lost(&mut self, now: Instant) {
        self.failures = 0;
        self.state = match self.state {
            State::Due(_) => State::Due(now),
            State::Requesting { .. } => State::Requesting { again: true },
        };
    }

    /// The request to be made now.
    pub fn request(&mut self, now: Instant) -> Option<MapRequest> {
        if !matches!(self.state, State::Due(at) if at <= now) {
            return None;
        }
        self.state = State::Requesting { again: false };
        Some(MapRequest { internal_port: self.port, external_port: self.external_port, lifetime: LIFETIME })
    }

    /// What became of it; the news if the status changed.
    pub fn answered(
        &mut self,
        now: Instant,
        result: Result<Mapped, String>,
        jitter: &mut Jitter,
    ) -> Option<MappingStatus> {
        let State::Requesting { again } = self.state else { return None };
        let (status, pause) = match result {
            Ok(mapped) => {
                self.failures = 0;
                self.external_port = mapped.external_port;
                let status =
                    MappingStatus::Mapped { internal_port: self.port.get(), external_port: mapped.external_port };
                (status, (mapped.lifetime.min(LIFETIME) / 2).max(RENEW_AT_LEAST))
            }
            Err(what) => {
                let pause = AFTER_FAILURE.wait(self.failures, jitter);
                self.failures = self.failures.saturating_add(1);
                (MappingStatus::Failed(what), pause)
            }
        };
        self.state = State::Due(if again { now } else { now + pause });
        let changed = status != self.status;
        self.status.clone_from(&status);
        changed.then_some(status)
    }

    /// When [`Self::request`] has to be asked.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) => Some(at),
            State::Requesting { .. } => None,
        }
    }

    /// Where it stands.
    pub const fn status(&self) -> &MappingStatus {
        &self.status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 51_820;

    fn wanted() -> Mapping {
        Mapping::new(NonZeroU16::new(PORT).unwrap(), at(0))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn granted(external_port: u16, lifetime: u64) -> Result<Mapped, String> {
        Ok(Mapped { external_port, lifetime: Duration::from_secs(lifetime) })
    }

    #[test]
    fn a_mapping_is_renewed_at_half_of_its_life_with_the_port_it_was_given() {
        let (mut mapping, mut jitter) = (Mapping::new(NonZeroU16::new(PORT).unwrap(), at(10)), Jitter::new(1));
        assert_eq!(mapping.request(at(9)), None);
        assert_eq!(mapping.request(at(10)).map(|request| request.external_port), Some(PORT));
        assert_eq!(mapping.request(at(10)), None, "one request at a time");
        let status = mapping.answered(at(11), granted(40_000, 600), &mut jitter);
        assert_eq!(status, Some(MappingStatus::Mapped { internal_port: PORT, external_port: 40_000 }));
        assert_eq!(mapping.deadline(), Some(at(311)));
        assert_eq!(mapping.request(at(311)).map(|request| request.external_port), Some(40_000));
        assert_eq!(mapping.answered(at(312), granted(40_000, 600), &mut jitter), None, "nothing new");
    }

    /// FAULTS 25.
    #[test]
    fn a_router_that_started_anew_is_asked_at_once() {
        let (mut mapping, mut jitter) = (wanted(), Jitter::new(1));
        mapping.request(at(0));
        mapping.answered(at(0), granted(PORT, 7200), &mut jitter);
        mapping.lost(at(50));
        assert!(mapping.request(at(50)).is_some());
        mapping.lost(at(51));
        mapping.answered(at(52), granted(PORT, 7200), &mut jitter);
        assert!(mapping.request(at(52)).is_some(), "what was granted before the loss is gone");
    }

    #[test]
    fn a_refusal_is_tried_again_with_patience_and_never_given_up() {
        let (mut mapping, mut jitter) = (wanted(), Jitter::new(1));
        let mut now = at(0);
        for _ in 0..50 {
            assert!(mapping.request(now).is_some());
            mapping.answered(now, Err("NOT_AUTHORIZED".to_owned()), &mut jitter);
            let next = mapping.deadline().unwrap();
            assert!(next > now && next.saturating_since(now) <= Duration::from_secs(1125));
            now = next;
        }
        assert_eq!(mapping.status(), &MappingStatus::Failed("NOT_AUTHORIZED".to_owned()));
    }

    #[test]
    fn a_router_that_grants_seconds_is_not_hammered() {
        let (mut mapping, mut jitter) = (wanted(), Jitter::new(1));
        mapping.request(at(0));
        mapping.answered(at(0), granted(PORT, 0), &mut jitter);
        assert_eq!(mapping.deadline(), Some(at(4)));
    }
}
