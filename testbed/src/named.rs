//! A real BIND 9 as the zone's name server and as resolver over HTTPS.

use std::{
    fmt::Write,
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use hickory_proto::op::Message;
use tempfile::TempDir;

use crate::{
    Identity, Namespace,
    dynamic_update::{Rrset, exchange, exchange_ok, query},
    namespace::spawn_thread,
    process::{Process, ProcessHandle},
};

/// Plain DNS in a namespace; on loopback the port is any free one.
pub const DNS_PORT: u16 = 53;
/// DNS over HTTPS in a namespace; on loopback the port is any free one.
pub const DOH_PORT: u16 = 8443;
/// The path of DNS over HTTPS.
pub const DOH_PATH: &str = "/dns-query";
/// The time to live of everything in the zones, and of what they lack, in seconds.
pub const TTL: u32 = 1;

/// A zone that takes updates from nobody.
pub const LOCKED_ZONE: &str = "locked.test";
/// The names of the keys that it knows, each with its algorithm.
pub const KEYS: [(&str, &str); 3] =
    [("ddns-256", "hmac-sha256"), ("ddns-384", "hmac-sha384"), ("ddns-512", "hmac-sha512")];
const SECRET: &str = "m4S0cXw1oNR3pXlZQx2FqzV7yq0JbRk9uT5aHsE6dIg=";

/// A key of [`KEYS`] as `tsig-keygen` prints it.
pub fn key_file(name: &str, algorithm: &str) -> String {
    format!("key \"{name}\" {{\n\talgorithm {algorithm};\n\tsecret \"{SECRET}\";\n}};\n")
}

/// The secret of all keys, which nobody else should tell.
pub const fn secret() -> &'static str {
    SECRET
}

const STARTUP: Duration = Duration::from_secs(30);
const LOOPBACK_ATTEMPTS: usize = 5;

/// Its control channel in a namespace, on loopback; elsewhere the port is any free one.
const CONTROL_PORT: u16 = 953;

/// Where `named` listens: plain DNS, DNS over HTTPS, and for `rndc`.
#[derive(Clone, Copy)]
struct Ports {
    dns: u16,
    doh: u16,
    control: u16,
}

/// A running `named`, primary for its zones, with dynamic updates allowed from anywhere in its small world, without
/// recursion. It is killed when dropped.
pub struct Named<'a> {
    process: Process,
    directory: TempDir,
    namespace: Option<&'a Namespace>,
    dns: Vec<SocketAddr>,
    doh: Vec<SocketAddr>,
    control: u16,
    zones: Vec<String>,
}

impl<'a> Named<'a> {
    /// Starts `named` inside `namespace` on all of `addresses`, ports [`DNS_PORT`] and [`DOH_PORT`], and waits until it
    /// answers.
    pub fn start(namespace: &'a Namespace, addresses: &[IpAddr], zones: &[&str], identity: &Identity) -> Result<Self> {
        let ports = Ports { dns: DNS_PORT, doh: DOH_PORT, control: CONTROL_PORT };
        Self::launch(Some(namespace), addresses, ports, zones, None, identity)
    }

    /// Starts `named` on free ports of 127.0.0.1; needs no root.
    pub fn start_on_loopback(zones: &[&str], identity: &Identity) -> Result<Named<'static>> {
        Self::on_loopback(zones, None, identity)
    }

    /// A secondary of this server for the same zones, on free ports of 127.0.0.1, which has transferred them.
    pub fn secondary(&self, identity: &Identity) -> Result<Named<'static>> {
        let zones: Vec<_> = self.zones.iter().map(String::as_str).collect();
        Self::on_loopback(&zones, Some(self.dns()), identity)
    }

    fn on_loopback(zones: &[&str], primary: Option<SocketAddr>, identity: &Identity) -> Result<Named<'static>> {
        let address = IpAddr::from([127, 0, 0, 1]);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let ports = Ports { dns: free_port(address)?, doh: free_port(address)?, control: free_port(address)? };
            match Named::launch(None, &[address], ports, zones, primary, identity) {
                // Someone else may take a port between its choice and its use.
                Err(error) if attempt < LOOPBACK_ATTEMPTS && format!("{error:#}").contains("address in use") => {}
                outcome => return outcome,
            }
        }
    }

    fn launch(
        namespace: Option<&'a Namespace>,
        addresses: &[IpAddr],
        ports: Ports,
        zones: &[&str],
        primary: Option<SocketAddr>,
        identity: &Identity,
    ) -> Result<Self> {
        ensure!(!addresses.is_empty() && !zones.is_empty(), "named needs an address and a zone");
        let program = program()?;
        let directory = tempfile::Builder::new().prefix("ddns-named-").tempdir().context("a directory for named")?;
        let program = outside_apparmor(&program, directory.path())?;
        let configuration = configuration(directory.path(), addresses, ports, zones, primary, identity)?;
        let mut command = match namespace {
            Some(namespace) => namespace.command(&program),
            None => std::process::Command::new(&program),
        };
        command.args(["-g", "-n", "1", "-c"]).arg(configuration).current_dir(directory.path());
        let on = |port| addresses.iter().map(|&address| SocketAddr::new(address, port)).collect();
        let named = Self {
            process: Process::start("named", &mut command)?,
            directory,
            namespace,
            dns: on(ports.dns),
            doh: on(ports.doh),
            control: ports.control,
            zones: zones.iter().map(|&zone| zone.to_owned()).collect(),
        };
        if primary.is_some() {
            for zone in zones {
                let begin = format!("zone {zone}/IN: transferred serial");
                let wanted = |line: &str| line.contains(&begin).then_some(());
                named.process.wait_for("the transfer of its zones", 0, STARTUP, wanted)?;
            }
        }
        named.ready()?;
        Ok(named)
    }

    /// Freezes the zone: it takes no updates any more.
    pub fn freeze(&self, zone: &str) -> Result<()> {
        self.control(&["freeze", zone])
    }

    /// The zone takes updates again.
    pub fn thaw(&self, zone: &str) -> Result<()> {
        self.control(&["thaw", zone])
    }

    fn control(&self, words: &[&str]) -> Result<()> {
        let key = self.directory.path().join("control.key");
        fs::write(&key, key_file(KEYS[0].0, KEYS[0].1)).with_context(|| format!("writing {}", key.display()))?;
        let mut rndc = match self.namespace {
            Some(namespace) => namespace.command("/usr/sbin/rndc"),
            None => std::process::Command::new("/usr/sbin/rndc"),
        };
        rndc.args(["-s", "127.0.0.1", "-p", &self.control.to_string(), "-k"]).arg(&key).args(words);
        let output = rndc.output().context("rndc is missing (package bind9-utils)")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "rndc {}: {said}", words.join(" "));
        Ok(())
    }

    /// Waits until `named` says that it runs, listens everywhere it should, and answers for its first zone.
    pub fn ready(&self) -> Result<()> {
        self.process.wait_for("the line `running`", 0, STARTUP, |line| line.ends_with(" running").then_some(()))?;
        if let Some(line) = self.process.lines().iter().find(|line| line.contains("address in use")) {
            bail!("named could not listen (address in use): {line}");
        }
        for &server in &self.dns {
            let question = query(&self.zones[0], "SOA")?;
            let answer = self.inside(async move || exchange_ok(server, &question).await)?;
            ensure!(!answer.answers.is_empty(), "named at {server} does not know its zone {}", self.zones[0]);
        }
        Ok(())
    }

    /// Plain DNS, UDP and TCP, at its first address.
    pub fn dns(&self) -> SocketAddr {
        self.dns[0]
    }

    /// TCP port of DNS over HTTPS at its first address.
    pub fn doh(&self) -> SocketAddr {
        self.doh[0]
    }

    /// The value for `DDNS_DOH_URLS`: one URL for each address.
    pub fn doh_urls(&self) -> Vec<String> {
        self.doh.iter().map(|socket| format!("https://{socket}{DOH_PATH}")).collect()
    }

    /// What the zone holds under `name`: the records' data as text, sorted.
    pub fn lookup(&self, name: &str, kind: &str) -> Result<Vec<String>> {
        let (server, question) = (self.dns(), query(name, kind)?);
        let answer = self.inside(async move || exchange(server, &question).await)?;
        let mut data: Vec<_> = answer.answers.iter().map(|record| record.data.to_string()).collect();
        data.sort();
        Ok(data)
    }

    /// Makes the zone hold exactly `contents` under `name` and `kind`, behind the back of the Cloudflare double.
    pub fn set(&self, zone: &str, name: &str, kind: &str, contents: &[&str]) -> Result<()> {
        let contents = contents.iter().map(|&content| content.to_owned()).collect();
        let update = Rrset { zone: zone.into(), name: name.into(), kind: kind.into(), contents, ttl: TTL }.update()?;
        let server = self.dns();
        self.inside(async move || exchange_ok(server, &update).await).map(drop)
    }

    /// What it logged.
    pub fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// For signals, for example to stop (`SIGSTOP`) a name server that shall hang.
    pub fn handle(&self) -> ProcessHandle {
        self.process.handle()
    }

    /// Where its configuration and its zones lie.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn inside<F>(&self, talk: impl FnOnce() -> F + Send + 'static) -> Result<Message>
    where
        F: Future<Output = Result<Message>>,
    {
        let thread = spawn_thread(self.namespace, "dns client", move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("a tokio runtime")?;
            runtime.block_on(talk())
        })?;
        thread.join().map_err(|_| anyhow::anyhow!("the DNS client panicked"))??
    }
}

fn program() -> Result<PathBuf> {
    ["/usr/sbin/named", "/usr/local/sbin/named", "/usr/bin/named"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .context("named is missing (package bind9); `cargo xtask setup` installs it")
}

/// Debian's AppArmor profile knows `named` by its path and keeps it out of temporary directories; a copy is free of it.
fn outside_apparmor(program: &Path, directory: &Path) -> Result<PathBuf> {
    if !fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|enabled| enabled.starts_with('Y')) {
        return Ok(program.to_owned());
    }
    let copy = directory.join("named");
    fs::copy(program, &copy).with_context(|| format!("copying {} to {}", program.display(), copy.display()))?;
    Ok(copy)
}

fn configuration(
    directory: &Path,
    addresses: &[IpAddr],
    Ports { dns: dns_port, doh: doh_port, control }: Ports,
    zones: &[&str],
    primary: Option<SocketAddr>,
    identity: &Identity,
) -> Result<PathBuf> {
    let (certificate, key) = identity.write_pem(directory)?;
    let listed = |v6: bool| {
        let own: Vec<_> = addresses.iter().filter(|address| address.is_ipv6() == v6).map(|a| format!("{a};")).collect();
        if own.is_empty() { "none;".to_owned() } else { own.join(" ") }
    };
    let (v4, v6) = (listed(false), listed(true));
    let mut text = format!(
        r#"options {{
    directory "{directory}";
    pid-file none;
    lock-file none;
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    max-cache-size 8M;
    listen-on port {dns_port} {{ {v4} }};
    listen-on-v6 port {dns_port} {{ {v6} }};
    listen-on port {doh_port} tls testbed http testbed {{ {v4} }};
    listen-on-v6 port {doh_port} tls testbed http testbed {{ {v6} }};
}};
tls testbed {{ cert-file "{certificate}"; key-file "{key}"; }};
http testbed {{ endpoints {{ "{DOH_PATH}"; }}; }};
controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "{control_key}"; }}; }};
"#,
        directory = directory.display(),
        certificate = certificate.display(),
        key = key.display(),
        control_key = KEYS[0].0,
    );
    for (name, algorithm) in KEYS {
        text.push_str(&key_file(name, algorithm));
    }
    writeln!(
        text,
        r#"zone "{LOCKED_ZONE}" {{ type primary; file "{LOCKED_ZONE}.zone"; allow-update {{ none; }}; }};"#
    )?;
    let locked = directory.join(format!("{LOCKED_ZONE}.zone"));
    fs::write(&locked, zone_file(LOCKED_ZONE, addresses)).with_context(|| format!("writing {}", locked.display()))?;
    for zone in zones {
        if let Some(primary) = primary {
            let (address, port) = (primary.ip(), primary.port());
            writeln!(text, r#"zone "{zone}" {{ type secondary; primaries port {port} {{ {address}; }}; }};"#)?;
            continue;
        }
        writeln!(text, r#"zone "{zone}" {{ type primary; file "{zone}.zone"; allow-update {{ any; }}; }};"#)?;
        let path = directory.join(format!("{zone}.zone"));
        fs::write(&path, zone_file(zone, addresses)).with_context(|| format!("writing {}", path.display()))?;
    }
    let path = directory.join("named.conf");
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

pub(crate) fn zone_file(zone: &str, addresses: &[IpAddr]) -> String {
    let soa = format!(
        "$ORIGIN {zone}.\n$TTL {TTL}\n@ SOA ns1.{zone}. hostmaster.{zone}. 1 3600 600 86400 {TTL}\n@ NS ns1.{zone}.\n"
    );
    let glue =
        addresses.iter().map(|address| format!("ns1 {} {address}\n", if address.is_ipv4() { "A" } else { "AAAA" }));
    soa + &glue.collect::<String>()
}

pub(crate) fn free_port(address: IpAddr) -> Result<u16> {
    let listener = TcpListener::bind((address, 0)).with_context(|| format!("finding a free port on {address}"))?;
    Ok(listener.local_addr()?.port())
}
