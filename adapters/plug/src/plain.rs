//! Any device that is switched by GET requests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use crate::session::{Failure, Scheme, Session, json};
use crate::switch::{Device, State, Timer};

/// What the path for off holds where the device has a timer.
pub(crate) const SECONDS: &str = "{seconds}";

const ON: &str = "on";
const OFF: &str = "off";
const STATE: &str = "state";
const STATE_ON: &str = "state_on";
const STATE_OFF: &str = "state_off";

/// The paths of a device, and what its answers mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plain {
    pub(crate) on: String,
    pub(crate) off: String,
    pub(crate) state: String,
    pub(crate) state_on: Mark,
    pub(crate) state_off: Mark,
}

/// By what an answer is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// It holds this text.
    Text(String),
    /// It is JSON with this value at this place (RFC 6901).
    Json { pointer: String, value: String },
}

impl Mark {
    /// `/pointer=value` for JSON, anything else for a text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("an answer always holds that".to_owned());
        }
        if !text.starts_with('/') {
            return Ok(Self::Text(text.to_owned()));
        }
        let (pointer, value) = text.split_once('=').ok_or("a JSON pointer without =value")?;
        Ok(Self::Json { pointer: pointer.to_owned(), value: value.to_owned() })
    }

    fn holds(&self, body: &[u8]) -> bool {
        match self {
            Self::Text(text) => String::from_utf8_lossy(body).contains(text),
            Self::Json { pointer, value } => {
                json(body).ok().as_ref().and_then(|answer| answer.pointer(pointer)).is_some_and(|found| match found {
                    Value::String(found) => found == value,
                    Value::Null | Value::Bool(_) | Value::Number(_) => {
                        let found = found.to_string();
                        found == *value
                    }
                    Value::Array(_) | Value::Object(_) => false,
                })
            }
        }
    }

    /// Whether whatever holds this holds the other as well.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(text), Self::Text(other)) => text.contains(other),
            (one, other) => one == other,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Json { pointer, value } => format!("{pointer}={value}"),
        }
    }
}

/// Path and query beneath the host.
pub(crate) fn path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("it does not begin with a slash".to_owned());
    }
    if text.contains('#') || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("it holds a character that has to be percent-encoded".to_owned());
    }
    let plain = text.replace(SECONDS, "0");
    if plain.contains(['{', '}', '"', '<', '>', '\\', '^', '`', '|']) {
        return Err(format!("of braces it may hold {SECONDS} alone, and other such characters percent-encoded"));
    }
    Ok(text.to_owned())
}

impl Plain {
    /// All that the device needs, without a password.
    pub(crate) fn details(&self) -> BTreeMap<String, String> {
        let pairs = [
            (ON, self.on.clone()),
            (OFF, self.off.clone()),
            (STATE, self.state.clone()),
            (STATE_ON, self.state_on.text()),
            (STATE_OFF, self.state_off.text()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    pub(crate) fn from_details(details: &BTreeMap<String, String>) -> Result<Self, String> {
        let find = |name: &str| details.get(name).ok_or_else(|| format!("the saved plug has no `{name}`"));
        Ok(Self {
            on: path(find(ON)?)?,
            off: path(find(OFF)?)?,
            state: path(find(STATE)?)?,
            state_on: Mark::parse(find(STATE_ON)?)?,
            state_off: Mark::parse(find(STATE_OFF)?)?,
        })
    }

    pub(crate) fn has_timer(&self) -> bool {
        self.off.contains(SECONDS)
    }
}

#[async_trait]
impl Device for Plain {
    fn scheme(&self) -> Scheme {
        Scheme::Basic
    }

    /// It has no name that could be asked for. That it tells its state as described has to do.
    async fn identify(&self, session: &mut Session) -> Result<Option<String>, Failure> {
        self.look(session).await.map(|_| None)
    }

    async fn off(&self, session: &mut Session, seconds: u16) -> Result<(), Failure> {
        session.get(&self.off.replace(SECONDS, &seconds.to_string())).await.map(drop)
    }

    async fn on(&self, session: &mut Session) -> Result<(), Failure> {
        session.get(&self.on).await.map(drop)
    }

    async fn look(&self, session: &mut Session) -> Result<State, Failure> {
        let body = session.get(&self.state).await?;
        let on = match (self.state_on.holds(&body), self.state_off.holds(&body)) {
            (true, false) => true,
            (false, true) => false,
            (false, false) => {
                return Err(Failure::Answer("one that DDNS_PLUG_STATE_ON or DDNS_PLUG_STATE_OFF describes"));
            }
            (true, true) => {
                return Err(Failure::Answer("clear: DDNS_PLUG_STATE_ON and DDNS_PLUG_STATE_OFF both describe it"));
            }
        };
        Ok(State { on, timer: Timer::Untold })
    }
}
