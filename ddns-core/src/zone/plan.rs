//! The way from what a zone holds to what it shall hold.

use std::fmt;

use super::contents::{Contents, RrSets, ZoneFault, is_acme};
use super::rrset::{Key, RrSet};

/// A zone with fewer RRsets has no change guard.
const GUARDED_FROM: usize = 10;
/// The share of RRsets, in percent, that may be deleted at once.
const DELETED_AT_MOST: usize = 30;

/// What may be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The zone becomes what it shall be; what is not desired is deleted.
    Sync,
    /// RRsets are added and replaced, never deleted.
    UpsertOnly,
    /// Differences are told only.
    Observe,
}

/// What may be changed, and whether the change guard stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// What may be changed.
    pub mode: Mode,
    /// Lets any number of deletions pass.
    pub override_guard: bool,
}

/// The change of one RRset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is not there yet.
    Add(RrSet),
    /// It has other data or another time to live.
    Replace {
        /// As it is: the prerequisite of an update.
        before: RrSet,
        /// As it shall be.
        after: RrSet,
    },
    /// It is not desired.
    Delete(RrSet),
}

impl Change {
    /// Of which RRset.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Add(set) | Self::Delete(set) | Self::Replace { after: set, .. } => set.key(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Add(_) => "add",
            Self::Replace { .. } => "replace",
            Self::Delete(_) => "delete",
        };
        write!(f, "{word} {}", self.key())
    }
}

/// Why nothing is changed although there are differences.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Hold {
    /// [`Mode::Observe`].
    #[error("the policy Observe changes nothing")]
    Observed,
    /// Too much would be gone at once.
    #[error(
        "{deleted} of {total} RRsets would be deleted at once, more than 30 %; look whether that is meant, then let it pass"
    )]
    Guard {
        /// How many would be deleted.
        deleted: usize,
        /// How many there are.
        total: usize,
    },
    /// With what stays because nothing is deleted, a name server would refuse the zone.
    #[error("with what the policy leaves in place the name server would refuse the zone: {0}")]
    Faulty(ZoneFault),
}

/// What to do. Nothing of it is done by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What to carry out, deletions first.
    pub changes: Vec<Change>,
    /// Whether the SOA record is to be renewed beyond its serial.
    pub renew_soa: bool,
    /// What differs and is left as it is.
    pub withheld: Vec<Change>,
    /// Why nothing at all is changed.
    pub hold: Option<Hold>,
    /// What the zone holds once that is carried out.
    pub outcome: Contents,
}

impl Plan {
    /// Whether there is nothing to carry out.
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.renew_soa
    }
}

/// Compares what the zone shall hold with what it holds. `observed` has none of DNSSEC's records (see
/// [`super::kind::Kind::from_code`]); what belongs to ACME clients stays. A plan is carried out as a whole or not at all:
/// if the guard holds, additions wait too.
pub fn plan(desired: &Contents, observed: &Contents, policy: Policy) -> Plan {
    let (deletions, upserts) = differences(&desired.sets, &observed.sets);
    let renew_soa = (&desired.soa, desired.soa_ttl) != (&observed.soa, observed.soa_ttl);
    let total = observed.sets.iter().filter(|set| !is_acme(set.owner())).count();
    let deleted = deletions.len();
    let guarded = total >= GUARDED_FROM && deleted * 100 > total * DELETED_AT_MOST && !policy.override_guard;
    let (hold, changes, withheld) = match policy.mode {
        Mode::Observe => (Some(Hold::Observed), [deletions, upserts].concat(), Vec::new()),
        Mode::Sync if guarded => (Some(Hold::Guard { deleted, total }), [deletions, upserts].concat(), Vec::new()),
        Mode::Sync => (None, [deletions, upserts].concat(), Vec::new()),
        Mode::UpsertOnly => (None, upserts, deletions),
    };
    let outcome = Contents { sets: apply(&changes, observed.sets.clone()), ..desired.clone() };
    let anything = !changes.is_empty() || renew_soa;
    let hold = hold.or_else(|| outcome.faults().into_iter().next().map(Hold::Faulty)).filter(|_| anything);
    match hold {
        None => Plan { changes, renew_soa, withheld, hold: None, outcome },
        hold => {
            let withheld = [changes, withheld].concat();
            Plan { changes: Vec::new(), renew_soa: false, withheld, hold, outcome: observed.clone() }
        }
    }
}

/// What the sets become by changes.
pub fn apply(changes: &[Change], mut sets: RrSets) -> RrSets {
    for change in changes {
        match change {
            Change::Add(set) | Change::Replace { after: set, .. } => drop(sets.insert(set.clone())),
            Change::Delete(set) => drop(sets.remove(set.key())),
        }
    }
    sets
}

fn differences(desired: &RrSets, observed: &RrSets) -> (Vec<Change>, Vec<Change>) {
    let ours = |set: &&RrSet| !is_acme(set.owner());
    let gone = |set: &&RrSet| desired.get(set.owner(), set.kind()).is_none();
    let deletions = observed.iter().filter(ours).filter(gone).cloned().map(Change::Delete).collect();
    let upsert = |set: &RrSet| match observed.get(set.owner(), set.kind()) {
        None => Some(Change::Add(set.clone())),
        Some(before) if before == set => None,
        Some(before) => Some(Change::Replace { before: before.clone(), after: set.clone() }),
    };
    (deletions, desired.iter().filter(ours).filter_map(upsert).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::data::Data;
    use crate::zone::desired::{Desired, tests::spec};
    use crate::zone::kind::Kind;
    use crate::zone::name::Name;
    use crate::zone::rrset::Ttl;

    const SYNC: Policy = Policy { mode: Mode::Sync, override_guard: false };

    fn zone(sets: &[(&str, Kind, &str)]) -> Contents {
        let mut contents = Desired::assemble(&spec(), &[]).unwrap().contents;
        let set = |&(owner, kind, text): &(&str, Kind, &str)| {
            let owner = Name::owner(owner, &contents.zone).unwrap();
            RrSet::new(owner, Ttl::seconds(60).unwrap(), [Data::parse(kind, text, &contents.zone).unwrap()]).unwrap()
        };
        let sets: Vec<_> = sets.iter().map(set).collect();
        contents.sets.extend(sets);
        contents
    }

    fn check(
        desired: &[(&str, Kind, &str)],
        observed: &[(&str, Kind, &str)],
        policy: Policy,
        expected: &[&str],
    ) -> Plan {
        let plan = plan(&zone(desired), &zone(observed), policy);
        assert_eq!(plan.changes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        plan
    }

    const OLD: &[(&str, Kind, &str)] = &[("a", Kind::A, "192.0.2.1"), ("b", Kind::A, "192.0.2.1")];
    const NEW: &[(&str, Kind, &str)] = &[("b", Kind::A, "192.0.2.2"), ("c", Kind::A, "192.0.2.1")];

    #[test]
    fn a_difference_is_a_change_of_rrsets() {
        let expected = ["delete a.example.com. A", "replace b.example.com. A", "add c.example.com. A"];
        let done = check(NEW, OLD, SYNC, &expected);
        assert_eq!((done.outcome, done.hold), (zone(NEW), None));
        assert!(check(NEW, NEW, SYNC, &[]).is_empty());
    }

    #[test]
    fn a_policy_says_what_may_be_changed() {
        let upsert = Policy { mode: Mode::UpsertOnly, ..SYNC };
        let done = check(NEW, OLD, upsert, &["replace b.example.com. A", "add c.example.com. A"]);
        assert_eq!((done.withheld.len(), done.outcome.sets.len()), (1, 5));
        let observe = Policy { mode: Mode::Observe, ..SYNC };
        let done = check(NEW, OLD, observe, &[]);
        assert_eq!((done.withheld.len(), done.outcome, done.hold), (3, zone(OLD), Some(Hold::Observed)));
    }

    #[test]
    fn more_than_30_percent_of_10_or_more_are_not_deleted_at_once() {
        let names: Vec<String> = (0..18).map(|n| format!("h{n}")).collect();
        let sets: Vec<_> = names.iter().map(|name| (name.as_str(), Kind::A, "192.0.2.1")).collect();
        assert_eq!(plan(&zone(&sets[6..]), &zone(&sets), SYNC).changes.len(), 6, "6 of 20");
        let held = plan(&zone(&sets[7..]), &zone(&sets), SYNC);
        assert!(held.is_empty() && held.hold == Some(Hold::Guard { deleted: 7, total: 20 }));
        let past = plan(&zone(&sets[7..]), &zone(&sets), Policy { override_guard: true, ..SYNC });
        assert_eq!((past.changes.len(), past.hold), (7, None));
        assert_eq!(plan(&zone(&[]), &zone(&sets[..7]), SYNC).changes.len(), 7, "7 of 9");
        assert!(plan(&zone(&[]), &zone(&sets[..8]), SYNC).is_empty(), "8 of 10");
    }

    #[test]
    fn records_of_acme_clients_stay() {
        check(&[], &[("_acme-challenge.www", Kind::Txt, "x")], SYNC, &[]);
    }

    #[test]
    fn nothing_is_put_beside_what_may_not_be_deleted() {
        let upsert = Policy { mode: Mode::UpsertOnly, ..SYNC };
        let held = check(&[("a", Kind::Cname, "b")], OLD, upsert, &[]);
        assert!(matches!(held.hold, Some(Hold::Faulty(ZoneFault::CnameAndOther(_)))));
    }

    #[test]
    fn another_soa_is_a_change() {
        let (desired, mut observed) = (zone(&[]), zone(&[]));
        observed.soa.refresh = Ttl::seconds(1).unwrap();
        let done = plan(&desired, &observed, SYNC);
        assert!(done.renew_soa && !done.is_empty() && done.outcome == desired);
    }
}
