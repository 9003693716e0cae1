use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::ports::{Observed, ProviderError, RecordHandle, UpdateKind, UpdateRequest, UpdateResult};

use super::dice::Dice;
use super::fault::{Fault, Weather};

type ReadResult = Result<Observed, ProviderError>;
type UpdatedResult = Result<UpdateResult, ProviderError>;

/// The services: the truth about the records.
#[derive(Clone, Debug)]
pub struct Provider {
    pub sets: Vec<BTreeSet<IpAddr>>,
    places: Vec<u32>,
    pub proxied: bool,
    /// Which provider keeps which record.
    providers: Vec<usize>,
    /// The record that fails while only one does.
    pub victim: usize,
    /// In a hundred requests, how many a fault hits.
    chance: usize,
}

/// What came of a write.
pub struct Written {
    pub result: UpdatedResult,
    /// Something was changed.
    pub effect: bool,
    /// The service held that already.
    pub needless: bool,
}

impl Provider {
    pub fn new(providers: Vec<usize>, proxied: bool, chance: usize) -> Self {
        let records = providers.len();
        Self { sets: vec![BTreeSet::new(); records], places: vec![0; records], proxied, providers, victim: 0, chance }
    }

    fn handle(&self, record: usize) -> Option<RecordHandle> {
        (self.sets[record].len() == 1).then(|| RecordHandle(format!("{record}/{}", self.places[record])))
    }

    /// Someone makes the record anew.
    pub fn moves(&mut self, record: usize) {
        self.places[record] += 1;
    }

    fn failing(&self, record: usize, weather: &Weather, dice: &mut Dice, read: bool) -> Option<Fault> {
        let alone = weather.is(Fault::OneRecordFails) && record == self.victim;
        let own =
            alone.then(|| dice.pick(&[Fault::ProviderUnavailable, Fault::ProviderUnreachable, Fault::ProviderRefuses]));
        own.or_else(|| failing(weather, self.providers[record], dice, read, self.chance))
    }

    pub fn read(&self, record: usize, weather: &Weather, dice: &mut Dice) -> ReadResult {
        match self.failing(record, weather, dice, true) {
            Some(fault) => Err(error(fault, dice)),
            None => Ok(Observed {
                addresses: self.sets[record].clone(),
                proxied: self.proxied && !self.sets[record].is_empty(),
                handle: self.handle(record),
            }),
        }
    }

    pub fn update(&mut self, record: usize, request: &UpdateRequest, weather: &Weather, dice: &mut Dice) -> Written {
        let without = |error| Written { result: Err(error), effect: false, needless: false };
        let fault = self.failing(record, weather, dice, false);
        if let Some(fault) = fault.filter(|fault| *fault != Fault::AnswerLostWithEffect) {
            return without(error(fault, dice));
        }
        if request.handle.is_some() && request.handle != self.handle(record) {
            return without(ProviderError::Stale { what: "the record is not there".into() });
        }
        let held = &mut self.sets[record];
        let kind = if held.contains(&request.address) {
            UpdateKind::Unchanged
        } else if held.is_empty() {
            UpdateKind::Created
        } else if held.len() == 1 || request.previous.is_some_and(|previous| held.contains(&previous)) {
            UpdateKind::Changed
        } else {
            return without(ProviderError::Refused { what: "which of them?".into() });
        };
        if kind == UpdateKind::Changed {
            let ours = request.previous.filter(|previous| held.contains(previous)).or(held.first().copied());
            held.remove(&ours.unwrap());
        }
        held.insert(request.address);
        let result = match fault {
            Some(fault) => Err(error(fault, dice)),
            None => Ok(UpdateResult { kind, proxied: self.proxied, handle: self.handle(record) }),
        };
        let effect = kind != UpdateKind::Unchanged;
        Written { result, effect, needless: !effect && self.sets[record].len() == 1 }
    }
}

fn failing(weather: &Weather, provider: usize, dice: &mut Dice, read: bool, chance: usize) -> Option<Fault> {
    let classes = [
        Fault::ProviderUnreachable,
        Fault::ProviderUnavailable,
        Fault::ProviderRetryAfter,
        Fault::ProviderUnauthorized,
        Fault::ProviderRefuses,
        Fault::AnswerLostWithEffect,
        Fault::AnswerLostWithoutEffect,
        Fault::ProviderHangs,
    ];
    // Where faults are sure to hit, writes get lost and reads don't, so that lost writes come in long rows.
    let spared = |fault: Fault| match fault {
        Fault::AnswerLostWithEffect => read,
        Fault::AnswerLostWithoutEffect => read && chance == 100,
        _ => false,
    };
    let hits = |fault: &Fault| weather.at(*fault, provider) && !spared(*fault);
    let fault = classes.into_iter().find(hits)?;
    (fault == Fault::ProviderUnreachable || dice.percent(chance)).then_some(fault)
}

fn error(fault: Fault, dice: &mut Dice) -> ProviderError {
    let what = format!("{fault:?}");
    match fault {
        Fault::ProviderUnreachable => ProviderError::Unreachable { what, cause: None },
        Fault::ProviderRetryAfter => {
            let retry_after = Some(Duration::from_secs(dice.pick(&[1, 30, 900, 3600, 1_000_000])));
            ProviderError::Unavailable { what, retry_after, cause: None }
        }
        Fault::ProviderUnauthorized => ProviderError::Unauthorized { what },
        Fault::ProviderRefuses => ProviderError::Refused { what },
        Fault::AnswerLostWithEffect | Fault::AnswerLostWithoutEffect | Fault::ProviderHangs => {
            ProviderError::Unknown { what, cause: None }
        }
        _ => ProviderError::Unavailable { what, retry_after: None, cause: None },
    }
}
