//! Tasmota's commands over HTTP.
//!
//! The timer is a countdown with a rule (`RuleTimer8`, `Rule3`) and not `Backlog … Delay …`: the firmware ends a delay with
//! the next command that it gets, a question for its state included.

use async_trait::async_trait;
use serde_json::Value;

use crate::mac;
use crate::session::{Failure, Scheme, Session, encoded, json};
use crate::switch::{Device, State, Timer};

/// The rule by which the device switches itself on.
const RULE: &str = "ON Rules#Timer=8 DO Power1 1 ENDON";
/// A countdown is told in whole seconds, rounded down: a shorter one could not be told from one that is over.
const SHORTEST: u16 = 3;

/// A device with Tasmota, its first relay.
pub(crate) struct Tasmota;

async fn ask(session: &mut Session, command: &str) -> Result<Value, Failure> {
    let answer = json(&session.get(&format!("/cm?cmnd={}", encoded(command))).await?)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    // Older firmware says so with status 200. The rest of the sentence is in the language of the firmware.
    if text("WARNING").is_some_and(|warning| warning.contains("user=") && warning.contains("password=")) {
        return Err(session.unauthorized());
    }
    if text("Command").is_some() {
        let what = "the firmware lacks a command; install its standard build, which knows rules and timers";
        return Err(Failure::Unfit(what.to_owned()));
    }
    Ok(answer)
}

/// A device with several relays numbers them.
fn power(answer: &Value) -> Result<bool, Failure> {
    let states = ["POWER", "POWER1"].map(|name| answer.get(name).and_then(Value::as_str));
    match states {
        [Some("ON"), None | Some("ON")] | [None, Some("ON")] => Ok(true),
        [Some("OFF"), None | Some("OFF")] | [None, Some("OFF")] => Ok(false),
        _ => Err(Failure::Answer("ON or OFF; has StateText been changed?")),
    }
}

fn left(answer: &Value) -> Result<f64, Failure> {
    answer.get("T8").and_then(Value::as_f64).ok_or(Failure::Answer("that of a countdown"))
}

/// What stands in the rule, and whether it is obeyed each time. The form depends on the version.
fn rule(answer: &Value) -> Result<(String, bool), Failure> {
    let wrong = || Failure::Answer("that of a rule");
    let rule = answer.get("Rule3").ok_or_else(wrong)?;
    let (state, holder) = if rule.is_object() { (rule.get("State"), rule) } else { (Some(rule), answer) };
    let is = |value: Option<&Value>, wanted: &str| value.and_then(Value::as_str) == Some(wanted);
    let text = holder.get("Rules").and_then(Value::as_str).ok_or_else(wrong)?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((text, is(state, "ON") && is(holder.get("Once"), "OFF")))
}

#[async_trait]
impl Device for Tasmota {
    fn scheme(&self) -> Scheme {
        Scheme::Query
    }

    async fn identify(&self, session: &mut Session) -> Result<Option<String>, Failure> {
        let answer = ask(session, "Status 5").await?;
        let mac = answer.pointer("/StatusNET/Mac").and_then(Value::as_str).and_then(|text| mac::parse(text).ok());
        mac.map(Some).ok_or(Failure::Answer("that of Tasmota to `Status 5`"))
    }

    /// The countdown runs before the power goes off: nothing that happens from then on leaves it off.
    async fn prepare(&self, session: &mut Session, seconds: u16) -> Result<u16, Failure> {
        let (text, obeyed) = rule(&ask(session, "Rule3").await?)?;
        let ours = text.eq_ignore_ascii_case(RULE);
        if !ours && !text.is_empty() {
            let what = "its Rule3 holds something else; move that to Rule1 or Rule2, for ddnsd needs it for the timer";
            return Err(Failure::Unfit(what.to_owned()));
        }
        if !ours {
            ask(session, &format!("Rule3 {RULE}")).await?;
        }
        if !ours || !obeyed {
            ask(session, "Rule3 4").await?;
            let (text, obeyed) = rule(&ask(session, "Rule3 1").await?)?;
            if !text.eq_ignore_ascii_case(RULE) || !obeyed {
                return Err(Failure::Unfit("it does not keep the rule that would switch it on again".to_owned()));
            }
        }
        let seconds = seconds.max(SHORTEST);
        let left = left(&ask(session, &format!("RuleTimer8 {seconds}")).await?)?;
        if left < 1.0 || left > f64::from(seconds) {
            return Err(Failure::Unfit("its countdown does not start, so that it would stay off".to_owned()));
        }
        Ok(seconds)
    }

    async fn off(&self, session: &mut Session, _seconds: u16) -> Result<(), Failure> {
        ask(session, "Power1 0").await.map(drop)
    }

    async fn on(&self, session: &mut Session) -> Result<(), Failure> {
        ask(session, "Power1 1").await.map(drop)
    }

    /// The countdown only ever switches it on, and so says nothing of a device that is.
    async fn look(&self, session: &mut Session) -> Result<State, Failure> {
        if power(&ask(session, "Power1").await?)? {
            return Ok(State { on: true, timer: Timer::Untold });
        }
        let left = left(&ask(session, "RuleTimer8").await?)?;
        let timer = if left > 0.0 { Timer::Runs(left) } else { Timer::Stopped };
        Ok(State { on: false, timer })
    }
}
