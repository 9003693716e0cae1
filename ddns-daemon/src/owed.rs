//! Power that an earlier process owes the router, where the configuration is wrong and nothing else can be done.

use std::sync::Arc;
use std::time::Duration;

use ddns_core::ports::{PlugError, PlugOrder, PlugReport, PowerSwitch, PowerSwitches};
use ddns_core::recovery::LANDS_WITHIN;
use ddns_core::state::Intent;
use ddns_slots::Slots;
use tokio::time::sleep;

use crate::wiring;

/// Between attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Switches on what an intent on disk names, and comes back when it is certainly on. The intent stays for the next start,
/// which makes sure of it once more.
pub(crate) fn give_back(plugs: Option<&Arc<dyn PowerSwitches>>) {
    let Some(intent) = intent() else { return };
    let Some(plugs) = plugs else { return };
    let endpoint = &intent.plug.endpoint;
    eprintln!("ddnsd: the router was being power-cycled when ddnsd ended: switching on the plug at {endpoint}");
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return eprintln!("ddnsd: error: switch it on by hand: the runtime can't start: {error}"),
    };
    runtime.block_on(async {
        let switch = plugs.open(&intent.plug);
        switch_on(&*switch, &intent).await;
        eprintln!("ddnsd: the plug is on; ddnsd ends when no earlier order can arrive any more");
        sleep(LANDS_WITHIN).await;
        switch_on(&*switch, &intent).await;
    });
}

/// What is on disk, if no other process is at work there.
fn intent() -> Option<Intent> {
    let directory = ddns_slots::directory(&mut wiring::settings(std::env::vars_os()))?;
    let mut slots = Slots::new(directory);
    slots.take().ok()?;
    let newest = slots.find().ok()?.only_whole().ok()??;
    newest.state.recovery().intent().cloned()
}

async fn switch_on(switch: &dyn PowerSwitch, intent: &Intent) {
    let mut pause = FIRST_PAUSE;
    loop {
        match ours(switch, intent).await {
            Ok(PlugReport { on: true, .. }) => return,
            Ok(_) => eprintln!("ddnsd: error: the plug says that it is off still"),
            Err(what) => eprintln!("ddnsd: error: {what}"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Switches on, unless another device answers in the plug's place.
async fn ours(switch: &dyn PowerSwitch, intent: &Intent) -> Result<PlugReport, String> {
    let said = |error: PlugError| ddns_core::error_chain(&error);
    if let Ok(PlugReport { device: Some(found), .. }) = switch.carry_out(PlugOrder::Look).await
        && let Some(known) = intent.device.as_ref().filter(|known| **known != found)
    {
        return Err(format!("{found} answers in the place of the plug {known}"));
    }
    switch.carry_out(PlugOrder::On).await.map_err(said)
}
