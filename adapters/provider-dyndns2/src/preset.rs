/// What a service does in its own way; all else is the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) url: &'static str,
    /// The query for A and for AAAA; an empty one says that the service keeps no such record. `{host}` is the whole name,
    /// `{label}` its part before the domain (`@` if there is none), `{domain}` the domain, `{address}` the address.
    pub(crate) query: [&'static str; 2],
    pub(crate) domain: Domain,
    pub(crate) login: Login,
    pub(crate) answers: Answers,
}

/// What the names of hosts end with, for a service that wants them without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Domain {
    /// The service wants whole names.
    Whole,
    /// Always the same.
    Is(&'static str),
    /// The user's name is the domain.
    IsTheUser,
}

/// How the service is told who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Login {
    /// User and password (RFC 7617).
    Basic,
    /// The password alone, as this parameter of the query.
    Parameter(&'static str),
}

/// What the service answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answers {
    /// The words of the protocol.
    Words,
    /// A text that holds one of these.
    Texts { done: &'static str, refused: &'static str },
}

const WORDS: &str = "hostname={host}&myip={address}";

/// For a service without a row.
pub(crate) const PLAIN: Preset = Preset {
    name: "",
    url: "",
    query: [WORDS, WORDS],
    domain: Domain::Whole,
    login: Login::Basic,
    answers: Answers::Words,
};

const OVH: &str = "system=dyndns&hostname={host}&myip={address}";

pub(crate) const PRESETS: [Preset; 9] = [
    // A family that is left out would go.
    Preset {
        name: "desec",
        url: "https://update.dedyn.io/nic/update",
        query: ["hostname={host}&myip={address}&myipv6=preserve", "hostname={host}&myip=preserve&myipv6={address}"],
        ..PLAIN
    },
    // `ip` takes an address of either family, and leaves the other as it is.
    Preset {
        name: "duckdns",
        url: "https://www.duckdns.org/update",
        query: ["domains={label}&ip={address}"; 2],
        domain: Domain::Is("duckdns.org"),
        login: Login::Parameter("token"),
        answers: Answers::Texts { done: "OK", refused: "KO" },
    },
    Preset { name: "dyn", url: "https://members.dyndns.org/nic/update", ..PLAIN },
    Preset { name: "he", url: "https://dyn.dns.he.net/nic/update", ..PLAIN },
    Preset { name: "infomaniak", url: "https://infomaniak.com/nic/update", ..PLAIN },
    Preset {
        name: "namecheap",
        url: "https://dynamicdns.park-your-domain.com/update",
        query: ["host={label}&domain={domain}&ip={address}", ""],
        domain: Domain::IsTheUser,
        login: Login::Parameter("password"),
        answers: Answers::Texts { done: "<ErrCount>0</ErrCount>", refused: "<ErrCount>" },
    },
    Preset { name: "noip", url: "https://dynupdate.no-ip.com/nic/update", ..PLAIN },
    Preset { name: "ovh", url: "https://dns.eu.ovhapis.com/nic/update", query: [OVH, OVH], ..PLAIN },
    Preset { name: "strato", url: "https://dyndns.strato.com/nic/update", ..PLAIN },
];
