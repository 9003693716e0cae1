//! What the judge knows of one record.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::ports::{ProviderError, UpdateRequest};
use ddns_core::publish::{HOLD, Pace};
use ddns_core::state::StateRecord;
use ddns_core::time::Wall;

use super::{HOUR, Judged, ROUNDING, hold, violated};

/// After so many failures in a row without any change, there is at least this pause before the next attempt.
const LONG_ROW: u32 = 16;
const LONG_PAUSE: Duration = Duration::from_secs(45);

#[derive(Default)]
pub struct Record {
    /// Writes with an effect that the process knows of, in the order of their begin.
    pub writes: Vec<Write>,
    pub running: Option<Running>,
    pub desired: Option<IpAddr>,
    not_before: Option<NotBefore>,
    /// The outcome of the last write is not known.
    pub doubt: bool,
    /// The process has just started, or the way was closed, and nobody has been asked since.
    pub unasked: bool,
    stale: bool,
    /// What the service said last that it holds.
    pub acknowledged: Option<IpAddr>,
    /// The address at the last call.
    target: Option<IpAddr>,
    pub wrote_at: Duration,
    /// The latest question that was answered.
    pub answered: u64,
    pub undecided: Option<Duration>,
    pub proven: BTreeSet<IpAddr>,
    /// What was proven, and since which write, before the write under way.
    pub before: (BTreeSet<IpAddr>, Duration),
    pub truth: Truth,
    pub arrived: Duration,
    /// Its begin, calls, and changes that each call for further ones.
    pub window: (Duration, u32, u32),
    /// Failures in a row without any change, and the time of the last one.
    row: (u32, Duration),
}

/// A write that had an effect.
pub struct Write {
    pub began: Duration,
    /// The first save that tells of it, and the time that this one gives.
    pub save: Option<(u64, Wall)>,
}

/// A write under way.
pub struct Running {
    pub began: Duration,
    wall: Wall,
    pub address: IpAddr,
    pub save: Option<(u64, Wall)>,
}

/// What the service holds, and who knows.
pub struct Truth {
    /// When it changed last.
    pub changed: Duration,
    /// The process knows.
    pub learned: bool,
    /// It was changed behind the back of this process.
    pub meddled: bool,
    /// The first save from which a start knows.
    pub save: Option<u64>,
}

impl Default for Truth {
    fn default() -> Self {
        Self { changed: Duration::ZERO, learned: true, meddled: false, save: Some(0) }
    }
}

struct NotBefore {
    at: Duration,
    invariant: &'static str,
    /// For another address it ends then.
    another: Option<Duration>,
}

impl Record {
    /// What is left for the process that starts from the save `durable`, or from nothing.
    pub fn restarts(&mut self, now: Duration, wall: Wall, durable: Option<u64>, least: Duration, pending: bool) {
        let known = |save: u64| durable.is_some_and(|durable| save <= durable);
        let mut writes = std::mem::take(&mut self.writes);
        writes.retain(|write| write.save.is_some_and(|(save, _)| known(save)));
        let mut writes = writes.split_off(writes.len().saturating_sub(1));
        for Write { began, save } in &mut writes {
            // The clock on the wall is all that tells how long ago that was; it may have been put forward.
            let ago = save.map_or(least, |(_, at)| wall.saturating_since(at).min(least));
            *began = (*began).min(now.saturating_sub(ago));
        }
        let learned = self.truth.save.is_some_and(known);
        *self = Self {
            writes,
            doubt: pending,
            unasked: true,
            truth: Truth {
                changed: self.truth.changed,
                learned,
                meddled: false,
                save: self.truth.save.filter(|_| learned),
            },
            window: (self.window.0, self.window.1, self.window.2 + 1),
            ..Self::default()
        };
    }

    /// A call to the service begins.
    pub fn called(&mut self, now: Duration, least: Duration) -> Judged {
        if let Some(NotBefore { at, invariant, .. }) = self.not_before.take_if(|not_before| not_before.at > now) {
            return violated(invariant, format!("{:?} too early", at - now));
        }
        self.target = self.desired;
        let (failures, last) = self.row;
        let fine = failures <= LONG_ROW || now >= last + LONG_PAUSE;
        hold(fine, "d: pauses grow", || format!("{:?} after failure {failures} in a row", now - last))?;
        if now >= self.window.0 + HOUR {
            self.window = (now, 0, 0);
        }
        self.window.1 += 1;
        let (_, calls, changes) = self.window;
        let intervals = 3600 / u32::try_from(least.as_secs()).unwrap();
        let most = 80 + changes.saturating_mul(20).min(changes * 3 + 3 * intervals + 400);
        hold(calls <= most, "d: bounded attempts", || format!("{calls} in an hour with {changes} changes"))
    }

    pub fn writes(&mut self, now: Duration, wall: Wall, request: &UpdateRequest, save: Option<u64>) -> Judged {
        let asked = !self.unasked;
        hold(asked, "c: look before writing after an outage", || format!("{} is written", request.address))?;
        hold(!self.doubt, "c: read before writing again", || format!("{} is written", request.address))?;
        hold(!(self.stale && request.handle.is_some()), "c: a stale handle is forgotten", || format!("{request:?}"))?;
        self.running =
            Some(Running { began: now, wall, address: request.address, save: save.map(|number| (number, wall)) });
        self.before = (std::mem::take(&mut self.proven), std::mem::replace(&mut self.wrote_at, now));
        Ok(())
    }

    /// A write of this process has had an effect.
    pub fn wrote(&mut self, now: Duration, began: Duration, least: Duration) -> Judged {
        if let Some(before) = self.writes.last() {
            let fine = began + ROUNDING >= before.began + least;
            hold(fine, "d: one write per record and interval", || format!("{:?} apart", began - before.began))?;
        }
        let save = self.running.as_ref().filter(|running| running.began == began).and_then(|running| running.save);
        self.writes.push(Write { began, save });
        self.truth = Truth { changed: now, learned: true, meddled: false, save: save.map(|(number, _)| number) };
        Ok(())
    }

    /// A write of a process that is no more has an effect after all; the save on disk that tells of it.
    pub fn landed(&mut self, now: Duration, save: Option<(u64, Wall)>, began: Duration, least: Duration) -> Judged {
        let since =
            self.writes.iter().map(|write| write.began).find(|at| *at > began && *at + ROUNDING < began + least);
        let fine = save.is_none() || since.is_none();
        hold(fine, "d: one write per record and interval", || {
            format!("one of a process that ended lands, another began at {since:?}")
        })?;
        // Nobody can know of a write that was never saved: that is as if somebody else had made it.
        self.truth = Truth { changed: now, learned: false, meddled: save.is_none(), save: None };
        if save.is_some() {
            self.writes.push(Write { began, save });
        }
        Ok(())
    }

    /// `holds` is what is there then.
    pub fn meddled(&mut self, now: Duration, holds: &BTreeSet<IpAddr>) {
        // Who is not told of a write, and finds what was there before it, can't know that it had its effect.
        let undone = self.acknowledged.is_some_and(|before| *holds == BTreeSet::from([before]));
        if undone && (self.doubt || self.running.is_some()) {
            self.writes.pop();
        }
        self.truth = Truth { changed: now, learned: false, meddled: true, save: None };
    }

    /// Something happened after which quick attempts may begin anew.
    pub const fn changes(&mut self) {
        self.window.2 += 1;
        self.row.0 = 0;
    }

    /// The service's answer tells what it holds.
    pub fn learns(&mut self) {
        self.row.0 = 0;
        (self.doubt, self.stale, self.unasked) = (false, false, false);
        if !self.truth.learned && self.arrived >= self.truth.changed {
            self.truth = Truth { learned: true, meddled: false, save: None, ..self.truth };
        }
    }

    pub fn failed(&mut self, now: Duration, write: bool, error: &ProviderError, pace: &Pace) {
        let another = self.desired != self.target;
        let shorter = now + pace.min_interval.max(pace.retry_delay);
        let not_before = |at, invariant| Some(NotBefore { at, invariant, another: None });
        self.not_before = match error {
            ProviderError::Unauthorized { .. } => not_before(now + HOLD * 3 / 4, "d: held while unauthorized"),
            ProviderError::Refused { .. } => {
                let at = if another { shorter } else { now + HOLD * 3 / 4 };
                Some(NotBefore { at, invariant: "d: held while refused", another: Some(shorter) })
            }
            _ => None,
        };
        self.stale |= matches!(error, ProviderError::Stale { .. });
        // What follows these is a read, which need not wait.
        let quick = self.stale || (write && self.doubt);
        self.row = (if quick || another { 0 } else { self.row.0 + 1 }, now);
    }

    pub fn desires(&mut self, address: IpAddr) {
        if self.desired.replace(address) == Some(address) {
            return;
        }
        self.row.0 = 0;
        if let Some(not_before) = &mut self.not_before {
            not_before.at = not_before.another.unwrap_or(not_before.at);
        }
    }

    /// A save begins; `saved` is what it tells of this record.
    pub fn persisted(&mut self, now: Duration, wall: Wall, number: u64, saved: Option<&StateRecord>) -> Judged {
        if let Some(running) = &mut self.running {
            let pending = saved.is_some_and(|saved| saved.pending == Some(running.address));
            hold(pending, "c: a write under way is saved", || format!("{}: {saved:?}", running.address))?;
            let at = saved.and_then(|saved| saved.written_at);
            let began = running.wall;
            let by_now = wall.before(now - running.began);
            let near = |at: &Wall, of: Wall| at.saturating_since(of).max(of.saturating_since(*at)) <= ROUNDING;
            let fine =
                at.filter(|at| near(at, began) || near(at, by_now) || running.save.is_some_and(|(_, of)| near(at, of)));
            let Some(at) = fine else {
                return violated("c: the time of a write is saved", format!("{at:?}, began at {began:?}"));
            };
            let (first, _) = *running.save.get_or_insert((number, at));
            running.save = Some((first, at));
        }
        if let Some(write) = self.writes.last_mut().filter(|write| write.save.is_none()) {
            write.save = saved.and_then(|saved| saved.written_at).map(|at| (number, at));
        }
        let right = self.running.is_some()
            || self.acknowledged.is_none_or(|address| saved.is_some_and(|saved| saved.confirmed == Some(address)));
        hold(right, "c: what is acknowledged is saved", || format!("{:?}: {saved:?}", self.acknowledged))?;
        if self.truth.learned {
            self.truth.save.get_or_insert(number);
        }
        Ok(())
    }
}
