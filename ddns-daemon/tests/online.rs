//! `ddnsd check --online`: what can be known without a write, one line each; 0 good, 1 wrong, 2 not reachable.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use ddns_testbed::cloudflare::TokenState;
use ddns_testbed::named::{KEYS, key_file};
use ddns_testbed::{Authority, CloudflareDouble, Fault, Named, Record, Scope};
use tempfile::TempDir;

const TOKEN: &str = "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB";

struct Bench {
    directory: TempDir,
    authority: Authority,
    environment: BTreeMap<String, String>,
}

impl Bench {
    fn new() -> Self {
        let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new().unwrap());
        let mut bench = Self { directory, authority, environment: BTreeMap::new() };
        let pem = bench.authority.pem();
        let (ca, token) = (bench.file("ca.pem", &pem), bench.file("token", TOKEN));
        bench.set("DDNS_RECORDS", "vpn.example.com:A,new.example.com:AAAA").set("DDNS_CA_FILE", &ca);
        bench.set("DDNS_PROVIDER_API_TOKEN_FILE", &token);
        bench
    }

    fn cloudflare(&mut self) -> CloudflareDouble {
        let tls = self.authority.issue(&["127.0.0.1"]).unwrap().server_config().unwrap();
        let double = CloudflareDouble::builder(tls, TOKEN).zone("example.com").start().unwrap();
        double.put_record(Record::new("A", "vpn.example.com", "11.22.33.9")).unwrap();
        self.set("DDNS_PROVIDER_API_URL", &double.url());
        double
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The exit code is this one, and each text stands on a line that begins with its mark.
    fn says(&self, code: i32, expected: &[(&str, &str)]) {
        let mut ddnsd = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
        let output = ddnsd.args(["check", "--online"]).env_clear().envs(&self.environment).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        for (mark, text) in expected {
            assert!(
                said.lines().any(|line| line.starts_with(mark) && line.contains(text)),
                "{mark} {text:?} in {said}"
            );
        }
        assert_eq!(output.status.code(), Some(code), "{said}{complaints}");
        assert!(!said.contains(TOKEN) && !complaints.contains(TOKEN), "{said}{complaints}");
    }
}

#[test]
fn a_good_token_its_zone_and_its_records_are_good() {
    let mut bench = Bench::new();
    let double = bench.cloudflare();
    bench.says(
        0,
        &[
            ("good", "token: Cloudflare says that it is valid"),
            ("good", "zone example.com: the token may edit its records (#dns_records:edit)"),
            ("good", "vpn.example.com A: the service holds 11.22.33.9"),
            ("good", "new.example.com AAAA: there is no such record yet; it will be created"),
        ],
    );
    assert_eq!(double.writes(), 0);
    assert!(double.transcript().iter().all(|exchange| !exchange.is_write()), "nothing was tried");
}

/// FAULTS 38.
#[test]
fn what_is_wrong_with_a_token_is_told_with_its_remedy() {
    let mut bench = Bench::new();
    let double = bench.cloudflare();
    let remedy = "DDNS_PROVIDER_API_TOKEN";
    for (state, about, says) in [
        (TokenState::Revoked, "token", remedy),
        (TokenState::Expired, "token", "it is expired; give DDNS_PROVIDER_API_TOKEN"),
        (TokenState::WithoutPermission, "vpn.example.com A", "DNS:Edit"),
        (TokenState::ReadOnly, "zone example.com", "give it DNS:Edit on the zone"),
    ] {
        double.set_token_state(state);
        bench.says(1, &[("BAD ", about), ("BAD ", says)]);
    }
    bench.set("DDNS_RECORDS", "vpn.elsewhere.com:A");
    double.set_token_state(TokenState::Active);
    bench.says(1, &[("good", "token"), ("BAD ", "the token sees no zone that holds vpn.elsewhere.com")]);
}

#[test]
fn what_only_a_write_can_show_is_said_to_be_so() {
    let mut bench = Bench::new();
    let double = bench.cloudflare();
    double.set_token_state(TokenState::OfAnAccount);
    bench.says(0, &[("note", "it is an account's, not a user's"), ("good", "zone example.com")]);
    double.set_token_state(TokenState::Active);
    double.hide_permissions();
    bench.says(0, &[("good", "token"), ("note", "does not tell whether it may edit records")]);
    bench.set("DDNS_PROVIDER_TYPE", "dyndns2").set("DDNS_PROVIDER_USERNAME", "me");
    bench.environment.remove("DDNS_PROVIDER_API_TOKEN_FILE");
    let password = bench.file("password", "hunter-and-gatherer");
    bench.set("DDNS_PROVIDER_PASSWORD_FILE", &password);
    bench.says(0, &[("note", "vpn.example.com A: the service can't be asked without writing")]);
}

#[test]
fn a_service_that_does_not_answer_is_gone_and_not_wrong() {
    let mut bench = Bench::new();
    let double = bench.cloudflare();
    double.faults().push_for(Scope::next().always(), Fault::status(503));
    bench.says(2, &[("GONE", "status 503")]);
    drop(double);
    bench.says(2, &[("GONE", "vpn.example.com A: Cloudflare's API gave no answer")]);
}

/// The name server answers for the zone, and its answer is signed with our key; or it says which is wrong.
#[test]
fn a_name_server_is_asked_for_the_zone_with_the_key() {
    let mut bench = Bench::new();
    let identity = bench.authority.issue(&["127.0.0.1"]).unwrap();
    let named = Named::start_on_loopback(&["example.com"], &identity).unwrap();
    named.set("example.com", "vpn.example.com", "A", &["11.22.33.9"]).unwrap();
    bench.environment.remove("DDNS_PROVIDER_API_TOKEN_FILE");
    let key = bench.file("tsig", &key_file(KEYS[0].0, KEYS[0].1));
    bench.set("DDNS_PROVIDER_TYPE", "rfc2136").set("DDNS_RFC2136_SERVER", &named.dns().to_string());
    bench.set("DDNS_RFC2136_TSIG_KEY_FILE", &key);
    let good = "vpn.example.com A: zone example.com. answers with the key's signature; the service holds 11.22.33.9";
    bench.says(0, &[("good", good), ("note", "an update may be made")]);
    let stranger = bench.file("tsig", &key_file("stranger", KEYS[0].1));
    bench.set("DDNS_RFC2136_TSIG_KEY_FILE", &stranger);
    bench.says(1, &[("BAD ", "does not know the TSIG key stranger")]);
    bench.file("tsig", &key_file(KEYS[0].0, KEYS[0].1));
    bench.set("DDNS_RECORDS", "vpn.elsewhere.com:A");
    bench.says(1, &[("BAD ", "the name server has no zone that holds vpn.elsewhere.com.")]);
    drop(named);
    bench.says(2, &[("GONE", "the name server gave no answer")]);
}
