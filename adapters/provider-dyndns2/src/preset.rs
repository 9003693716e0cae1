/// What a service does in its own way; all else is the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) url: &'static str,
    /// What stands before the parameters of the protocol.
    pub(crate) first: &'static str,
    pub(crate) addresses: Addresses,
}

/// How the query names an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Addresses {
    /// `myip`, of either family; the other family stays as it is.
    Myip,
    /// `myip` and `myipv6`, and a family that is left out goes unless it says `preserve`.
    PreserveTheOther,
}

/// For a service without a row.
pub(crate) const PLAIN: Preset = Preset { name: "", url: "", first: "", addresses: Addresses::Myip };

pub(crate) const PRESETS: [Preset; 7] = [
    Preset {
        name: "desec",
        url: "https://update.dedyn.io/nic/update",
        addresses: Addresses::PreserveTheOther,
        ..PLAIN
    },
    Preset { name: "dyn", url: "https://members.dyndns.org/nic/update", ..PLAIN },
    Preset { name: "he", url: "https://dyn.dns.he.net/nic/update", ..PLAIN },
    Preset { name: "infomaniak", url: "https://infomaniak.com/nic/update", ..PLAIN },
    Preset { name: "noip", url: "https://dynupdate.no-ip.com/nic/update", ..PLAIN },
    Preset { name: "ovh", url: "https://dns.eu.ovhapis.com/nic/update", first: "system=dyndns&", ..PLAIN },
    Preset { name: "strato", url: "https://dyndns.strato.com/nic/update", ..PLAIN },
];
