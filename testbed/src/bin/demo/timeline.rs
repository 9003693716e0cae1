//! Follows one change through the daemon's log and the double's transcript, and prints each step as it comes.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use ddns_testbed::{CloudflareDouble, Daemon, Exchange, Named};
use serde_json::Value;

use crate::{
    paint::Paint,
    passage::{Detection, Passage, milliseconds},
};

/// How long one step of a change may take before the demo gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where the marks of a change are looked for.
pub struct Timeline<'a> {
    pub daemon: &'a Daemon,
    pub double: &'a CloudflareDouble,
    pub named: &'a Named<'a>,
    pub record: &'a str,
    pub paint: Paint,
}

/// The state of log and transcript before a change; by default before the daemon did anything.
#[derive(Default)]
pub struct Before {
    mark: usize,
    exchanges: usize,
}

impl Timeline<'_> {
    /// Remembers where log and transcript stand.
    pub fn before(&self) -> Before {
        Before { mark: self.daemon.mark(), exchanges: self.double.transcript().len() }
    }

    /// Follows the change to `address` until DNS is verified and the daemon is READY.
    pub fn follow(&self, title: &str, before: &Before, address: IpAddr) -> Result<Passage> {
        let line = self.line(before, "IP change detected", "to", address)?;
        let detection = Detection::read(&line).with_context(|| format!("a log line without at_ns: {line}"))?;
        let start = detection.start_ns();
        match (detection.kernel_ns, detection.received_ns) {
            (Some(kernel), received) => {
                self.step(
                    0,
                    start,
                    kernel,
                    "kernel event",
                    &format!("stamped by the BPF program ({})", detection.rung),
                );
                if let Some(received) = received {
                    self.step(1, start, received, "ring buffer", "read in user space");
                }
            }
            (None, Some(received)) => {
                self.step(1, start, received, "kernel event", &format!("no BPF stamp, rung {}", detection.rung));
            }
            (None, None) => self.step(1, start, start, "snapshot", "noticed without an event"),
        }
        let from = line["from"].as_str().unwrap_or("nothing");
        self.step(2, start, detection.decided_ns, "decision", &format!("IP change detected: {from} → {address}"));
        let kind = record_type(address);
        let updating = self.stamp(before, "Updating DNS record", address)?;
        self.step(2, start, updating, "decision", &format!("updating {} {kind}", self.record));
        let passage = self.publish(title, before, start, address)?;
        self.ready(before, start)?;
        Ok(Passage { stamped_in_kernel: detection.kernel_ns.is_some(), ..passage })
    }

    /// The second half of a change: accepted by the API, verified in DNS; also what happens at the daemon's start.
    pub fn publish(&self, title: &str, before: &Before, start: u64, address: IpAddr) -> Result<Passage> {
        let kind = record_type(address);
        let content = address.to_string();
        self.double.wait_for(&format!("a write of {address}"), PATIENCE, |state| {
            accepted(state.transcript(), before.exchanges, &content).is_some()
        })?;
        let transcript = self.double.transcript();
        let (method, accepted_ns) =
            accepted(&transcript, before.exchanges, &content).context("the write was there a moment ago")?;
        self.step(3, start, accepted_ns, "API", &format!("{method} accepted: {kind} {address}"));
        let updated = self.stamp(before, "DNS record updated", address)?;
        self.step(3, start, updated, "API", "acknowledgement read by ddnsd");
        let served = self.stamp(before, "The zone's name servers serve the address", address)?;
        self.step(4, start, served, "DNS", &format!("{kind} served by the zone's name servers"));
        let verified_ns = self.stamp(before, "DNS record verified", address)?;
        self.step(4, start, verified_ns, "DNS", &format!("{kind} verified over HTTPS"));

        let seen = self.named.lookup(self.record, kind).context("looking the record up in BIND")?;
        ensure!(seen == [content.as_str()], "ddnsd calls {kind} {address} verified, but BIND holds {seen:?}");
        Ok(Passage {
            title: title.to_owned(),
            start_ns: start,
            stamped_in_kernel: false,
            accepted_ns,
            verified_ns,
            writes: self.writes_since(before),
        })
    }

    /// Waits until the daemon is READY, and asks the admin socket too.
    pub fn ready(&self, before: &Before, start: u64) -> Result<()> {
        let is_change = |line: &Value| line["message"] == "Readiness changed";
        let is_ready = |line: &Value| line["to"].as_str().is_some_and(|to| to.eq_ignore_ascii_case("ready"));
        let last = self.daemon.lines().into_iter().rfind(is_change);
        let line = match last {
            Some(line) if is_ready(&line) => line,
            Some(_) | None => {
                let wanted = |line: &Value| is_change(line) && is_ready(line);
                self.daemon.wait_for_line_since(before.mark, "READY", PATIENCE, wanted)?.1
            }
        };
        let at = line["at_ns"].as_u64().with_context(|| format!("a log line without at_ns: {line}"))?;
        let (status, body) = self.daemon.get("/readyz")?;
        ensure!(status == 200, "ddnsd logs READY, but /readyz answers {status}: {}", body.trim());
        if at < start {
            // The line was never lost, so there is no moment of its return; that DNS was right again is the line above.
            let stage = self.paint.stage(5, &format!("{:<13}", "READY"));
            println!("{:>15}  {stage} state kept, /readyz answers 200", "");
        } else {
            self.step(5, start, at, "READY", "state reached, /readyz answers 200");
        }
        Ok(())
    }

    /// How many writes the API accepted since.
    pub fn writes_since(&self, before: &Before) -> usize {
        self.double.transcript().iter().skip(before.exchanges).filter(|exchange| exchange.wrote).count()
    }

    /// How often the daemon logged `message` since.
    pub fn count_since(&self, before: &Before, message: &str) -> usize {
        let lines = self.daemon.raw_lines().into_iter().skip(before.mark);
        lines
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .filter(|line| line["message"] == message)
            .count()
    }

    fn line(&self, before: &Before, message: &str, member: &str, address: IpAddr) -> Result<Value> {
        let what = format!("`{message}` for {address}");
        let same = |line: &Value| {
            line["message"] == message
                && line[member].as_str().and_then(|text| text.parse::<IpAddr>().ok()) == Some(address)
        };
        Ok(self.daemon.wait_for_line_since(before.mark, &what, PATIENCE, same)?.1)
    }

    fn stamp(&self, before: &Before, message: &str, address: IpAddr) -> Result<u64> {
        let line = self.line(before, message, "address", address)?;
        match (line["at_ns"].as_u64(), line["record"] == self.record, line["type"] == record_type(address)) {
            (Some(at), true, true) => Ok(at),
            _ => bail!("a log line without at_ns, or for another record: {line}"),
        }
    }

    fn step(&self, number: usize, start: u64, at: u64, stage: &str, detail: &str) {
        let stage = self.paint.stage(number, &format!("{stage:<13}"));
        println!("{:>12} ms  {stage} {detail}", milliseconds(start, at));
    }
}

fn record_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

/// Method and time of the first write since that put in `content`.
fn accepted(transcript: &[Exchange], since: usize, content: &str) -> Option<(String, u64)> {
    let written = |exchange: &&Exchange| {
        let result = exchange.response_body.as_ref().map(|body| &body["result"]["content"]);
        exchange.wrote && result.is_some_and(|result| result == content)
    };
    let exchange = transcript.iter().skip(since).find(written)?;
    Some((exchange.method.clone(), exchange.answered_ns?))
}
