//! What happens, in order.

use std::{
    fs::File,
    io::{Read, Write},
    net::{IpAddr, Ipv6Addr},
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use ddns_testbed::{
    Authority, CloudflareDouble, Daemon, Named, Record, World,
    clock::boottime_ns,
    require_root,
    world::{HOST_INTERFACE, HOST_IPV4, HOST_IPV6, HOST_IPV6_PREFIX},
};

use crate::{
    interrupt::Interrupt,
    paint::Paint,
    passage::{Passage, milliseconds},
    report,
    timeline::{Before, PATIENCE, Timeline},
};

const ZONE: &str = "example.com";
const RECORD: &str = "vpn.example.com";
const BURST: usize = 1000;
const NEXT_IPV4: &str = "11.22.40.7";
const NEXT_PREFIX: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1234, 0x9abc, 2, 0, 0, 0, 0);

/// Builds the world, runs `binary` in it, changes addresses, and reports. All of it is gone when this returns.
pub fn tell(binary: &Path, interrupt: &Interrupt, paint: Paint) -> Result<()> {
    require_root().context("the demo makes network namespaces and loads BPF programs")?;
    ensure!(binary.is_file(), "there is no ddnsd at {}; `cargo xtask demo` builds it", binary.display());

    println!("{}", paint.strong("Setting the stage"));
    let world = step("a host and an internet, two network namespaces", interrupt, World::new)?;
    let directory = tempfile::Builder::new().prefix("ddns-demo-").tempdir().context("a directory for the demo")?;
    let (authority, identity) = step("a certificate authority", interrupt, || {
        let authority = Authority::new()?;
        let names: Vec<_> = World::cloudflare_addresses().into_iter().chain(World::resolver_addresses()).collect();
        let names: Vec<_> = names.iter().map(IpAddr::to_string).collect();
        let identity = authority.issue(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok((authority, identity))
    })?;
    let named = step("BIND 9 with DNS over HTTPS", interrupt, || {
        Named::start(&world.internet, &World::resolver_addresses(), &[ZONE], &identity)
    })?;
    let token = token()?;
    let double = step("the Cloudflare API", interrupt, || {
        CloudflareDouble::builder(identity.server_config()?, &token)
            .inside(&world.internet, &World::cloudflare_addresses())
            .zone(ZONE)
            .publishing_to(&named)
            .start()
    })?;
    let existing = Record::new("A", RECORD, "11.22.33.9").ttl(120).comment("made by hand").tags(&["team:network"]);
    double.put_record(existing)?;
    let existing = double.records_of(RECORD, "A").pop().context("the record that was just made")?;

    let authority_file = directory.path().join("authority.pem");
    authority.write_pem(&authority_file)?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (probe, api, doh) = (named.doh().to_string(), double.url(), named.doh_urls().remove(0));
    let (trust, state, socket) = (path("authority.pem"), path("state"), path("ddnsd.sock"));
    std::fs::create_dir(&state).with_context(|| format!("making {state}"))?;
    let environment = [
        ("DDNS_IP_SOURCE_TYPE", "kernel"),
        ("DDNS_IP_SOURCE_INTERFACE", HOST_INTERFACE),
        ("DDNS_PROVIDER_TYPE", "cloudflare"),
        ("DDNS_PROVIDER_API_TOKEN", &token),
        ("DDNS_PROVIDER_API_URL", &api),
        ("DDNS_DOH_URLS", &doh),
        ("DDNS_CA_FILE", &trust),
        ("DDNS_PROBE_TARGETS", &probe),
        ("DDNS_RECORDS", RECORD),
        ("DDNS_STATE_STORE_PATH", &state),
        ("DDNS_ADMIN_SOCKET", &socket),
        ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0"),
        ("DDNS_STARTUP_DELAY_SECS", "0"),
        ("DDNS_LOG_FORMAT", "json"),
        ("DDNS_LOG_LEVEL", "info"),
    ];
    let start = boottime_ns();
    let daemon = step("ddnsd", interrupt, || Daemon::start(Some(&world.host), binary, &environment))
        .context("starting ddnsd")?;
    interrupt.watch(daemon.handle());
    let timeline = Timeline { daemon: &daemon, double: &double, named: &named, record: RECORD, paint };

    let outcome = act(&world, &timeline, interrupt, start, &existing);
    outcome.map_err(|error| {
        if format!("{error:#}").contains("last lines") {
            error
        } else {
            anyhow!("{error:#}\n\nThe last lines of ddnsd:\n{}", daemon.tail())
        }
    })
}

fn act(world: &World, timeline: &Timeline<'_>, interrupt: &Interrupt, start: u64, existing: &Record) -> Result<()> {
    let paint = timeline.paint;
    let mut passages = vec![begin(timeline, start)?];

    interrupt.check()?;
    let next: IpAddr = NEXT_IPV4.parse().context("the next address")?;
    heading(paint, &format!("A new IPv4 address: {HOST_IPV4} → {next}"));
    let before = timeline.before();
    world.swap_ipv4(HOST_IPV4, NEXT_IPV4.parse().context("the next address")?)?;
    passages.push(timeline.follow("IPv4 address swapped", &before, next)?);

    interrupt.check()?;
    heading(paint, &format!("A new IPv6 prefix: {HOST_IPV6_PREFIX}/64 → {NEXT_PREFIX}/64"));
    let before = timeline.before();
    let renumbered = world.renumber_ipv6(HOST_IPV6_PREFIX, NEXT_PREFIX)?;
    passages.push(timeline.follow("IPv6 prefix changed", &before, renumbered.into())?);

    interrupt.check()?;
    heading(paint, "A thousand changes in a row");
    let before = timeline.before();
    let clock = Instant::now();
    let last = world.burst(BURST, NEXT_IPV4.parse().context("the next address")?)?;
    println!(
        "{}",
        paint.faint(&format!("{:>12.0} ms  for {BURST} changes, the last to {last}", clock.elapsed().as_millis()))
    );
    let passage = timeline.follow(&format!("burst of {BURST} changes"), &before, last.into())?;
    let detected = timeline.count_since(&before, "IP change detected");
    println!(
        "{:>16}{}",
        "",
        paint.faint(&format!("{BURST} changes became {detected} detected and {} written", passage.writes))
    );
    passages.push(passage);

    let unexpected = timeline.daemon.errors();
    ensure!(unexpected.is_empty(), "ddnsd logged errors:\n{}", unexpected.join("\n"));
    report::table(&passages, paint);
    report::survival(existing, &timeline.double.records_of(RECORD, "A"), paint)?;
    report::conformance(&timeline.double.transcript(), paint)?;
    report::machine(paint);
    Ok(())
}

/// From the start of the process to READY.
fn begin(timeline: &Timeline<'_>, start: u64) -> Result<Passage> {
    let paint = timeline.paint;
    heading(paint, &format!("The start of ddnsd: DNS says 11.22.33.9, the host has {HOST_IPV4} and {HOST_IPV6}"));
    let is_rung = |line: &serde_json::Value| line["message"] == "Kernel address events";
    let line = timeline.daemon.wait_for_line("the rung of its kernel events", PATIENCE, is_rung)?;
    let (rung, reason) = (line["rung"].as_str().unwrap_or("unknown"), line["reason"].as_str().unwrap_or_default());
    println!("{:>16}kernel events by {}{}", "", paint.strong(rung), paint.faint(&suffixed(" because ", reason)));
    let before = Before::default();
    let first = timeline.publish("start: A", &before, start, HOST_IPV4.into())?;
    let second = timeline.publish("start: A and AAAA", &before, start, HOST_IPV6.into())?;
    timeline.ready(&before, start)?;
    Ok(Passage {
        accepted_ns: first.accepted_ns.max(second.accepted_ns),
        verified_ns: first.verified_ns.max(second.verified_ns),
        ..second
    })
}

fn heading(paint: Paint, text: &str) {
    println!("\n{}", paint.strong(text));
}

fn suffixed(joint: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{joint}{text}") }
}

/// Runs one step of the preparation and says how long it took.
fn step<T>(name: &str, interrupt: &Interrupt, work: impl FnOnce() -> Result<T>) -> Result<T> {
    interrupt.check()?;
    print!("  {name} … ");
    std::io::stdout().flush().context("writing to the terminal")?;
    let start = boottime_ns();
    let outcome = work();
    match &outcome {
        Ok(_) => println!("{} ms", milliseconds(start, boottime_ns())),
        Err(_) => println!("failed"),
    }
    interrupt.check()?;
    outcome
}

/// 40 random characters, as long as Cloudflare's tokens.
fn token() -> Result<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; 40];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).context("reading /dev/urandom")?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect())
}
