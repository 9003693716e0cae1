//! The `sled` store, which is the default, in the real ddnsd.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ddns_testbed::{Daemon, World};

use crate::scene::{PATIENCE, Scene, wait_line, wait_ready};

const UP_TO_DATE: &str = "The copy of the state in sled is up to date";

fn started(scene: &Scene<'_>) -> Result<Daemon> {
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    wait_line(&daemon, 0, UP_TO_DATE, &[])?;
    Ok(daemon)
}

fn damage(files: &[&Path]) -> Result<()> {
    files.iter().try_for_each(|file| fs::write(file, vec![0; fs::read(file)?.len()]).context("a file to damage"))
}

/// FAULTS 47 and 48: a damaged slot and a damaged database are made good and told; with every copy damaged ddnsd says so,
/// touches none of it, and keeps DNS right.
#[test]
fn damage_to_the_store_is_told_and_made_good_where_that_can_be() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let state = scene.path("state");
    let at = |name: &str| Path::new(&state).join(name);
    let (slots, database) = ([at("state.0"), at("state.1")], at("sled/db"));
    scene.end(started(&scene)?)?;
    let writes = scene.double.writes();

    damage(&[&slots[0], &slots[1]])?;
    let daemon = started(&scene)?;
    wait_line(&daemon, 0, "The newest state was in no slot; its copy in sled is used", &[])?;
    scene.end(daemon)?;

    damage(&[&database])?;
    let daemon = started(&scene)?;
    let (_, told) =
        wait_line(&daemon, 0, "The copy of the state in sled was damaged; it was made anew from the slots", &[])?;
    let evidence = told["evidence"].as_str().unwrap_or_default();
    ensure!(evidence.contains("sled.quarantine-") && Path::new(evidence).exists(), "{told}");
    scene.end(daemon)?;
    assert_eq!(scene.double.writes(), writes, "nothing was forgotten, so nothing is written again");

    let there: Vec<_> = slots.iter().filter(|slot| slot.exists()).map(AsRef::as_ref).collect();
    damage(&there)?;
    damage(&[&database])?;
    let before: Vec<_> = there.iter().map(fs::read).collect::<Result<_, _>>()?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    daemon.expect_error(|line| line["message"].as_str().is_some_and(|message| message.starts_with("State can't")));
    let (_, told) = wait_line(&daemon, 0, "State can't be kept: degraded, not durable; DNS work goes on", &[])?;
    let error = told["error"].as_str().unwrap_or_default();
    ensure!(error.contains("all copies of the state in") && error.contains("move them away"), "{told}");
    wait_ready(&daemon)?;
    scene.end(daemon)?;
    let after: Vec<_> = there.iter().map(fs::read).collect::<Result<_, _>>()?;
    ensure!(before == after, "the evidence was written over");
    Ok(())
}

/// sled's threads wake seven times a second; in the daemon there are none, and no process of its own either.
#[test]
fn an_idle_daemon_is_one_thread_without_a_child() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = started(&scene)?;
    let tasks = format!("/proc/{}/task", daemon.pid());
    let alone = || -> Result<bool> {
        let tasks: Vec<_> = fs::read_dir(&tasks)?.collect::<Result<_, _>>()?;
        let children = fs::read_to_string(tasks[0].path().join("children"))?;
        Ok(tasks.len() == 1 && children.is_empty())
    };
    let until = std::time::Instant::now() + PATIENCE;
    while !alone()? {
        ensure!(std::time::Instant::now() < until, "still {} threads", fs::read_dir(&tasks)?.count());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    scene.end(daemon)
}

/// Root restores for a ddnsd that runs as another user, who has to be able to go on from there.
#[test]
fn what_root_restores_belongs_to_the_user_of_the_directory() -> Result<()> {
    const USER: u32 = 4242;
    let place = tempfile::tempdir()?;
    let state = place.path().join("state");
    fs::create_dir(&state)?;
    chown(&state, Some(USER), Some(USER))?;
    let file = place.path().join("export.json");
    fs::write(&file, r#"{"format":1,"records":{}}"#)?;
    for _ in 0..2 {
        let mut restore = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
        restore.args(["state", "restore"]).arg(&file).env_clear().env("DDNS_STATE_STORE_PATH", &state);
        let output = restore.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let files: Vec<_> = fs::read_dir(&state)?.collect::<Result<_, _>>()?;
    // The lock, two slots, and the first of them kept when it was replaced.
    ensure!(files.len() == 4, "{files:?}");
    for file in files {
        let metadata = file.metadata()?;
        ensure!((metadata.uid(), metadata.gid()) == (USER, USER), "{file:?} belongs to {}", metadata.uid());
    }
    Ok(())
}
