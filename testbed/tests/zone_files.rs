//! BIND's own `named-checkzone` takes every zone that is made here, and understands it as it is meant.

use std::fs;
use std::process::Command;

use ddns_core::zone::{desired::Desired, import::import, render::render, serial::Serial};
use proptest::prelude::*;

#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#[path = "../../ddns-core/tests/properties/zone_world.rs"]
mod zone_world;

use zone_world::{claims, spec};

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) }
}

/// What `named-checkzone` says of a file, with names of hosts checked as strictly as a primary does, and the zone as it
/// understands it.
fn check(zone: &str, text: &str) -> (bool, String, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, dump) = (directory.path().join("zone"), directory.path().join("dump"));
    fs::write(&file, text).expect("the zone file");
    let mut command = Command::new("named-checkzone");
    command.args(["-k", "fail", "-n", "fail", "-r", "fail", "-i", "local", "-M", "fail", "-S", "fail", "-D", "-o"]);
    let output = command.arg(&dump).arg(zone).arg(&file).output().expect("named-checkzone (package bind9-utils)");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said, fs::read_to_string(dump).unwrap_or_default())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn bind_takes_every_zone_and_understands_it_as_it_is_meant(spec in spec(), claims in claims(), serial: u32) {
        let desired = Desired::assemble(&spec, &claims).expect("a zone");
        let text = render(&desired.contents, Serial(serial));
        let (taken, said, dump) = check("example.com", &text);
        prop_assert!(taken, "{}\n{}", said, text);
        let understood = import(&dump, &spec.zone).map_err(|errors| TestCaseError::fail(format!("{errors:?}\n{dump}")))?;
        prop_assert_eq!((understood.contents, understood.serial), (desired.contents, Serial(serial)));
    }
}

/// So that the check above can fail: BIND refuses a zone whose name server has no address.
#[test]
fn bind_refuses_a_name_server_without_an_address() {
    let (taken, said, _) = check("example.com", "@ 60 SOA ns1 host 1 1 1 1 1\n@ 60 NS ns1\n");
    assert!(!taken && said.contains("has no address records"), "{said}");
}
