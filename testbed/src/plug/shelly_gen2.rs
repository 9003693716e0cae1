use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Plug, PlugSetup,
    digest::Guard,
    is_a_plug,
    outlet::{Outlet, Shared},
    server::{Model, Reply, Request},
};
use crate::Namespace;

/// A Shelly Plug S of the third generation, which speaks like all since the second.
pub struct ShellyGen2(Plug);

is_a_plug!(ShellyGen2);

impl ShellyGen2 {
    /// Starts one on `address`, inside the namespace if there is one; port 0 is any free one.
    pub fn start(place: (Option<&Namespace>, SocketAddr), setup: PlugSetup) -> Result<Self> {
        Self::with_nonces_for(place, setup, u32::MAX)
    }

    /// The same; a nonce is stale after so many requests with it.
    pub fn with_nonces_for(place: (Option<&Namespace>, SocketAddr), setup: PlugSetup, requests: u32) -> Result<Self> {
        Plug::start(place, setup, Gen2 { guard: Guard::new(requests) }).map(Self)
    }
}

struct Gen2 {
    guard: Guard,
}

fn name(outlet: &Outlet) -> String {
    format!("shellyplugsg3-{}", outlet.mac.to_ascii_lowercase())
}

fn info(outlet: &Outlet) -> Value {
    let domain = outlet.password.as_ref().map(|_| name(outlet));
    json!({
        "name": null, "id": name(outlet), "mac": outlet.mac, "slot": 0, "model": "S3PL-00112EU", "gen": 3,
        "fw_id": "20250508-110823/1.6.2-gc8a76e2", "ver": "1.6.2", "app": "PlugSG3",
        "auth_en": domain.is_some(), "auth_domain": domain,
    })
}

fn status(outlet: &Outlet) -> Value {
    let mut status = json!({"id": 0, "source": "HTTP_in", "output": outlet.told(), "apower": 0.0, "voltage": 230.1});
    if let Some(timer) = outlet.timer() {
        status["timer_started_at"] = json!(timer.started_at());
        status["timer_duration"] = json!(timer.length);
    }
    status
}

impl Model for Gen2 {
    fn answer(&mut self, shared: &Arc<Shared>, request: &Request) -> Reply {
        if matches!(request.path(), "/shelly" | "/rpc/Shelly.GetDeviceInfo") {
            return shared.with(|outlet| Reply::json(200, &info(outlet)));
        }
        let refused = shared.with(|outlet| {
            let password = outlet.password.clone()?;
            self.guard.refusal(&name(outlet), &password, request)
        });
        if let Some(challenge) = refused {
            return Reply::unauthorized(challenge);
        }
        let fails = |code: i32, message: &str| Reply::json(500, &json!({"code": code, "message": message}));
        match request.path() {
            "/rpc/Switch.Set" | "/rpc/Switch.GetStatus" if request.parameter("id").as_deref() != Some("0") => {
                fails(-105, "Argument 'id', value not found!")
            }
            "/rpc/Switch.GetStatus" => shared.with(|outlet| Reply::json(200, &status(outlet))),
            "/rpc/Switch.Set" => {
                let on = match request.parameter("on").as_deref() {
                    Some("true") => true,
                    Some("false") => false,
                    _ => return fails(-103, "Missing required argument 'on'!"),
                };
                let was_on = shared.with(|outlet| {
                    let was_on = outlet.on;
                    outlet.disarm();
                    outlet.switch(on);
                    was_on
                });
                if let Some(seconds) = request.parameter("toggle_after").and_then(|text| text.parse().ok()) {
                    shared.arm(seconds, Some(!on));
                }
                Reply::json(200, &json!({"was_on": was_on}))
            }
            _ => Reply::json(404, &json!({"code": 404, "message": "No handler"})),
        }
    }
}
