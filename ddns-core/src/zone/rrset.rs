//! RRsets (RFC 2181 §5): all data of one owner name and one type, with one time to live.

use std::collections::BTreeSet;
use std::fmt;

use super::data::Data;
use super::kind::Kind;
use super::name::Name;

/// A time to live, and the other times of a zone: 0 to 2³¹ - 1 seconds (RFC 2181 §8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ttl(u32);

/// A time that is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} seconds are too many; write at most 2147483647 (RFC 2181)")]
pub struct TtlError(pub u64);

impl Ttl {
    /// A time in seconds.
    pub fn seconds(seconds: u64) -> Result<Self, TtlError> {
        let within = u32::try_from(seconds).ok().filter(|&seconds| seconds <= i32::MAX.unsigned_abs());
        within.map(Self).ok_or(TtlError(seconds))
    }

    /// In seconds.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an RRset is known by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// The owner name.
    pub owner: Name,
    /// The type.
    pub kind: Kind,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.owner, self.kind)
    }
}

/// An RRset: at least one record, all of one type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RrSet {
    key: Key,
    ttl: Ttl,
    data: BTreeSet<Data>,
}

/// Why records make no RRset.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RrSetError {
    /// A set without a record.
    #[error("there is no record; give at least one")]
    Empty,
    /// Two types.
    #[error("{0} and {1} cannot be one RRset; make two of them")]
    Mixed(Kind, Kind),
    /// RFC 1034 §3.6.2: an alias has one canonical name.
    #[error("a name can be an alias of one name only; leave one CNAME")]
    SeveralCnames,
}

impl RrSet {
    /// The set of `data` at `owner`.
    pub fn new(owner: Name, ttl: Ttl, data: impl IntoIterator<Item = Data>) -> Result<Self, RrSetError> {
        let data: BTreeSet<Data> = data.into_iter().collect();
        let kind = data.first().ok_or(RrSetError::Empty)?.kind();
        if let Some(other) = data.iter().map(Data::kind).find(|&other| other != kind) {
            return Err(RrSetError::Mixed(kind, other));
        }
        if kind == Kind::Cname && data.len() > 1 {
            return Err(RrSetError::SeveralCnames);
        }
        Ok(Self { key: Key { owner, kind }, ttl, data })
    }

    /// What it is known by.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Its owner name.
    pub const fn owner(&self) -> &Name {
        &self.key.owner
    }

    /// Its type.
    pub const fn kind(&self) -> Kind {
        self.key.kind
    }

    /// Its time to live.
    pub const fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// Its data, sorted.
    pub const fn data(&self) -> &BTreeSet<Data> {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(kind: Kind, text: &str) -> Data {
        Data::parse(kind, text, &"example.com".parse().unwrap()).unwrap()
    }

    fn set(data: &[Data]) -> Result<RrSet, RrSetError> {
        RrSet::new("a.example.com".parse().unwrap(), Ttl::seconds(60).unwrap(), data.to_vec())
    }

    #[test]
    fn a_set_holds_each_datum_once_and_only_one_type() {
        let (a, b) = (data(Kind::A, "192.0.2.1"), data(Kind::A, "192.0.2.2"));
        assert_eq!(set(&[b.clone(), a.clone(), b]).unwrap().data().len(), 2);
        assert_eq!(set(&[]), Err(RrSetError::Empty));
        assert_eq!(set(&[a, data(Kind::Aaaa, "2001:db8::1")]), Err(RrSetError::Mixed(Kind::A, Kind::Aaaa)));
        assert_eq!(set(&[data(Kind::Cname, "b"), data(Kind::Cname, "c")]), Err(RrSetError::SeveralCnames));
    }

    #[test]
    fn a_time_to_live_is_at_most_31_bits() {
        assert_eq!(Ttl::seconds(2_147_483_647).map(Ttl::get), Ok(2_147_483_647));
        assert_eq!(Ttl::seconds(2_147_483_648), Err(TtlError(2_147_483_648)));
    }
}
