//! A real miniupnpd on the router: UPnP IGD, NAT-PMP and PCP.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    Namespace,
    nat_world::{NatWorld, ROUTER_LAN_INTERFACE, ROUTER_WAN_INTERFACE, nft, ruleset},
    process::Process,
};

const PROGRAM: &str = "/usr/sbin/miniupnpd";
const STARTUP: Duration = Duration::from_secs(30);
/// Its chains, as it wants to find them.
const CHAINS: &str = "table inet miniupnpd\ndelete table inet miniupnpd\ntable inet miniupnpd {\n \
    chain forward {\n  type filter hook forward priority 0;\n  jump upnp_forward;\n }\n chain upnp_forward {\n }\n \
    chain prerouting {\n  type nat hook prerouting priority -100;\n  jump upnp_prerouting;\n }\n chain upnp_prerouting {\n }\n \
    chain postrouting {\n  type nat hook postrouting priority 100;\n  jump upnp_postrouting;\n }\n chain upnp_postrouting {\n }\n}\n";

/// A running `miniupnpd`. It notices by itself that its external address changes, and announces the new one. It takes only a public external address for one (11.0.0.0/8 will do, documentation prefixes
/// won't), and counts its epoch from its own start. It is killed when dropped; the mappings it made stay until the next
/// start.
pub struct Miniupnpd<'a> {
    process: Process,
    _directory: TempDir,
    router: &'a Namespace,
}

impl<'a> Miniupnpd<'a> {
    /// Starts it on the world's router, without mappings, and waits until it serves all three protocols.
    pub fn start(world: &'a NatWorld) -> Result<Self> {
        Self::launch(world, "yes", "Listening for NAT-PMP/PCP traffic on port 5351")
    }

    /// Like [`start`](Self::start), but it serves UPnP alone.
    pub fn start_with_upnp_alone(world: &'a NatWorld) -> Result<Self> {
        Self::launch(world, "no", "HTTP listening on port")
    }

    fn launch(world: &'a NatWorld, nat_pmp: &str, sign: &str) -> Result<Self> {
        let router = &world.router;
        ensure!(
            Path::new(PROGRAM).exists(),
            "miniupnpd is missing (package miniupnpd-nftables); `cargo xtask setup` installs it"
        );
        nft(router, CHAINS).context("the chains of miniupnpd")?;
        let directory =
            tempfile::Builder::new().prefix("ddns-miniupnpd-").tempdir().context("a directory for miniupnpd")?;
        let configuration = directory.path().join("miniupnpd.conf");
        fs::write(
            &configuration,
            format!(
                "ext_ifname={ROUTER_WAN_INTERFACE}\nlistening_ip={ROUTER_LAN_INTERFACE}\nhttp_port=0\n\
                 enable_natpmp={nat_pmp}\nenable_upnp=yes\nsecure_mode=yes\nsystem_uptime=no\nnotify_interval=60\n\
                 clean_ruleset_interval=600\nuuid=d5b6a6a2-25b5-4c3a-8f8e-2f7d5c4b3a29\n\
                 upnp_table_name=miniupnpd\nupnp_nat_table_name=miniupnpd\nupnp_forward_chain=upnp_forward\n\
                 upnp_nat_chain=upnp_prerouting\nupnp_nat_postrouting_chain=upnp_postrouting\n\
                 allow 1024-65535 192.168.7.0/24 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
            ),
        )?;
        let mut command = router.command(PROGRAM);
        command.arg("-d").arg("-f").arg(&configuration).arg("-P").arg(directory.path().join("pid"));
        let process = Process::start("miniupnpd", &mut command)?;
        let miniupnpd = Self { process, _directory: directory, router };
        miniupnpd.wait_for_line(sign, 0)?;
        Ok(miniupnpd)
    }

    /// All that the router's packet filter does, the mappings included, as `nft` prints it.
    pub fn rules(&self) -> Result<String> {
        ruleset(self.router)
    }

    /// Its log so far.
    pub fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// How many lines its log has.
    pub fn line_count(&self) -> usize {
        self.process.line_count()
    }

    /// Waits until a line from number `start` on contains `text`.
    pub fn wait_for_line(&self, text: &str, start: usize) -> Result<()> {
        self.process.wait_for(text, start, STARTUP, |line| line.contains(text).then_some(())).map(drop)
    }
}
