//! FAULTS 66, 68 and 70, trap 30: a wrong configuration starts nothing, every problem is told at once with its
//! variable, value, reason and remedy, and no secret is among them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use tempfile::TempDir;

const TOKEN: &str = "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB";

struct Bench {
    directory: TempDir,
    environment: BTreeMap<String, String>,
}

impl Bench {
    /// A configuration that is good.
    fn good() -> Self {
        let mut bench = Self { directory: tempfile::tempdir().unwrap(), environment: BTreeMap::new() };
        let token = bench.file("token", TOKEN.as_bytes(), 0o600);
        bench.set("DDNS_RECORDS", "vpn.example.com").set("DDNS_PROVIDER_API_TOKEN_FILE", &token);
        bench
    }

    fn file(&self, name: &str, content: &[u8], mode: u32) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn unset(&mut self, name: &str) -> &mut Self {
        self.environment.remove(name);
        self
    }

    fn run(&self, verb: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ddnsd")).arg(verb).env_clear().envs(&self.environment).output().unwrap()
    }

    /// Every verb that needs the configuration refuses it with exit code 1, and says all of `expected`, on one line
    /// each.
    fn refused(&self, expected: &[&str]) {
        for verb in ["check", "run"] {
            let output = self.run(verb);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{verb}: {said}");
            for part in expected {
                assert!(said.lines().any(|line| line.contains("error:") && line.contains(part)), "{part:?} in {said}");
            }
            assert!(!said.contains(TOKEN), "{said}");
        }
    }

    fn warned(&self, expected: &str) {
        let output = self.run("check");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(
            said.lines().any(|line| line.contains("warning:") && line.contains(expected)),
            "{expected:?} in {said}"
        );
        assert!(!said.contains(TOKEN), "{said}");
    }
}

#[test]
fn a_good_configuration_is_told_to_be_good() {
    let output = Bench::good().run("check");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 records"));
}

#[test]
fn all_problems_come_at_once() {
    let mut bench = Bench::good();
    bench.unset("DDNS_RECORDS").unset("DDNS_PROVIDER_API_TOKEN_FILE");
    bench.set("DDNS_PROVIDER_TYPE", "nonesuch").set("DDNS_MAX_RETRIES", "many").set("DDNS_SETTLE_MS", "501");
    bench.set("DDNS_LOG_LEVEL", "loud").set("DDNS_RECORD", "a.example.com").set("DDNS_CA_FILE", "/nonexistent.pem");
    bench.refused(&[
        "DDNS_RECORDS: not set",
        r#"DDNS_MAX_RETRIES="many": not a whole number; use 0 to 100"#,
        r#"DDNS_SETTLE_MS="501": out of range; use 0 to 500"#,
        r#"DDNS_LOG_LEVEL="loud": not a known word; use error, warn, info, debug, trace"#,
        "DDNS_RECORD: no such variable; the nearest known name is DDNS_RECORDS",
        r#"DDNS_CA_FILE="/nonexistent.pem": cannot read it"#,
        r#"DDNS_PROVIDER_TYPE="nonesuch": no such plug-in; use one of: cloudflare"#,
    ]);
}

/// Trap 30.
#[test]
fn a_number_that_does_not_parse_never_becomes_the_default() {
    for (name, value) in [
        ("DDNS_MIN_UPDATE_INTERVAL_SECS", "60s"),
        ("DDNS_MIN_UPDATE_INTERVAL_SECS", "-1"),
        ("DDNS_MIN_UPDATE_INTERVAL_SECS", "86401"),
        ("DDNS_RETRY_DELAY_SECS", "0"),
        ("DDNS_STARTUP_DELAY_SECS", "1.5"),
        ("DDNS_EVENT_CHANNEL_CAPACITY", "0"),
        ("DDNS_PROBE_INTERVAL_SECS", " 5"),
    ] {
        Bench::good().set(name, value).refused(&[&format!("{name}={value:?}")]);
    }
}

#[test]
fn a_name_or_type_that_dns_does_not_have_is_named() {
    for (records, reason) in [
        ("example", "one label only"),
        ("a..example.com", "a label is empty"),
        ("-a.example.com", "begins or ends with a hyphen"),
        ("bücher.example", "A-label"),
        ("a.*.example.com", "leftmost label"),
        ("11.22.33.44", "IP address"),
        ("2a00::1", "IP address"),
        ("vpn.example.com:MX", "neither A nor AAAA"),
        ("vpn.example.com,vpn.example.com:A", "is there twice"),
        ("vpn.example.com,VPN.example.com.", "is there twice"),
        ("vpn.example.com,,b.example.com", "an entry of the list is empty"),
    ] {
        Bench::good().set("DDNS_RECORDS", records).refused(&[reason]);
    }
    let good = "*.example.com, _wg._udp.example.com:A, xn--bcher-kva.example:AAAA";
    assert_eq!(Bench::good().set("DDNS_RECORDS", good).run("check").status.code(), Some(0));
}

#[test]
fn a_token_that_cannot_be_one_is_named_and_never_shown() {
    for (content, reason) in [
        (&b""[..], "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xef\xbb\xbfq8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps", "byte-order mark"),
        (b"\xff\xfe", "not text"),
        (b"short", "too short"),
        (b"your-cloudflare-api-key-goes-here", "placeholder"),
        (b"<paste the key of the zone here, please>", "white space"),
        (b"q8Vn2Lr5Tz7Wc3Xb6Y\nd9Fg1Hj4Km0PsRuAeIoB", "white space"),
    ] {
        let mut bench = Bench::good();
        let file = bench.file("wrong", content, 0o600);
        bench.set("DDNS_PROVIDER_API_TOKEN_FILE", &file).refused(&[reason]);
    }
    let mut missing = Bench::good();
    missing.set("DDNS_PROVIDER_API_TOKEN_FILE", "/nonexistent/token").refused(&["cannot read the file"]);
    missing.unset("DDNS_PROVIDER_API_TOKEN_FILE").refused(&["DDNS_PROVIDER_API_TOKEN: not set"]);
    Bench::good().set("DDNS_PROVIDER_API_TOKEN", TOKEN).refused(&["set twice"]);
}

#[test]
fn a_token_comes_from_a_file_with_a_line_end_from_systemd_or_from_the_environment() {
    let mut bench = Bench::good();
    let line = bench.file("line", format!("{TOKEN}\r\n").as_bytes(), 0o600);
    assert_eq!(bench.set("DDNS_PROVIDER_API_TOKEN_FILE", &line).run("check").status.code(), Some(0));
    bench.file("ddns_provider_api_token", TOKEN.as_bytes(), 0o400);
    let directory = bench.directory.path().display().to_string();
    bench.unset("DDNS_PROVIDER_API_TOKEN_FILE").set("CREDENTIALS_DIRECTORY", &directory);
    assert_eq!(bench.run("check").status.code(), Some(0));
    bench.unset("CREDENTIALS_DIRECTORY").set("DDNS_PROVIDER_API_TOKEN", TOKEN).warned("environment of a process");
}

#[test]
fn what_works_but_should_not_be_so_is_warned_of() {
    let mut bench = Bench::good();
    let open = bench.file("open", TOKEN.as_bytes(), 0o644);
    bench.set("DDNS_PROVIDER_API_TOKEN_FILE", &open).warned("every user can read the file");
    Bench::good().set("DDNS_PROVIDER_API_URL", "http://127.0.0.1:1/v4").warned("the token in the clear");
    Bench::good().set("DDNS_DOH_URLS", "http://127.0.0.1:1/dns-query").warned("DDNS_DOH_URLS");
    Bench::good().set("DDNS_MIN_UPDATE_INTERVAL_SECS", "0").warned("DDNS_MIN_UPDATE_INTERVAL_SECS");
}

#[test]
fn endpoints_that_are_none_are_named() {
    for (name, value) in [
        ("DDNS_PROVIDER_API_URL", "api.cloudflare.com"),
        ("DDNS_PROVIDER_API_URL", "ftp://api.cloudflare.com"),
        ("DDNS_PROVIDER_API_URL", "https://user:pass@api.cloudflare.com"),
        ("DDNS_PROVIDER_API_URL", "https://api.cloudflare.com:99999/"),
        ("DDNS_PROVIDER_ZONE_ID", "example.com"),
        ("DDNS_DOH_URLS", "https://dns.google/dns-query,dns.quad9.net"),
        ("DDNS_PROBE_TARGETS", "1.1.1.1"),
        ("DDNS_PROBE_TARGETS", "2606:4700::1111:443"),
        ("DDNS_PROBE_TARGETS", "1.1.1.1:0"),
        ("DDNS_STATE_STORE_PATH", "state"),
        ("DDNS_KERNEL_HOOK", "magic"),
        ("DDNS_IP_SOURCE_TYPE", "crystal-ball"),
    ] {
        Bench::good().set(name, value).refused(&[&format!("{name}={value:?}")]);
    }
}

#[test]
fn a_certificate_file_without_a_certificate_is_named() {
    for content in [&b"no PEM"[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let mut bench = Bench::good();
        let file = bench.file("ca.pem", content, 0o644);
        bench.set("DDNS_CA_FILE", &file).refused(&["DDNS_CA_FILE"]);
    }
}

#[test]
fn wrong_arguments_are_a_wrong_configuration() {
    assert_eq!(Bench::good().run("frobnicate").status.code(), Some(1));
    assert_eq!(Bench::good().run("--version").status.code(), Some(0));
}

#[test]
fn records_and_providers_come_in_groups() {
    let mut bench = Bench::good();
    let token = bench.file("other", TOKEN.as_bytes(), 0o600);
    bench.set("DDNS_PROVIDER_OTHER_TYPE", "cloudflare").set("DDNS_PROVIDER_OTHER_API_TOKEN_FILE", &token);
    bench.set("DDNS_RECORD_1_NAME", "nas.example.com").set("DDNS_RECORD_1_TYPE", "AAAA");
    bench.set("DDNS_RECORD_1_SUFFIX", "34:56:78:9a:bc:de").set("DDNS_RECORD_1_PROVIDER", "other");
    bench.set("DDNS_RECORD_20_NAME", "off.example.com").set("DDNS_RECORD_20_ENABLED", "false");
    let output = bench.run("check");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "The configuration is good: 3 records.\n");
    // A provider without a name is not needed if no record uses it.
    bench.unset("DDNS_RECORDS").unset("DDNS_PROVIDER_API_TOKEN_FILE");
    assert_eq!(bench.run("check").status.code(), Some(0));
    bench.set("DDNS_RECORD_1_ENABLED", "false");
    bench.refused(&["DDNS_RECORDS: not set, and no numbered record is enabled; set it to a comma list"]);
}

#[test]
fn what_is_wrong_in_a_group_is_told_with_the_groups_own_name() {
    let wrong = |set: &[(&str, &str)], expected: &[&str]| {
        let mut bench = Bench::good();
        for (name, value) in set {
            bench.set(name, value);
        }
        bench.refused(expected);
    };
    wrong(&[("DDNS_RECORD_1_TYPE", "A")], &["DDNS_RECORD_1_NAME: not set; set it to a name in full"]);
    wrong(
        &[("DDNS_RECORD_1_NAME", "b.example.com"), ("DDNS_RECORD_1_TYPE", "MX"), ("DDNS_RECORD_1_TTL", "5")],
        &["DDNS_RECORD_1_TYPE=\"MX\": the type \"MX\" is neither", "DDNS_RECORD_1_TTL=\"5\": not a number of seconds"],
    );
    wrong(
        &[("DDNS_RECORD_1_NAME", "b.example.com"), ("DDNS_RECORD_1_SUFFIX", "::5")],
        &["DDNS_RECORD_1_SUFFIX=\"::5\": only an AAAA record has a suffix; set DDNS_RECORD_1_TYPE=AAAA"],
    );
    wrong(
        &[("DDNS_RECORD_1_NAME", "b.example.com"), ("DDNS_RECORD_1_TYPE", "AAAA"), ("DDNS_RECORD_1_SUFFIX", "2a00::5")],
        &["DDNS_RECORD_1_SUFFIX=\"2a00::5\": its first 64 bits"],
    );
    wrong(
        &[("DDNS_RECORD_1_NAME", "vpn.example.com"), ("DDNS_RECORD_1_TYPE", "A")],
        &["DDNS_RECORD_1_NAME=\"vpn.example.com\": vpn.example.com A is there twice"],
    );
    wrong(
        &[("DDNS_RECORD_1_NAME", "b.example.com"), ("DDNS_RECORD_1_PROVIDER", "bind")],
        &["DDNS_RECORD_1_PROVIDER=\"bind\": there is no DDNS_PROVIDER_BIND_TYPE"],
    );
    wrong(
        &[("DDNS_RECORD_1_NAME", "b.example.com"), ("DDNS_RECORD_1_SOURCE", "kernle")],
        &["DDNS_RECORD_1_SOURCE=\"kernle\": no such plug-in; use one of: kernel"],
    );
    wrong(
        &[("DDNS_RECORD_1_NAME", "b.example.com"), ("DDNS_RECORD_1_ADRESS", "x")],
        &["DDNS_RECORD_1_ADRESS: no such variable; the nearest known name is DDNS_RECORD_1_"],
    );
    wrong(&[("DDNS_RECORD_01_NAME", "b.example.com")], &["DDNS_RECORD_01_NAME: no such variable"]);
    wrong(
        &[("DDNS_PROVIDER_BIND_API_TOKEN", "x")],
        &["DDNS_PROVIDER_BIND_API_TOKEN: no such variable; for a provider named BIND, set DDNS_PROVIDER_BIND_TYPE"],
    );
    wrong(
        &[
            ("DDNS_PROVIDER_BIND_TYPE", "cloudflare"),
            ("DDNS_RECORD_1_NAME", "b.example.com"),
            ("DDNS_RECORD_1_PROVIDER", "BIND"),
        ],
        &["DDNS_PROVIDER_BIND_API_TOKEN: not set; set DDNS_PROVIDER_BIND_API_TOKEN_FILE"],
    );
    wrong(
        &[("DDNS_PROVIDER_API_TYPE", "cloudflare")],
        &["DDNS_PROVIDER_API_TYPE: API can't be a provider's name: DDNS_PROVIDER_API_TOKEN begins like it"],
    );
}

#[test]
fn a_provider_that_no_record_uses_is_warned_of() {
    let mut bench = Bench::good();
    bench.set("DDNS_PROVIDER_BIND_TYPE", "cloudflare");
    bench.warned("DDNS_PROVIDER_BIND_TYPE=\"cloudflare\": no enabled record uses this provider");
}

const SECRET: &str = "2xNlqoHKvFq3cIhNyJmR9mGzn0dT0p1yQ2m0s3l4uXo=";

impl Bench {
    /// What is good for dynamic updates, with this in the key's file.
    fn rfc2136(key: &str) -> Self {
        let mut bench = Self::good();
        let key = bench.file("key", key.as_bytes(), 0o600);
        bench.unset("DDNS_PROVIDER_API_TOKEN_FILE").set("DDNS_PROVIDER_TYPE", "rfc2136");
        bench.set("DDNS_RFC2136_SERVER", "ns1.example.com").set("DDNS_RFC2136_TSIG_KEY_FILE", &key);
        bench
    }

    fn accepted(&self) {
        let output = self.run("check");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

fn tsig_key() -> String {
    format!("key \"ddns\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{SECRET}\";\n}};\n")
}

#[test]
fn dynamic_updates_need_a_server_and_a_key_of_several_lines() {
    let mut bench = Bench::rfc2136(&tsig_key());
    bench.accepted();
    bench.set("DDNS_RFC2136_SERVER", "[2001:db8::1]:5353").set("DDNS_RFC2136_ZONE", "example.com").accepted();
    bench.set("DDNS_RFC2136_SERVER", "2001:db8::1").set("DDNS_RFC2136_ZONE", "a..b");
    bench.refused(&[
        "DDNS_RFC2136_SERVER=\"2001:db8::1\": not host:port (an IPv6 address stands in brackets); use host or host:port",
        "DDNS_RFC2136_ZONE=\"a..b\": not a zone's name",
    ]);
    bench.unset("DDNS_RFC2136_SERVER").unset("DDNS_RFC2136_ZONE").unset("DDNS_RFC2136_TSIG_KEY_FILE");
    bench.refused(&["DDNS_RFC2136_SERVER: not set", "DDNS_RFC2136_TSIG_KEY: not set; set DDNS_RFC2136_TSIG_KEY_FILE"]);
    for (key, reason) in [
        (SECRET.to_owned(), "it has something else where \"key\" should be"),
        (tsig_key().replace("sha256", "md5"), "the algorithm is none of"),
        (String::new(), "the file is empty"),
    ] {
        let bench = Bench::rfc2136(&key);
        bench.refused(&[reason]);
        let said = bench.run("check").stderr;
        assert!(!String::from_utf8_lossy(&said).contains(&SECRET[..12]), "the secret is told");
    }
    Bench::rfc2136(&SECRET.repeat(2)).refused(&["put in what `tsig-keygen` printed, and nothing else"]);
}

/// A kind's own prefix falls away in a named group, and another kind's variables are none there.
#[test]
fn a_group_has_the_variables_of_its_own_kind() {
    let mut bench = Bench::good();
    let key = bench.file("key", tsig_key().as_bytes(), 0o600);
    bench.set("DDNS_RECORD_1_NAME", "nas.example.com").set("DDNS_RECORD_1_PROVIDER", "bind");
    bench.set("DDNS_PROVIDER_BIND_SERVER", "ns1.example.com").set("DDNS_PROVIDER_BIND_TSIG_KEY_FILE", &key);
    bench.refused(&[
        "DDNS_PROVIDER_BIND_SERVER: no such variable; for a provider named BIND, set DDNS_PROVIDER_BIND_TYPE",
    ]);
    bench.set("DDNS_PROVIDER_BIND_TYPE", "cloudflare").refused(&["DDNS_PROVIDER_BIND_SERVER: no such variable"]);
    bench.set("DDNS_PROVIDER_BIND_TYPE", "rfc2136").accepted();
    bench.set("DDNS_PROVIDER_BIND_SERVER", "ns1:0");
    bench.refused(&["DDNS_PROVIDER_BIND_SERVER=\"ns1:0\": the port is not a number"]);
}

#[test]
fn a_dyndns2_service_is_a_preset_or_a_url() {
    let mut bench = Bench::good();
    let password = bench.file("password", b"short pw\n", 0o600);
    bench.unset("DDNS_PROVIDER_API_TOKEN_FILE").set("DDNS_PROVIDER_TYPE", "dyndns2");
    bench.set("DDNS_PROVIDER_USERNAME", "me@example.com").set("DDNS_PROVIDER_PASSWORD_FILE", &password);
    bench.refused(&["DDNS_PROVIDER_API_URL: not set, and no preset is chosen; set it or DDNS_PROVIDER_PRESET"]);
    bench.set("DDNS_PROVIDER_PRESET", "noip").accepted();
    bench.set("DDNS_PROVIDER_PRESET", "duckdns").refused(&["this service has no user's name"]);
    bench.unset("DDNS_PROVIDER_PRESET").set("DDNS_PROVIDER_API_URL", "https://dns.example.com/update").accepted();
    bench.set("DDNS_PROVIDER_API_URL", "http://dns.example.com/update").warned("sends the password in the clear");
    bench
        .set("DDNS_PROVIDER_USERNAME", "a:b")
        .refused(&["DDNS_PROVIDER_USERNAME=\"a:b\": a user's name holds no colon"]);
    let lines = bench.file("lines", b"one\ntwo\n", 0o600);
    bench.set("DDNS_PROVIDER_PASSWORD_FILE", &lines).refused(&["it holds control characters, or more than one line"]);
}

#[test]
fn a_program_that_could_not_be_run_or_be_trusted_is_refused_before_the_start() {
    let mut bench = Bench::good();
    let (plain, open) = (bench.file("plain", b"", 0o644), bench.file("open", b"", 0o757));
    let directory = bench.directory.path().display().to_string();
    for (program, parts) in [
        ("on-change", ["not an absolute path", "use the absolute path of a program"]),
        ("/nowhere/on-change", ["cannot look at it", "name a program"]),
        (directory.as_str(), ["it is not a file", "name the program itself"]),
        (plain.as_str(), ["ddnsd may not run it", "chmod 0755"]),
        (open.as_str(), ["every user can change it", "chmod 0755"]),
    ] {
        bench.set("DDNS_ON_CHANGE", program).refused(&parts);
    }
    let good = bench.file("good", b"", 0o755);
    let output = bench.set("DDNS_ON_CHANGE", &good).run("check");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_webhooks_url_is_a_secret_and_may_lie_in_a_file_or_be_missing() {
    let mut bench = Bench::good();
    assert!(bench.run("check").status.success());
    bench.set("DDNS_ON_CHANGE_URL", &format!("ftp://example.com/{TOKEN}")).refused(&["DDNS_ON_CHANGE_URL", "https://"]);
    bench.unset("DDNS_ON_CHANGE_URL");
    let url = bench.file("url", format!("http://example.com/{TOKEN}\n").as_bytes(), 0o600);
    let output = bench.set("DDNS_ON_CHANGE_URL_FILE", &url).run("check");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("plain http://") && !said.contains(TOKEN), "{said}");
    bench.unset("DDNS_ON_CHANGE_URL_FILE");
    let directory = bench.directory.path().display().to_string();
    assert!(bench.set("CREDENTIALS_DIRECTORY", &directory).run("check").status.success(), "no credential is no URL");
    bench.file("ddns_on_change_url", format!("ftp://example.com/{TOKEN}").as_bytes(), 0o600);
    bench.refused(&["DDNS_ON_CHANGE_URL"]);
}

#[test]
fn an_interface_that_no_kernel_would_name_so_is_refused() {
    let mut bench = Bench::good();
    for name in ["../wg0", "..", "wg 0", "wireguard-interface", "wg0:1"] {
        bench.set("DDNS_WIREGUARD_INTERFACE", name).refused(&["DDNS_WIREGUARD_INTERFACE", "an interface can have"]);
    }
    assert!(bench.set("DDNS_WIREGUARD_INTERFACE", "wg-home.1").run("check").status.success());
}

#[test]
fn a_list_has_an_account_an_id_and_a_mark_or_is_not_there() {
    const ID: &str = "2c0fc9fa937b11eaa1b71c4d701ab86e";
    let with = |set: &[(&str, &str)]| {
        let mut bench = Bench::good();
        let token = bench.file("other", TOKEN.as_bytes(), 0o600);
        bench.set("DDNS_PROVIDER_OTHER_TYPE", "cloudflare").set("DDNS_PROVIDER_OTHER_API_TOKEN_FILE", &token);
        bench.set("DDNS_RECORD_1_NAME", "nas.example.com").set("DDNS_RECORD_1_PROVIDER", "other");
        for (name, value) in set {
            bench.set(name, value);
        }
        bench
    };
    for (group, other) in [("", "OTHER_"), ("OTHER_", "")] {
        let name = |rest: &str| format!("DDNS_PROVIDER_{group}{rest}");
        let (account, list, comment) = (name("LIST_ACCOUNT_ID"), name("LIST_ID"), name("COMMENT"));
        with(&[(&account, ID), (&list, ID), (&format!("DDNS_PROVIDER_{other}COMMENT"), "none")]).accepted();
        with(&[(&account, ID)])
            .refused(&[&format!("{account}={ID:?}: an account, and no list; set DDNS_PROVIDER_LIST")]);
        with(&[(&list, ID)]).refused(&[&format!("{list}={ID:?}: a list, and no account; set DDNS_PROVIDER_LIST")]);
        let wrong =
            [format!("{account}=\"me\": not an account's id; use 32"), format!("{list}=\"home\": not a list's id")];
        with(&[(&account, "me"), (&list, "home")]).refused(&[&wrong[0], &wrong[1]]);
        with(&[(&account, ID), (&list, ID), (&comment, "none")])
            .refused(&[&format!("{comment}=\"none\": without a mark")]);
    }
}
