//! What the environment may hold, as far as the core itself says; the daemon's tests have the rest.

use std::io::{Error, ErrorKind};
use std::path::Path;

use ddns_core::config::{Config, Endpoint, Kind, SecretFile, SecretFiles, Settings, VARIABLES, Variable};
use secrecy::ExposeSecret;

const TOKEN: Variable = Variable { name: "DDNS_TOKEN", kind: Kind::Secret, help: "A secret." };
const GOOD: &str = "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps";

/// A file system of one file.
struct OneFile(&'static [u8], bool);

impl SecretFiles for OneFile {
    fn read(&self, path: &Path) -> std::io::Result<SecretFile> {
        let there = path == Path::new("/here") || path == Path::new("/credentials/ddns_token");
        if there {
            Ok(SecretFile { content: self.0.to_vec(), world_readable: self.1 })
        } else {
            Err(Error::from(ErrorKind::NotFound))
        }
    }
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The secret, and the reasons of warnings and problems.
fn secret(pairs: &[(&str, &str)], file: OneFile) -> (Option<String>, Vec<String>, Vec<String>) {
    let mut settings = Settings::new(environment(pairs), &[TOKEN], &file);
    let secret = settings.secret(&TOKEN).map(|secret| secret.expose_secret().to_owned());
    let (warnings, problems) = settings.finish();
    for told in warnings.iter().chain(&problems) {
        assert!(!told.to_string().contains(GOOD), "a secret is never shown: {told}");
        assert!(!told.remedy.is_empty() && told.to_string().contains(&told.reason));
    }
    let reasons = |told: Vec<ddns_core::config::Problem>| told.into_iter().map(|told| told.reason).collect();
    (secret, reasons(warnings), reasons(problems))
}

/// FAULTS 68.
#[test]
fn a_secret_comes_from_one_place_and_what_cannot_be_one_is_named() {
    let here = [("DDNS_TOKEN_FILE", "/here")];
    let file = |content| secret(&here, OneFile(content, false));
    assert_eq!(file(b"q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps\r\n"), (Some(GOOD.to_owned()), vec![], vec![]));
    let credentials = [("CREDENTIALS_DIRECTORY", "/credentials")];
    assert_eq!(secret(&credentials, OneFile(GOOD.as_bytes(), false)).0.as_deref(), Some(GOOD));
    let readable = secret(&here, OneFile(GOOD.as_bytes(), true));
    assert_eq!((readable.0.as_deref(), &*readable.1), (Some(GOOD), &["every user can read the file".to_owned()][..]));
    let direct = secret(&[("DDNS_TOKEN", GOOD)], OneFile(b"", false));
    assert_eq!((direct.0.as_deref(), direct.1.len()), (Some(GOOD), 1), "a warning to use a file");

    let wrong: [(&[u8], &str); 8] = [
        (b"\xef\xbb\xbfq8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps", "byte-order mark"),
        (b"\xff\xfe", "not text"),
        (b"\n", "empty"),
        (b"q8Vn2Lr5Tz7Wc3Xb 6Yd9Fg1Hj4Km0Ps", "white space"),
        (b"q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps\n\n", "white space"),
        ("q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Pß".as_bytes(), "outside ASCII"),
        (b"your-token-goes-here-please", "placeholder"),
        (b"q8Vn2Lr5Tz7", "too short"),
    ];
    for (content, reason) in wrong {
        let (secret, _, problems) = file(content);
        assert!(secret.is_none() && problems.len() == 1 && problems[0].contains(reason), "{reason}: {problems:?}");
    }
    for (pairs, reason) in [
        (&[("DDNS_TOKEN_FILE", "/nowhere")][..], "cannot read the file"),
        (&[("DDNS_TOKEN_FILE", "/here"), ("DDNS_TOKEN", GOOD)], "set twice"),
        (&[], "not set"),
    ] {
        let (secret, _, problems) = secret(pairs, OneFile(GOOD.as_bytes(), false));
        assert!(secret.is_none() && problems.len() == 1 && problems[0].contains(reason), "{reason}: {problems:?}");
    }
}

#[test]
fn an_endpoint_that_could_lead_astray_is_refused_with_its_reason() {
    for (text, reason) in [
        ("https://user:pass@example.com", "no user name or password"),
        ("ftp://example.com", "begins with https://"),
        ("example.com", "begins with https://"),
        ("https://example.com:0", "not a number from 1 to 65535"),
        ("https://example.com:70000", "not a "),
        ("https://example.com/?q", "no query"),
        ("https://[example]/", "not a"),
        ("https:// /", "not a URL"),
    ] {
        let error = Endpoint::parse(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

/// FAULTS 66 and 70: all that is wrong is told at once, each with its remedy, and what works but shouldn't be so is a
/// warning.
#[test]
fn every_problem_of_the_common_variables_is_told_at_once() {
    let pairs = [
        ("DDNS_RECORDS", "a.example.com:A,A.example.com:A,b.example.com:MX,-.example.com"),
        ("DDNS_MODE", "wet-run"),
        ("DDNS_MAX_RETRIES", "many"),
        ("DDNS_SETTLE_MS", "501"),
        ("DDNS_RECORD", "x"),
        ("DDNS_DOH_URLS", "http://11.0.0.1/dns-query"),
        ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0"),
        ("DDNS_PROBE_TARGETS", "1.1.1.1"),
        ("DDNS_ROUTER_IP", "192.168.1.1:80"),
    ];
    let mut settings = Settings::new(environment(&pairs), VARIABLES, &OneFile(b"", false));
    Config::read(&mut settings);
    let (warnings, problems) = settings.finish();
    let of = |name: &str| problems.iter().filter(|problem| problem.variable == name).count();
    assert_eq!(of("DDNS_RECORDS"), 3, "{problems:?}");
    let once =
        ["DDNS_MODE", "DDNS_MAX_RETRIES", "DDNS_SETTLE_MS", "DDNS_RECORD", "DDNS_PROBE_TARGETS", "DDNS_ROUTER_IP"];
    for name in once {
        assert_eq!(of(name), 1, "{name}: {problems:?}");
    }
    assert!(problems.iter().all(|problem| !problem.remedy.is_empty()));
    let unknown = problems.iter().find(|problem| problem.variable == "DDNS_RECORD").unwrap();
    assert!(unknown.remedy.contains("DDNS_RECORDS"), "the nearest known name: {unknown}");
    let warned: Vec<_> = warnings.iter().map(|warning| warning.variable.as_str()).collect();
    assert_eq!(warned, ["DDNS_MIN_UPDATE_INTERVAL_SECS", "DDNS_DOH_URLS"]);
}

#[test]
fn a_router_is_one_host() {
    let router = |text| {
        let mut settings = Settings::new(environment(&[("DDNS_ROUTER_IP", text)]), VARIABLES, &OneFile(b"", false));
        let router = Config::read(&mut settings).router;
        let wrong = settings.finish().1.iter().any(|problem| problem.variable == "DDNS_ROUTER_IP");
        (router.map(|router| router.to_string()), wrong)
    };
    for text in ["192.168.1.1", "fe80::1"] {
        assert_eq!(router(text), (Some(text.to_owned()), false));
    }
    for text in ["0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1", "router", "192.168.1.0/24"] {
        assert_eq!(router(text), (None, true), "{text}");
    }
}

/// FAULTS 66: what groups of variables can get wrong among themselves is told like everything else.
#[test]
fn a_group_that_contradicts_itself_or_another_variable_is_told() {
    let token = Variable { name: "DDNS_PROVIDER_API_TOKEN", kind: Kind::Secret, help: "A secret." };
    let problem = |pairs: &[(&str, &str)], variable: &str| {
        let known = [VARIABLES, &[token]].concat();
        let mut settings = Settings::new(environment(pairs), &known, &OneFile(b"", false));
        Config::read(&mut settings);
        let (_, problems) = settings.finish();
        let found = problems.iter().find(|problem| problem.variable == variable);
        found.unwrap_or_else(|| panic!("{variable} is not among {problems:?}")).to_string()
    };
    let empty = problem(&[("DDNS_RECORDS", "a.example.com,,b.example.com")], "DDNS_RECORDS");
    assert!(empty.contains("empty"), "{empty}");
    let suffixed =
        [("DDNS_RECORD_1_NAME", "a.example.com"), ("DDNS_RECORD_1_TYPE", "A"), ("DDNS_RECORD_1_SUFFIX", "::1/64")];
    let suffix = problem(&suffixed, "DDNS_RECORD_1_SUFFIX");
    assert!(suffix.contains("only an AAAA record has a suffix"), "{suffix}");
    let named = [("DDNS_RECORDS", "a.example.com"), ("DDNS_PROVIDER_API_TYPE", "cloudflare")];
    let name = problem(&named, "DDNS_PROVIDER_API_TYPE");
    assert!(name.contains("DDNS_PROVIDER_API_TOKEN begins like it"), "{name}");
}
