use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use data_encoding::BASE64;
use serde_json::json;

use super::{
    Plug, PlugSetup, is_a_plug,
    outlet::{Outlet, Shared},
    server::{Model, Reply, Request},
};
use crate::Namespace;

/// A Shelly Plug S of the first generation.
pub struct ShellyGen1(Plug);

is_a_plug!(ShellyGen1);

impl ShellyGen1 {
    /// Starts one on `address`, inside the namespace if there is one; port 0 is any free one.
    pub fn start(place: (Option<&Namespace>, SocketAddr), setup: PlugSetup) -> Result<Self> {
        Plug::start(place, setup, Gen1).map(Self)
    }
}

struct Gen1;

/// The user `admin` with the outlet's password (RFC 7617), or nobody if it has none.
pub(super) fn basic(outlet: &Outlet, request: &Request) -> bool {
    let expected = |password: &String| format!("Basic {}", BASE64.encode(format!("admin:{password}").as_bytes()));
    outlet.password.as_ref().is_none_or(|password| request.authorization == expected(password))
}

impl Model for Gen1 {
    fn answer(&mut self, shared: &Arc<Shared>, request: &Request) -> Reply {
        if request.path() == "/shelly" {
            return shared.with(|outlet| {
                let auth = outlet.password.is_some();
                let body = json!({"type": "SHPLG-S", "mac": outlet.mac, "auth": auth, "fw": "20230913-113421/v1.14.0-gcb84623",
                                  "discoverable": false, "num_outputs": 1, "num_meters": 1});
                Reply::json(200, &body)
            });
        }
        if !shared.with(|outlet| basic(outlet, request)) {
            return Reply::unauthorized("Basic realm=\"shellyplug-s\"".to_owned());
        }
        if request.path() != "/relay/0" {
            return Reply::json(404, &json!("Not Found"));
        }
        let turn = request.parameter("turn");
        if let Some(turn) = turn {
            let on = shared.with(|outlet| {
                let on = if turn == "toggle" { !outlet.on } else { turn == "on" };
                outlet.disarm();
                outlet.switch(on);
                on
            });
            if let Some(seconds) = request.parameter("timer").and_then(|text| text.parse().ok()) {
                shared.arm(seconds, Some(!on));
            }
        }
        shared.with(|outlet| Reply::json(200, &relay(outlet)))
    }
}

fn relay(outlet: &Outlet) -> serde_json::Value {
    let timer = outlet.timer();
    json!({
        "ison": outlet.told(),
        "has_timer": timer.is_some(),
        "timer_started": timer.map_or(0.0, |timer| timer.started_at().floor()),
        "timer_duration": timer.map_or(0, |timer| timer.length),
        "timer_remaining": timer.map_or(0, |timer| timer.left().max(1)),
        "overpower": false,
        "source": "http",
    })
}
