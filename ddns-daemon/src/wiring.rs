use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ddns_core::address::Family;
use ddns_core::config::{
    CA_FILE, Config, Endpoint, HostPort, LOG_FORMAT, LOG_LEVEL, ON_CHANGE, Problem, STATE_STORE_TYPE, SecretFile,
    SecretFiles, Settings, WireGuard,
};
use ddns_core::driver::{Connections, Ports};
use ddns_core::memory_store::MemoryStoreFactory;
use ddns_core::ports::{Clock, DnsTransport, HttpTransport, PowerSwitches};
use ddns_core::registry::{Factory, Parts, PlugTransports, ProviderRegistry};
use ddns_discover::{DiscoverFactory, HttpPollFactory};
use ddns_doh::{Authorities, DohVerifier, Resolver};
use ddns_http::{HttpStack, Limits};
use ddns_linux::{BootClock, KernelGateways, KernelSourceFactory, LanProbe, Layer};
use ddns_plug::{PlugFactory, Plugs};
use ddns_provider_cloudflare::CloudflareFactory;
use ddns_provider_dyndns2::Dyndns2Factory;
use ddns_provider_rfc2136::Rfc2136Factory;
use ddns_slots::STATE_STORE_PATH;
use ddns_store_file::FileStoreFactory;
use ddns_store_sled::SledStoreFactory;
use ddns_telemetry::Otlp;
use rustix::fs::{Access, access};

use crate::lists::Lists;
use crate::on_change::Listeners;
use crate::sandbox::Places;
use crate::way_out::WayOut;
use crate::wireguard::Tunnel;
use crate::{WORKER, sandbox};

/// A provider's API: answers are a few kilobytes.
const API: Limits = Limits {
    connect: Duration::from_secs(5),
    handshake: Duration::from_secs(5),
    answer: Duration::from_secs(10),
    body: 1 << 20,
};
/// A voter: an address, on one line or on a few.
const VOTER: Limits = Limits {
    connect: Duration::from_secs(3),
    handshake: Duration::from_secs(3),
    answer: Duration::from_secs(4),
    body: 4096,
};
/// One of the zone's own name servers; where port 53 is closed, this is what it costs to notice.
const NAME_SERVER: Limits =
    Limits { connect: Duration::from_secs(2), handshake: Duration::ZERO, answer: Duration::from_secs(3), body: 65_535 };
/// A resolver: a DNS message has at most 65,535 octets (RFC 1035 §4.2.2).
const DOH: Limits = Limits {
    connect: Duration::from_secs(3),
    handshake: Duration::from_secs(3),
    answer: Duration::from_secs(5),
    body: 65_535,
};
/// A plug: a device on the LAN that answers at once or not at all, and whose word may be waited for by the router.
const PLUG: Limits = Limits {
    connect: Duration::from_secs(3),
    handshake: Duration::from_secs(3),
    answer: Duration::from_secs(4),
    body: 65_536,
};
/// A collector of telemetry, which nothing waits for.
const COLLECTOR: Limits = Limits {
    connect: Duration::from_secs(3),
    handshake: Duration::from_secs(3),
    answer: Duration::from_secs(5),
    body: 65_536,
};
/// A webhook's answer, of which the status counts.
const WEBHOOK_BODY: usize = 65_536;

/// A configuration that works, with all that it chose.
pub(crate) struct Wired {
    pub(crate) config: Config,
    pub(crate) ports: Ports,
    /// Who is told of verified changes, if anybody is.
    pub(crate) listeners: Option<Listeners>,
    /// The lists that follow the providers' records; none in a dry run.
    pub(crate) lists: Option<Lists>,
    pub(crate) tunnel: Option<Arc<Tunnel>>,
    /// The store outlives the process.
    pub(crate) keeps_state: bool,
    /// What the process gives up, and the files that it keeps.
    pub(crate) layers: Vec<Layer>,
    pub(crate) places: Places,
    /// The collector of metrics and traces, if there is one.
    pub(crate) otlp: Option<Otlp>,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) log_level: &'static str,
    pub(crate) log_format: &'static str,
}

/// A configuration that doesn't.
pub(crate) struct Wrong {
    pub(crate) warnings: Vec<Problem>,
    pub(crate) problems: Vec<Problem>,
    /// Plugs can be switched on all the same.
    pub(crate) plugs: Option<Arc<dyn PowerSwitches>>,
}

/// Every plug-in of ddnsd.
pub(crate) fn registry() -> ProviderRegistry {
    ProviderRegistry::default()
        .source(Box::new(KernelSourceFactory))
        .source(Box::new(DiscoverFactory::always()))
        .source(Box::new(DiscoverFactory::auto()))
        .source(Box::new(HttpPollFactory))
        .provider(Box::new(CloudflareFactory))
        .provider(Box::new(Rfc2136Factory))
        .provider(Box::new(Dyndns2Factory))
        .plugs(Box::new(PlugFactory))
        .store(Box::new(SledStoreFactory::new(Arc::new(worker))))
        .store(Box::new(FileStoreFactory))
        .store(Box::new(MemoryStoreFactory))
}

/// This very program, also when the file it came from was replaced; without the environment, which may hold secrets.
fn worker() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env_clear().arg(WORKER);
    command
}

/// The environment, of which single variables are wanted; what is wrong with the others is not looked at.
pub(crate) fn settings(environment: impl Iterator<Item = (OsString, OsString)>) -> Settings<'static> {
    let environment = environment.map(|(name, value)| (text(name), text(value)));
    Settings::new(environment, &registry().variables(), &Files)
}

/// Where the stores keep the state, by the variables about that alone.
pub(crate) fn state_directory(environment: impl Iterator<Item = (OsString, OsString)>) -> Result<PathBuf, Wrong> {
    let mut settings = settings(environment);
    if settings.text(&STATE_STORE_TYPE).is_some_and(|kind| kind == MemoryStoreFactory.name()) {
        settings.problem(&STATE_STORE_TYPE, "this store keeps no state", "choose another store");
    }
    let directory = ddns_slots::directory(&mut settings);
    let (warnings, problems) = settings.finish();
    match directory {
        Some(directory) if problems.is_empty() => Ok(directory),
        Some(_) | None => Err(Wrong { warnings, problems, plugs: None }),
    }
}

fn text(os: OsString) -> String {
    os.to_string_lossy().into_owned()
}

/// Reads the environment and builds what it asks for. Opens nothing but the files it names, and the sockets for pings, while
/// there is the right to.
pub(crate) fn wire(environment: impl Iterator<Item = (OsString, OsString)>) -> Result<Wired, Wrong> {
    let registry = registry();
    let environment = environment.map(|(name, value)| (text(name), text(value)));
    let mut settings = Settings::new(environment, &registry.variables(), &Files);
    let mut config = Config::read(&mut settings);
    if let Some(program) = &config.on_change.program
        && let Err((reason, remedy)) = runnable(program)
    {
        settings.problem(&ON_CHANGE, &reason, remedy);
    }
    let (log_level, log_format) = (settings.choice(&LOG_LEVEL), settings.choice(&LOG_FORMAT));
    let layers = sandbox::layers(&mut settings, &config);
    let keeps_state = settings.text(&STATE_STORE_TYPE).is_some_and(|kind| kind != MemoryStoreFactory.name());
    let state = settings.text(&STATE_STORE_PATH).filter(|_| keeps_state);
    let stack = stack(&mut settings);
    let mut plugs = None;
    let built = stack.map(Arc::new).and_then(|stack| {
        let clock: Arc<dyn Clock> = Arc::new(BootClock);
        let transports = |endpoint: &Endpoint| -> Arc<dyn HttpTransport> { stack.http1(endpoint.clone(), API) };
        let dns = |server: &HostPort| -> Arc<dyn DnsTransport> { Arc::new(stack.dns(server.clone(), API)) };
        let dns_udp = |server: &HostPort| -> Arc<dyn DnsTransport> { Arc::new(stack.dns_udp(server.clone(), API)) };
        let transports_over = |family: Family, endpoint: &Endpoint| -> Arc<dyn HttpTransport> {
            stack.http1_over(family, endpoint.clone(), VOTER)
        };
        let dns_over = |family: Family, server: &HostPort| -> Arc<dyn DnsTransport> {
            Arc::new(stack.dns_over(family, server.clone(), VOTER))
        };
        let host = |settings: &mut Settings<'_>| Some(KernelSourceFactory::host(settings, &config, &clock));
        let plug_stack = Arc::clone(&stack);
        let plug_transports: PlugTransports =
            Arc::new(move |endpoint: &Endpoint| plug_stack.http1(endpoint.clone(), PLUG));
        let parts = Parts {
            transports: &transports,
            plug_transports: Arc::clone(&plug_transports),
            dns: &dns,
            dns_udp: &dns_udp,
            transports_over: &transports_over,
            dns_over: &dns_over,
            host: &host,
            gateways: Arc::new(KernelGateways),
            clock: Arc::clone(&clock),
            config: &config,
        };
        let configured = registry.build_plugs(&mut settings, &parts);
        plugs = configured.clone().or_else(|| Some(Arc::new(Plugs::unconfigured(plug_transports))));
        let (plugins, switches) = (registry.build(&mut settings, &parts)?, configured?);
        let webhook = config.on_change.url.clone().map(|url| -> Arc<dyn HttpTransport> {
            stack.http1(url, Limits { answer: config.on_change.limit, body: WEBHOOK_BODY, ..API })
        });
        let otlp = config.telemetry.otlp.clone().map(|otlp| Otlp {
            transport: stack.http1(otlp.endpoint, COLLECTOR),
            credentials: otlp.credentials,
            interval: otlp.interval,
            connections: Arc::clone(&stack) as Arc<dyn Connections>,
        });
        let ports = Ports {
            sources: plugins.sources,
            providers: plugins.providers,
            store: plugins.store,
            verifier: Arc::new(verifier(&stack, &config, Arc::clone(&clock))),
            probe: Arc::new(WayOut {
                wan: stack.probe(config.probe_targets.clone()),
                lan: LanProbe::new(config.router),
            }),
            plugs: Some(switches),
            clock,
            connections: stack,
        };
        Some((ports, webhook, otlp))
    });
    let (warnings, problems) = settings.finish();
    match built {
        Some((ports, webhook, otlp)) if problems.is_empty() => {
            config.recovery.plug = ports.plugs.as_ref().and_then(|plugs| plugs.configured().cloned());
            let tunnel =
                |wireguard: &WireGuard| Arc::new(Tunnel::new(wireguard.interface.clone(), Arc::clone(&ports.clock)));
            let (tunnel, listeners) = (config.wireguard.as_ref().map(tunnel), listeners(&config, &ports, webhook));
            let lists = lists(&config, &ports);
            let socket = config.admin_socket.parent().map(Path::to_owned);
            let places = Places { state: state.map(PathBuf::from), socket };
            Ok(Wired {
                config,
                ports,
                listeners,
                lists,
                tunnel,
                keeps_state,
                layers,
                places,
                otlp,
                warnings,
                log_level,
                log_format,
            })
        }
        Some(_) | None => Err(Wrong { warnings, problems, plugs }),
    }
}

/// The stack; with a problem noted it is one without further trust, so that all other problems show as well.
fn stack(settings: &mut Settings<'_>) -> Option<HttpStack> {
    let further =
        settings.text(&CA_FILE).map(|path| fs::read(path).map_err(|error| format!("cannot read it: {error}")));
    let stack = match further {
        None => HttpStack::new(None).map_err(|error| error.to_string()),
        Some(Ok(pem)) => HttpStack::new(Some(&pem)).map_err(|error| error.to_string()),
        Some(Err(reason)) => Err(reason),
    };
    stack.map_or_else(
        |reason| {
            settings.problem(&CA_FILE, &reason, "name a PEM file of CA certificates that ddnsd can read");
            HttpStack::new(None).ok()
        },
        Some,
    )
}

fn verifier(stack: &Arc<HttpStack>, config: &Config, clock: Arc<dyn Clock>) -> DohVerifier {
    let resolver =
        |endpoint: &Endpoint| Resolver { name: endpoint.to_string(), transport: stack.http2(endpoint.clone(), DOH) };
    let stack_of_servers = Arc::clone(stack);
    let server = move |server: &HostPort| -> Arc<dyn DnsTransport> {
        Arc::new(stack_of_servers.dns(server.clone(), NAME_SERVER))
    };
    let authorities = Authorities::new(Arc::new(server), &config.dns_servers, clock);
    DohVerifier::new(config.doh.iter().map(resolver).collect()).with_authorities(authorities)
}

fn lists(config: &Config, ports: &Ports) -> Option<Lists> {
    let any = ports.providers.iter().any(|provider| provider.address_list().is_some());
    (any && !config.dry_run).then(|| Lists {
        providers: ports.providers.clone(),
        connections: Arc::clone(&ports.connections),
        clock: Arc::clone(&ports.clock),
    })
}

fn listeners(config: &Config, ports: &Ports, webhook: Option<Arc<dyn HttpTransport>>) -> Option<Listeners> {
    let (program, limit) = (config.on_change.program.clone(), config.on_change.limit);
    let connections = Arc::clone(&ports.connections);
    let telemetry = None;
    (program.is_some() || webhook.is_some()).then_some(Listeners { program, webhook, connections, limit, telemetry })
}

/// Whether a program can be run, and can be changed only by those who may.
fn runnable(program: &Path) -> Result<(), (String, &'static str)> {
    let found = fs::metadata(program)
        .map_err(|error| (format!("cannot look at it: {error}"), "name a program that the user of ddnsd can run"))?;
    if !found.is_file() {
        return Err(("it is not a file".to_owned(), "name the program itself"));
    }
    if found.permissions().mode() & 0o002 != 0 {
        return Err(("every user can change it".to_owned(), "chmod 0755 it"));
    }
    access(program, Access::EXEC_OK)
        .map_err(|error| (format!("ddnsd may not run it: {error}"), "chmod 0755 it, and let ddnsd into its directory"))
}

/// The files that secrets lie in.
struct Files;

impl SecretFiles for Files {
    fn read(&self, path: &Path) -> std::io::Result<SecretFile> {
        let mode = fs::metadata(path)?.permissions().mode();
        Ok(SecretFile { content: fs::read(path)?, world_readable: mode & 0o004 != 0 })
    }
}

/// Prints problems for a person, one per line.
pub(crate) fn print(level: &str, problems: &[Problem]) {
    for problem in problems {
        eprintln!("ddnsd: {level}: {problem}");
    }
}
