use std::str::FromStr;

use super::{Group, IP_SOURCE_INTERFACE, IP_SOURCE_TYPE, Kind, PROVIDER_TYPE, Settings, Variable};
use crate::record::{RecordKey, RecordName, RecordType};
use crate::suffix::Suffix;

/// A source by its place in [`super::Config::sources`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct SourceId(pub usize);

/// A provider by its place in [`super::Config::providers`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ProviderId(pub usize);

/// A plug-in that some record uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PluginChoice {
    /// Its name for operators: a source's kind, a provider's own name.
    pub name: String,
    /// The variable that tells its kind.
    pub variable: Variable,
    /// The group which that stands in.
    pub group: Option<Group>,
}

/// A record to keep right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordSpec {
    /// Name and type.
    pub key: RecordKey,
    /// Written out with its type: without an address of that family the record is wrong. Of a name without a type one
    /// of the two records is enough.
    pub required: bool,
    /// Where its address comes from.
    pub source: SourceId,
    /// Only addresses of this interface are published.
    pub interface: Option<String>,
    /// The host under the address's prefix that the record is about; `None` for this host.
    pub suffix: Option<Suffix>,
    /// Where the record is kept.
    pub provider: ProviderId,
    /// The time to live to be written, in seconds; `None` leaves it as it is.
    pub ttl: Option<u32>,
}

impl RecordSpec {
    /// This host's address of any interface, from the first source, at the first provider.
    pub fn new(key: RecordKey) -> Self {
        let (source, provider) = (SourceId::default(), ProviderId::default());
        Self { key, required: true, source, interface: None, suffix: None, provider, ttl: None }
    }
}

pub(super) const RECORDS: Variable = Variable {
    name: "DDNS_RECORDS",
    kind: Kind::Optional { format: "a comma list of name[:A|AAAA]" },
    help: "The records to keep right, updated in this order. A bare name stands for A and AAAA, each as soon as the \
           host has an address of its family; `name:A` or `name:AAAA` says that there has to be one. Records that need \
           more than that follow as numbered groups, `DDNS_RECORD_1_NAME` and so on.",
};
pub(super) const NAME: Variable = Variable {
    name: "DDNS_RECORD_<N>_NAME",
    kind: Kind::Required { format: "a name in full, such as vpn.example.com" },
    help: "The name of record N. Numbers give the order, and may have gaps.",
};
pub(super) const TYPE: Variable = Variable {
    name: "DDNS_RECORD_<N>_TYPE",
    kind: Kind::Optional { format: "A or AAAA" },
    help: "Its type. Without it A and AAAA, as for a bare name.",
};
pub(super) const ENABLED: Variable = Variable {
    name: "DDNS_RECORD_<N>_ENABLED",
    kind: Kind::Choice { values: &["true", "false"], default: "true" },
    help: "`false` checks the group, and leaves the record alone.",
};
pub(super) const PROVIDER: Variable = Variable {
    name: "DDNS_RECORD_<N>_PROVIDER",
    kind: Kind::Optional { format: "a provider's name" },
    help: "Where it is kept: the NAME of a `DDNS_PROVIDER_<NAME>_TYPE`. Without it, the provider without a name.",
};
pub(super) const SOURCE: Variable = Variable {
    name: "DDNS_RECORD_<N>_SOURCE",
    kind: Kind::Optional { format: "a kind of source" },
    help: "Where its address comes from. Without it, `DDNS_IP_SOURCE_TYPE`.",
};
pub(super) const INTERFACE: Variable = Variable {
    name: "DDNS_RECORD_<N>_INTERFACE",
    kind: Kind::Optional { format: "an interface's name" },
    help: "Publish addresses of this interface only. Without it, `DDNS_IP_SOURCE_INTERFACE`.",
};
pub(super) const SUFFIX: Variable = Variable {
    name: "DDNS_RECORD_<N>_SUFFIX",
    kind: Kind::Optional { format: "an IPv6 suffix, such as ::5 or ::2:0:0:0:5/56, or a MAC address" },
    help: "The record is about another host of the network: its address is the prefix (of 64 bits, unless given) of this \
           host's address with this suffix. A MAC address stands for its EUI-64 suffix (RFC 4291). For AAAA only.",
};
pub(super) const TTL: Variable = Variable {
    name: "DDNS_RECORD_<N>_TTL",
    kind: Kind::Optional { format: "30 to 86400" },
    help: "The time to live, in seconds, written with the next change of the address. Without it, what the record has; \
           a new one gets the provider's default.",
};

/// The records, and the plug-ins that they use.
#[derive(Default)]
pub(super) struct Records {
    pub(super) specs: Vec<RecordSpec>,
    pub(super) sources: Vec<PluginChoice>,
    pub(super) providers: Vec<PluginChoice>,
}

impl Records {
    /// Reads the list, then the groups by number; problems are left in `settings`.
    pub(super) fn read(settings: &mut Settings<'_>) -> Self {
        let mut records = Self::default();
        let interface = settings.text(&IP_SOURCE_INTERFACE);
        let entries = settings.list(&RECORDS);
        let mut enabled = entries.len();
        for entry in entries {
            match parse_entry(&entry) {
                Ok((name, rtypes)) => {
                    let template = Template { interface: interface.clone(), ..Template::default() };
                    records.add(&name, &rtypes, &template, &RECORDS, settings);
                }
                Err(reason) => settings.problem(&RECORDS, &format!("{entry:?}: {reason}"), ONCE),
            }
        }
        let numbers = settings.record_numbers().clone();
        for number in &numbers {
            let group = Group::record(*number);
            let used =
                settings.within(Some(&group), |settings| records.read_group(&group, interface.as_ref(), settings));
            enabled += usize::from(used);
        }
        if enabled == 0 {
            let reason = if numbers.is_empty() { "not set" } else { "not set, and no numbered record is enabled" };
            settings.problem(&RECORDS, reason, "set it to a comma list of name[:A|AAAA], or set DDNS_RECORD_1_NAME");
        }
        if records.specs.is_empty() {
            // Without a good record, all else is checked nevertheless.
            records.plugins(&Template::default(), settings);
        }
        records.warn_of_unused(settings);
        records
    }

    /// True if the record is enabled.
    fn read_group(&mut self, group: &Group, interface: Option<&String>, settings: &mut Settings<'_>) -> bool {
        let name = settings.parsed(&NAME, |text| RecordName::from_str(text).map_err(|error| error.to_string()));
        let rtype = settings.parsed(&TYPE, parse_type);
        let suffix = settings.parsed(&SUFFIX, |text| Suffix::from_str(text).map_err(|error| error.to_string()));
        if suffix.is_some() && rtype != Some(RecordType::Aaaa) {
            settings.problem(&SUFFIX, "only an AAAA record has a suffix", &format!("set {}_TYPE=AAAA", group.prefix));
        }
        let template = Template {
            interface: settings.text(&INTERFACE).or_else(|| interface.cloned()),
            suffix,
            ttl: settings.parsed(&TTL, parse_ttl),
            source: settings.text(&SOURCE).map(|_| group.clone()),
            provider: provider(settings),
        };
        let enabled = settings.choice(&ENABLED) == "true";
        if let Some(name) = name.filter(|_| enabled) {
            let rtypes = rtype.map_or_else(|| vec![RecordType::A, RecordType::Aaaa], |rtype| vec![rtype]);
            self.add(&name, &rtypes, &template, &NAME, settings);
        }
        enabled
    }

    fn add(
        &mut self,
        name: &RecordName,
        rtypes: &[RecordType],
        template: &Template,
        variable: &Variable,
        settings: &mut Settings<'_>,
    ) {
        let (source, provider) = self.plugins(template, settings);
        for &rtype in rtypes {
            let key = RecordKey { name: name.clone(), rtype };
            if self.specs.iter().any(|spec| spec.key == key) {
                settings.problem(variable, &format!("{key} is there twice"), ONCE);
                continue;
            }
            self.specs.push(RecordSpec {
                key,
                required: rtypes.len() == 1,
                source,
                interface: template.interface.clone(),
                suffix: template.suffix,
                provider,
                ttl: template.ttl,
            });
        }
    }

    /// The places of a record's source and provider.
    fn plugins(&mut self, template: &Template, settings: &mut Settings<'_>) -> (SourceId, ProviderId) {
        let (variable, group) = match &template.source {
            Some(group) => (SOURCE, Some(group.clone())),
            None => (IP_SOURCE_TYPE, None),
        };
        let kind = settings.within(group.as_ref(), |settings| settings.text(&variable));
        let source = PluginChoice { name: kind.unwrap_or_default(), variable, group };
        let (name, group) = match &template.provider {
            Some(name) => (name.clone(), Some(settings.provider_group(name))),
            None => (String::new(), None),
        };
        let provider = PluginChoice { name, variable: PROVIDER_TYPE, group };
        (SourceId(place(&mut self.sources, source)), ProviderId(place(&mut self.providers, provider)))
    }

    fn warn_of_unused(&self, settings: &mut Settings<'_>) {
        for name in settings.provider_names().clone() {
            if !self.providers.iter().any(|choice| choice.name == name) {
                let group = settings.provider_group(&name);
                settings.within(Some(&group), |settings| {
                    settings.warn(
                        &PROVIDER_TYPE,
                        "no enabled record uses this provider",
                        "name it in a record, or unset it",
                    );
                });
            }
        }
    }
}

const ONCE: &str = "write each record once, as name, name:A or name:AAAA";

/// What the records of one entry have in common.
#[derive(Default)]
struct Template {
    /// The group that names it.
    source: Option<Group>,
    interface: Option<String>,
    suffix: Option<Suffix>,
    provider: Option<String>,
    ttl: Option<u32>,
}

/// The place of a plug-in among those in use; two choices of one name are one.
fn place(choices: &mut Vec<PluginChoice>, choice: PluginChoice) -> usize {
    choices.iter().position(|known| known.name == choice.name).unwrap_or_else(|| {
        choices.push(choice);
        choices.len() - 1
    })
}

fn provider(settings: &mut Settings<'_>) -> Option<String> {
    let names = settings.provider_names().clone();
    settings.parsed(&PROVIDER, |text| {
        let name = text.to_ascii_uppercase();
        let missing = || format!("there is no DDNS_PROVIDER_{name}_TYPE");
        names.get(&name).cloned().ok_or_else(missing)
    })
}

fn parse_entry(entry: &str) -> Result<(RecordName, Vec<RecordType>), String> {
    let (name, rtypes) = match entry.rsplit_once(':') {
        Some((name, rtype)) if entry.matches(':').count() == 1 => (name, vec![parse_type(rtype)?]),
        Some(_) | None => (entry, vec![RecordType::A, RecordType::Aaaa]),
    };
    Ok((name.parse().map_err(|error: crate::record::NameError| error.to_string())?, rtypes))
}

fn parse_type(text: &str) -> Result<RecordType, String> {
    match text {
        "A" => Ok(RecordType::A),
        "AAAA" => Ok(RecordType::Aaaa),
        _ => Err(format!("the type {text:?} is neither A nor AAAA")),
    }
}

fn parse_ttl(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|ttl| (30..=86_400).contains(ttl))
        .ok_or_else(|| "not a number of seconds in range".to_owned())
}
