//! The main job with a real BIND as the provider: dynamic updates with TSIG.

use std::fs;

use anyhow::{Context, Result, ensure};
use ddns_testbed::named::{KEYS, LOCKED_ZONE, key_file, secret};
use ddns_testbed::world::{CLOUDFLARE_IPV4, HOST_IPV4, HOST_IPV6};
use ddns_testbed::{Daemon, DnsRelay, RelayFault, World};

use crate::scene::{NAME, PATIENCE, Scene, ZONE, ipv4, wait_line, wait_ready};

/// A middleman before the name server, which counts what passes.
fn relay(scene: &Scene<'_>) -> Result<DnsRelay> {
    let address = (CLOUDFLARE_IPV4, 5353).into();
    DnsRelay::start(Some(scene.internet), address, scene.named.dns())
}

/// Starts ddnsd with this key file; `changes` as for [`Scene::start`].
fn start(scene: &Scene<'_>, relay: &DnsRelay, key: &str, changes: &[(&str, &str)]) -> Result<Daemon> {
    let path = scene.path("tsig");
    fs::write(&path, key)?;
    let server = relay.address().to_string();
    let mut all = vec![
        ("DDNS_RECORDS", "vpn.ddns.test:A"),
        ("DDNS_PROVIDER_TYPE", "rfc2136"),
        ("DDNS_PROVIDER_API_TOKEN_FILE", ""),
        ("DDNS_PROVIDER_API_URL", ""),
        ("DDNS_RFC2136_SERVER", &server),
        ("DDNS_RFC2136_TSIG_KEY_FILE", &path),
    ];
    all.extend(changes);
    scene.start(&all)
}

fn end(scene: &Scene<'_>, daemon: Daemon) -> Result<()> {
    ensure!(!daemon.raw_lines().iter().any(|line| line.contains(&secret()[..12])), "the log holds the key");
    scene.end(daemon)
}

fn good_key() -> String {
    key_file(KEYS[0].0, KEYS[0].1)
}

/// Three exchanges make a change; DoH proves it.
#[test]
fn an_address_change_becomes_a_verified_record_by_dynamic_update() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let daemon = start(&scene, &relay, &good_key(), &[("DDNS_RECORDS", NAME)])?;
    wait_ready(&daemon)?;
    ensure!(scene.named.lookup(NAME, "A")? == [HOST_IPV4.to_string()], "A");
    ensure!(scene.named.lookup(NAME, "AAAA")? == [HOST_IPV6.to_string()], "AAAA");
    let before = (relay.updates(), relay.queries());
    assert_eq!(before.0, 2, "one update for each record");
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, mark, "DNS record verified", &[("record", NAME), ("type", "A"), ("address", "11.22.40.7")])?;
    ensure!(scene.named.lookup(NAME, "A")? == ["11.22.40.7"], "A");
    assert_eq!((relay.updates() - before.0, relay.queries() - before.1), (1, 2), "read, update, read again");
    end(&scene, daemon)
}

/// Both ends of TSIG agree on all three algorithms.
#[test]
fn every_algorithm_of_tsig_works() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    for (name, algorithm) in KEYS {
        let record = format!("{name}.ddns.test:A");
        let daemon = start(&scene, &relay, &key_file(name, algorithm), &[("DDNS_RECORDS", &record)])?;
        wait_ready(&daemon)?;
        end(&scene, daemon)?;
    }
    Ok(())
}

/// FAULTS 31: each is one ERROR with its remedy, and no storm.
#[test]
fn a_wrong_key_is_held_and_told_which_way_it_is_wrong() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let mut current = HOST_IPV4;
    let cases = [
        (good_key().replace("\"m4S0", "\"M4S0"), "(BADSIG)"),
        (key_file(KEYS[0].0, "hmac-sha512"), "with algorithm hmac-sha512 (BADKEY)"),
        (key_file("stranger", KEYS[0].1), "does not know the TSIG key stranger"),
    ];
    for (number, (key, says)) in (1..).zip(cases) {
        let daemon = start(&scene, &relay, &key, &[])?;
        daemon.expect_error(|line| line["class"] == "unauthorized");
        let (mark, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", "unauthorized")])?;
        ensure!(failed["error"].as_str().is_some_and(|error| error.contains(says)), "{says}: {failed}");
        let asked = (relay.queries(), relay.updates());
        world.swap_ipv4(current, ipv4(number))?;
        current = ipv4(number);
        wait_line(&daemon, mark, "IP change detected", &[("to", &current.to_string())])?;
        wait_line(&daemon, 0, "Readiness changed", &[("to", "ready")])?;
        assert_eq!((relay.queries(), relay.updates()), asked, "a new address is no reason to try the key again");
        assert_eq!(daemon.get("/readyz")?.0, 503);
        end(&scene, daemon)?;
    }
    ensure!(relay.updates() == 0, "nothing was written");
    Ok(())
}

/// FAULTS 34 and 70: what can't work is held with its remedy.
#[test]
fn a_wrong_zone_is_held_and_told() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let locked = format!("vpn.{LOCKED_ZONE}:A");
    let cases = [
        (("DDNS_RFC2136_ZONE", "other.test"), "refused", "does not lie in zone other.test."),
        (("DDNS_RFC2136_ZONE", "test"), "refused", "(NOTAUTH)"),
        (("DDNS_RECORDS", "vpn.elsewhere.test:A"), "refused", "no zone that holds vpn.elsewhere.test."),
        (("DDNS_RECORDS", locked.as_str()), "unauthorized", "grant it to the key ddns-256"),
    ];
    for (change, class, says) in cases {
        let daemon = start(&scene, &relay, &good_key(), &[change])?;
        daemon.expect_error(move |line| line["class"] == class);
        let (_, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", class)])?;
        ensure!(failed["error"].as_str().is_some_and(|error| error.contains(says)), "{says}: {failed}");
        end(&scene, daemon)?;
    }
    Ok(())
}

/// FAULTS 34: one ERROR with the remedy, no storm, and not a further try for a further address.
#[test]
fn a_frozen_zone_is_held_and_told_and_makes_no_storm() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let daemon = start(&scene, &relay, &good_key(), &[])?;
    wait_ready(&daemon)?;
    scene.named.freeze(ZONE)?;
    let before = relay.updates();
    daemon.expect_error(|line| line["class"] == "unauthorized");
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    let (mark, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", "unauthorized")])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("thaw the zone")), "{failed}");
    assert_eq!(relay.updates() - before, 1);
    let asked = (relay.queries(), relay.updates());
    world.swap_ipv4(ipv4(1), ipv4(2))?;
    wait_line(&daemon, mark, "IP change detected", &[("to", "11.22.40.2")])?;
    assert_eq!((relay.queries(), relay.updates()), asked, "a new address is no reason to try again");
    assert_eq!(daemon.get("/readyz")?.0, 503);
    ensure!(scene.named.lookup(NAME, "A")? == [HOST_IPV4.to_string()], "nothing was written");
    end(&scene, daemon)
}

/// FAULTS 32 and 35: what someone else wrote is seen before it is replaced, and a second address is left alone.
#[test]
fn what_someone_else_changed_is_seen_first() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let daemon = start(&scene, &relay, &good_key(), &[])?;
    wait_ready(&daemon)?;
    scene.named.set(ZONE, NAME, "A", &["11.9.9.9"])?;
    let (mark, updates) = (daemon.mark(), relay.updates());
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    let (mark, failed) = wait_line(&daemon, mark, "Failed to update DNS record", &[])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("to 11.9.9.9")), "{failed}");
    assert_eq!(relay.updates(), updates, "not written over");
    let (_, update) = wait_line(&daemon, mark, "Updating DNS record", &[("address", "11.22.40.1")])?;
    ensure!(update["from"] == "11.9.9.9", "{update}");
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.1")])?;

    scene.named.set(ZONE, NAME, "A", &["11.9.9.9", "11.22.40.1"])?;
    world.swap_ipv4(ipv4(1), ipv4(2))?;
    wait_line(&daemon, 0, "DNS record updated", &[("address", "11.22.40.2")])?;
    ensure!(scene.named.lookup(NAME, "A")? == ["11.22.40.2", "11.9.9.9"], "{:?}", scene.named.lookup(NAME, "A")?);
    end(&scene, daemon)
}

/// FAULTS 32: by a mark beside it a record is told from somebody else's, which is left alone.
#[test]
fn a_mark_tells_whose_a_record_is() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let daemon = start(&scene, &relay, &good_key(), &[("DDNS_RFC2136_OWNER", "host-1")])?;
    wait_ready(&daemon)?;
    let mark = scene.named.lookup("_ddnsd-a.vpn.ddns.test", "TXT")?;
    ensure!(mark.iter().map(|text| text.trim_matches('"')).eq(["ddnsd-owner=host-1"]), "{mark:?}");
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.7")])?;
    end(&scene, daemon)?;

    let other = [("DDNS_RFC2136_OWNER", "host-2"), ("DDNS_STATE_STORE_TYPE", "memory")];
    world.swap_ipv4(ipv4(7), ipv4(8))?;
    let daemon = start(&scene, &relay, &good_key(), &other)?;
    let (_, refused) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", "refused")])?;
    ensure!(
        refused["error"].as_str().is_some_and(|error| error.contains("host-1") && error.contains("DDNS_RFC2136_OWNER")),
        "{refused}"
    );
    ensure!(scene.named.lookup(NAME, "A")? == ["11.22.40.7"], "it is left alone");
    daemon.expect_error(|line| line["message"] == "Failed to update DNS record");
    end(&scene, daemon)?;

    // A record without a mark that was there before is nobody's to take.
    let taken =
        [("DDNS_RECORDS", "old.ddns.test:A"), ("DDNS_RFC2136_OWNER", "host-1"), ("DDNS_STATE_STORE_TYPE", "memory")];
    scene.named.set(ZONE, "old.ddns.test", "A", &["11.9.9.9"])?;
    let daemon = start(&scene, &relay, &good_key(), &taken)?;
    let (_, refused) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", "refused")])?;
    ensure!(refused["error"].as_str().is_some_and(|error| error.contains("carries no mark")), "{refused}");
    ensure!(scene.named.lookup("old.ddns.test", "A")? == ["11.9.9.9"], "it is left alone");
    daemon.expect_error(|line| line["message"] == "Failed to update DNS record");
    end(&scene, daemon)
}

/// FAULTS 33: whatever becomes of an update and its answer, the record ends up right.
#[test]
fn an_update_or_an_answer_that_is_lost_does_no_harm() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let daemon = start(&scene, &relay, &good_key(), &[])?;
    wait_ready(&daemon)?;
    let mut current = HOST_IPV4;
    let faults = [
        (RelayFault::LoseAnswer, 1, "broke"),
        (RelayFault::LoseUpdate, 2, "broke"),
        (RelayFault::Garbage, 1, "no DNS message"),
        (RelayFault::Tamper, 1, "signature is wrong"),
    ];
    for (number, (fault, updates, says)) in (1..).zip(faults) {
        let (mark, before) = (daemon.mark(), relay.updates());
        relay.push(fault);
        world.swap_ipv4(current, ipv4(number))?;
        current = ipv4(number);
        let to = current.to_string();
        let (_, failed) = wait_line(&daemon, mark, "Failed to update DNS record", &[("class", "unreachable")])?;
        ensure!(failed["error"].as_str().is_some_and(|error| error.contains(says)), "{fault:?}: {failed}");
        wait_line(&daemon, mark, "DNS record verified", &[("address", &to)])?;
        ensure!(scene.named.lookup(NAME, "A")? == [to], "{fault:?}");
        assert_eq!(relay.updates() - before, updates, "{fault:?}: what took effect is not repeated");
    }
    end(&scene, daemon)
}

/// FAULTS 33: over UDP a lost answer costs a repetition, and no line in the log.
#[test]
fn an_address_change_becomes_a_verified_record_over_udp() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let relay = relay(&scene)?;
    let daemon = start(&scene, &relay, &good_key(), &[("DDNS_RFC2136_TRANSPORT", "udp")])?;
    wait_ready(&daemon)?;
    let mut current = HOST_IPV4;
    for (number, fault) in (7..).zip([None, Some(RelayFault::LoseAnswer), Some(RelayFault::LoseUpdate)]) {
        let (mark, before) = (daemon.mark(), relay.updates());
        fault.into_iter().for_each(|fault| relay.push(fault));
        world.swap_ipv4(current, ipv4(number))?;
        current = ipv4(number);
        wait_line(&daemon, mark, "DNS record verified", &[("address", &current.to_string())])?;
        ensure!(scene.named.lookup(NAME, "A")? == [current.to_string()], "{fault:?}");
        assert_eq!(relay.updates() - before, 1 + usize::from(fault.is_some()), "{fault:?}");
    }
    // A slow machine may see a query take TCP; updates were counted one by one above.
    ensure!(relay.datagrams() >= relay.updates(), "updates went over TCP: {} datagrams", relay.datagrams());
    let failed = daemon.raw_lines().iter().any(|line| line.contains("Failed to update"));
    ensure!(!failed, "a repetition is no failure");
    end(&scene, daemon)
}

/// A kind's own variables stand in a named group without their prefix.
#[test]
fn a_named_provider_of_this_kind_works_beside_another_one() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let key = scene.path("tsig");
    fs::write(&key, good_key())?;
    let daemon = scene.start(&[
        ("DDNS_RECORDS", "vpn.ddns.test:A"),
        ("DDNS_RECORD_1_NAME", "nas.ddns.test"),
        ("DDNS_RECORD_1_TYPE", "A"),
        ("DDNS_RECORD_1_TTL", "300"),
        ("DDNS_RECORD_1_PROVIDER", "bind"),
        ("DDNS_PROVIDER_BIND_TYPE", "rfc2136"),
        ("DDNS_PROVIDER_BIND_SERVER", "192.0.2.53"),
        ("DDNS_PROVIDER_BIND_ZONE", ZONE),
        ("DDNS_PROVIDER_BIND_TSIG_KEY_FILE", &key),
    ])?;
    wait_ready(&daemon)?;
    ensure!(scene.named.lookup("nas.ddns.test", "A")? == [HOST_IPV4.to_string()], "by update");
    ensure!(scene.double.records().len() == 1, "the other by the API");
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    for record in [NAME, "nas.ddns.test"] {
        daemon
            .wait_for_line(record, PATIENCE, |line| {
                line["message"] == "DNS record verified" && line["record"] == record && line["address"] == "11.22.40.7"
            })
            .context(record)?;
    }
    end(&scene, daemon)
}
