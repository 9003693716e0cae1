//! The systemd unit and the exit codes agree.

use std::process::Command;

const UNIT: &str = include_str!("../../deploy/systemd/ddnsd.service");

fn setting(name: &str) -> Option<&'static str> {
    UNIT.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// Trap 25, seed 001 phase 16: a wrong configuration is not restarted; anything else that ends ddnsd is, and a clean end
/// is not. systemd waits as long for the end as ddnsd may take.
#[test]
fn a_wrong_configuration_is_not_restarted() {
    let exit = Command::new(env!("CARGO_BIN_EXE_ddnsd")).env_clear().output().unwrap().status.code();
    assert_eq!(exit, Some(1));
    assert_eq!(setting("RestartPreventExitStatus"), Some("1"));
    assert_eq!(setting("Restart"), Some("on-failure"));
    assert_eq!(setting("TimeoutStopSec"), Some("45"));
}
