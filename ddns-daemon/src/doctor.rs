//! Looks at the host as ddnsd would, and says what it finds.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ddns_core::address::{Discovered, Family, Snapshot};
use ddns_core::discovery::{Election, Nat, NatClass};
use ddns_core::ports::{Clock, IpSource, PlugReport};
use ddns_core::selection::{Candidates, Rejection, Scope};
use ddns_linux::{BootClock, Hook, KernelOptions, KernelSource, LanProbe, Layer, Standing, Way, granted};
use futures_util::StreamExt;

use crate::wiring::{Wired, Wrong};
use crate::{RUNTIME, client, recover, sandbox, shown, wiring};

/// Longer than any round of questions.
const ROUND: Duration = Duration::from_secs(15);

/// When this was written; a clock before it is wrong.
const EARLIEST_MILLIS: u64 = 1_767_225_600_000;

/// What a line of the report means.
enum Finding {
    Good(String),
    /// It works, but less well than it could.
    Note(String),
    Bad(String),
}

/// Prints the report.
pub(crate) fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime.inspect_err(|error| eprintln!("ddnsd: the runtime can't start: {error}")) else {
        return ExitCode::from(RUNTIME);
    };
    let mut bad = false;
    let mut tell = |what: &str, finding: Finding| {
        let (mark, text) = match finding {
            Finding::Good(text) => ("good", text),
            Finding::Note(text) => ("note", text),
            Finding::Bad(text) => {
                bad = true;
                ("BAD ", text)
            }
        };
        println!("{mark}  {what:<14} {text}");
    };
    let wired = wiring::wire(std::env::vars_os());
    tell("configuration", configuration(&wired));
    tell("clock", clock());
    for (what, finding) in runtime.block_on(events()) {
        tell(what, finding);
    }
    tell("pings", pings());
    for (what, finding) in layers() {
        tell(what, finding);
    }
    let source = KernelSource::new(KernelOptions::default(), Arc::new(BootClock));
    match runtime.block_on(source.current()) {
        Ok(snapshot) => {
            for family in Family::ALL {
                tell(&family.to_string(), addresses(&snapshot, family));
            }
        }
        Err(error) => tell("addresses", Finding::Bad(ddns_core::error_chain(&error))),
    }
    if let Ok(wired) = &wired {
        tell("plug", plug(wired));
    }
    // Last of all: it gives up the rights that the rungs above were tried with.
    for source in wired.iter().flat_map(|wired| &wired.ports.sources) {
        for (what, finding) in runtime.block_on(outside(&**source)) {
            tell(&what, finding);
        }
    }
    if bad { ExitCode::from(RUNTIME) } else { ExitCode::SUCCESS }
}

fn configuration(wired: &Result<Wired, Wrong>) -> Finding {
    match wired {
        Ok(wired) => Finding::Good(format!("{} records; `ddnsd check` says the same", wired.config.records.len())),
        Err(wrong) => Finding::Bad(format!("{} problems: see `ddnsd check`", wrong.problems.len())),
    }
}

/// What those outside say of this host, if the source asks them: one round, in which each has its say.
async fn outside(source: &dyn IpSource) -> Vec<(String, Finding)> {
    let (mut elections, mut nat) = (BTreeMap::new(), None);
    let mut watch = source.watch();
    let asked = async {
        while let Some(Ok(event)) = watch.next().await {
            elections.extend(event.elections.into_iter().map(|election| (election.family, election)));
            nat = event.nat;
            let asking = |family| event.snapshot.discovered(family) == Some(Discovered::Asking);
            if !Family::ALL.into_iter().any(asking) {
                break;
            }
        }
    };
    let late = tokio::time::timeout(ROUND, asked).await.is_err();
    let mut findings: Vec<_> = elections.into_values().map(|election| confirmed(&election)).collect();
    if late {
        findings.push(("outside".to_owned(), Finding::Bad("those asked did not answer in time".to_owned())));
    }
    findings.extend(nat.map(|nat| ("NAT".to_owned(), behind(&nat))));
    findings
}

fn confirmed(election: &Election) -> (String, Finding) {
    let rejected = election.ballots.iter().filter_map(|ballot| Some((&ballot.voter, ballot.vote.as_ref().err()?)));
    let rejected: Vec<_> = rejected.map(|(voter, why)| format!("{voter}: {why}")).collect();
    let votes = election.ballots.len() - rejected.len();
    let but = if rejected.is_empty() { String::new() } else { format!("; but {}", rejected.join("; ")) };
    let finding = match election.elected {
        Some(address) => Finding::Good(format!("{address}, say {votes} of {}{but}", election.ballots.len())),
        None => Finding::Bad(format!("no address that enough agree on{but}")),
    };
    (format!("{} outside", election.family), finding)
}

fn behind(nat: &Nat) -> Finding {
    let Nat { class, evidence } = nat;
    match class.remedy() {
        Some(remedy) if *class == NatClass::CarrierGrade => Finding::Bad(format!("{class}: {evidence}; {remedy}")),
        Some(remedy) => Finding::Note(format!("{class}: {evidence}; {remedy}")),
        None => Finding::Good(format!("{class}: {evidence}")),
    }
}

fn clock() -> Finding {
    if BootClock.wall().as_millis() < EARLIEST_MILLIS {
        return Finding::Bad("the clock is years behind, so that no certificate will be valid: set it".to_owned());
    }
    Finding::Good("plausible".to_owned())
}

/// Every rung of the ladder: the first that is granted is the one taken.
async fn events() -> Vec<(&'static str, Finding)> {
    let mut taken = false;
    let line = |(rung, granted): (Hook, Result<(), String>)| {
        let finding = match granted {
            Ok(()) if std::mem::replace(&mut taken, true) => Finding::Good("granted, and not needed".to_owned()),
            Ok(()) => Finding::Good("granted: `auto` takes it".to_owned()),
            Err(reason) if rung == Hook::Netlink => Finding::Bad(reason),
            Err(reason) => Finding::Note(format!("refused: {reason}")),
        };
        (rung.as_str(), finding)
    };
    granted().into_iter().map(line).collect()
}

/// What the process gives up: as the running daemon says, else what this kernel knows of it.
fn layers() -> Vec<(&'static str, Finding)> {
    let running = client::ask("/v1/status").ok();
    let said = running.as_ref().and_then(|status| status["sandbox"].as_array());
    let line = |(layer, standing): (Layer, Standing)| {
        let told = said.into_iter().flatten().find(|told| told["layer"] == layer.as_str());
        let finding = match (told, standing) {
            (Some(told), _) => {
                let words = shown::text(told["in_words"].as_str().unwrap_or_default());
                if told["closed"] == true { Finding::Good(words) } else { Finding::Note(words) }
            }
            (None, Standing::Closed(extent)) => Finding::Good(format!("{extent}; no ddnsd runs that could say more")),
            (None, Standing::Open(why) | Standing::Refused(why)) => Finding::Note(why),
        };
        (layer.as_str(), finding)
    };
    sandbox::known_here().map(line).collect()
}

/// How a router is asked whether it is there.
fn pings() -> Finding {
    const REMEDY: &str = "set the sysctl net.ipv4.ping_group_range=\"0 2147483647\", as systemd does";
    let [(_, way), _] = LanProbe::new(None).ways();
    match way {
        Way::Datagram => Finding::Good("routers are pinged through a datagram socket".to_owned()),
        Way::Raw => Finding::Good("routers are pinged through a raw socket (CAP_NET_RAW)".to_owned()),
        Way::Tcp => {
            Finding::Note(format!("refused: a router is called by TCP alone, which it may leave unanswered; {REMEDY}"))
        }
    }
}

/// The plug that feeds the router: whose it is, and whether it can be relied on.
fn plug(wired: &Wired) -> Finding {
    let recovery = &wired.config.recovery;
    let Some(choice) = &recovery.plug else {
        let none = "none is configured: set DDNS_PLUG_KIND and DDNS_PLUG_HOST to have the router power-cycled";
        return Finding::Note(none.to_owned());
    };
    let which = format!("{} at {}", choice.plug.kind, choice.plug.endpoint);
    let PlugReport { on, device } = match recover::look(wired, choice) {
        Ok(report) => report,
        Err(error) => {
            return Finding::Bad(format!(
                "{which}: {error}; see that it has power, and that DDNS_PLUG_KIND, DDNS_PLUG_HOST and its password are \
                 right"
            ));
        }
    };
    let device = device.unwrap_or_else(|| "a device that does not say which".to_owned());
    if !on {
        return Finding::Bad(format!("{which}: {device}, off, and what hangs on it as well: switch it on"));
    }
    if recovery.allowed && !choice.has_timer {
        return Finding::Note(format!(
            "{which}: {device}, on; it has no timer, so that only ddnsd switches it on again: write {{seconds}} into \
             DDNS_PLUG_OFF_PATH if it takes a time"
        ));
    }
    Finding::Good(format!("{which}: {device}, on"))
}

fn addresses(snapshot: &Snapshot, family: Family) -> Finding {
    let Candidates { publishable, rejected } = Candidates::of(snapshot, family, None);
    if let Some(first) = publishable.first() {
        return Finding::Good(format!("{} on {} can be published", first.address, first.interface));
    }
    let why: Vec<String> = rejected.iter().map(|(address, why)| format!("{address} is {why}")).collect();
    let behind = |scope| rejected.iter().any(|(_, why)| *why == Rejection::NotPublic(scope));
    let remedy = if behind(Scope::CarrierGradeNat) {
        "; no one outside can reach this host by it: use IPv6, or ask the provider for a public address"
    } else if behind(Scope::Private) {
        "; the router has the public address: set DDNS_IP_SOURCE_TYPE=auto to have it found"
    } else {
        ""
    };
    match why.as_slice() {
        [] => Finding::Note("no address".to_owned()),
        _ => Finding::Note(format!("nothing to publish: {}{remedy}", why.join("; "))),
    }
}
