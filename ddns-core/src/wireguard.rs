//! The peers of a WireGuard interface, and how long they stay away after the host's address changed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::time::{Instant, Wall};

/// How long peers are looked at after a change.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at first; further ones come after a quarter of the time since the change.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A peer's public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub [u8; 32]);

/// The first eight characters of the key as `wg` shows it: enough to know a peer by.
impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for [first, second, third] in self.0[..6].as_chunks().0 {
            let bits = u32::from_be_bytes([0, *first, *second, *third]);
            for shift in [18, 12, 6, 0] {
                write!(f, "{}", char::from(ALPHABET[(bits >> shift & 63) as usize]))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A peer at the moment of a look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Who.
    pub key: PeerKey,
    /// When the two last agreed on keys, by the wall clock; `None` for never.
    pub handshake: Option<Wall>,
}

/// Waits for the peers to come back after a change.
///
/// ```text
/// Rest ──changed──▶ Change ──looked──▶ Waiting ──the last peer is back, or PATIENCE is over──▶ Rest
///                     ▲                   │ changed
///                     └───────────────────┘
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HandshakeWatch {
    state: State,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum State {
    /// Nobody is looked at.
    #[default]
    Rest,
    /// No look has told yet who was there before.
    Change { since: Since, look_at: Instant },
    /// These are not back yet; with the handshake of each that was the last at the first look.
    Waiting { since: Since, look_at: Instant, away: BTreeMap<PeerKey, Wall> },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Since {
    at: Instant,
    wall: Wall,
}

/// What a look has shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Return {
    /// The peer has a handshake that is newer than the change, by so much.
    Back(PeerKey, Duration),
    /// The peer had none within [`PATIENCE`].
    Away(PeerKey),
}

impl HandshakeWatch {
    /// The host's address has changed: all peers have to come back.
    pub fn changed(&mut self, now: Instant, wall: Wall) {
        self.state = State::Change { since: Since { at: now, wall }, look_at: now };
    }

    /// When to look; `None` for not at all.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Rest => None,
            State::Change { look_at, .. } | State::Waiting { look_at, .. } => Some(look_at),
        }
    }

    /// No look was possible.
    pub fn failed(&mut self, now: Instant) {
        match &mut self.state {
            State::Rest => {}
            State::Change { since, look_at } | State::Waiting { since, look_at, .. } => match since.next(now) {
                Some(next) => *look_at = next,
                None => self.state = State::Rest,
            },
        }
    }

    /// These are the peers. A peer that never had a handshake is not waited for, nor is one that was removed.
    pub fn looked(&mut self, now: Instant, peers: &[Peer]) -> Vec<Return> {
        let shown: BTreeMap<_, _> = peers.iter().filter_map(|peer| Some((peer.key, peer.handshake?))).collect();
        let (since, mut away) = match std::mem::take(&mut self.state) {
            State::Rest => return Vec::new(),
            State::Change { since, .. } => (since, shown.clone()),
            State::Waiting { since, away, .. } => (since, away),
        };
        let mut told = Vec::new();
        away.retain(|key, before| {
            let Some(handshake) = shown.get(key).copied() else { return false };
            // A clock that was set back makes a newer handshake look older than the change: another one is newer too.
            let back = handshake > since.wall || handshake != *before;
            if back {
                let passed = now.saturating_since(since.at);
                told.push(Return::Back(*key, handshake.saturating_since(since.wall).min(passed)));
            }
            !back
        });
        match since.next(now) {
            _ if away.is_empty() => {}
            Some(look_at) => self.state = State::Waiting { since, look_at, away },
            None => told.extend(away.into_keys().map(Return::Away)),
        }
        told
    }
}

impl Since {
    fn next(self, now: Instant) -> Option<Instant> {
        let passed = now.saturating_since(self.at);
        (passed < PATIENCE).then(|| (now + (passed / 4).clamp(FIRST_WAIT, LONGEST_WAIT)).min(self.at + PATIENCE))
    }
}

#[cfg(test)]
mod tests;
