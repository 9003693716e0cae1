use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Plug, PlugSetup, is_a_plug,
    outlet::Shared,
    server::{Model, Reply, Request},
};
use crate::Namespace;

/// A plug with the firmware Tasmota: one relay, one rule, one countdown.
pub struct Tasmota(Plug);

is_a_plug!(Tasmota);

impl Tasmota {
    /// Starts one on `address`, inside the namespace if there is one; port 0 is any free one.
    pub fn start(place: (Option<&Namespace>, SocketAddr), setup: PlugSetup) -> Result<Self> {
        Self::with_rule(place, setup, "")
    }

    /// The same with something in its `Rule3`.
    pub fn with_rule(place: (Option<&Namespace>, SocketAddr), setup: PlugSetup, rule: &str) -> Result<Self> {
        Plug::start(place, setup, Firmware { rule: rule.to_owned(), obeyed: false }).map(Self)
    }
}

struct Firmware {
    rule: String,
    obeyed: bool,
}

fn on_or_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

fn mac_with_colons(mac: &str) -> String {
    let pairs: Vec<&str> = (0..mac.len()).step_by(2).filter_map(|at| mac.get(at..at + 2)).collect();
    pairs.join(":")
}

impl Model for Firmware {
    fn answer(&mut self, shared: &Arc<Shared>, request: &Request) -> Reply {
        if request.path() != "/cm" {
            return Reply::json(404, &json!("File Not Found"));
        }
        let password = shared.with(|outlet| outlet.password.clone());
        let told = (request.parameter("user"), request.parameter("password"));
        if password.is_some_and(|password| told != (Some("admin".to_owned()), Some(password))) {
            return Reply::json(200, &json!({"WARNING": "Need user=<username>&password=<password>"}));
        }
        let command = request.parameter("cmnd").unwrap_or_default();
        let (name, rest) = command.split_once(' ').unwrap_or((&command, ""));
        Reply::json(200, &self.obey(shared, &name.to_ascii_lowercase(), rest))
    }
}

impl Firmware {
    fn obey(&mut self, shared: &Arc<Shared>, name: &str, rest: &str) -> Value {
        match name {
            "power" | "power1" => shared.with(|outlet| {
                match rest.to_ascii_lowercase().as_str() {
                    "0" | "off" => outlet.switch(false),
                    "1" | "on" => outlet.switch(true),
                    "2" | "toggle" => outlet.switch(!outlet.on),
                    _ => {}
                }
                json!({"POWER": on_or_off(outlet.told())})
            }),
            "status" if rest == "5" => shared.with(|outlet| {
                let mac = mac_with_colons(&outlet.mac);
                json!({"StatusNET": {"Hostname": "tasmota-B12345-0837", "IPAddress": "192.0.2.9", "Mac": mac, "Webserver": 2}})
            }),
            "rule3" => {
                match rest {
                    "" | "4" => {}
                    "0" | "1" => self.obeyed = rest == "1",
                    rule => rule.clone_into(&mut self.rule),
                }
                json!({"Rule3": {"State": on_or_off(self.obeyed), "Once": "OFF", "StopOnError": "OFF",
                                 "Length": self.rule.len(), "Free": 511 - self.rule.len(), "Rules": self.rule}})
            }
            "ruletimer8" => {
                if let Ok(seconds) = rest.parse::<u64>() {
                    shared.with(|outlet| outlet.disarm());
                    if seconds > 0 {
                        let obeys = self.obeyed && self.rule == "ON Rules#Timer=8 DO Power1 1 ENDON";
                        shared.arm(seconds, obeys.then_some(true));
                    }
                }
                let left = shared.with(|outlet| outlet.timer().map_or(0, |timer| timer.left()));
                json!({"T1": 0, "T2": 0, "T3": 0, "T4": 0, "T5": 0, "T6": 0, "T7": 0, "T8": left})
            }
            _ => json!({"Command": "Unknown"}),
        }
    }
}
