//! Shelly: the HTTP API of the first generation, and the RPC over HTTP of all later ones.

use async_trait::async_trait;
use serde_json::Value;

use crate::mac;
use crate::session::{Failure, Scheme, Session, json};
use crate::switch::{Device, State, Timer};

/// Gen1: `/relay/0`, Basic authentication.
pub(crate) struct Gen1;

/// Gen2 and later: `/rpc/Switch.…`, Digest authentication.
pub(crate) struct Gen2;

/// What every Shelly says to anybody. Later generations name theirs in `gen`.
async fn identify(session: &Session, later: bool) -> Result<Option<String>, Failure> {
    let answer = json(&session.open("/shelly").await?)?;
    let generation = answer.get("gen").and_then(Value::as_u64);
    let mac = answer.get("mac").and_then(Value::as_str).and_then(|text| mac::parse(text).ok());
    let mac = mac.ok_or(Failure::Answer("that of a Shelly at /shelly"))?;
    match (generation, later) {
        (None | Some(1), false) if answer.get("type").is_some_and(Value::is_string) => Ok(Some(mac)),
        (Some(2..), true) => Ok(Some(mac)),
        (Some(2..), false) => {
            Err(Failure::Unfit("it is a Shelly of a later generation; set DDNS_PLUG_KIND=shelly2".to_owned()))
        }
        (None | Some(1), true) => {
            Err(Failure::Unfit("it is a Shelly of the first generation; set DDNS_PLUG_KIND=shelly1".to_owned()))
        }
        _ => Err(Failure::Answer("that of a Shelly at /shelly")),
    }
}

fn seconds(answer: &Value, name: &str) -> Option<f64> {
    answer.get(name).and_then(Value::as_f64)
}

#[async_trait]
impl Device for Gen1 {
    fn scheme(&self) -> Scheme {
        Scheme::Basic
    }

    async fn identify(&self, session: &mut Session) -> Result<Option<String>, Failure> {
        identify(session, false).await
    }

    async fn off(&self, session: &mut Session, seconds: u16) -> Result<(), Failure> {
        session.get(&format!("/relay/0?turn=off&timer={seconds}")).await.map(drop)
    }

    async fn on(&self, session: &mut Session) -> Result<(), Failure> {
        session.get("/relay/0?turn=on").await.map(drop)
    }

    async fn look(&self, session: &mut Session) -> Result<State, Failure> {
        let answer = session.json("/relay/0").await?;
        let on = answer.get("ison").and_then(Value::as_bool).ok_or(Failure::Answer("a relay's state"))?;
        let left = seconds(&answer, "timer_remaining").filter(|left| *left > 0.0);
        let timer = match (answer.get("has_timer").and_then(Value::as_bool), left) {
            (Some(true), Some(left)) => Timer::Runs(left),
            _ => Timer::Stopped,
        };
        Ok(State { on, timer })
    }
}

#[async_trait]
impl Device for Gen2 {
    fn scheme(&self) -> Scheme {
        Scheme::Digest
    }

    async fn identify(&self, session: &mut Session) -> Result<Option<String>, Failure> {
        identify(session, true).await
    }

    async fn off(&self, session: &mut Session, seconds: u16) -> Result<(), Failure> {
        session.get(&format!("/rpc/Switch.Set?id=0&on=false&toggle_after={seconds}")).await.map(drop)
    }

    async fn on(&self, session: &mut Session) -> Result<(), Failure> {
        session.get("/rpc/Switch.Set?id=0&on=true").await.map(drop)
    }

    /// The two fields of the timer are there while it runs. The device tells its start and its whole length.
    async fn look(&self, session: &mut Session) -> Result<State, Failure> {
        let answer = session.json("/rpc/Switch.GetStatus?id=0").await?;
        let on = answer.get("output").and_then(Value::as_bool).ok_or(Failure::Answer("a switch's state"))?;
        let length = seconds(&answer, "timer_duration").filter(|length| *length > 0.0);
        let timer = match (seconds(&answer, "timer_started_at"), length) {
            (Some(_), Some(length)) => Timer::Runs(length),
            _ => Timer::Stopped,
        };
        Ok(State { on, timer })
    }
}
