//! All that a zone holds, and what a name server would refuse in it.

use std::collections::{BTreeMap, BTreeSet};

use super::data::Data;
use super::kind::Kind;
use super::name::{Name, Zone};
use super::rrset::{Key, RrSet, Ttl};
use super::soa::Soa;

/// The label beneath which ACME clients prove names (RFC 8555 §8.4); what stands there is theirs.
const ACME: &[u8] = b"_acme-challenge";

/// What a zone holds, without its serial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contents {
    /// The zone.
    pub zone: Zone,
    /// Its SOA record.
    pub soa: Soa,
    /// The time to live of the SOA record.
    pub soa_ttl: Ttl,
    /// Everything else.
    pub sets: RrSets,
}

/// RRsets by what they are known by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RrSets(BTreeMap<Key, RrSet>);

/// What a name server refuses a zone for, or serves otherwise than it is meant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ZoneFault {
    /// RFC 1035 §5.2.
    #[error("the zone has no name server; give at least one")]
    NoNameServer,
    /// A name server within the zone that cannot be found.
    #[error("{owner} NS: the name server {target} lies in the zone and has no address; give it an A or AAAA record")]
    NoAddress {
        /// Whose name server.
        owner: Name,
        /// The name server.
        target: Name,
    },
    /// RFC 2181 §10.3.
    #[error("{owner} {kind}: {target} is an alias; name the host itself")]
    Alias {
        /// The owner of the record.
        owner: Name,
        /// Its type.
        kind: Kind,
        /// The alias.
        target: Name,
    },
    /// RFC 1034 §3.6.2.
    #[error("{0} is an alias (CNAME) and has other records too; leave one or the other")]
    CnameAndOther(Name),
    /// It lies elsewhere.
    #[error("{0} is not in the zone; take it out")]
    OutOfZone(Name),
    /// Addresses of a name server elsewhere.
    #[error("the name server {0} is not in the zone; leave its addresses to its own zone")]
    ForeignGlue(Name),
    /// A name server whose name is no host's.
    #[error("{0} is no name of a host; use letters, digits and inner hyphens")]
    NoHost(Name),
}

impl RrSets {
    /// The set at a name, of a type.
    pub fn get(&self, owner: &Name, kind: Kind) -> Option<&RrSet> {
        self.0.get(&Key { owner: owner.clone(), kind })
    }

    /// Puts a set in, and gives back the one that was in its place.
    pub fn insert(&mut self, set: RrSet) -> Option<RrSet> {
        self.0.insert(set.key().clone(), set)
    }

    /// Takes a set out.
    pub fn remove(&mut self, key: &Key) -> Option<RrSet> {
        self.0.remove(key)
    }

    /// All sets, in canonical order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &RrSet> {
        self.0.values()
    }

    /// How many sets there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the name is an alias, by itself or by the wildcard that answers for it (RFC 4592 §3.3.1).
    pub fn is_alias(&self, name: &Name) -> bool {
        if self.exists(name) {
            return self.get(name, Kind::Cname).is_some();
        }
        let encloser = std::iter::successors(name.parent(), Name::parent).find(|name| self.exists(name));
        let wildcard = encloser.and_then(|encloser| Name::below(b"*", &encloser).ok());
        wildcard.is_some_and(|wildcard| self.get(&wildcard, Kind::Cname).is_some())
    }

    /// Whether something is at the name or beneath it; the order puts the one right before the other.
    fn exists(&self, name: &Name) -> bool {
        let from = Key { owner: name.clone(), kind: Kind::Soa };
        self.0.range(from..).next().is_some_and(|(key, _)| key.owner.is_within(name))
    }

    /// Whether the name has an address.
    pub fn has_address(&self, name: &Name) -> bool {
        self.get(name, Kind::A).or_else(|| self.get(name, Kind::Aaaa)).is_some()
    }
}

impl FromIterator<RrSet> for RrSets {
    fn from_iter<I: IntoIterator<Item = RrSet>>(sets: I) -> Self {
        Self(sets.into_iter().map(|set| (set.key().clone(), set)).collect())
    }
}

impl Extend<RrSet> for RrSets {
    fn extend<I: IntoIterator<Item = RrSet>>(&mut self, sets: I) {
        self.0.extend(sets.into_iter().map(|set| (set.key().clone(), set)));
    }
}

/// Whether the name is kept for ACME clients: never written from resources and never deleted.
pub fn is_acme(name: &Name) -> bool {
    name.labels().any(|label| label == ACME)
}

impl Contents {
    /// What a name server would refuse; nothing if it takes the zone.
    pub fn faults(&self) -> Vec<ZoneFault> {
        let (apex, mut faults) = (self.zone.name(), Vec::new());
        if self.sets.get(apex, Kind::Ns).is_none() {
            faults.push(ZoneFault::NoNameServer);
        }
        let mut kinds: BTreeMap<&Name, BTreeSet<Kind>> = BTreeMap::new();
        kinds.entry(apex).or_default().insert(Kind::Soa);
        for set in self.sets.iter() {
            kinds.entry(set.owner()).or_default().insert(set.kind());
            if !self.zone.holds(set.owner()) {
                faults.push(ZoneFault::OutOfZone(set.owner().clone()));
            }
            for target in set.data().iter().filter_map(Data::host) {
                faults.extend(self.target_fault(set.owner(), set.kind(), target));
            }
        }
        for (name, kinds) in kinds {
            if kinds.contains(&Kind::Cname) && kinds.len() > 1 {
                faults.push(ZoneFault::CnameAndOther(name.clone()));
            }
        }
        faults
    }

    /// What is wrong with the host that a record points at.
    pub(super) fn target_fault(&self, owner: &Name, kind: Kind, target: &Name) -> Option<ZoneFault> {
        if !self.zone.holds(target) {
            return None;
        }
        if self.sets.is_alias(target) {
            return Some(ZoneFault::Alias { owner: owner.clone(), kind, target: target.clone() });
        }
        let lacking = kind == Kind::Ns && !self.sets.has_address(target);
        lacking.then(|| ZoneFault::NoAddress { owner: owner.clone(), target: target.clone() })
    }
}
