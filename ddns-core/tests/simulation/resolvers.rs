use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::ports::{Answer, LookupError, Vote};

use super::dice::Dice;
use super::fault::{Fault, Weather};

pub const RESOLVERS: usize = 3;

type Cached = Option<(BTreeSet<IpAddr>, Duration)>;

/// Three resolvers with caches.
#[derive(Clone, Debug)]
pub struct Resolvers {
    caches: Vec<[Cached; RESOLVERS]>,
    ttl: Duration,
}

impl Resolvers {
    pub fn new(records: usize, ttl: Duration) -> Self {
        Self { caches: vec![[None, None, None]; records], ttl }
    }

    /// Other people have asked a while ago what was there until now.
    pub fn others_asked(&mut self, now: Duration, record: usize, before: &BTreeSet<IpAddr>, dice: &mut Dice) {
        for cache in &mut self.caches[record] {
            let fresh = cache.as_ref().is_some_and(|(_, until)| *until > now);
            if !fresh && dice.percent(60) {
                *cache = Some((before.clone(), now + dice.up_to(self.ttl)));
            }
        }
    }

    /// The zone's own name servers, of which one may be silent.
    pub fn authorities(truth: &BTreeSet<IpAddr>, ttl: Duration, weather: &Weather, dice: &mut Dice) -> Vec<Vote> {
        let all = weather.is(Fault::ResolversFail) && dice.percent(50);
        let one = weather.is(Fault::ResolversSlow);
        let server = |number: usize| {
            let silent = all || (one && number == 0);
            let answer = if silent { Err(failure(dice)) } else { Ok(Answer { addresses: truth.clone(), ttl }) };
            Vote { resolver: format!("ns{number}"), answer }
        };
        (0..2).map(server).collect()
    }

    pub fn votes(
        &mut self,
        now: Duration,
        record: usize,
        truth: &BTreeSet<IpAddr>,
        quorum: usize,
        weather: &Weather,
        dice: &mut Dice,
    ) -> Vec<Vote> {
        let mut votes: Vec<Vote> = Vec::with_capacity(RESOLVERS);
        let first = dice.below(RESOLVERS);
        let failing = if dice.percent(50) { RESOLVERS } else { 1 };
        for index in (0..RESOLVERS).map(|index| (index + first) % RESOLVERS) {
            let answer = if weather.is(Fault::ResolversFail) && index < failing {
                Err(failure(dice))
            } else if weather.is(Fault::ResolverLies) && index == 0 {
                let lie = dice.pick(&["11.0.0.1", "11.0.0.2", "2a00:1:0:1::1", "2a00:1:0:1::2", "8.8.8.8"]);
                Ok(Answer { addresses: BTreeSet::from([lie.parse().unwrap()]), ttl: self.ttl })
            } else {
                let (ttl, cache) = (self.ttl, &mut self.caches[record][index]);
                let (addresses, until) = match cache.take().filter(|(_, until)| *until > now) {
                    Some(cached) => cached,
                    None => (truth.clone(), now + ttl),
                };
                *cache = Some((addresses.clone(), until));
                Ok(Answer { addresses, ttl: until - now })
            };
            votes.push(Vote { resolver: index.to_string(), answer });
            if agreeing(&votes, quorum).is_some() {
                break;
            }
        }
        votes
    }
}

/// The set on which a quorum agrees.
pub fn agreeing(votes: &[Vote], quorum: usize) -> Option<&BTreeSet<IpAddr>> {
    let answers = || votes.iter().filter_map(|vote| vote.answer.as_ref().ok());
    let count = |set: &BTreeSet<IpAddr>| answers().filter(|answer| answer.addresses == *set).count();
    answers().map(|answer| &answer.addresses).find(|set| count(set) >= quorum)
}

fn failure(dice: &mut Dice) -> LookupError {
    match dice.below(4) {
        0 => LookupError::Rcode("SERVFAIL".into()),
        1 => LookupError::Status(502),
        2 => LookupError::Garbage("too short"),
        _ => LookupError::NoAnswer { cause: "no answer in time".into() },
    }
}
