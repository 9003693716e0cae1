//! What a running ddnsd has given up, and that it works all the same. That nothing of it is missed is shown by every other
//! test here: all of them run within it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, World};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use crate::scene::{Scene, ipv4, is, wait_line, wait_ready};

const RECORDS: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");
/// The user and group `nobody` of Debian.
const NOBODY: &str = "65534";

/// The layers as `/v1/status` tells them, with whether they are closed.
fn layers(daemon: &Daemon) -> Result<Vec<(String, bool)>> {
    let status: Value = serde_json::from_str(&daemon.get("/v1/status")?.1)?;
    let layers = status["sandbox"].as_array().context("the sandbox")?;
    Ok(layers
        .iter()
        .map(|layer| (layer["layer"].as_str().unwrap_or("?").to_owned(), layer["closed"] == true))
        .collect())
}

/// The values of a field of all threads.
fn threads(daemon: &Daemon, field: &str) -> Result<Vec<String>> {
    let mut values = Vec::new();
    for task in fs::read_dir(format!("/proc/{}/task", daemon.pid()))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
        values.push(value.with_context(|| field.to_owned())?.to_owned());
    }
    Ok(values)
}

/// FAULTS 74.
#[test]
fn every_thread_has_given_everything_up_and_status_and_doctor_say_so() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORDS])?;
    wait_ready(&daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.1")])?;
    // One filter from the start, one since the programs are attached; threads that start later inherit both and add theirs.
    let filters = threads(&daemon, "Seccomp_filters")?;
    ensure!(filters.iter().all(|count| ["2", "3"].contains(&count.as_str())), "{filters:?}");
    for (field, wanted) in [("Seccomp", "2"), ("NoNewPrivs", "1")] {
        let found = threads(&daemon, field)?;
        ensure!(found.iter().all(|value| value == wanted), "{field}: {found:?}");
    }
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        let found = threads(&daemon, field)?;
        ensure!(found.iter().all(|value| value == "0000000000000000"), "{field}: {found:?}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid()))?;
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).context("limits")?;
    ensure!(cores.split_whitespace().nth(4) == Some("0"), "{cores}");
    let closed = ["dumpable", "landlock", "seccomp"].map(|layer| (layer.to_owned(), true));
    ensure!(layers(&daemon)? == closed, "{:?}", layers(&daemon)?);
    let doctor = Command::new(env!("CARGO_BIN_EXE_ddnsd"))
        .arg("doctor")
        .env_clear()
        .env("DDNS_ADMIN_SOCKET", scene.path("ddnsd.sock"))
        .output()?;
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    for line in ["good  landlock       closed (", "good  seccomp        closed (", "good  dumpable       closed ("] {
        ensure!(doctor.contains(line), "{line:?}: {doctor}");
    }
    scene.end(daemon)
}

/// The environment may hold secrets; whoever is the same user can read it, unless the process is not dumpable.
#[test]
fn its_own_user_can_not_look_into_it_unless_that_layer_is_left_open() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let token = fs::read_to_string(scene.path("token"))?;
    let open_place = tempfile::tempdir()?;
    fs::set_permissions(open_place.path(), fs::Permissions::from_mode(0o755))?;
    let place = |name: &str| open_place.path().join(name).display().to_string();
    fs::copy(env!("CARGO_BIN_EXE_ddnsd"), place("ddnsd"))?;
    fs::copy(scene.path("ca.pem"), place("ca.pem"))?;
    fs::set_permissions(place("ca.pem"), fs::Permissions::from_mode(0o644))?;
    for (layers_wanted, readable) in [("dumpable,landlock,seccomp", false), ("landlock,seccomp", true), ("none", true)]
    {
        let name = layers_wanted.split(',').next().unwrap_or_default();
        let (state, socket) = (place(&format!("state-{name}")), place(&format!("{name}/ddnsd.sock")));
        for directory in [Path::new(&state), Path::new(&socket).parent().context("a directory")?] {
            fs::create_dir(directory)?;
            chown(directory, Some(65534), Some(65534))?;
        }
        let changes = [
            RECORDS,
            ("DDNS_SANDBOX", layers_wanted),
            ("DDNS_PROVIDER_API_TOKEN_FILE", ""),
            ("DDNS_PROVIDER_API_TOKEN", token.trim()),
            ("DDNS_CA_FILE", &place("ca.pem")),
            ("DDNS_STATE_STORE_PATH", &state),
            ("DDNS_ADMIN_SOCKET", &socket),
        ];
        let environment = scene.environment(&changes);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let user = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", &place("ddnsd")];
        let daemon =
            Daemon::start_with_arguments(Some(&world.host), Path::new("/usr/bin/setpriv"), &user, &environment)?;
        wait_ready(&daemon)?;
        let looked = Command::new("/usr/bin/setpriv")
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "cat"])
            .arg(format!("/proc/{}/environ", daemon.pid()))
            .output()?;
        let seen = String::from_utf8_lossy(&looked.stdout).contains(token.trim());
        ensure!(seen == readable, "{layers_wanted}: the token is seen: {seen}");
        let open = layers(&daemon)?.into_iter().filter(|(_, closed)| !closed).count();
        let named = if layers_wanted == "none" { 0 } else { layers_wanted.split(',').count() };
        ensure!(open == 3 - named, "{layers_wanted}: {:?}", layers(&daemon)?);
        scene.end(daemon)?;
    }
    Ok(())
}

#[test]
fn a_program_of_the_operator_is_not_bound_and_that_is_told() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORDS, ("DDNS_ON_CHANGE", "/bin/true")])?;
    wait_ready(&daemon)?;
    let expected = [("dumpable", true), ("landlock", false), ("seccomp", false)];
    ensure!(layers(&daemon)? == expected.map(|(layer, closed)| (layer.to_owned(), closed)));
    let warned = |line: &Value| {
        line["message"].as_str().is_some_and(|text| text.contains("landlock and seccomp would bind this program"))
    };
    ensure!(daemon.lines().iter().any(warned), "{}", daemon.tail());
    scene.end(daemon)
}

/// FAULTS 11: while no descriptor is left nothing can be reached; nothing breaks, and once there are some all is made good.
#[test]
fn without_descriptors_it_waits_and_with_them_it_goes_on() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORDS])?;
    wait_ready(&daemon)?;
    let pid = Pid::from_raw(i32::try_from(daemon.pid())?).context("a process")?;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // What is open stays open; nothing can be opened.
    let before = prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(3), maximum })?;
    let mark = daemon.mark();
    daemon.expect_error(|line| {
        let text = line.to_string();
        text.contains("Too many open files") || is(line, "Failed to update DNS record", &[])
    });
    world.swap_ipv4(HOST_IPV4, ipv4(2))?;
    let (mark, failed) = wait_line(&daemon, mark, "Failed to update DNS record", &[])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("Too many open files")), "{failed}");
    prlimit(Some(pid), Resource::Nofile, before)?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.2")])?;
    ensure!(daemon.get("/healthz")?.0 == 200);
    scene.end(daemon)
}
