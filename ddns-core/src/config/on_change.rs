use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Endpoint, Kind, Settings, Variable};

/// The program that is run after a verified change.
pub const ON_CHANGE: Variable = Variable {
    name: "DDNS_ON_CHANGE",
    kind: Kind::Optional { format: "the absolute path of a program" },
    help: "Run after each verified change of a record, without arguments and without a shell; what it is told stands in \
           its environment. See [WireGuard and hooks](wireguard.md).",
};
/// The URL that is told of a verified change. Such URLs hold the right to call them.
pub const ON_CHANGE_URL: Variable = Variable {
    name: "DDNS_ON_CHANGE_URL",
    kind: Kind::OptionalSecret,
    help: "A URL that each verified change of a record is posted to, as JSON. It counts as a secret, since many services \
           put the right to call them there. Best in a file: `DDNS_ON_CHANGE_URL_FILE`, or systemd's \
           `LoadCredential=ddns_on_change_url:PATH`.",
};
const ON_CHANGE_TIMEOUT_SECS: Variable = Variable {
    name: "DDNS_ON_CHANGE_TIMEOUT_SECS",
    kind: Kind::Number { min: 1, max: 600, default: 30 },
    help: "The time after which `DDNS_ON_CHANGE`, with all that it started, is killed and `DDNS_ON_CHANGE_URL` given up.",
};

pub(super) const VARIABLES: [Variable; 3] = [ON_CHANGE, ON_CHANGE_URL, ON_CHANGE_TIMEOUT_SECS];

/// Who is told of a verified change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnChange {
    /// A program to run.
    pub program: Option<PathBuf>,
    /// A URL to post to.
    pub url: Option<Endpoint>,
    /// The time for each.
    pub limit: Duration,
}

impl OnChange {
    pub(super) fn read(settings: &mut Settings<'_>) -> Self {
        let program = settings.parsed(&ON_CHANGE, |text| match Path::new(text) {
            path if path.is_absolute() => Ok(path.to_owned()),
            _ => Err("not an absolute path; there is no search path and no shell".to_owned()),
        });
        let url =
            settings.optional_secret_as(&ON_CHANGE_URL, "put in a URL that begins with https://", Endpoint::parse);
        if url.as_ref().is_some_and(|url| !url.secure) {
            settings.warn(&ON_CHANGE_URL, "plain http:// can be read and changed on its way", "use https://");
        }
        Self { program, url, limit: Duration::from_secs(settings.number(&ON_CHANGE_TIMEOUT_SECS)) }
    }
}
