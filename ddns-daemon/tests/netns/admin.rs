//! The admin socket under those who mean it no good.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use ddns_testbed::World;
use ddns_testbed::world::HOST_IPV4;

use crate::scene::{PATIENCE, Scene, ipv4, wait_line, wait_ready};

/// Fewer than the connections that are served at a time.
const DAWDLERS: usize = 7;

fn connect(scene: &Scene<'_>) -> Result<UnixStream> {
    let client = UnixStream::connect(scene.path("ddnsd.sock"))?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    Ok(client)
}

/// What comes back to `request`, until the daemon closes.
pub fn answer(scene: &Scene<'_>, request: &str) -> Result<String> {
    let mut client = connect(scene)?;
    // It may be refused before all of it is written.
    let _ = client.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// FAULTS 71: neither dawdlers nor a crowd, neither a head nor a body without end keeps others from an answer, and none
/// keeps the engine from its work.
#[test]
fn hostile_clients_of_the_socket_keep_nobody_from_an_answer() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;

    thread::scope(|threads| {
        let mut dawdlers = Vec::new();
        for _ in 0..DAWDLERS {
            let mut client = connect(&scene)?;
            client.write_all(b"GET /healthz HTTP/1.1\r\n")?;
            dawdlers.push(threads.spawn(move || dribble(&mut client)));
        }
        ensure!(daemon.get("/healthz")?.0 == 200, "while others dawdle");
        ensure!(dawdlers.into_iter().all(|dawdler| dawdler.join().is_ok_and(|closed| closed)), "a dawdler is kept");
        Ok(())
    })?;

    let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(65_536));
    ensure!(!answer(&scene, &long)?.contains("200 OK"), "a head of 64 KiB");
    for body in ["content-length: 5\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] {
        for method in ["GET", "POST"] {
            let refused = answer(&scene, &format!("{method} /v1/status HTTP/1.1\r\nhost: x\r\n{body}"))?;
            ensure!(refused.starts_with("HTTP/1.1 413 "), "{method} with a body: {refused}");
        }
    }
    let endless = format!("GET /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", u64::MAX);
    ensure!(!answer(&scene, &endless)?.contains("200 OK"), "a body without end");
    let refused = answer(&scene, "DELETE /v1/status HTTP/1.1\r\nhost: x\r\n\r\n")?;
    ensure!(refused.starts_with("HTTP/1.1 405 ") && refused.contains("allow: GET, HEAD"), "{refused}");
    ensure!(answer(&scene, "GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n")?.starts_with("HTTP/1.1 200 "));
    ensure!(answer(&scene, "GET /v1/history?since=1 HTTP/1.1\r\nhost: x\r\n\r\n")?.starts_with("HTTP/1.1 400 "));

    thread::scope(|threads| {
        let crowd: Vec<_> = (0..200).map(|_| threads.spawn(|| connect(&scene))).collect();
        let crowd: Vec<_> = crowd.into_iter().flat_map(|client| client.join().ok()?.ok()).collect();
        assert!(crowd.len() > DAWDLERS, "{} got in", crowd.len());
    });
    ensure!(daemon.get("/healthz")?.0 == 200, "after a crowd");
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.1")])?;
    scene.end(daemon)
}

/// A header that never ends, octet by octet; true once the daemon has closed the connection.
fn dribble(client: &mut UnixStream) -> bool {
    let begun = Instant::now();
    let (mut pause, mut octet) = (client.try_clone().expect("a second handle"), [0]);
    pause.set_read_timeout(Some(std::time::Duration::from_millis(100))).expect("a time-out");
    while begun.elapsed() < PATIENCE {
        let closed = matches!(pause.read(&mut octet), Ok(0)) || client.write_all(b"x").is_err();
        if closed {
            return true;
        }
    }
    false
}
