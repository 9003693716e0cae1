use std::collections::BTreeSet;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::address::{Family, Snapshot};
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings, VARIABLES};
use ddns_core::driver::{Connections, Ports, View};
use ddns_core::engine::{Status, Transition};
use ddns_core::ports::{
    Answer, Clock, DnsProvider, IpSource, LoadError, LookupError, Observed, PathProbe, PathReport, ProviderError,
    RecordHandle, SaveError, SourceError, StateStore, TargetReport, UpdateKind, UpdateRequest, UpdateResult, Verifier,
    Vote,
};
use ddns_core::record::RecordKey;
use ddns_core::state::SavedState;
use ddns_core::time::{Instant, Wall};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time;

use crate::world::{Call, News, Shows, World, ip};

struct NoFiles;

impl SecretFiles for NoFiles {
    fn read(&self, _path: &std::path::Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

pub fn config(environment: &[(&str, &str)]) -> Config {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut settings = Settings::new(environment, VARIABLES, &NoFiles);
    let config = Config::read(&mut settings);
    assert_eq!(settings.finish().1, []);
    config
}

/// Every port on one world, each an object of its own, and a view.
pub fn ports(world: &Arc<World>, store: Arc<dyn StateStore>) -> (Ports, Box<dyn View>) {
    let port = || Arc::new(Port(Arc::clone(world)));
    let ports = Ports {
        sources: vec![port()],
        providers: vec![port()],
        verifier: port(),
        store: Arc::new(Noted(Arc::clone(world), store)),
        probe: port(),
        plugs: None,
        clock: port(),
        connections: port(),
    };
    (ports, Box::new(Port(Arc::clone(world))))
}

struct Port(Arc<World>);

#[async_trait]
impl IpSource for Port {
    async fn current(&self) -> Result<Snapshot, SourceError> {
        Ok(self.0.event().snapshot)
    }

    fn watch(&self) -> BoxStream<'static, News> {
        self.0.called(Call::Watch);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        self.0.listen(sender);
        let mut manners = self.0.manners();
        let ends = (!manners.streams_end.is_empty()).then(|| manners.streams_end.remove(0));
        let mute = manners.mute;
        drop(manners);
        let rest = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        let whole = if mute { rest.boxed() } else { self.first().chain(rest).boxed() };
        match ends {
            Some(polls) => Ends { stream: Some(whole), polls }.boxed(),
            None => whole,
        }
    }
}

impl Port {
    /// The truth when it is asked for, not when the stream was made.
    fn first(&self) -> impl Stream<Item = News> + use<> {
        let world = Arc::clone(&self.0);
        futures_util::stream::once(async move { Ok(world.event()) })
    }
}

/// A stream that is dropped with its n-th poll, and whatever it was about to say with it.
struct Ends {
    stream: Option<BoxStream<'static, News>>,
    polls: usize,
}

impl Stream for Ends {
    type Item = News;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<News>> {
        if self.polls == 0 {
            self.stream = None;
        }
        self.polls = self.polls.saturating_sub(1);
        match &mut self.stream {
            Some(stream) => stream.poll_next_unpin(context),
            None => Poll::Ready(None),
        }
    }
}

#[async_trait]
impl DnsProvider for Port {
    fn name(&self) -> &'static str {
        "model"
    }

    fn supports(&self, key: &RecordKey) -> bool {
        !self.0.manners().unsupported.contains(key.name.as_str())
    }

    async fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError> {
        self.0.called(Call::Read(key.to_string()));
        if let Some(error) = self.0.manners().read_fails {
            return Err(error());
        }
        let addresses = self.0.api().get(&key.to_string()).cloned().unwrap_or_default();
        Ok(Observed { addresses, proxied: false, handle: Some(RecordHandle(format!("h/{key}"))) })
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        let key = request.key.to_string();
        self.0.called(Call::Update(key.clone(), request.address));
        let (takes, effect_first) = {
            let manners = self.0.manners();
            (manners.update_takes, manners.effect_first)
        };
        if let Some(error) = self.0.manners().fails.get(request.key.name.as_str()) {
            return Err(error());
        }
        let effect = || self.0.api().insert(key.clone(), BTreeSet::from([request.address]));
        if effect_first {
            effect();
        }
        time::sleep(takes).await;
        effect();
        self.0.called(Call::Updated(key.clone(), request.address));
        let handle = Some(RecordHandle(format!("h/{key}")));
        Ok(UpdateResult { kind: UpdateKind::Changed, proxied: false, handle })
    }
}

#[async_trait]
impl Verifier for Port {
    fn resolvers(&self) -> usize {
        self.0.manners().resolvers.len().max(1)
    }

    async fn resolve(&self, key: &RecordKey, _quorum: usize) -> Vec<Vote> {
        self.0.called(Call::Resolve(key.to_string()));
        let held = self.0.api().get(&key.to_string()).cloned().unwrap_or_default();
        let mut resolvers = self.0.manners().resolvers.clone();
        if resolvers.is_empty() {
            resolvers.push(Shows::Truth);
        }
        let answer = |addresses| Ok(Answer { addresses, ttl: Duration::ZERO });
        let vote = |shows| match shows {
            Shows::Truth => answer(held.clone()),
            Shows::Only(address) => answer(BTreeSet::from([ip(address)])),
            Shows::Nothing => answer(BTreeSet::new()),
            Shows::Fails => Err(LookupError::Rcode("SERVFAIL".into())),
        };
        resolvers.into_iter().map(|shows| Vote { resolver: "model".into(), answer: vote(shows) }).collect()
    }
}

#[async_trait]
impl PathProbe for Port {
    async fn probe(&self) -> PathReport {
        self.0.called(Call::Probe);
        let mut targets = self.0.manners().targets.clone();
        if targets.is_empty() {
            targets.push((None, true));
        }
        let target = |(family, good): (Option<Family>, bool)| {
            TargetReport::new("model", family, (!good).then(|| "no answer".to_owned()))
        };
        PathReport { targets: targets.into_iter().map(target).collect(), lan: None }
    }
}

impl Clock for Port {
    fn now(&self) -> Instant {
        Instant::since_boot(Duration::from_secs(1000) + self.0.elapsed())
    }

    fn wall(&self) -> Wall {
        let elapsed = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Wall::from_millis(1_700_000_000_000 + elapsed)
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        time::sleep(deadline.saturating_since(self.now())).boxed()
    }
}

impl Connections for Port {
    fn addresses_held(&self, _held: &[IpAddr]) {
        self.0.called(Call::AddressesHeld);
    }

    fn close_idle(&self) {
        self.0.called(Call::CloseIdle);
    }
}

impl View for Port {
    fn observe(&mut self, _now: Instant, transition: &Transition, _status: &Status) {
        self.0.log().push(transition.clone());
    }
}

/// A store whose saves are noted and take their time.
struct Noted(Arc<World>, Arc<dyn StateStore>);

#[async_trait]
impl StateStore for Noted {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        self.1.load().await
    }

    async fn save(&self, state: &SavedState) -> Result<(), SaveError> {
        self.0.called(Call::Save);
        let takes = self.0.manners().save_takes;
        time::sleep(takes).await;
        let saved = self.1.save(state).await;
        self.0.called(Call::Saved);
        saved
    }
}

/// A store whose state can't be read.
pub struct Unreadable(pub fn() -> LoadError);

#[async_trait]
impl StateStore for Unreadable {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        Err((self.0)())
    }

    async fn save(&self, _state: &SavedState) -> Result<(), SaveError> {
        Ok(())
    }
}

/// A store that keeps what every store on a disk keeps: the encoded state.
#[derive(Default)]
pub struct Encoded(Mutex<Option<Vec<u8>>>);

#[async_trait]
impl StateStore for Encoded {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.as_deref().map(|octets| SavedState::decode(octets).unwrap()))
    }

    async fn save(&self, state: &SavedState) -> Result<(), SaveError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state.encode());
        Ok(())
    }
}
