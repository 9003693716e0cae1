use std::collections::VecDeque;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ddns_core::address::{Discovered, Family, IpChangeEvent, Snapshot};
use ddns_core::backoff::Jitter;
use ddns_core::discovery::{Announcement, Ask, Discovery, MapRequest, Mapped, Mapping, MappingStatus, Options, Orders};
use ddns_core::ports::{Clock, Gateway, Gateways, IpSource, SourceError, VoteError, Voter};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt, try_unfold};
use tokio::sync::Notify;

use crate::announcements::{self, Announcements};
use crate::router::{self, Router, pcp};

/// What a [`DiscoverSource`] works with.
pub struct Sight {
    /// The host's own addresses, whose changes are hints.
    pub host: Arc<dyn IpSource>,
    /// The ways out of it, whose changes are hints too.
    pub gateways: Arc<dyn Gateways>,
    /// Who answers for each of [`Options::voters`], in the same order; `None` for the router.
    pub voters: Vec<Option<Arc<dyn Voter>>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Hear what routers announce.
    pub announcements: bool,
    /// A UDP port to keep mapped at the router.
    pub mapped_port: Option<NonZeroU16>,
}

/// The address that the world sees, by asking others, whenever something hints at a change.
///
/// Its streams need a tokio runtime with I/O and time enabled. All of them share one memory, so that a stream that
/// breaks costs no address.
pub struct DiscoverSource(Arc<Shared>);

struct Shared {
    sight: Sight,
    memory: Mutex<Memory>,
    doubt: Notify,
    router: Router,
}

struct Memory {
    machine: Discovery,
    mapping: Option<Mapping>,
    jitter: Jitter,
}

impl DiscoverSource {
    /// A source of these options. Nothing is opened before the first use.
    ///
    /// # Errors
    ///
    /// If the system has no randomness to give.
    pub fn new(options: Options, sight: Sight) -> io::Result<Self> {
        let jitter = Jitter::new(options.seed);
        let mapping = sight.mapped_port.map(|port| Mapping::new(port, sight.clock.now()));
        let memory = Mutex::new(Memory { machine: Discovery::new(options), mapping, jitter });
        let router = match nonce() {
            Some(nonce) => Router::new(nonce),
            None => Router::with_random_nonce()?,
        };
        Ok(Self(Arc::new(Shared { sight, memory, doubt: Notify::new(), router })))
    }
}

#[async_trait]
impl IpSource for DiscoverSource {
    async fn current(&self) -> Result<Snapshot, SourceError> {
        let mut watch = self.watch();
        while let Some(event) = watch.next().await {
            let snapshot = event?.snapshot;
            let asking = |family| snapshot.discovered(family) == Some(Discovered::Asking);
            if !Family::ALL.into_iter().any(asking) {
                return Ok(snapshot);
            }
        }
        Err(SourceError::Unavailable { what: "the host's own addresses can't be watched".to_owned(), cause: None })
    }

    fn watch(&self) -> BoxStream<'static, Result<IpChangeEvent, SourceError>> {
        let shared = Arc::clone(&self.0);
        try_unfold(None, move |watch| {
            let shared = Arc::clone(&shared);
            async move {
                let watch = watch.unwrap_or_else(|| Watch::start(shared));
                let (event, watch) = watch.next().await?;
                Ok(Some((event, Some(watch))))
            }
        })
        .boxed()
    }

    fn look_again(&self) {
        self.0.doubt.notify_one();
    }
}

type Answer = (Ask, Result<IpAddr, VoteError>);

/// One watch: what it hears, and the questions under way.
struct Watch {
    shared: Arc<Shared>,
    host: BoxStream<'static, Result<IpChangeEvent, SourceError>>,
    gateways: BoxStream<'static, Result<Vec<Gateway>, SourceError>>,
    announcements: Option<Announcements>,
    questions: FuturesUnordered<BoxFuture<'static, Answer>>,
    mapping: FuturesUnordered<BoxFuture<'static, Result<Mapped, String>>>,
    news: VecDeque<IpChangeEvent>,
}

impl Watch {
    fn start(shared: Arc<Shared>) -> Self {
        let announcements = shared.sight.announcements.then(Announcements::listen).and_then(|listening| {
            let deaf = |error: &io::Error| {
                tracing::warn!(%error, "Announcements of the router can't be heard; the audit is what finds a change");
            };
            listening.inspect_err(deaf).ok()
        });
        Self {
            host: shared.sight.host.watch(),
            gateways: shared.sight.gateways.watch(),
            announcements,
            questions: FuturesUnordered::new(),
            mapping: FuturesUnordered::new(),
            news: VecDeque::new(),
            shared,
        }
    }

    async fn next(mut self) -> Result<(IpChangeEvent, Self), SourceError> {
        loop {
            if let Some(event) = self.news.pop_front() {
                return Ok((event, self));
            }
            self.map_port();
            let shared = Arc::clone(&self.shared);
            let clock = &shared.sight.clock;
            let deadline = shared.with(|memory| {
                let mapping = memory.mapping.as_ref().filter(|_| memory.machine.gateway().is_some());
                [memory.machine.deadline(), mapping.and_then(Mapping::deadline)].into_iter().flatten().min()
            });
            let due = async {
                match deadline {
                    Some(deadline) => clock.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            // In this order: what was asked, what is told, what time it is.
            let orders = tokio::select! {
                biased;
                Some((ask, answer)) = self.questions.next() => {
                    tracing::debug!(voter = ask.voter.0, family = %ask.family, round = ask.round, ?answer, "A voter has answered");
                    shared.with(|memory| memory.machine.answered(clock.now(), ask, answer))
                }
                Some(result) = self.mapping.next() => {
                    shared.mapped(result);
                    Orders::default()
                }
                event = self.host.next() => {
                    let event = event.unwrap_or_else(|| Err(ended("the host's addresses")))?;
                    shared.with(|memory| memory.machine.host(clock.now(), event.snapshot, event.hint))
                }
                gateways = self.gateways.next() => {
                    let gateways = gateways.unwrap_or_else(|| Err(ended("the host's gateways")))?;
                    tracing::debug!(?gateways, "The ways out of this host");
                    shared.gateways(gateways)
                }
                announcement = heard(self.announcements.as_ref()) => match announcement {
                    Ok(announcement) => shared.announced(&announcement),
                    Err(error) => {
                        tracing::warn!(%error, "Announcements of the router are no longer heard");
                        self.announcements = None;
                        Orders::default()
                    }
                },
                () = shared.doubt.notified() => shared.with(|memory| memory.machine.look_again(clock.now())),
                () = due => shared.with(|memory| memory.machine.tick(clock.now())),
            };
            self.carry_out(orders);
        }
    }

    fn carry_out(&mut self, orders: Orders) {
        for ask in orders.asks {
            self.questions.push(Arc::clone(&self.shared).ask(ask).boxed());
        }
        self.news.extend(orders.event);
    }

    fn map_port(&mut self) {
        let shared = Arc::clone(&self.shared);
        let now = shared.sight.clock.now();
        let request = shared.with(|memory| {
            let IpAddr::V4(gateway) = memory.machine.gateway()?.address else { return None };
            memory.mapping.as_mut()?.request(now).map(|request| (gateway, request))
        });
        if let Some((gateway, request)) = request {
            self.mapping.push(async move { shared.map(gateway, request).await }.boxed());
        }
    }
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(self: Arc<Self>, ask: Ask) -> Answer {
        let answer = match self.sight.voters.get(ask.voter.0) {
            Some(Some(voter)) => voter.ask(ask.family).await,
            Some(None) | None => self.ask_router(ask.family).await,
        };
        (ask, answer)
    }

    async fn ask_router(&self, family: Family) -> Result<IpAddr, VoteError> {
        if family != Family::V4 {
            return Err(VoteError::Unsupported(family));
        }
        let gateway = self.with(|memory| memory.machine.gateway().map(|gateway| gateway.address));
        match gateway {
            Some(IpAddr::V4(gateway)) => self.router.external_address(gateway).await.map(IpAddr::V4),
            Some(IpAddr::V6(_)) | None => Err(VoteError::Unreachable("this host has no IPv4 gateway".into())),
        }
    }

    fn gateways(&self, gateways: Vec<Gateway>) -> Orders {
        let now = self.sight.clock.now();
        self.with(|memory| {
            let before = memory.machine.gateway().cloned();
            let orders = memory.machine.gateways(now, gateways);
            if memory.machine.gateway() != before.as_ref()
                && let Some(mapping) = &mut memory.mapping
            {
                mapping.lost(now);
            }
            orders
        })
    }

    fn announced(&self, heard: &announcements::Announcement) -> Orders {
        let now = self.sight.clock.now();
        let announcement = Announcement {
            from: heard.from,
            epoch: heard.epoch,
            external: heard.external.map(IpAddr::V4),
            protocol: heard.protocol,
        };
        self.with(|memory| {
            let (genuine, orders) = memory.machine.announced(now, &announcement);
            let Announcement { from, epoch, external, protocol } = announcement;
            if genuine {
                let external = external.map(|external| external.to_string());
                tracing::info!(%from, protocol = protocol.as_str(), external, epoch, "The router has announced its address");
                // What it announces it has begun anew, or it has another address outside: a mapping costs little.
                if let Some(mapping) = &mut memory.mapping {
                    mapping.lost(now);
                }
            } else {
                let ignored = memory.machine.ignored();
                tracing::debug!(%from, protocol = protocol.as_str(), ignored, "Somebody who is no gateway poses as one");
            }
            orders
        })
    }

    async fn map(&self, gateway: Ipv4Addr, request: MapRequest) -> Result<Mapped, String> {
        match self.router.map(gateway, &request).await {
            Ok(router::Mapping { external_port, lifetime, .. }) => Ok(Mapped { external_port, lifetime }),
            Err(error) => Err(ddns_core::error_chain(&error)),
        }
    }

    fn mapped(&self, result: Result<Mapped, String>) {
        let now = self.sight.clock.now();
        let news = self.with(|Memory { mapping, jitter, .. }| mapping.as_mut()?.answered(now, result, jitter));
        match news {
            Some(MappingStatus::Mapped { internal_port, external_port }) if internal_port == external_port => {
                tracing::info!(port = internal_port, "The router maps the port to this host");
            }
            Some(MappingStatus::Mapped { internal_port, external_port }) => tracing::warn!(
                internal_port,
                external_port,
                "The router maps another port than the one wanted: peers have to use that"
            ),
            Some(MappingStatus::Failed(error)) => {
                tracing::warn!(
                    error,
                    "The router does not map the port; forward it there by hand, or enable PCP or NAT-PMP"
                );
            }
            Some(MappingStatus::Wanted) | None => {}
        }
    }
}

/// A router renews a mapping for whoever made it (RFC 6887 §11.3): the nonce is the same after a restart, and is derived
/// from what only this host knows (machine-id(5)).
fn nonce() -> Option<pcp::Nonce> {
    let id = fs::read("/etc/machine-id").ok().filter(|id| id.len() >= 32)?;
    let half = |number: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write(b"ddnsd: nonce of PCP");
        hasher.write_u8(number);
        hasher.write(&id);
        hasher.finish().to_be_bytes()
    };
    [half(0), half(1)].concat()[..12].try_into().ok()
}

async fn heard(announcements: Option<&Announcements>) -> io::Result<announcements::Announcement> {
    match announcements {
        Some(announcements) => announcements.next().await,
        None => std::future::pending().await,
    }
}

fn ended(what: &'static str) -> SourceError {
    SourceError::Interrupted { what, cause: "the stream has ended".into() }
}
