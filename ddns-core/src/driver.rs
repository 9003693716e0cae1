//! Carries out what the engine decides.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{self, BoxStream, FuturesUnordered, SelectAll};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot};

use crate::address::IpChangeEvent;
use crate::config::{Config, SourceId};
use crate::engine::{Action, Effects, Engine, Event, Start, Status, Transition};
use crate::ports::{
    Clock, DnsProvider, IpSource, PathProbe, PlugError, PowerSwitches, SaveError, SourceError, StateStore, Verifier,
};
use crate::state::SavedState;
use crate::time::Instant;
use crate::uptime::History;
use crate::verify::Whom;

/// How long a start waits for the state.
pub const LOAD: Duration = Duration::from_secs(10);
/// How long a shutdown waits for updates under way.
pub const DRAIN_UPDATES: Duration = Duration::from_secs(10);
/// How long it waits for power to be back, from its begin, where the router was being power-cycled. What is not back by
/// then is switched on by the next start.
pub const DRAIN_POWER: Duration = Duration::from_secs(25);
/// How long it waits for the state to be saved, after that.
pub const DRAIN_STATE: Duration = Duration::from_secs(5);
/// Longer than any plug needs for an order. One that hangs must not keep the next order from going out.
const PLUG: Duration = Duration::from_secs(90);
/// Requests for the status that may wait.
const REQUESTS: usize = 16;

/// All that the driver works with.
pub struct Ports {
    /// Where addresses come from, by [`SourceId`]: one for each of the configuration.
    pub sources: Vec<Arc<dyn IpSource>>,
    /// Where records are kept, by [`ProviderId`](crate::config::ProviderId): one for each of the configuration.
    pub providers: Vec<Arc<dyn DnsProvider>>,
    /// Who proves them.
    pub verifier: Arc<dyn Verifier>,
    /// Where state is kept.
    pub store: Arc<dyn StateStore>,
    /// Who looks at the way to the Internet.
    pub probe: Arc<dyn PathProbe>,
    /// What switches the plug that feeds the router, if anything does.
    pub plugs: Option<Arc<dyn PowerSwitches>>,
    /// The clocks and the timer.
    pub clock: Arc<dyn Clock>,
    /// The connections behind provider, verifier and probe.
    pub connections: Arc<dyn Connections>,
}

/// The connections that transports keep open.
pub trait Connections: Send + Sync {
    /// The host holds these addresses and no others: connections from others are dead and end now.
    fn addresses_held(&self, held: &[IpAddr]);
    /// Closes what nobody uses.
    fn close_idle(&self);
}

/// Sees every transition, in order.
pub trait View: Send {
    /// `transition` happened at `now`; `status` is the state after the whole step.
    fn observe(&mut self, now: Instant, transition: &Transition, status: &Status);
}

/// Asks a running engine. The answer comes from its loop, so it also proves that the loop turns.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
}

enum Request {
    Status(oneshot::Sender<Status>),
    History(oneshot::Sender<History>),
}

impl Handle {
    /// The status; `None` once the engine has ended or while too many ask.
    pub async fn status(&self) -> Option<Status> {
        let (sender, receiver) = oneshot::channel();
        self.requests.try_send(Request::Status(sender)).ok()?;
        receiver.await.ok()
    }

    /// What was counted; `None` as above.
    pub async fn history(&self) -> Option<History> {
        let (sender, receiver) = oneshot::channel();
        self.requests.try_send(Request::History(sender)).ok()?;
        receiver.await.ok()
    }
}

/// Drives one [`Engine`]. It owns one timer and no task: all that it began ends with [`Self::run`].
pub struct DdnsEngine {
    engine: Engine,
    ports: Ports,
    views: Vec<Box<dyn View>>,
    capacity: usize,
    requests: mpsc::Receiver<Request>,
}

impl DdnsEngine {
    /// Loads the state and makes an engine. Without the state it goes on, and saves none. `seed` seeds the jitter.
    pub async fn new(config: &Config, ports: Ports, views: Vec<Box<dyn View>>, seed: u64) -> (Self, Handle) {
        let too_late = ports.clock.sleep_until(ports.clock.now() + LOAD);
        let (saved, not_durable) = tokio::select! {
            biased;
            loaded = ports.store.load() => match loaded {
                Ok(saved) => (saved, None),
                Err(error) => (None, Some(crate::error_chain(&error))),
            },
            () = too_late => (None, Some(format!("the state was not read within {} seconds", LOAD.as_secs()))),
        };
        let start = Start {
            saved,
            not_durable,
            resolvers: ports.verifier.resolvers(),
            seed,
            now: ports.clock.now(),
            wall: ports.clock.wall(),
        };
        let engine = Engine::new(config, |provider, key| ports.providers[provider.0].supports(key), start);
        let (sender, requests) = mpsc::channel(REQUESTS);
        (Self { engine, ports, views, capacity: config.event_capacity, requests }, Handle { requests: sender })
    }

    /// Runs until `shutdown` completes, then ends what is under way within [`DRAIN_UPDATES`], [`DRAIN_POWER`]
    /// and [`DRAIN_STATE`].
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) {
        let mut work = Work::default();
        self.step(Event::Started, &mut work);
        self.turn(&mut work, shutdown).await;
        work.news.clear();
        self.step(Event::Shutdown, &mut work);
        let begin = self.ports.clock.now();
        self.drain(&mut work, begin + DRAIN_UPDATES, true).await;
        if self.engine.owes_power() {
            self.drain(&mut work, begin + DRAIN_POWER, true).await;
        }
        work.actions.clear();
        let state = self.ports.clock.now() + DRAIN_STATE;
        self.drain(&mut work, state, false).await;
    }

    async fn turn(&mut self, work: &mut Work, shutdown: impl Future<Output = ()> + Send) {
        tokio::pin!(shutdown);
        let clock = Arc::clone(&self.ports.clock);
        let mut timer = Timer::default();
        loop {
            timer.set(&*clock, self.engine.deadline());
            // In this order: the end, what was begun, what is asked, what is new, what time it is.
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(event) = work.actions.next() => self.step(event, work),
                Some(result) = work.save.next() => self.step(Event::Saved(result), work),
                Some(request) = self.requests.recv() => self.answer(request, work),
                Some(news) = work.news.next() => self.news(news, work),
                () = &mut timer.sleep => self.step(Event::Tick, work),
            }
        }
    }

    fn answer(&mut self, request: Request, work: &mut Work) {
        // Whoever asked may have gone.
        match request {
            Request::Status(reply) => drop(reply.send(self.engine.status())),
            Request::History(reply) => {
                // Time counts up to now.
                self.step(Event::Tick, work);
                drop(reply.send(self.engine.history()));
            }
        }
    }

    /// News of the sources; at most the configured number before anything else gets its turn.
    fn news(&mut self, first: News, work: &mut Work) {
        let mut next = Some(first);
        let mut left = self.capacity;
        while let Some((source, news)) = next {
            let event = match news {
                Ok(event) => Event::Addresses { source, event },
                Err(what) => Event::SourceFailed { source, what },
            };
            self.step(event, work);
            left = left.saturating_sub(1);
            next = if left == 0 { None } else { work.news.next().now_or_never().flatten() };
        }
    }

    async fn drain(&mut self, work: &mut Work, until: Instant, power: bool) {
        let mut timeout = self.ports.clock.sleep_until(until);
        let clock = Arc::clone(&self.ports.clock);
        let mut timer = Timer::default();
        while !(work.actions.is_empty() && work.save.is_empty()) || (power && self.engine.owes_power()) {
            timer.set(&*clock, self.engine.deadline());
            tokio::select! {
                biased;
                Some(event) = work.actions.next() => self.step(event, work),
                Some(result) = work.save.next() => self.step(Event::Saved(result), work),
                () = &mut timeout => return,
                () = &mut timer.sleep => self.step(Event::Tick, work),
            }
        }
    }

    fn step(&mut self, event: Event, work: &mut Work) {
        let now = self.ports.clock.now();
        let Effects { persist, actions, transitions } = self.engine.step(now, self.ports.clock.wall(), event);
        if !transitions.is_empty() && !self.views.is_empty() {
            let status = self.engine.status();
            for transition in &transitions {
                self.views.iter_mut().for_each(|view| view.observe(now, transition, &status));
            }
        }
        if let Some(state) = persist {
            let store = Arc::clone(&self.ports.store);
            work.save.push(save(store, state).boxed());
        }
        for action in actions {
            self.carry_out(action, work);
        }
    }

    fn carry_out(&self, action: Action, work: &mut Work) {
        match action {
            Action::Watch { source } => work.news.push(until_failure(source, self.ports.sources[source.0].watch())),
            Action::LookAgain { source } => self.ports.sources[source.0].look_again(),
            Action::AddressesHeld(held) => self.ports.connections.addresses_held(&held),
            Action::CloseIdle => self.ports.connections.close_idle(),
            Action::Resolve { whom, record, key, ask, quorum } => {
                let verifier = Arc::clone(&self.ports.verifier);
                let asking = async move {
                    let votes = match whom {
                        Whom::Authorities => verifier.authorities(&key).await,
                        Whom::Resolvers => verifier.resolve(&key, quorum).await,
                    };
                    Event::Resolved { record, ask, votes }
                };
                work.actions.push(asking.boxed());
            }
            Action::Read { provider, record, key } => {
                let provider = Arc::clone(&self.ports.providers[provider.0]);
                work.actions.push(async move { Event::Read { record, result: provider.read(&key).await } }.boxed());
            }
            Action::Update { provider, record, request } => {
                let provider = Arc::clone(&self.ports.providers[provider.0]);
                work.actions
                    .push(async move { Event::Updated { record, result: provider.update(&request).await } }.boxed());
            }
            Action::Plug { plug, order } => {
                let switch = self.ports.plugs.as_ref().map(|plugs| plugs.open(&plug));
                let too_late = self.ports.clock.sleep_until(self.ports.clock.now() + PLUG);
                let carrying_out = async move {
                    let Some(switch) = switch else {
                        return Err(PlugError::Refused {
                            at: plug.endpoint,
                            what: "this program switches no plugs".into(),
                        });
                    };
                    tokio::select! {
                        biased;
                        result = switch.carry_out(order) => result,
                        () = too_late => {
                            let cause = format!("no answer within {} seconds", PLUG.as_secs()).into();
                            Err(PlugError::Unconfirmed { at: plug.endpoint, cause })
                        }
                    }
                };
                work.actions.push(carrying_out.map(Event::Plug).boxed());
            }
            Action::Probe => {
                let probe = Arc::clone(&self.ports.probe);
                work.actions.push(async move { Event::Probed(probe.probe().await) }.boxed());
            }
        }
    }
}

type News = (SourceId, Result<IpChangeEvent, String>);

/// A source's news, up to the failure that ends it: a source that just ends fails too.
fn until_failure(
    source: SourceId,
    watch: BoxStream<'static, Result<IpChangeEvent, SourceError>>,
) -> BoxStream<'static, News> {
    let ended = stream::iter([Err("the source of addresses has ended".to_owned())]);
    let news = watch.map(|news| news.map_err(|error| crate::error_chain(&error))).chain(ended);
    let first_failure = news.scan(false, |failed, news| {
        let before = std::mem::replace(failed, news.is_err());
        ready((!before).then_some(news))
    });
    first_failure.map(move |news| (source, news)).boxed()
}

/// What is under way.
#[derive(Default)]
struct Work {
    news: SelectAll<BoxStream<'static, News>>,
    actions: FuturesUnordered<BoxFuture<'static, Event>>,
    save: FuturesUnordered<BoxFuture<'static, Result<(), SaveError>>>,
}

async fn save(store: Arc<dyn StateStore>, state: SavedState) -> Result<(), SaveError> {
    store.save(&state).await
}

/// The one timer, set anew only when the deadline moves.
struct Timer {
    deadline: Option<Instant>,
    sleep: BoxFuture<'static, ()>,
}

impl Default for Timer {
    fn default() -> Self {
        Self { deadline: None, sleep: std::future::pending().boxed() }
    }
}

impl Timer {
    fn set(&mut self, clock: &dyn Clock, deadline: Option<Instant>) {
        let passed = self.deadline.is_some_and(|deadline| deadline <= clock.now());
        if self.deadline == deadline && !passed {
            return;
        }
        self.deadline = deadline;
        self.sleep = match deadline {
            Some(deadline) => clock.sleep_until(deadline),
            None => std::future::pending().boxed(),
        };
    }
}
