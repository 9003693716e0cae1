use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ddns_core::config::{Endpoint, Kind, Settings, Variable};
use ddns_core::ports::{PlugAddress, PlugChoice, PowerSwitches};
use ddns_core::registry::{Factory, Parts};
use secrecy::SecretString;

use crate::plain::{self, Mark, Plain};
use crate::{DEVICE, Login, Plugs, mac};

/// The kind of device.
pub const KIND: Variable = Variable {
    name: "DDNS_PLUG_KIND",
    kind: Kind::Optional { format: "shelly1, shelly2, tasmota or http" },
    help: "The smart plug that feeds the router. `shelly1`: Shelly of the first generation; `shelly2`: of all later ones; \
           `tasmota`; `http`: anything that is switched by GET requests. See [Recovery](recovery.md).",
};
/// Where it is.
pub const HOST: Variable = Variable {
    name: "DDNS_PLUG_HOST",
    kind: Kind::Optional { format: "host[:port], an IPv6 address in brackets" },
    help: "The plug's address on the LAN. An address is better than a name, which may need the router.",
};
/// The only device that is switched off.
pub const ID: Variable = Variable {
    name: "DDNS_PLUG_ID",
    kind: Kind::Optional { format: "a MAC address" },
    help: "The MAC address of the plug; any other device at its address is refused. Not for `http`.",
};
/// The user.
pub const USER: Variable = Variable {
    name: "DDNS_PLUG_USER",
    kind: Kind::Optional { format: "a user's name" },
    help: "The user that goes with `DDNS_PLUG_PASSWORD`. Without it `admin`, except for `http`.",
};
/// The user's password.
pub const PASSWORD: Variable = Variable {
    name: "DDNS_PLUG_PASSWORD",
    kind: Kind::OptionalSecret,
    help: "The plug's password, if it asks for one. Better in a file: `DDNS_PLUG_PASSWORD_FILE`, or systemd's \
           `LoadCredential=ddns_plug_password:PATH`.",
};
/// `http`: what switches it on.
pub const ON_PATH: Variable = Variable {
    name: "DDNS_PLUG_ON_PATH",
    kind: Kind::Optional { format: "path and query, such as /relay?turn=on" },
    help: "http: what is asked for to switch it on.",
};
/// `http`: what switches it off.
pub const OFF_PATH: Variable = Variable {
    name: "DDNS_PLUG_OFF_PATH",
    kind: Kind::Optional { format: "path and query, such as /relay?turn=off&timer={seconds}" },
    help: "http: what is asked for to switch it off. `{seconds}` says that the device switches itself on again after that \
           time.",
};
/// `http`: what tells its state.
pub const STATE_PATH: Variable = Variable {
    name: "DDNS_PLUG_STATE_PATH",
    kind: Kind::Optional { format: "path and query, such as /relay" },
    help: "http: what is asked for to learn its state.",
};
/// `http`: how on is told.
pub const STATE_ON: Variable = Variable {
    name: "DDNS_PLUG_STATE_ON",
    kind: Kind::Optional { format: "a text, or /json/pointer=value" },
    help: "http: what the answer to `DDNS_PLUG_STATE_PATH` holds when the power is on: a text, or, if it begins with a \
           slash, a place in JSON (RFC 6901) with its value.",
};
/// `http`: how off is told.
pub const STATE_OFF: Variable = Variable {
    name: "DDNS_PLUG_STATE_OFF",
    kind: Kind::Optional { format: "a text, or /json/pointer=value" },
    help: "http: the same for off. An answer that holds neither or both is an error.",
};
/// Whether it is reached while the router is off.
pub const REACHABLE: Variable = Variable {
    name: "DDNS_PLUG_REACHABLE_WITHOUT_ROUTER",
    kind: Kind::Choice { values: &["false", "true"], default: "false" },
    help: "`true`: the plug can be reached while the router is off, by a switch or an access point that it does not feed. \
           A plug without a timer of its own has to be.",
};
/// What hangs on it.
pub const FEEDS: Variable = Variable {
    name: "DDNS_PLUG_FEEDS",
    kind: Kind::Optional { format: "router or router-and-host" },
    help: "What hangs on the plug. With `router-and-host` ddnsd would switch itself off, which is refused.",
};

const ALL: [Variable; 12] =
    [KIND, HOST, ID, USER, PASSWORD, ON_PATH, OFF_PATH, STATE_PATH, STATE_ON, STATE_OFF, REACHABLE, FEEDS];
/// What only `http` knows.
const TEMPLATES: [Variable; 5] = [ON_PATH, OFF_PATH, STATE_PATH, STATE_ON, STATE_OFF];
const ADMIN: &str = "admin";

/// Makes [`Plugs`].
pub struct PlugFactory;

impl Factory<dyn PowerSwitches> for PlugFactory {
    fn name(&self) -> &'static str {
        "plug"
    }

    fn variables(&self) -> &'static [Variable] {
        &ALL
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn PowerSwitches>> {
        let (allowed, transports) = (parts.config.recovery.allowed, Arc::clone(&parts.plug_transports));
        if settings.text(&KIND).is_none() {
            return without(settings, allowed).then(|| Arc::new(Plugs::new(None, None, transports)) as _);
        }
        let kind = settings.parsed(&KIND, parse_kind);
        let host = match settings.text(&HOST) {
            Some(_) => settings.parsed(&HOST, parse_host),
            None => {
                settings.problem(&HOST, "not set", "set it to the plug's address on the LAN");
                None
            }
        };
        let id = id(settings, kind);
        let login = login(settings, kind);
        let feeds = feeds(settings);
        let details = templates(settings, kind);
        let reachable =
            settings.parsed(&REACHABLE, |text| text.parse::<bool>().map_err(|_| "not a known word".to_owned()));
        let (kind, mut details, host, reachable) = (kind?, details?, host?, reachable?);
        let has_timer = kind != "http" || Plain::from_details(&details).is_ok_and(|plain| plain.has_timer());
        if !has_timer && !reachable {
            let reason = "the plug has no timer of its own: if it is reached through the router, it stays off";
            let remedy = "set it to true if the plug is reached without the router, or use one with a timer";
            if allowed {
                settings.problem(&REACHABLE, reason, remedy);
                return None;
            }
            settings.warn(&REACHABLE, reason, remedy);
        }
        details.extend(id?.map(|id| (DEVICE.to_owned(), id)));
        let plug = PlugAddress { kind: kind.to_owned(), endpoint: host.to_string(), details };
        let choice = PlugChoice { plug, has_timer, reachable_without_router: reachable };
        let login = login?;
        feeds.then(|| Arc::new(Plugs::new(Some(choice), login, transports)) as _)
    }
}

/// Without a plug there is nothing to switch, and nothing to say of it. Whether that is so.
fn without(settings: &mut Settings<'_>, allowed: bool) -> bool {
    let mut fine = !allowed;
    if allowed {
        let remedy = "name the plug that feeds the router, or unset DDNS_ALLOW_PHYSICAL_RECOVERY";
        settings.problem(&KIND, "not set, though power-cycling is allowed", remedy);
    }
    let remedy = "set DDNS_PLUG_KIND as well, or unset this";
    for variable in ALL.iter().filter(|variable| !variable.kind.is_secret() && **variable != KIND) {
        if settings.text(variable).is_some_and(|text| Some(text) != variable.kind.default_text()) {
            settings.problem(variable, "no plug is chosen", remedy);
            fine = false;
        }
    }
    if settings.optional_secret_as(&PASSWORD, remedy, |_| Ok(())).is_some() {
        settings.problem(&PASSWORD, "no plug is chosen", remedy);
        fine = false;
    }
    fine
}

fn parse_kind(text: &str) -> Result<&'static str, String> {
    let kinds = ["shelly1", "shelly2", "tasmota", "http"];
    kinds.into_iter().find(|kind| *kind == text).ok_or_else(|| "not a known kind of plug".to_owned())
}

/// Devices speak plain HTTP on the LAN.
fn parse_host(text: &str) -> Result<Endpoint, String> {
    if text.contains(['/', '?', '#', '@']) || text.chars().any(char::is_whitespace) {
        return Err("not a host alone".to_owned());
    }
    crate::endpoint(&format!("http://{text}"))
}

/// `None` if it is wrong.
fn id(settings: &mut Settings<'_>, kind: Option<&str>) -> Option<Option<String>> {
    if settings.text(&ID).is_none() {
        return Some(None);
    }
    if kind == Some("http") {
        settings.problem(&ID, "a plug of the kind http does not tell its MAC address", "unset it");
        return None;
    }
    settings.parsed(&ID, mac::parse).map(Some)
}

/// `None` if it is wrong.
fn login(settings: &mut Settings<'_>, kind: Option<&str>) -> Option<Option<Login>> {
    let refused = Cell::new(false);
    let password = settings.optional_secret_as(&PASSWORD, "put in the password of the plug, alone", |text| {
        if text.chars().any(char::is_control) {
            refused.set(true);
            return Err("it holds control characters, or more than one line".to_owned());
        }
        Ok(SecretString::from(text))
    });
    let given = settings.text(&USER).is_some();
    let user = if given { settings.parsed(&USER, parse_user)? } else { ADMIN.to_owned() };
    let wrong = match kind {
        _ if refused.get() => return None,
        Some("shelly2") if user != ADMIN => Some(("the user of such a Shelly is always admin", "unset it")),
        Some("http") if !given && password.is_some() => Some(("not set, but a password is", "set it")),
        _ if given && password.is_none() => {
            Some(("there is no password for it", "set DDNS_PLUG_PASSWORD_FILE, or unset this"))
        }
        _ => None,
    };
    if let Some((reason, remedy)) = wrong {
        settings.problem(&USER, reason, remedy);
        return None;
    }
    Some(password.map(|password| Login { user, password }))
}

/// RFC 7617 §2: a colon would end it.
fn parse_user(text: &str) -> Result<String, String> {
    if text.contains([':', '"', '\\']) || text.chars().any(char::is_control) {
        return Err("a user's name holds no colon, quote, backslash or control character".to_owned());
    }
    Ok(text.to_owned())
}

/// FAULTS 64: who switches himself off switches nothing on again.
fn feeds(settings: &mut Settings<'_>) -> bool {
    let parse = |text: &str| match text {
        "router" => Ok(true),
        "router-and-host" => Ok(false),
        _ => Err("not a known word".to_owned()),
    };
    if settings.text(&FEEDS).is_none() {
        let reason = "not set: if this host hangs on the same plug, ddnsd switches itself off";
        settings.warn(&FEEDS, reason, "set it to router once you have looked");
        return true;
    }
    match settings.parsed(&FEEDS, parse) {
        Some(true) => true,
        Some(false) => {
            let reason = "ddnsd would switch off the host that it runs on";
            settings.problem(&FEEDS, reason, "feed this host from another outlet, and set it to router");
            false
        }
        None => false,
    }
}

/// What `http` needs; `None` if there is something wrong with it.
fn templates(settings: &mut Settings<'_>, kind: Option<&str>) -> Option<BTreeMap<String, String>> {
    if kind != Some("http") {
        let mut fine = true;
        for variable in kind.iter().flat_map(|_| &TEMPLATES) {
            if settings.text(variable).is_some() {
                settings.problem(variable, "only a plug of the kind http has it", "unset it");
                fine = false;
            }
        }
        return fine.then(BTreeMap::new);
    }
    let [on, off, state] = [ON_PATH, OFF_PATH, STATE_PATH].map(|variable| required(settings, &variable, plain::path));
    let [state_on, state_off] = [STATE_ON, STATE_OFF].map(|variable| required(settings, &variable, Mark::parse));
    for (variable, path) in [(ON_PATH, &on), (STATE_PATH, &state)] {
        if path.as_ref().is_some_and(|path| path.contains(plain::SECONDS)) {
            settings.problem(
                &variable,
                "only the path for off takes a time",
                "write {seconds} into DDNS_PLUG_OFF_PATH alone",
            );
            return None;
        }
    }
    let plain = Plain { on: on?, off: off?, state: state?, state_on: state_on?, state_off: state_off? };
    if plain.on == plain.off {
        settings.problem(&OFF_PATH, "it is the path for on as well", "give each its own; a toggle is of no use");
        return None;
    }
    if plain.state_on.implies(&plain.state_off) || plain.state_off.implies(&plain.state_on) {
        settings.problem(
            &STATE_OFF,
            "an answer for one state is one for the other as well",
            "name what tells them apart",
        );
        return None;
    }
    Some(plain.details())
}

fn required<T>(settings: &mut Settings<'_>, variable: &Variable, parse: fn(&str) -> Result<T, String>) -> Option<T> {
    if settings.text(variable).is_none() {
        settings.problem(
            variable,
            "not set, and the kind http needs it",
            &format!("set it to {}", variable.kind.format()),
        );
        return None;
    }
    settings.parsed(variable, parse)
}
