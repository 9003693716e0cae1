//! What outlives a restart, and its one encoding.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ports::{PlugAddress, RecordHandle};
use crate::time::Wall;
use crate::uptime::History;

/// The newest format this version writes and reads.
pub const STATE_FORMAT: u32 = 2;

/// The engine's memory: only what could not be learned again after a crash.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SavedState {
    /// By record key (`name type`).
    pub(crate) records: BTreeMap<String, StateRecord>,
    /// Since format 2.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) recovery: RecoveryState,
    /// Since format 2.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) history: History,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl SavedState {
    /// The records by key (`name type`).
    pub fn records(&self) -> impl Iterator<Item = (&str, &StateRecord)> {
        self.records.iter().map(|(key, record)| (key.as_str(), record))
    }

    /// What recovery has done, and what it owes.
    pub const fn recovery(&self) -> &RecoveryState {
        &self.recovery
    }

    /// What was counted.
    pub const fn history(&self) -> &History {
        &self.history
    }
}

/// What is known of one record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateRecord {
    /// The address that the provider is known to hold: acknowledged or read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<IpAddr>,
    /// The address of a write whose outcome is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<IpAddr>,
    /// When the last write began, which the minimum interval counts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Wall>,
    /// The provider asked for patience until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_until: Option<Wall>,
    /// DNS answers with the provider's own addresses.
    #[serde(default)]
    pub proxied: bool,
    /// Where the provider keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<RecordHandle>,
}

impl StateRecord {
    pub(crate) const fn new() -> Self {
        Self { confirmed: None, pending: None, written_at: None, asked_until: None, proxied: false, handle: None }
    }
}

/// What has to be known of recovery after a crash.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RecoveryState {
    /// Power is off, or may be: it is switched on before anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) intent: Option<Intent>,
    /// When the attempts of the last 24 hours began, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attempts: Vec<Wall>,
    /// Attempts in a row that did not help; one whose outcome is not known counts.
    #[serde(default)]
    pub(crate) failures: u32,
    /// The plug as it was seen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<KnownDevice>,
}

impl RecoveryState {
    /// The plug that has to be switched on, if one has.
    pub fn intent(&self) -> Option<&Intent> {
        self.intent.as_ref()
    }
}

/// The intent to switch a plug off, kept until it is certainly on again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Intent {
    /// Which plug.
    pub plug: PlugAddress,
    /// What tells the device from others, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Since when.
    pub at: Wall,
}

/// A device that was seen in a place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct KnownDevice {
    pub(crate) plug: PlugAddress,
    pub(crate) device: String,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    #[serde(flatten)]
    state: SavedState,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Why octets are no state.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the encoding at all.
    #[error("not a saved state")]
    Malformed(#[source] serde_json::Error),
    /// A newer format.
    #[error("format {0} is newer than {STATE_FORMAT}")]
    Newer(u32),
}

impl SavedState {
    /// The encoding that every store keeps: JSON with a `format` number.
    pub fn encode(&self) -> Vec<u8> {
        let envelope = Envelope { format: STATE_FORMAT, state: self.clone() };
        serde_json::to_vec(&envelope).expect("a map with string keys and plain values has a JSON form")
    }

    /// Reads [`Self::encode`]'s output of this or an older format.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let Format { format } = serde_json::from_slice(octets).map_err(DecodeError::Malformed)?;
        if format > STATE_FORMAT {
            return Err(DecodeError::Newer(format));
        }
        let envelope: Envelope = serde_json::from_slice(octets).map_err(DecodeError::Malformed)?;
        Ok(envelope.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_as_it_was_and_a_newer_one_is_refused() {
        let mut state = SavedState::default();
        let record = StateRecord {
            confirmed: Some("11.22.33.44".parse().unwrap()),
            pending: None,
            written_at: Some(Wall::from_millis(7)),
            asked_until: Some(Wall::from_millis(8)),
            proxied: true,
            handle: Some(RecordHandle("z/r".into())),
        };
        state.records.insert("vpn.example.com A".into(), record);
        assert_eq!(SavedState::decode(&state.encode()).unwrap(), state);
        assert!(matches!(SavedState::decode(br#"{"format":3,"anything":1}"#), Err(DecodeError::Newer(3))));
        assert!(matches!(SavedState::decode(b"{"), Err(DecodeError::Malformed(_))));
        assert!(matches!(SavedState::decode(br#"{"format":1}"#), Err(DecodeError::Malformed(_))));
    }
}
