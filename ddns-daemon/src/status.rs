//! The status of a running daemon: as JSON for programs, as a table for people.

pub(crate) mod document;
mod table;

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use rustix::termios::tcgetwinsize;
use serde_json::Value;

use crate::{RUNTIME, client, shown};
use table::Page;

/// Narrower than this, nothing can be read.
const NARROWEST: usize = 20;
/// Goes home and clears all that is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// How the status is shown.
#[derive(Args)]
pub(crate) struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Show it again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Seconds from one time to the next
    #[arg(long, value_name = "SECS", default_value_t = 2, requires = "watch", value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
}

/// Asks the running daemon.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if !arguments.watch {
        return match client::ask("/v1/status") {
            Ok(document) => {
                let block = block(arguments, &document);
                // Whoever reads may have seen enough.
                let _ = stdout().write_all(block.as_bytes());
                if document["ready"] == true { ExitCode::SUCCESS } else { ExitCode::from(RUNTIME) }
            }
            Err(error) => {
                eprintln!("ddnsd: error: {}", shown::text(&format!("{error:#}")));
                ExitCode::from(RUNTIME)
            }
        };
    }
    loop {
        let block = match client::ask("/v1/status") {
            Ok(document) => block(arguments, &document),
            Err(error) if arguments.json => shown::json(&serde_json::json!({ "error": format!("{error:#}") })) + "\n",
            Err(error) => format!("ddnsd: error: {}\n", shown::text(&format!("{error:#}"))),
        };
        let before = match (arguments.json, stdout().is_terminal()) {
            (true, _) => "",
            (false, true) => CLEAR,
            (false, false) => "\n",
        };
        if stdout().write_all(format!("{before}{block}").as_bytes()).is_err() || stdout().flush().is_err() {
            return ExitCode::SUCCESS;
        }
        sleep(Duration::from_secs(arguments.interval));
    }
}

fn block(arguments: &Arguments, document: &Value) -> String {
    if arguments.json {
        return shown::json(document) + "\n";
    }
    let colour = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Page { colour, width: width() }.of(document)
}

/// What fits into a line; `None` where lines may be as long as they are.
fn width() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    told.or_else(asked).map(|columns| columns.max(NARROWEST))
}
