use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ddns_core::config::HostPort;
use ddns_core::ports::{Answer, Clock, DnsTransport, LookupError, Vote};
use ddns_core::record::{RecordKey, RecordName, RecordType};
use ddns_core::time::Instant;
use futures_util::future::join_all;

use crate::message;
use crate::resolver::Resolver;

/// How long a zone's name servers are known without asking again. One that moves answers no more, or not as an
/// authority, and then they are asked for at once.
const KNOWN_FOR: Duration = Duration::from_secs(3600);
/// More name servers than this have no say: thirteen is what the root has.
const MOST: usize = 13;
/// RFC 1035 §4.2.
const PORT: u16 = 53;

/// Makes the way to one name server.
pub type Transports = Arc<dyn Fn(&HostPort) -> Arc<dyn DnsTransport> + Send + Sync>;

/// A zone's own name servers, each asked itself.
pub struct Authorities {
    transports: Transports,
    clock: Arc<dyn Clock>,
    /// These and no others.
    fixed: Option<Vec<Server>>,
    known: Mutex<BTreeMap<String, (Instant, Vec<Server>)>>,
}

/// A name server: what it is called, and the ways to it, of which one has to work.
#[derive(Clone)]
struct Server {
    name: String,
    ways: Vec<Arc<dyn DnsTransport>>,
}

impl Authorities {
    /// Those that the world's resolvers name. `fixed`, where not empty, stand in their place for every zone.
    pub fn new(transports: Transports, fixed: &[HostPort], clock: Arc<dyn Clock>) -> Self {
        let server = |server: &HostPort| Server { name: server.to_string(), ways: vec![transports(server)] };
        let fixed = (!fixed.is_empty()).then(|| fixed.iter().map(server).collect());
        Self { transports, clock, fixed, known: Mutex::default() }
    }

    /// The word of each about a record; none if nobody knows who they are.
    pub(crate) async fn ask(&self, key: &RecordKey, resolvers: &[Resolver]) -> Vec<Vote> {
        let servers = match &self.fixed {
            Some(fixed) => fixed.clone(),
            None => match self.servers(key, resolvers).await {
                Ok(servers) => servers,
                Err(error) => {
                    return vec![Vote { resolver: "the zone's name servers".to_owned(), answer: Err(error) }];
                }
            },
        };
        let votes = join_all(servers.iter().map(|server| ask(server, key))).await;
        if votes.iter().all(|vote| vote.answer.is_err()) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key.name.as_str());
        }
        votes
    }

    async fn servers(&self, key: &RecordKey, resolvers: &[Resolver]) -> Result<Vec<Server>, LookupError> {
        let now = self.clock.now();
        let known = |known: &BTreeMap<String, (Instant, Vec<Server>)>| {
            let (until, servers) = known.get(key.name.as_str())?;
            (*until > now).then(|| servers.clone())
        };
        if let Some(servers) = known(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(servers);
        }
        let names = zone_servers(key, resolvers).await?;
        let server = |name: String| async {
            let ways = addresses(&name, resolvers)
                .await
                .into_iter()
                .map(|address| (self.transports)(&HostPort { host: address.to_string(), port: PORT }));
            Server { ways: ways.collect(), name }
        };
        let servers = join_all(names.into_iter().take(MOST).map(server)).await;
        let entry = (now + KNOWN_FOR, servers.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key.name.as_str().to_owned(), entry);
        Ok(servers)
    }
}

/// One way after the other, until one leads to an answer.
async fn ask(server: &Server, key: &RecordKey) -> Vote {
    let mut answer = Err(LookupError::Garbage("the name server has no address"));
    for way in &server.ways {
        answer = exchange(&**way, key).await;
        if answer.is_ok() {
            break;
        }
    }
    Vote { resolver: server.name.clone(), answer }
}

async fn exchange(way: &dyn DnsTransport, key: &RecordKey) -> Result<Answer, LookupError> {
    // The connection is the question's own, so that no other answer can come by it.
    let id = 0;
    let query = message::query_of_authority(id, key)?;
    let octets = way.exchange(&query).await.map_err(|error| LookupError::NoAnswer { cause: error.into() })?;
    message::answer_of_authority(&octets, id, key)
}

/// The name servers of the zone that holds a record: those of its longest ancestor that has some.
async fn zone_servers(key: &RecordKey, resolvers: &[Resolver]) -> Result<BTreeSet<String>, LookupError> {
    for zone in key.name.ancestors() {
        let query = message::query_of_servers(zone)?;
        let names = first(resolvers, &query, |octets| message::servers(octets, zone)).await?;
        if !names.is_empty() {
            return Ok(names);
        }
    }
    Err(LookupError::Garbage("no resolver names a name server for any part of the name"))
}

/// IPv4 first: where a host has both, either will do.
async fn addresses(server: &str, resolvers: &[Resolver]) -> Vec<IpAddr> {
    let Ok(name) = server.parse::<RecordName>() else { return Vec::new() };
    let of = |rtype| {
        let key = RecordKey { name: name.clone(), rtype };
        async move {
            let query = message::query(&key).ok()?;
            first(resolvers, &query, |octets| message::answer(octets, &key)).await.ok()
        }
    };
    let (v4, v6) = (of(RecordType::A).await, of(RecordType::Aaaa).await);
    [v4, v6].into_iter().flatten().flat_map(|answer| answer.addresses).collect()
}

/// The first resolver that answers. Who the name servers are is no proof of anything: a wrong one gives no authoritative
/// answer, or one that the resolvers will not confirm.
async fn first<T>(
    resolvers: &[Resolver],
    query: &[u8],
    read: impl Fn(&[u8]) -> Result<T, LookupError>,
) -> Result<T, LookupError> {
    let mut answer = Err(LookupError::Garbage("there is no resolver"));
    for resolver in resolvers {
        answer = resolver.exchange(query.to_vec()).await.and_then(|octets| read(&octets));
        if answer.is_ok() {
            break;
        }
    }
    answer
}
