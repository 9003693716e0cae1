//! All that the double knows, behind one lock, with a bell that rings at every change.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{
    account::{Account, Zone},
    fault::Script,
    list::{ListItem, Lists},
    record::Record,
    token::{Token, TokenState},
    transcript::Exchange,
};

/// A consistent view of the double, for [`CloudflareDouble::wait_for`](super::CloudflareDouble::wait_for).
pub struct State {
    account: Account,
    lists: Lists,
    script: Script,
    token: Token,
    transcript: Vec<Exchange>,
    connections: usize,
    failed_handshakes: usize,
}

impl State {
    /// Every exchange so far.
    pub fn transcript(&self) -> &[Exchange] {
        &self.transcript
    }

    /// Every record of every zone.
    pub fn records(&self) -> &[Record] {
        self.account.records()
    }

    /// The records of one name and type.
    pub fn records_of(&self, name: &str, kind: &str) -> Vec<Record> {
        self.records().iter().filter(|record| record.name == name && record.kind == kind).cloned().collect()
    }

    /// Whether the one record of this name and type has this content.
    pub fn holds(&self, name: &str, kind: &str, content: &str) -> bool {
        matches!(self.records_of(name, kind).as_slice(), [record] if record.content == content)
    }

    /// The zones.
    pub fn zones(&self) -> &[Zone] {
        self.account.zones()
    }

    /// How many writes took effect.
    pub fn writes(&self) -> usize {
        self.transcript.iter().filter(|exchange| exchange.wrote).count()
    }

    /// How many TCP connections were accepted.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// How many TLS handshakes failed.
    pub fn failed_handshakes(&self) -> usize {
        self.failed_handshakes
    }

    /// The items of a list.
    pub fn list_items(&self, list: &str) -> &[ListItem] {
        self.lists.items(list)
    }

    pub(super) fn lists_mut(&mut self) -> &mut Lists {
        &mut self.lists
    }

    pub(super) fn account_mut(&mut self) -> &mut Account {
        &mut self.account
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn script_mut(&mut self) -> &mut Script {
        &mut self.script
    }

    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    pub(super) fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }

    pub(super) fn count_connection(&mut self) {
        self.connections += 1;
    }

    pub(super) fn count_failed_handshake(&mut self) {
        self.failed_handshakes += 1;
    }

    /// Adds an exchange and returns its place.
    pub(super) fn begin(&mut self, exchange: Exchange) -> usize {
        self.transcript.push(exchange);
        self.transcript.len() - 1
    }

    pub(super) fn exchange_mut(&mut self, place: usize) -> &mut Exchange {
        &mut self.transcript[place]
    }
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Rings the bell when it is given back.
pub(super) struct Guard<'a> {
    state: Option<MutexGuard<'a, State>>,
    changed: &'a Condvar,
}

impl Shared {
    pub(super) fn new(token: &str, zones: &[String]) -> Self {
        let token = Token { value: token.to_owned(), state: TokenState::Active };
        let state = State {
            account: Account::new(zones),
            lists: Lists::default(),
            script: Script::default(),
            token,
            transcript: vec![],
            connections: 0,
            failed_handshakes: 0,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> Guard<'_> {
        Guard { state: Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)), changed: &self.changed }
    }

    pub(super) fn wait_for(&self, what: &str, timeout: Duration, condition: impl Fn(&State) -> bool) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !condition(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen: Vec<_> = state
                    .transcript
                    .iter()
                    .map(|exchange| format!("  | {} {} -> {:?}", exchange.method, exchange.path, exchange.status))
                    .collect();
                let records: Vec<_> =
                    state.records().iter().map(|r| format!("  | {} {} {}", r.name, r.kind, r.content)).collect();
                bail!(
                    "the Cloudflare double waited {timeout:?} for {what}; exchanges:\n{}\nrecords:\n{}",
                    seen.join("\n"),
                    records.join("\n")
                );
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state.as_ref().expect("the lock is held until drop")
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("the lock is held until drop")
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.state = None;
        self.changed.notify_all();
    }
}
