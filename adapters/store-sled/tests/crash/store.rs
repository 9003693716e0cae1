//! The store in processes of its own, which can be killed.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use ddns_core::ports::StateStore;
use ddns_core::state::SavedState;
use ddns_store_sled::{Program, SledStore};
use tokio::runtime::Runtime;

use crate::scene::{self, LIMIT};

/// The variable that makes workers do nothing.
pub const NO_WORKER: &str = "NO_WORKER";

/// What a load came to.
#[derive(Debug)]
pub enum Outcome {
    Serial(u32),
    Nothing,
    Refused(String),
    Hung,
}

const SERIAL: &str = "serial.example.com A";
/// Further records, of which each save changes one.
const OTHERS: u32 = 40;

/// A state that tells which one it is.
pub fn state(serial: u32) -> SavedState {
    let address = |n: u32| std::net::Ipv4Addr::from(0x0b00_0000 + n);
    let mut records = vec![format!(r#""{SERIAL}":{{"confirmed":"{}"}}"#, address(serial))];
    for other in 0..OTHERS {
        let last = serial.saturating_sub((serial + OTHERS - other) % OTHERS);
        records.push(format!(
            r#""host-{other}.example.com A":{{"confirmed":"{}","written_at":{last},"handle":"{last}"}}"#,
            address(last)
        ));
    }
    let json = format!(r#"{{"format":1,"records":{{{}}}}}"#, records.join(","));
    SavedState::decode(json.as_bytes()).expect("the state above is one")
}

fn serial(found: &SavedState) -> Option<u32> {
    let record = found.records().find(|(key, _)| *key == SERIAL)?.1;
    let serial = match record.confirmed? {
        std::net::IpAddr::V4(address) => u32::from(address).checked_sub(0x0b00_0000)?,
        std::net::IpAddr::V6(_) => return None,
    };
    (*found == state(serial)).then_some(serial)
}

fn open(directory: PathBuf) -> io::Result<(Runtime, SledStore)> {
    let me = std::env::current_exe()?;
    let program: Program = Arc::new(move || {
        let mut command = Command::new(if std::env::var_os(NO_WORKER).is_some() { Path::new("true") } else { &me });
        command.arg("worker");
        command
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok((runtime, SledStore::resting(directory, program, Duration::ZERO)))
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Saves one state after another, as many as asked for, and says which are acknowledged and which refused. With a pause
/// in milliseconds it waits for the copy and as long again after each.
pub fn write(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let directory = arguments.next().unwrap_or_default().into();
    let mut numbers = arguments.filter_map(|number| number.to_str()?.parse::<u32>().ok());
    let (many, pause) = (numbers.next().unwrap_or(u32::MAX), numbers.next());
    let Ok((runtime, store)) = open(directory) else { return ExitCode::FAILURE };
    let begin = match runtime.block_on(store.load()) {
        Ok(found) => found.as_ref().map_or(Some(0), serial),
        Err(error) => {
            say(&format!("refused {}", ddns_core::error_chain(&error)));
            return ExitCode::FAILURE;
        }
    };
    let Some(begin) = begin else { return ExitCode::FAILURE };
    for serial in (begin + 1..).take(many as usize) {
        match runtime.block_on(store.save(&state(serial))) {
            Ok(()) => say(&format!("acknowledged {serial}")),
            Err(error) => say(&format!("refused {}", ddns_core::error_chain(&error))),
        }
        if let Some(pause) = pause {
            store.settle();
            std::thread::sleep(Duration::from_millis(pause.into()));
        }
    }
    store.settle();
    ExitCode::SUCCESS
}

/// Loads, lets the copy be mended, and says what came back.
pub fn load(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).init();
    let directory = arguments.next().unwrap_or_default().into();
    let Ok((runtime, store)) = open(directory) else { return ExitCode::FAILURE };
    match runtime.block_on(store.load()) {
        Ok(None) => say("nothing"),
        Ok(Some(found)) => match serial(&found) {
            Some(serial) => say(&format!("serial {serial}")),
            None => say("refused a state that was never saved"),
        },
        Err(error) => say(&format!("refused {}", ddns_core::error_chain(&error))),
    }
    store.settle();
    ExitCode::SUCCESS
}

/// A load in a process of its own, with what it logged.
pub fn loaded(directory: &Path) -> anyhow::Result<(Outcome, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    let Some((said, logged)) = scene::ended(command.arg("load").arg(directory), LIMIT)? else {
        return Ok((Outcome::Hung, String::new()));
    };
    let outcome = match said.trim_end().split_once(' ') {
        Some(("serial", serial)) => Outcome::Serial(serial.parse()?),
        Some(("refused", why)) => Outcome::Refused(why.to_owned()),
        _ if said == "nothing\n" => Outcome::Nothing,
        _ => Outcome::Refused(format!("it said {said:?}, {logged}")),
    };
    Ok((outcome, logged))
}
