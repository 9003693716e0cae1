//! Looks at the host as ddnsd would, and says what it finds.

use std::process::ExitCode;
use std::sync::Arc;

use ddns_core::address::{Family, Snapshot};
use ddns_core::ports::{Clock, IpSource};
use ddns_core::selection::{Candidates, Rejection, Scope};
use ddns_linux::{BootClock, Hook, KernelOptions, KernelSource, granted};

use crate::{RUNTIME, wiring};

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
    tell("configuration", configuration());
    tell("clock", clock());
    for (what, finding) in runtime.block_on(events()) {
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
    if bad { ExitCode::from(RUNTIME) } else { ExitCode::SUCCESS }
}

fn configuration() -> Finding {
    match wiring::wire(std::env::vars_os()) {
        Ok(wired) => Finding::Good(format!("{} records; `ddnsd check` says the same", wired.config.records.len())),
        Err(wrong) => Finding::Bad(format!("{} problems: see `ddnsd check`", wrong.problems.len())),
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
        "; the router has the public address"
    } else {
        ""
    };
    match why.as_slice() {
        [] => Finding::Note("no address".to_owned()),
        _ => Finding::Note(format!("nothing to publish: {}{remedy}", why.join("; "))),
    }
}
