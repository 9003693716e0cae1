use std::sync::Arc;

use ddns_core::config::{Endpoint, Kind, Settings, Variable};
use ddns_core::ports::DnsProvider;
use ddns_core::registry::{Factory, Parts};
use secrecy::SecretString;

use crate::Dyndns2;
use crate::preset::{Domain, Login, PLAIN, PRESETS, Preset};

pub(crate) const NAME: &str = "dyndns2";

/// The service.
pub const PRESET: Variable = Variable {
    name: "DDNS_PROVIDER_PRESET",
    kind: Kind::Optional { format: "desec, duckdns, dyn, he, infomaniak, namecheap, noip, ovh or strato" },
    help: "dyndns2: the service. Without it, one that follows the protocol, at `DDNS_PROVIDER_API_URL`.",
};
/// The service's URL.
pub const API_URL: Variable = Variable {
    name: "DDNS_PROVIDER_API_URL",
    kind: Kind::Optional { format: "an https:// URL, such as https://example.com/nic/update" },
    help: "dyndns2: the URL of updates, path included, in place of the preset's.",
};
/// The user.
pub const USERNAME: Variable = Variable {
    name: "DDNS_PROVIDER_USERNAME",
    kind: Kind::Required { format: "a user's name" },
    help: "dyndns2: the name that the service gave; some take the name of the host, and Namecheap the domain. DuckDNS has \
           none.",
};
/// The user's password.
pub const PASSWORD: Variable = Variable {
    name: "DDNS_PROVIDER_PASSWORD",
    kind: Kind::Secret,
    help: "dyndns2: the password, or the key for updates. Better in a file: `DDNS_PROVIDER_PASSWORD_FILE`, or systemd's \
           `LoadCredential=ddns_provider_password:PATH`.",
};

/// Makes [`Dyndns2`].
pub struct Dyndns2Factory;

impl Factory<dyn DnsProvider> for Dyndns2Factory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn variables(&self) -> &'static [Variable] {
        &[PRESET, API_URL, USERNAME, PASSWORD]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn DnsProvider>> {
        let preset = match settings.text(&PRESET) {
            Some(_) => settings.parsed(&PRESET, parse_preset),
            None => Some(PLAIN),
        };
        let url = match settings.text(&API_URL) {
            Some(_) => settings.parsed(&API_URL, Endpoint::parse),
            None => match preset {
                Some(PLAIN) => {
                    settings.problem(&API_URL, "not set, and no preset is chosen", "set it or DDNS_PROVIDER_PRESET");
                    None
                }
                Some(preset) => Endpoint::parse(preset.url).ok(),
                None => None,
            },
        };
        if url.as_ref().is_some_and(|url| !url.secure) {
            settings.warn(&API_URL, "plain http:// sends the password in the clear", "use https://");
        }
        let user = match preset {
            Some(Preset { login: Login::Parameter(_), domain: Domain::Is(_), .. }) => without_user(settings),
            _ => settings.parsed(&USERNAME, parse_user),
        };
        let password = settings.secret_as(&PASSWORD, "put in the password of the service, alone", parse_password);
        let transport = (parts.transports)(&with_path(url?));
        Some(Arc::new(Dyndns2::new(transport, user?, password?, preset?)))
    }
}

/// A request has at least a slash for its path.
pub(crate) fn with_path(url: Endpoint) -> Endpoint {
    if url.path.is_empty() { Endpoint { path: "/".to_owned(), ..url } } else { url }
}

fn parse_preset(text: &str) -> Result<Preset, String> {
    let found = PRESETS.into_iter().find(|preset| preset.name == text);
    found.ok_or_else(|| "no such preset".to_owned())
}

/// A token says who asks.
fn without_user(settings: &mut Settings<'_>) -> Option<String> {
    let optional = Variable { kind: Kind::Optional { format: "a user's name" }, ..USERNAME };
    if settings.text(&optional).is_some() {
        settings.problem(&optional, "this service has no user's name; its token is the password", "unset it");
        return None;
    }
    Some(String::new())
}

/// RFC 7617 §2: a colon would end it.
fn parse_user(text: &str) -> Result<String, String> {
    if text.contains(':') || text.chars().any(char::is_control) {
        return Err("a user's name holds no colon and no control character".to_owned());
    }
    Ok(text.to_owned())
}

/// People choose passwords: any will do that can be sent.
fn parse_password(text: &str) -> Result<SecretString, String> {
    if text.chars().any(char::is_control) {
        return Err("it holds control characters, or more than one line".to_owned());
    }
    Ok(SecretString::from(text))
}
