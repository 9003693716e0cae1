//! What a zone shall hold: its own settings, and the records of resources that claim a place in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::contents::{Contents, RrSets, ZoneFault, is_acme};
use super::data::Data;
use super::kind::Kind;
use super::name::{Name, NameError, Zone};
use super::rrset::{RrSet, RrSetError, Ttl};
use super::soa::Soa;

/// The settings of a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneSpec {
    /// The zone.
    pub zone: Zone,
    /// Its SOA record, without the serial.
    pub soa: Soa,
    /// The time to live of all that has none of its own.
    pub ttl: Ttl,
    /// Its name servers.
    pub name_servers: Vec<NameServer>,
}

/// A name server of the zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameServer {
    /// Its name.
    pub name: Name,
    /// Its addresses, if its name lies in the zone.
    pub addresses: BTreeSet<IpAddr>,
}

/// Who claims a place in the zone. The order is that of creation, which decides conflicts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Resource {
    /// When it was created, in seconds since 1970, or any number that grows.
    pub created: u64,
    /// What it is known by; decides among those created at the same time.
    pub uid: String,
}

/// The RRset of a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Whose it is.
    pub resource: Resource,
    /// The owner name as it is written: see [`Name::owner`].
    pub owner: String,
    /// Its time to live, if it has one of its own.
    pub ttl: Option<Ttl>,
    /// Its data.
    pub data: Vec<Data>,
}

/// Why a claim is not met.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// No name.
    #[error("name: {0}")]
    Name(NameError),
    /// No RRset.
    #[error("{0}")]
    Set(RrSetError),
    /// It lies elsewhere.
    #[error("{0} is not in the zone; write a name within it, or choose another zone")]
    OutOfZone(Name),
    /// Somebody else has it.
    #[error("{owner} {kind} belongs to the older resource {holder}; delete one of the two")]
    Taken {
        /// The name.
        owner: Name,
        /// The type.
        kind: Kind,
        /// Who has it.
        holder: String,
    },
    /// RFC 1034 §3.6.2.
    #[error("{owner} cannot be an alias and have other records; the older resource {holder} has it")]
    Cname {
        /// The name.
        owner: Name,
        /// Who has it.
        holder: String,
    },
    /// RFC 1034 §3.6.2: the apex has SOA and NS records.
    #[error("the zone itself cannot be an alias; use A and AAAA records")]
    CnameAtApex,
    /// The zone's own settings say it.
    #[error("{0} {1} is made of the zone's own settings; change it there")]
    ZonesOwn(Name, Kind),
    /// ACME clients prove the zone's names there.
    #[error("{0} is kept for ACME clients; let the client write it by dynamic updates")]
    Acme(Name),
    /// A name server refuses it (`check-names`).
    #[error("{0} has addresses or mail, so it has to be a name of a host; use letters, digits and inner hyphens")]
    NoHost(Name),
    /// RFC 4592 §4.2, §2.1.1.
    #[error("{0}: '*' stands only as the whole leftmost label, and not for NS")]
    Wildcard(Name),
    /// What it points at.
    #[error("{0}")]
    Target(ZoneFault),
    /// RFC 2181 §6: another zone's data.
    #[error("{owner} lies in {cut}, which is delegated (NS); put it into that zone")]
    Delegated {
        /// The name.
        owner: Name,
        /// Where the other zone begins.
        cut: Name,
    },
}

impl Rejection {
    /// The reason of a condition in a resource's status, one word.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Taken { .. } | Self::Cname { .. } | Self::ZonesOwn(..) => "Conflict",
            Self::OutOfZone(_) | Self::Delegated { .. } => "NotZone",
            Self::Name(_)
            | Self::Set(_)
            | Self::CnameAtApex
            | Self::Acme(_)
            | Self::NoHost(_)
            | Self::Wildcard(_)
            | Self::Target(_) => "Refused",
        }
    }
}

/// What the zone shall hold, and what became of each claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// What it shall hold; a name server takes it.
    pub contents: Contents,
    /// By the uid of its resource: what is not in it and why. All others are.
    pub rejected: BTreeMap<String, Rejection>,
}

impl Desired {
    /// Puts the zone together. A zone that a name server would refuse is not made; all of its faults are told.
    pub fn assemble(spec: &ZoneSpec, claims: &[Claim]) -> Result<Self, Vec<ZoneFault>> {
        let (sets, mut faults) = own_sets(spec);
        let contents = Contents { zone: spec.zone.clone(), soa: spec.soa.clone(), soa_ttl: spec.ttl, sets };
        let mut assembly = Assembly { contents, holders: BTreeMap::new(), rejected: BTreeMap::new() };
        let mut claims: Vec<&Claim> = claims.iter().collect();
        claims.sort_by_key(|claim| &claim.resource);
        for claim in claims {
            if let Err(rejection) = assembly.admit(claim, spec.ttl) {
                assembly.rejected.insert(claim.resource.uid.clone(), rejection);
            }
        }
        // Where a record goes, a wildcard may answer in its place: until nothing goes any more.
        while assembly.check_targets() | assembly.check_delegations() {}
        faults.extend(assembly.contents.faults());
        let Assembly { contents, rejected, .. } = assembly;
        if faults.is_empty() { Ok(Self { contents, rejected }) } else { Err(faults) }
    }
}

/// The sets that the zone's own settings make.
fn own_sets(spec: &ZoneSpec) -> (RrSets, Vec<ZoneFault>) {
    let (mut sets, mut faults) = (RrSets::default(), Vec::new());
    // Nothing is no set.
    let mut of = |owner: &Name, data: Vec<Data>| sets.extend(RrSet::new(owner.clone(), spec.ttl, data).ok());
    of(spec.zone.name(), spec.name_servers.iter().map(|server| Data::Ns(server.name.clone())).collect());
    let mut addresses: BTreeMap<&Name, BTreeSet<IpAddr>> = BTreeMap::new();
    for server in &spec.name_servers {
        addresses.entry(&server.name).or_default().extend(&server.addresses);
    }
    for (name, addresses) in addresses {
        if !name.is_host() || name.is_root() {
            faults.push(ZoneFault::NoHost(name.clone()));
        }
        if !spec.zone.holds(name) && !addresses.is_empty() {
            faults.push(ZoneFault::ForeignGlue(name.clone()));
            continue;
        }
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
        for family in [v4, v6] {
            let data = family.into_iter().map(|address| match address {
                IpAddr::V4(address) => Data::A(address),
                IpAddr::V6(address) => Data::Aaaa(address),
            });
            of(name, data.collect());
        }
    }
    if !spec.soa.primary.is_host() || spec.soa.primary.is_root() {
        faults.push(ZoneFault::NoHost(spec.soa.primary.clone()));
    }
    (sets, faults)
}

/// A zone in the making.
struct Assembly {
    contents: Contents,
    /// Whose each set is; the zone's own have no holder.
    holders: BTreeMap<(Name, Kind), String>,
    rejected: BTreeMap<String, Rejection>,
}

impl Assembly {
    fn admit(&mut self, claim: &Claim, default: Ttl) -> Result<(), Rejection> {
        let owner = Name::owner(&claim.owner, &self.contents.zone).map_err(Rejection::Name)?;
        let ttl = claim.ttl.unwrap_or(default);
        let set = RrSet::new(owner.clone(), ttl, claim.data.iter().cloned()).map_err(Rejection::Set)?;
        self.check_place(&set)?;
        let kind = set.kind();
        if self.contents.sets.get(&owner, kind).is_some() {
            return Err(match self.holders.get(&(owner.clone(), kind)) {
                Some(holder) => Rejection::Taken { owner, kind, holder: holder.clone() },
                None => Rejection::ZonesOwn(owner, kind),
            });
        }
        let rival = |other: &Kind| (kind == Kind::Cname) != (*other == Kind::Cname);
        let taken = |other: &Kind| self.contents.sets.get(&owner, *other).is_some();
        if let Some(other) = Kind::ALL.into_iter().filter(rival).find(taken) {
            return Err(match self.holders.get(&(owner.clone(), other)) {
                Some(holder) => Rejection::Cname { owner, holder: holder.clone() },
                None => Rejection::ZonesOwn(owner, other),
            });
        }
        self.holders.insert((owner, kind), claim.resource.uid.clone());
        self.contents.sets.insert(set);
        Ok(())
    }

    /// Whether records of its type may stand at its name at all.
    fn check_place(&self, set: &RrSet) -> Result<(), Rejection> {
        let (owner, kind, apex) = (set.owner(), set.kind(), self.contents.zone.name());
        if !self.contents.zone.holds(owner) {
            return Err(Rejection::OutOfZone(owner.clone()));
        }
        if owner == apex && matches!(kind, Kind::Soa | Kind::Ns) {
            return Err(Rejection::ZonesOwn(owner.clone(), kind));
        }
        if owner == apex && kind == Kind::Cname {
            return Err(Rejection::CnameAtApex);
        }
        if is_acme(owner) {
            return Err(Rejection::Acme(owner.clone()));
        }
        if owner.has_stray_asterisk() || (owner.is_wildcard() && kind == Kind::Ns) {
            return Err(Rejection::Wildcard(owner.clone()));
        }
        let host = match kind {
            Kind::A | Kind::Aaaa | Kind::Mx => owner.is_host_or_wildcard(),
            Kind::Ptr if is_reverse(owner) => {
                set.data().iter().all(|data| !matches!(data, Data::Ptr(target) if !target.is_host()))
            }
            Kind::Soa | Kind::Ns | Kind::Cname | Kind::Txt | Kind::Srv | Kind::Caa | Kind::Ptr => true,
        };
        if host { Ok(()) } else { Err(Rejection::NoHost(owner.clone())) }
    }

    /// Whether there was anything to take out: the zone's own sets stay, and are its faults.
    fn reject(&mut self, set: &RrSet, rejection: Rejection) -> bool {
        let Some(uid) = self.holders.get(&(set.owner().clone(), set.kind())) else { return false };
        self.rejected.insert(uid.clone(), rejection);
        self.contents.sets.remove(set.key()).is_some()
    }

    /// Whether a claim was rejected.
    fn check_targets(&mut self) -> bool {
        let mut any = false;
        for set in self.contents.sets.clone().iter() {
            let fault = |target| self.contents.target_fault(set.owner(), set.kind(), target);
            if let Some(fault) = set.data().iter().filter_map(Data::host).find_map(fault) {
                any |= self.reject(set, Rejection::Target(fault));
            }
        }
        any
    }

    /// Beneath a delegation only the addresses of name servers are served, as glue (RFC 2181 §6.1). Whether a claim was
    /// rejected.
    fn check_delegations(&mut self) -> bool {
        let mut any = false;
        let apex = self.contents.zone.name().clone();
        let mut cuts: BTreeSet<Name> = BTreeSet::new();
        let mut servers: BTreeSet<Name> = BTreeSet::new();
        // Parents come before what lies beneath them.
        for set in self.contents.sets.iter().filter(|set| set.kind() == Kind::Ns) {
            if cut_above(&cuts, set.owner().parent(), &apex).is_none() {
                servers.extend(set.data().iter().filter_map(Data::host).cloned());
                cuts.extend((*set.owner() != apex).then(|| set.owner().clone()));
            }
        }
        for set in self.contents.sets.clone().iter() {
            let Some(cut) = cut_above(&cuts, Some(set.owner().clone()), &apex) else { continue };
            let delegation = set.kind() == Kind::Ns && *set.owner() == cut;
            let glue = set.kind().is_address() && servers.contains(set.owner());
            if !delegation && !glue {
                any |= self.reject(set, Rejection::Delegated { owner: set.owner().clone(), cut });
            }
        }
        any
    }
}

/// The delegation that a name is, or lies beneath.
fn cut_above(cuts: &BTreeSet<Name>, name: Option<Name>, apex: &Name) -> Option<Name> {
    let names = std::iter::successors(name, Name::parent).take_while(|name| name != apex);
    names.into_iter().find(|name| cuts.contains(name))
}

/// RFC 1035 §3.5, RFC 3596 §2.5: there a name server wants PTR records to point at hosts.
fn is_reverse(name: &Name) -> bool {
    let mut labels: Vec<&[u8]> = name.labels().collect();
    labels.reverse();
    matches!(labels[..], [b"arpa", b"in-addr" | b"ip6", ..])
}

#[cfg(test)]
pub(crate) mod tests;
