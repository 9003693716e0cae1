use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use serde_json::json;

use super::{
    Plug, PlugSetup, is_a_plug,
    outlet::Shared,
    server::{Model, Reply, Request},
    shelly_gen1::basic,
};
use crate::Namespace;

/// A plug that somebody built: `/on`, `/off`, `/off?after=SECONDS`, and `/state`, which says `{"relay":{"on":true}}`.
pub struct PlainPlug(Plug);

is_a_plug!(PlainPlug);

impl PlainPlug {
    /// Starts one on `address`, inside the namespace if there is one; port 0 is any free one.
    pub fn start(place: (Option<&Namespace>, SocketAddr), setup: PlugSetup) -> Result<Self> {
        Plug::start(place, setup, SelfMade).map(Self)
    }
}

struct SelfMade;

impl Model for SelfMade {
    fn answer(&mut self, shared: &Arc<Shared>, request: &Request) -> Reply {
        if !shared.with(|outlet| basic(outlet, request)) {
            return Reply::unauthorized("Basic realm=\"plug\"".to_owned());
        }
        match request.path() {
            "/state" => {}
            "/on" => shared.with(|outlet| {
                outlet.disarm();
                outlet.switch(true);
            }),
            "/off" => {
                shared.with(|outlet| outlet.switch(false));
                if let Some(seconds) = request.parameter("after").and_then(|text| text.parse().ok()) {
                    shared.arm(seconds, Some(true));
                }
            }
            _ => return Reply::json(404, &json!(null)),
        }
        shared.with(|outlet| Reply::json(200, &json!({"relay": {"on": outlet.told()}})))
    }
}
