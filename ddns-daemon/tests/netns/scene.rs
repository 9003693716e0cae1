//! A host on a small Internet, and the real ddnsd on it.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::HOST_INTERFACE;
use ddns_testbed::{Authority, CloudflareDouble, Daemon, Identity, Named, Namespace, Record, Schema, Signal, World};
use serde_json::Value;
use tempfile::TempDir;

pub const TOKEN: &str = "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB";
pub const SECOND_TOKEN: &str = "Zs7Lk2Mv9Qx4Nc8Bt1Wy6Ru3Eo5Ip0Ad-Gf_HjKlM";
pub const ZONE: &str = "ddns.test";
pub const NAME: &str = "vpn.ddns.test";
/// The bound of every wait. No test depends on how much of it is used.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The addresses of the services, which their certificates are for.
const SERVICES: [&str; 11] = [
    "192.0.2.10",
    "192.0.2.53",
    "2001:db8::10",
    "2001:db8::53",
    "192.0.2.20",
    "2001:db8::20",
    "192.0.2.31",
    "192.0.2.32",
    "192.0.2.33",
    "192.0.2.34",
    "192.0.2.35",
];

/// The services of a world: a Cloudflare double that publishes into a real BIND, which answers DoH.
pub struct Scene<'a> {
    pub double: CloudflareDouble,
    pub named: Named<'a>,
    host: &'a Namespace,
    pub internet: &'a Namespace,
    pub identity: Identity,
    directory: TempDir,
}

impl<'a> Scene<'a> {
    pub fn new(world: &'a World) -> Result<Self> {
        Self::among(&world.host, &world.internet)
    }

    /// The services in one namespace, for the host in the other.
    pub fn among(host: &'a Namespace, internet: &'a Namespace) -> Result<Self> {
        let authority = Authority::new()?;
        let identity = authority.issue(&SERVICES)?;
        let named = Named::start(internet, &World::resolver_addresses(), &[ZONE], &identity)?;
        let double = CloudflareDouble::builder(identity.server_config()?, TOKEN)
            .inside(internet, &World::cloudflare_addresses())
            .zone(ZONE)
            .publishing_to(&named)
            .start()?;
        let directory = tempfile::tempdir()?;
        authority.write_pem(&directory.path().join("ca.pem"))?;
        fs::write(directory.path().join("token"), TOKEN)?;
        Ok(Self { double, named, host, internet, identity, directory })
    }

    /// A second account at the same provider.
    pub fn second_account(&self) -> Result<CloudflareDouble> {
        CloudflareDouble::builder(self.identity.server_config()?, SECOND_TOKEN)
            .inside(self.internet, &World::cloudflare_addresses())
            .at_port(8444)
            .zone(ZONE)
            .publishing_to(&self.named)
            .start()
    }

    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// The environment of a daemon that keeps A and AAAA of [`NAME`]; `changes` replace or, with "", remove variables.
    pub fn environment(&self, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<String, String> = [
            ("DDNS_RECORDS", NAME.to_owned()),
            ("DDNS_IP_SOURCE_INTERFACE", HOST_INTERFACE.to_owned()),
            ("DDNS_PROVIDER_API_TOKEN_FILE", self.path("token")),
            ("DDNS_PROVIDER_API_URL", self.double.url()),
            ("DDNS_DOH_URLS", self.named.doh_urls().join(",")),
            ("DDNS_PROBE_TARGETS", "192.0.2.53:8443,[2001:db8::53]:8443".to_owned()),
            ("DDNS_CA_FILE", self.path("ca.pem")),
            ("DDNS_STATE_STORE_PATH", self.path("state")),
            ("DDNS_ADMIN_SOCKET", self.path("ddnsd.sock")),
            ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0".to_owned()),
            ("DDNS_RETRY_DELAY_SECS", "1".to_owned()),
            ("DDNS_LOG_FORMAT", "json".to_owned()),
            ("DDNS_LOG_LEVEL", "debug".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        for (name, value) in changes {
            if value.is_empty() {
                environment.remove(*name);
            } else {
                environment.insert((*name).to_owned(), (*value).to_owned());
            }
        }
        environment
    }

    /// Starts ddnsd in the host's namespace.
    pub fn start(&self, changes: &[(&str, &str)]) -> Result<Daemon> {
        let environment = self.environment(changes);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Daemon::start(Some(self.host), Path::new(env!("CARGO_BIN_EXE_ddnsd")), &environment)
    }

    /// The same as a user without any capability, on whose behalf the kernel refuses eBPF.
    pub fn start_without_bpf_rights(&self, changes: &[(&str, &str)]) -> Result<Daemon> {
        let environment = self.environment(changes);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let drop = ["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_ddnsd")];
        Daemon::start_with_arguments(Some(self.host), Path::new("/usr/bin/setpriv"), &drop, &environment)
    }

    /// Waits until both the API and DNS hold the address.
    pub fn wait_published(&self, rtype: &str, address: &str) -> Result<()> {
        self.double.wait_for(&format!("{rtype} {address}"), PATIENCE, |state| state.holds(NAME, rtype, address))?;
        let dns = self.named.lookup(NAME, rtype)?;
        ensure!(dns == [address], "DNS holds {dns:?}, not {address}");
        Ok(())
    }

    /// Puts a record with attributes that an update must leave alone.
    pub fn put_decorated(&self, rtype: &str, content: &str) -> Result<()> {
        let record = Record::new(rtype, NAME, content).ttl(120).comment("kept by hand").tags(&["owner:ops"]);
        self.double.put_record(record).map(drop)
    }

    /// Somebody else puts another address in place of the one that is there, and DNS follows.
    pub fn change_by_hand(&self, rtype: &str, content: &str) -> Result<()> {
        for record in self.double.records_of(NAME, rtype) {
            let id = serde_json::to_value(&record)?["id"].as_str().context("an id")?.to_owned();
            self.double.remove_record(&id)?;
        }
        self.double.put_record(Record::new(rtype, NAME, content).ttl(120)).map(drop)
    }

    /// The attributes are as [`Self::put_decorated`] made them.
    pub fn check_decorated(&self, rtype: &str) -> Result<()> {
        let records = self.double.records_of(NAME, rtype);
        ensure!(records.len() == 1, "{} records {rtype}", records.len());
        let record = serde_json::to_value(&records[0])?;
        ensure!(record["ttl"] == 120 && record["comment"] == "kept by hand", "{record}");
        ensure!(record["tags"] == serde_json::json!(["owner:ops"]), "{record}");
        Ok(())
    }

    /// Ends the daemon by SIGTERM and checks what every test checks: exit code 0, no ERROR line, no secret in the log,
    /// every request and answer as in Cloudflare's schema.
    pub fn end(&self, mut daemon: Daemon) -> Result<()> {
        daemon.signal(Signal::TERM)?;
        let exit = daemon.wait_exit(PATIENCE)?;
        ensure!(exit.code() == Some(0), "exit {exit}: {}", daemon.tail());
        let errors = daemon.errors();
        ensure!(errors.is_empty(), "unexpected: {errors:#?}");
        ensure!(!daemon.raw_lines().iter().any(|line| line.contains(TOKEN)), "the log holds the token");
        if let Some(schema) = Schema::from_env() {
            let violations = schema.check(&self.double.transcript());
            ensure!(violations.is_empty(), "against Cloudflare's schema: {violations:#?}");
        }
        Ok(())
    }
}

/// Whether a log line has this message and these fields.
pub fn is(line: &Value, message: &str, fields: &[(&str, &str)]) -> bool {
    line["message"] == message && fields.iter().all(|(name, value)| line[*name] == *value)
}

/// Waits for a log line from `mark` on; the mark behind it, and the line.
pub fn wait_line(daemon: &Daemon, mark: usize, message: &str, fields: &[(&str, &str)]) -> Result<(usize, Value)> {
    daemon
        .wait_for_line_since(mark, message, PATIENCE, |line| is(line, message, fields))
        .with_context(|| format!("{message:?} {fields:?}"))
}

/// Waits until the state is verified and ready.
pub fn wait_ready(daemon: &Daemon) -> Result<()> {
    wait_line(daemon, 0, "Readiness changed", &[("to", "ready")])?;
    wait_line(daemon, 0, "All records are verified", &[])?;
    let (status, body) = daemon.get("/readyz")?;
    ensure!(status == 200, "{status} {body}");
    Ok(())
}

/// The host's address after `number` changes.
pub fn ipv4(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(11, 22, 40, number)
}
