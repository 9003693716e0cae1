use std::collections::BTreeSet;
use std::path::Path;

use ddns_core::config::{Config, Endpoint, HostPort, Kind, SecretFile, SecretFiles, Settings, VARIABLES, Variable};
use proptest::prelude::*;

const SECRET: Variable = Variable { name: "DDNS_SOME_TOKEN", kind: Kind::Secret, help: "" };

/// One file, the same under every path.
struct OneFile(Option<Vec<u8>>);

impl SecretFiles for OneFile {
    fn read(&self, _path: &Path) -> std::io::Result<SecretFile> {
        let content = self.0.clone().ok_or(std::io::ErrorKind::NotFound)?;
        Ok(SecretFile { content, world_readable: false })
    }
}

/// Names that exist, nearly exist, or are not ours.
fn name() -> impl Strategy<Value = String> {
    let known = || prop::sample::select(VARIABLES.iter().map(|variable| variable.name).collect::<Vec<_>>());
    let group = || prop::sample::select(vec!["1", "2", "40", "01", "<N>", "B"]);
    prop_oneof![
        8 => (known(), group()).prop_map(|(name, number)| name.replace("<N>", number)),
        1 => group().prop_map(|name| format!("DDNS_PROVIDER_{name}_TYPE")),
        1 => prop::sample::select(vec!["CREDENTIALS_DIRECTORY", "PATH", "DDNS_", "DDNS_SOME_TOKEN", "DDNS_SOME_TOKEN_FILE"])
            .prop_map(str::to_owned),
        1 => (known(), "[A-Z_ä]{1,3}").prop_map(|(name, end)| name.to_owned() + &end),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        any::<u64>().prop_map(|number| number.to_string()),
        "[a-z.*:,A \\[\\]0-9/-]{0,40}",
        "https?://[a-z\\[\\]:.0-9@/?#%-]{0,30}",
        "(-)?[0-9]{1,30}",
    ]
}

fn url() -> impl Strategy<Value = String> {
    (any::<bool>(), any::<std::net::SocketAddr>(), "[a-z/]{0,8}").prop_map(|(secure, address, path)| {
        let address = std::net::SocketAddr::new(address.ip(), address.port());
        format!("{}://{address}/{path}", if secure { "https" } else { "http" })
    })
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn any_environment_is_read_without_panicking_and_every_unknown_name_is_told(
        environment in prop::collection::btree_map(name(), value(), 0..12),
        file in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let known = [VARIABLES, &[SECRET]].concat();
        let files = OneFile(file);
        let mut settings = Settings::new(environment.clone(), &known, &files);
        let config = Config::read(&mut settings);
        let _ = settings.secret(&SECRET);
        let (_, problems) = settings.finish();

        let mut names: BTreeSet<String> = BTreeSet::from(["DDNS_SOME_TOKEN_FILE".to_owned()]);
        for variable in known.iter().filter(|variable| !variable.name.contains("<N>")) {
            names.insert(variable.name.to_owned());
        }
        for group in ["1", "2", "40", "01", "B"] {
            if !group.starts_with(['0', 'B']) {
                names.extend(known.iter().map(|variable| variable.name.replace("<N>", group)));
            }
            names.insert(format!("DDNS_PROVIDER_{group}_TYPE"));
        }
        let unknown = environment.keys().filter(|name| name.starts_with("DDNS_") && !names.contains(name.as_str()));
        let told = problems.iter().filter(|problem| problem.reason == "no such variable").map(|problem| &problem.variable);
        prop_assert_eq!(unknown.collect::<Vec<_>>(), told.collect::<Vec<_>>());
        if problems.is_empty() {
            prop_assert!(!config.records.is_empty() && !config.doh.is_empty());
        }
    }

    #[test]
    fn an_endpoint_comes_back_as_it_was(text in prop_oneof![value(), url()]) {
        if let Ok(endpoint) = Endpoint::parse(&text) {
            prop_assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
        }
    }

    #[test]
    fn a_host_and_port_come_back_as_they_were(
        text in prop_oneof![
            any::<String>(),
            "[a-z\\[\\]:.]{0,8}:[0-9]{1,5}",
            any::<std::net::SocketAddr>().prop_map(|address| address.to_string()),
        ]
    ) {
        if let Ok(host_port) = HostPort::parse(&text) {
            prop_assert_eq!(HostPort::parse(&host_port.to_string()), Ok(host_port));
        }
    }

    #[test]
    fn every_socket_address_is_a_host_and_port(address in any::<std::net::IpAddr>(), port in 1..=u16::MAX) {
        let read = HostPort::parse(&std::net::SocketAddr::new(address, port).to_string()).unwrap();
        prop_assert_eq!((read.host, read.port), (address.to_string(), port));
    }
}
