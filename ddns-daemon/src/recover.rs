//! Recovery, as operators see it.

use std::process::ExitCode;
use std::time::Duration;

use ddns_core::config::RecoveryConfig;
use ddns_core::ports::{PlugChoice, PlugOrder, PlugReport};
use ddns_core::recovery::RecoveryStatus;
use ddns_core::time::Instant;
use serde_json::{Value, json};

use crate::wiring::Wired;
use crate::{RUNTIME, client, wiring};

/// What `/v1/recovery` answers.
pub(crate) fn document(status: &RecoveryStatus, now: Instant) -> Value {
    let secs = |until: Option<Instant>| until.map(|until| until.saturating_since(now).as_secs());
    let why_not = status.why_not.as_ref();
    json!({
        "allowed": status.allowed,
        "phase": status.phase.as_str(),
        "why_not": why_not.map(ToString::to_string),
        "why_not_for_secs": secs(why_not.and_then(|why| why.until())),
        "plug_fails": status.plug_fails.as_ref().map(ToString::to_string),
        "attempts_within_24h": status.attempts,
        "failures_in_a_row": status.failures,
        "limited_for_secs": secs(status.limited_until),
        "power_is_owed": status.intent,
    })
}

/// Says what a running daemon thinks of it, looks at the plug, and says what would be done.
pub(crate) fn dry_run(wired: &Wired) -> ExitCode {
    wiring::print("warning", &wired.warnings);
    let recovery = &wired.config.recovery;
    println!("allowed   {}", if recovery.allowed { "yes" } else { "no: set DDNS_ALLOW_PHYSICAL_RECOVERY=true" });
    match client::ask("/v1/recovery") {
        Ok(document) => println!("now       {}", standing(&document, recovery)),
        Err(error) => println!("now       {error:#}"),
    }
    let Some(choice) = &recovery.plug else {
        println!("plug      none: set DDNS_PLUG_KIND and DDNS_PLUG_HOST");
        return ExitCode::from(RUNTIME);
    };
    let fit = match look(wired, choice) {
        Ok(PlugReport { on, device }) => {
            let device = device.unwrap_or_else(|| "which does not say who it is".to_owned());
            println!(
                "plug      {} at {}: {device}, {}",
                choice.plug.kind,
                choice.plug.endpoint,
                if on { "on" } else { "OFF" }
            );
            on
        }
        Err(error) => {
            println!("plug      {error}");
            false
        }
    };
    println!("would     {}", plan(recovery, choice));
    if fit { ExitCode::SUCCESS } else { ExitCode::from(RUNTIME) }
}

fn standing(document: &Value, recovery: &RecoveryConfig) -> String {
    let phase = document["phase"].as_str().unwrap_or("?");
    let mut said = vec![phase.to_owned()];
    match document["why_not"].as_str() {
        Some(why) => said.push(format!("nothing is done: {why}")),
        None if phase == "watching" => said.push("the line is not dead".to_owned()),
        None => {}
    }
    for (name, text) in [("why_not_for_secs", "that holds for"), ("limited_for_secs", "a further attempt may begin in")]
    {
        said.extend(document[name].as_u64().map(|secs| format!("{text} {secs} s")));
    }
    said.extend(document["plug_fails"].as_str().map(str::to_owned));
    said.push(format!("{} of {} attempts within 24 hours", document["attempts_within_24h"], recovery.max_per_day));
    said.push(format!("{} in a row did not help", document["failures_in_a_row"]));
    if document["power_is_owed"] == true {
        said.push("the plug has to be switched on first of all".to_owned());
    }
    said.join("; ")
}

fn plan(recovery: &RecoveryConfig, choice: &PlugChoice) -> String {
    let secs = |duration: Duration| duration.as_secs();
    let timer = if choice.has_timer { ", with the device's own timer to switch on again" } else { "" };
    format!(
        "after {} s without an answer of any target, with the cable in: write the intent to disk, off{timer}; on after {} s, \
         until it says so; {} s for the line to come back; {} s from one attempt to the next, twice that after each that did \
         not help; at most {} within 24 hours",
        secs(recovery.after),
        secs(recovery.off),
        secs(recovery.settle),
        secs(recovery.cooldown),
        recovery.max_per_day,
    )
}

/// What the plug says of itself.
pub(crate) fn look(wired: &Wired, choice: &PlugChoice) -> Result<PlugReport, String> {
    let plugs = wired.ports.plugs.as_ref().ok_or("this program switches no plugs")?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let switch = plugs.open(&choice.plug);
    runtime.block_on(switch.carry_out(PlugOrder::Look)).map_err(|error| ddns_core::error_chain(&error))
}
