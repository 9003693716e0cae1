//! Plug-ins by name. The core never branches on one.

use std::sync::Arc;

use crate::address::Family;
use crate::config::{self, Config, Endpoint, HostPort, PluginChoice, STATE_STORE_TYPE, Settings, Variable};
use crate::ports::{Clock, DnsProvider, DnsTransport, Gateways, HttpTransport, IpSource, PowerSwitches, StateStore};

/// Makes transports to plugs, also after the start: a kept intent may name one that no configuration names.
pub type PlugTransports = Arc<dyn Fn(&Endpoint) -> Arc<dyn HttpTransport> + Send + Sync>;

/// What a plug-in may be built from: capabilities, handed out one by one.
pub struct Parts<'a> {
    /// Makes transports, each bound to one origin.
    pub transports: &'a dyn Fn(&Endpoint) -> Arc<dyn HttpTransport>,
    /// The same for plugs, within limits that fit a small device on the LAN, and whenever one is opened.
    pub plug_transports: PlugTransports,
    /// Makes transports for DNS messages, each bound to one server.
    pub dns: &'a dyn Fn(&HostPort) -> Arc<dyn DnsTransport>,
    /// The same over UDP first, where a message may arrive more than once.
    pub dns_udp: &'a dyn Fn(&HostPort) -> Arc<dyn DnsTransport>,
    /// Transports over one address family and no other (trap 17).
    pub transports_over: &'a dyn Fn(Family, &Endpoint) -> Arc<dyn HttpTransport>,
    /// The same for DNS messages.
    pub dns_over: &'a dyn Fn(Family, &HostPort) -> Arc<dyn DnsTransport>,
    /// Makes the source of the host's own addresses, for sources that look further.
    pub host: &'a dyn Fn(&mut Settings<'_>) -> Option<Arc<dyn IpSource>>,
    /// The ways out of this host.
    pub gateways: Arc<dyn Gateways>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The configuration that is common to all.
    pub config: &'a Config,
}

/// Makes one kind of plug-in from its own variables. `build` opens nothing; problems are left in the settings, and
/// `None` says that there were some.
pub trait Factory<Port: ?Sized>: Send + Sync {
    /// The name in the configuration.
    fn name(&self) -> &'static str;
    /// Its former names.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }
    /// Its variables.
    fn variables(&self) -> &'static [Variable];
    /// Builds it.
    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<Port>>;
}

/// Makes [`DnsProvider`]s.
pub type DnsProviderFactory = dyn Factory<dyn DnsProvider>;
/// Makes [`IpSource`]s.
pub type IpSourceFactory = dyn Factory<dyn IpSource>;
/// Makes [`PowerSwitches`].
pub type PowerSwitchesFactory = dyn Factory<dyn PowerSwitches>;
/// Makes [`StateStore`]s.
pub type StateStoreFactory = dyn Factory<dyn StateStore>;

/// The plug-ins of a program.
#[derive(Default)]
pub struct ProviderRegistry {
    sources: Vec<Box<IpSourceFactory>>,
    providers: Vec<Box<DnsProviderFactory>>,
    stores: Vec<Box<StateStoreFactory>>,
    plugs: Option<Box<PowerSwitchesFactory>>,
}

/// The plug-ins that a configuration chose.
pub struct Plugins {
    /// Where addresses come from, by [`config::SourceId`].
    pub sources: Vec<Arc<dyn IpSource>>,
    /// Where records are kept, by [`config::ProviderId`].
    pub providers: Vec<Arc<dyn DnsProvider>>,
    /// Where state is kept.
    pub store: Arc<dyn StateStore>,
}

impl ProviderRegistry {
    /// Registers a kind of source.
    #[must_use]
    pub fn source(mut self, factory: Box<IpSourceFactory>) -> Self {
        self.sources.push(factory);
        self
    }

    /// Registers a kind of provider.
    #[must_use]
    pub fn provider(mut self, factory: Box<DnsProviderFactory>) -> Self {
        self.providers.push(factory);
        self
    }

    /// Registers a kind of store.
    #[must_use]
    pub fn store(mut self, factory: Box<StateStoreFactory>) -> Self {
        self.stores.push(factory);
        self
    }

    /// Registers what can switch plugs.
    #[must_use]
    pub fn plugs(mut self, factory: Box<PowerSwitchesFactory>) -> Self {
        self.plugs = Some(factory);
        self
    }

    /// Every variable that means something to this program: the common ones, then the plug-ins'.
    pub fn variables(&self) -> Vec<Variable> {
        let mut all = config::VARIABLES.to_vec();
        let plugins = self.sources.iter().map(|factory| factory.variables());
        let plugins = plugins.chain(self.providers.iter().map(|factory| factory.variables()));
        let plugins = plugins.chain(self.plugs.iter().map(|factory| factory.variables()));
        for variable in plugins.chain(self.stores.iter().map(|factory| factory.variables())).flatten() {
            if !all.contains(variable) {
                all.push(*variable);
            }
        }
        all
    }

    /// Builds the plug-ins that the configuration and the settings choose. All are tried, so that all problems show.
    pub fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Plugins> {
        let sources = build_all(&self.sources, &parts.config.sources, settings, parts);
        let providers = build_all(&self.providers, &parts.config.providers, settings, parts);
        let store = build_one(&self.stores, &STATE_STORE_TYPE, settings, parts);
        Some(Plugins { sources: sources?, providers: providers?, store: store? })
    }

    /// Builds what switches plugs. It stands apart, since power that is owed is given back also where the rest is wrong.
    /// `None` says that there were problems, or that this program switches nothing.
    pub fn build_plugs(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn PowerSwitches>> {
        self.plugs.as_ref()?.build(settings, parts)
    }
}

fn build_all<Port: ?Sized>(
    factories: &[Box<dyn Factory<Port>>],
    choices: &[PluginChoice],
    settings: &mut Settings<'_>,
    parts: &Parts<'_>,
) -> Option<Vec<Arc<Port>>> {
    let mut build = |choice: &PluginChoice| {
        settings.within(choice.group.as_ref(), |settings| build_one(factories, &choice.variable, settings, parts))
    };
    let built: Vec<_> = choices.iter().map(&mut build).collect();
    built.into_iter().collect()
}

fn build_one<Port: ?Sized>(
    factories: &[Box<dyn Factory<Port>>],
    variable: &Variable,
    settings: &mut Settings<'_>,
    parts: &Parts<'_>,
) -> Option<Arc<Port>> {
    let wanted = settings.text(variable)?;
    let found = factories.iter().find(|factory| factory.name() == wanted || factory.aliases().contains(&&*wanted));
    match found {
        Some(factory) => factory.build(settings, parts),
        None => {
            let names: Vec<_> = factories.iter().map(|factory| factory.name()).collect();
            settings.problem(variable, "no such plug-in", &format!("use one of: {}", names.join(", ")));
            None
        }
    }
}
