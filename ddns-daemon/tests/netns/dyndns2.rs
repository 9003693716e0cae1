//! The main job with a service that speaks dyndns2.

use std::fs;

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::{CLOUDFLARE_IPV4, HOST_IPV4, HOST_IPV6, HOST_IPV6_PREFIX};
use ddns_testbed::{Daemon, DyndnsDouble, DyndnsFault, World};

use crate::scene::{NAME, Scene, ZONE, ipv4, wait_line, wait_ready};

const USER: &str = "operator@example.com";
const PASSWORD: &str = "correct horse 5";
/// The two of them as Basic authentication sends them.
const CREDENTIALS: &str = "b3BlcmF0b3JAZXhhbXBsZS5jb206Y29ycmVjdCBob3JzZSA1";

fn service(scene: &Scene<'_>) -> Result<DyndnsDouble> {
    let at = (Some(scene.internet), (CLOUDFLARE_IPV4, 8445).into());
    DyndnsDouble::start(at, scene.identity.server_config()?, CREDENTIALS, (ZONE, &[NAME]), Some(&scene.named))
}

fn start(scene: &Scene<'_>, service: &DyndnsDouble, changes: &[(&str, &str)]) -> Result<Daemon> {
    let (path, url) = (scene.path("password"), service.url());
    fs::write(&path, PASSWORD)?;
    let mut all = vec![
        ("DDNS_RECORDS", "vpn.ddns.test:A"),
        ("DDNS_PROVIDER_TYPE", "dyndns2"),
        ("DDNS_PROVIDER_API_TOKEN_FILE", ""),
        ("DDNS_PROVIDER_API_URL", &url),
        ("DDNS_PROVIDER_USERNAME", USER),
        ("DDNS_PROVIDER_PASSWORD_FILE", &path),
    ];
    all.extend(changes);
    scene.start(&all)
}

fn end(scene: &Scene<'_>, daemon: Daemon) -> Result<()> {
    let leaked = |line: &String| line.contains(PASSWORD) || line.contains(CREDENTIALS);
    ensure!(!daemon.raw_lines().iter().any(leaked), "the log holds the password");
    scene.end(daemon)
}

/// One request makes a change, and a restart makes none.
#[test]
fn an_address_change_becomes_a_verified_record_by_one_request() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let service = service(&scene)?;
    let daemon = start(&scene, &service, &[("DDNS_RECORDS", NAME)])?;
    wait_ready(&daemon)?;
    ensure!(service.holds(NAME, false) == Some(HOST_IPV4.into()), "A");
    ensure!(service.holds(NAME, true) == Some(HOST_IPV6.into()), "AAAA");
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let (mark, _) = wait_line(&daemon, mark, "DNS record verified", &[("type", "A"), ("address", "11.22.40.7")])?;
    let moved = world.renumber_ipv6(HOST_IPV6_PREFIX, "2a00:1234:9abc:2::".parse()?)?.to_string();
    wait_line(&daemon, mark, "DNS record verified", &[("type", "AAAA"), ("address", &moved)])?;
    ensure!(scene.named.lookup(NAME, "A")? == ["11.22.40.7"] && scene.named.lookup(NAME, "AAAA")? == [moved], "DNS");
    let requests = service.requests();
    let targets: Vec<_> = requests.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(requests.len(), 4, "{targets:?}");
    assert_eq!(targets[2], "/nic/update?hostname=vpn.ddns.test&myip=11.22.40.7");
    ensure!(requests.iter().all(|request| request.user_agent.starts_with("ddnsd/")), "{requests:?}");
    end(&scene, daemon)?;
    let daemon = start(&scene, &service, &[("DDNS_RECORDS", NAME)])?;
    wait_ready(&daemon)?;
    assert_eq!(service.requests().len(), 4, "a restart with the same addresses asks for nothing");
    end(&scene, daemon)
}

/// Each word has its class, and its remedy in the log; none is answered with a storm.
#[test]
fn a_refusal_is_held_and_told() -> Result<()> {
    let cases = [
        ("badauth", "unauthorized", "DDNS_PROVIDER_PASSWORD"),
        ("nohost", "refused", "has no host vpn.ddns.test"),
        ("badagent", "refused", "does not accept this client"),
        ("911", "unavailable", "(911)"),
    ];
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let service = service(&scene)?;
    for (word, class, says) in cases {
        let before = service.requests().len();
        service.push(DyndnsFault::Says(word));
        let state = scene.path(word);
        let daemon = start(&scene, &service, &[("DDNS_STATE_STORE_PATH", &state)])?;
        daemon.expect_error(move |line| line["class"] == class);
        let (_, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", class)])?;
        ensure!(failed["error"].as_str().is_some_and(|error| error.contains(says)), "{failed}");
        ensure!(failed["again_in_ms"].as_u64() >= Some(1_000_000), "{failed}");
        wait_line(&daemon, 0, "Readiness changed", &[("to", "ready")])?;
        assert_eq!(service.requests().len() - before, 1, "{word}");
        end(&scene, daemon)?;
    }
    Ok(())
}

/// `abuse` holds over a restart, whatever the address does.
#[test]
fn a_block_for_abuse_outlives_a_restart() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let service = service(&scene)?;
    service.push(DyndnsFault::Says("abuse"));
    let daemon = start(&scene, &service, &[])?;
    let (_, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("unblocked")), "{failed}");
    end(&scene, daemon)?;
    let daemon = start(&scene, &service, &[])?;
    wait_line(&daemon, 0, "Readiness changed", &[("to", "ready")])?;
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, 0, "IP change detected", &[("to", "11.22.40.1")])?;
    // The look at DNS comes before any request to the service.
    wait_line(&daemon, 0, "DNS does not show the address", &[("address", "11.22.40.1")])?;
    assert_eq!(service.requests().len(), 1, "{:?}", service.requests());
    assert_eq!(daemon.get("/readyz")?.0, 503);
    end(&scene, daemon)
}

/// FAULTS 33 and 39: what may have had an effect is repeated, and the answer `nochg` is as good.
#[test]
fn a_lost_request_or_answer_does_no_harm() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let service = service(&scene)?;
    let daemon = start(&scene, &service, &[])?;
    wait_ready(&daemon)?;
    let mut current = HOST_IPV4;
    for (number, (fault, word)) in (1..).zip([(DyndnsFault::ApplyThenDrop, "nochg"), (DyndnsFault::Drop, "good")]) {
        let mark = daemon.mark();
        service.push(fault.clone());
        world.swap_ipv4(current, ipv4(number))?;
        current = ipv4(number);
        let to = current.to_string();
        wait_line(&daemon, mark, "Failed to update DNS record", &[("class", "unreachable")])?;
        wait_line(&daemon, mark, "DNS record verified", &[("address", &to)])?;
        let last = service.requests().pop().context("a request")?;
        assert_eq!(last.answer, format!("{word} {to}"), "{fault:?}");
    }
    end(&scene, daemon)
}
