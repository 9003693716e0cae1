//! The summary at the end.

use std::fs;

use anyhow::{Result, ensure};
use ddns_testbed::{Exchange, Record, Schema, schema};

use crate::{
    paint::Paint,
    passage::{Passage, milliseconds},
};

/// Prints the table of all changes.
pub fn table(passages: &[Passage], paint: Paint) {
    let heading =
        format!("{:<34} {:>22} {:>22} {:>11}", "change", "event → API accepted", "event → DNS verified", "API writes");
    println!("\n{}", paint.strong(&heading));
    for passage in passages {
        let mark = if passage.stamped_in_kernel { ' ' } else { '*' };
        println!(
            "{:<34} {:>19} ms {:>19} ms {:>11}{mark}",
            passage.title,
            milliseconds(passage.start_ns, passage.accepted_ns),
            milliseconds(passage.start_ns, passage.verified_ns),
            passage.writes,
        );
    }
    if passages.iter().any(|passage| !passage.stamped_in_kernel) {
        println!(
            "{}",
            paint.faint(
                "* counted from the start of ddnsd or its first sight of the change, not from a stamp in the kernel"
            )
        );
    }
}

/// Fails unless `after` is `before` with another address.
pub fn survival(before: &Record, after: &[Record], paint: Paint) -> Result<()> {
    let after = match after {
        [after] => after,
        others => {
            anyhow::bail!("there should be one {} {} record, and there are {}", before.name, before.kind, others.len())
        }
    };
    ensure!(
        after.is_untouched_since(before),
        "the record lost what was not ours to change:\n  before {}\n  after  {}",
        serde_json::to_string(before)?,
        serde_json::to_string(after)?,
    );
    let tags = before.tags.join(", ");
    println!(
        "\n{} id, proxied={}, ttl={}, comment {:?}, tags [{tags}], created_on",
        paint.good("Left alone:"),
        before.proxied,
        before.ttl,
        before.comment.as_deref().unwrap_or_default(),
    );
    Ok(())
}

/// Fails if the exchanges break Cloudflare's official description, when it is at hand.
pub fn conformance(exchanges: &[Exchange], paint: Paint) -> Result<()> {
    if std::env::var_os(schema::VARIABLE).is_none() {
        return Ok(());
    }
    let violations = Schema::from_env().map(|schema| schema.check(exchanges)).unwrap_or_default();
    ensure!(violations.is_empty(), "the exchanges break Cloudflare's description:\n{}", violations.join("\n"));
    println!("{} {} exchanges fit Cloudflare's OpenAPI description", paint.good("Conforming:"), exchanges.len());
    Ok(())
}

/// Prints on what these times were measured.
pub fn machine(paint: Paint) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, m)| m);
    let plural = if processors == 1 { "" } else { "s" };
    let line = format!("Measured on Linux {}, {processors} CPU{plural} {model}", kernel.trim());
    println!("{}", paint.faint(line.trim_end()));
}
