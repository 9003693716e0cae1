use super::effects::Transition;
use super::retrying::Retrying;
use super::status::SourceStatus;
use crate::address::{Hint, IpChangeEvent, Snapshot};
use crate::discovery::{Election, Nat};
use crate::time::Instant;

/// What one source has told.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) watching: Retrying,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) hint: Option<Hint>,
    rung: Option<&'static str>,
    elections: Vec<Election>,
    nat: Option<Nat>,
}

impl Source {
    /// A source that is watched from `first` on.
    pub(super) const fn new(name: String, first: Instant) -> Self {
        Self {
            name,
            watching: Retrying::at(first),
            snapshot: None,
            hint: None,
            rung: None,
            elections: Vec::new(),
            nat: None,
        }
    }

    /// Takes note of what a source knows beyond the addresses, and tells it.
    pub(super) fn discovered(&mut self, event: &mut IpChangeEvent, transitions: &mut Vec<Transition>) {
        self.rung = event.listening.or(Some(event.hint.rung));
        for election in event.elections.drain(..) {
            self.elections.retain(|before| before.family != election.family);
            self.elections.push(election.clone());
            transitions.push(Transition::Elected(election));
        }
        if let Some(nat) = event.nat.take()
            && self.nat.as_ref() != Some(&nat)
        {
            self.nat = Some(nat.clone());
            transitions.push(Transition::Nat(nat));
        }
    }

    pub(super) fn status(&self) -> SourceStatus {
        SourceStatus {
            name: self.name.clone(),
            rung: self.rung,
            error: self.watching.error().cloned(),
            elections: self.elections.clone(),
            nat: self.nat.clone(),
        }
    }
}
