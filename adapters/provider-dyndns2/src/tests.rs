use std::sync::Mutex;

use ddns_core::config::Endpoint;
use ddns_core::ports::{HttpError, Phase};
use futures_util::FutureExt;
use secrecy::ExposeSecret;

use super::*;
use crate::factory::with_path;
use crate::preset::{PLAIN, PRESETS};

struct Script {
    answer: Mutex<Option<Result<HttpResponse, HttpError>>>,
    asked: Mutex<Vec<HttpRequest>>,
}

#[async_trait]
impl HttpTransport for Script {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.asked.lock().unwrap().push(request);
        self.answer.lock().unwrap().take().expect("one request for an update")
    }
}

fn key(rtype: RecordType) -> RecordKey {
    RecordKey { name: "vpn.example.com".parse().unwrap(), rtype }
}

fn request(address: &str) -> UpdateRequest {
    let address: IpAddr = address.parse().unwrap();
    let rtype = if address.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
    UpdateRequest { key: key(rtype), address, previous: None, handle: None, ttl: None }
}

fn run(
    preset: Preset,
    request: &UpdateRequest,
    answer: Result<HttpResponse, HttpError>,
) -> (Result<UpdateResult, ProviderError>, Vec<HttpRequest>) {
    run_as("me", preset, request, answer)
}

fn run_as(
    user: &str,
    preset: Preset,
    request: &UpdateRequest,
    answer: Result<HttpResponse, HttpError>,
) -> (Result<UpdateResult, ProviderError>, Vec<HttpRequest>) {
    let script = Arc::new(Script { answer: Mutex::new(Some(answer)), asked: Mutex::default() });
    let transport: Arc<dyn HttpTransport> = Arc::<Script>::clone(&script);
    let provider = Dyndns2::new(transport, user.to_owned(), SecretString::from("pass word"), preset);
    let result = provider.update(request).now_or_never().expect("the script answers at once");
    let asked = std::mem::take(&mut *script.asked.lock().unwrap());
    (result, asked)
}

fn says(status: u16, body: &str) -> Result<HttpResponse, HttpError> {
    Ok(HttpResponse { status, body: body.into(), ..HttpResponse::default() })
}

fn update(answer: Result<HttpResponse, HttpError>) -> Result<UpdateResult, ProviderError> {
    run(PLAIN, &request("11.0.0.2"), answer).0
}

fn class(result: Result<UpdateResult, ProviderError>) -> String {
    match result {
        Ok(result) => format!("{:?}", result.kind),
        Err(ProviderError::Unreachable { .. }) => "unreachable".to_owned(),
        Err(ProviderError::Unavailable { retry_after, .. }) => {
            format!("unavailable {}", retry_after.map_or(0, |wait| wait.as_secs()))
        }
        Err(ProviderError::Unauthorized { .. }) => "unauthorized".to_owned(),
        Err(ProviderError::Refused { .. }) => "refused".to_owned(),
        Err(ProviderError::Unknown { .. }) => "unknown".to_owned(),
        Err(ProviderError::Unreadable) => "unreadable".to_owned(),
        Err(ProviderError::Stale { .. }) => "stale".to_owned(),
    }
}

/// The return codes to the letter; refusals whatever the status they come with.
#[test]
fn every_word_has_its_class() {
    for (word, expected) in [
        ("good", "Changed"),
        ("good 11.0.0.2", "Changed"),
        ("good 11.0.0.2\r\n", "Changed"),
        ("good 2001:db8::1,11.0.0.2", "Changed"),
        ("nochg 11.0.0.2", "Unchanged"),
        ("nochg", "Unchanged"),
        ("good 127.0.0.1", "refused"),
        ("good 11.0.0.3", "refused"),
        ("badauth", "unauthorized"),
        ("!donator", "refused"),
        ("notfqdn", "refused"),
        ("nohost", "refused"),
        ("!yours", "refused"),
        ("numhost", "refused"),
        ("abuse", "unavailable 3600"),
        ("badagent", "refused"),
        ("badsys", "refused"),
        ("dnserr", "unavailable 1800"),
        ("911", "unavailable 1800"),
    ] {
        let done = word.starts_with("good") || word.starts_with("nochg");
        for status in [200, 401, 500].into_iter().take(if done { 1 } else { 3 }) {
            assert_eq!(class(update(says(status, word))), expected, "{word:?} with {status}");
        }
    }
}

#[test]
fn every_other_answer_has_its_class() {
    let timeout = |phase| Err(HttpError::Timeout { origin: "o".into(), phase });
    for (answer, expected) in [
        (says(200, ""), "unknown"),
        (says(200, "<html>good 11.0.0.2</html>"), "unknown"),
        (says(200, "Good"), "unknown"),
        (says(200, "goodbye"), "unknown"),
        (says(500, "oops"), "unknown"),
        (says(500, "good 11.0.0.2"), "unknown"),
        (says(408, ""), "unknown"),
        (says(401, ""), "unauthorized"),
        (says(403, "<html>"), "unauthorized"),
        (says(302, ""), "refused"),
        (says(404, "not here"), "refused"),
        (says(429, ""), "unavailable 0"),
        (Ok(HttpResponse { status: 429, retry_after: Some("7".into()), ..HttpResponse::default() }), "unavailable 7"),
        (timeout(Phase::Answer), "unknown"),
        (timeout(Phase::Connect), "unreachable"),
        (Err(HttpError::TooLarge { origin: "o".into(), limit: 1 }), "unknown"),
        (Err(HttpError::Connect { origin: "o".into(), cause: "no".into() }), "unreachable"),
    ] {
        let told = format!("{answer:?}");
        assert_eq!(class(update(answer)), expected, "{told}");
    }
}

#[test]
fn what_the_service_says_is_not_repeated_and_no_octets_are_too_many() {
    let error = update(says(200, &"x".repeat(100_000))).unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
    assert_eq!(
        class(update(Ok(HttpResponse { status: 200, body: vec![0xff; 9], ..HttpResponse::default() }))),
        "unknown"
    );
}

#[test]
fn a_service_can_not_be_read_nor_told_a_time_to_live() {
    let script = Arc::new(Script { answer: Mutex::default(), asked: Mutex::default() });
    let provider = Dyndns2::plain(script, "me".to_owned(), SecretString::from("pass word"));
    let read = provider.read(&key(RecordType::A)).now_or_never();
    assert!(matches!(read, Some(Err(ProviderError::Unreadable))), "{read:?}");
    let with_ttl = UpdateRequest { ttl: Some(300), ..request("11.0.0.2") };
    let refused = provider.update(&with_ttl).now_or_never().unwrap().unwrap_err();
    assert!(refused.to_string().contains("DDNS_RECORD_<N>_TTL"), "{refused}");
    let wildcard = RecordKey { name: "*.example.com".parse().unwrap(), rtype: RecordType::A };
    assert!(!provider.supports(&wildcard) && provider.supports(&key(RecordType::A)));
}

/// The whole URL of an update of A and of AAAA by a preset, and that it says who asks.
fn check(name: &str, a: &str, aaaa: &str) {
    let preset = PRESETS.into_iter().find(|preset| preset.name == name).unwrap();
    for (address, expected) in [("11.0.0.2", a), ("2a00::2", aaaa)] {
        let (result, asked) = run(preset, &request(address), says(200, &format!("good {address}")));
        assert_eq!(result.unwrap().kind, UpdateKind::Changed);
        let [sent] = asked.as_slice() else { panic!("{asked:?}") };
        let url = with_path(Endpoint::parse(preset.url).unwrap());
        assert!(url.secure && sent.method == Method::Get && sent.body.is_none());
        assert_eq!(format!("{}{}{}", url.host, url.path, sent.path), expected);
        let Some(Credentials::Basic { user, password }) = &sent.credentials else { panic!("{sent:?}") };
        assert_eq!((user.as_str(), password.expose_secret()), ("me", "pass word"));
    }
}

#[test]
fn preset_desec() {
    check(
        "desec",
        "update.dedyn.io/nic/update?hostname=vpn.example.com&myip=11.0.0.2&myipv6=preserve",
        "update.dedyn.io/nic/update?hostname=vpn.example.com&myip=preserve&myipv6=2a00::2",
    );
}

/// Its specification (duckdns.org/spec.jsp): the name without the domain, the token in the query, either family in `ip`.
#[test]
fn preset_duckdns() {
    let preset = PRESETS.into_iter().find(|preset| preset.name == "duckdns").unwrap();
    for address in ["11.0.0.2", "2a00::2"] {
        let request = UpdateRequest { key: named("vpn.duckdns.org", address), ..request(address) };
        let (result, asked) = run(preset, &request, says(200, "OK"));
        assert_eq!(result.unwrap().kind, UpdateKind::Changed);
        assert_eq!(asked[0].path, format!("?domains=vpn&ip={address}"));
        let Some(Credentials::Query(token)) = &asked[0].credentials else { panic!("{asked:?}") };
        assert_eq!(token.expose_secret(), "token=pass%20word");
        assert!(!format!("{asked:?}").contains("pass"), "{asked:?}");
    }
    for (status, body, expected) in [(200, "KO", "unauthorized"), (200, "", "unknown"), (500, "OK", "unknown")] {
        let request = UpdateRequest { key: named("vpn.duckdns.org", "11.0.0.2"), ..request("11.0.0.2") };
        assert_eq!(class(run(preset, &request, says(status, body)).0), expected, "{status} {body:?}");
    }
    let provider = of(preset);
    assert!(!provider.supports(&named("vpn.example.com", "11.0.0.2")));
    assert!(!provider.supports(&named("duckdns.org", "11.0.0.2")) && !provider.supports(&named("xduckdns.org", "::1")));
    assert!(provider.supports(&named("a.b.duckdns.org", "11.0.0.2")));
}

/// Host and domain apart, `@` for the domain itself, an answer in XML, no AAAA.
#[test]
fn preset_namecheap() {
    let preset = PRESETS.into_iter().find(|preset| preset.name == "namecheap").unwrap();
    let xml = |errors: u32| {
        format!(
            "<?xml version=\"1.0\"?><interface-response><ErrCount>{errors}</ErrCount><Done>true</Done></interface-response>"
        )
    };
    for (name, query) in [
        ("a.vpn.example.com", "?host=a.vpn&domain=example.com&ip=11.0.0.2"),
        ("example.com", "?host=@&domain=example.com&ip=11.0.0.2"),
    ] {
        let request = UpdateRequest { key: named(name, "11.0.0.2"), ..request("11.0.0.2") };
        let (result, asked) = run_as("example.com", preset, &request, says(200, &xml(0)));
        assert_eq!((result.unwrap().kind, asked[0].path.as_str()), (UpdateKind::Changed, query));
        let Some(Credentials::Query(password)) = &asked[0].credentials else { panic!("{asked:?}") };
        assert_eq!(password.expose_secret(), "password=pass%20word");
        assert_eq!(class(run_as("example.com", preset, &request, says(200, &xml(1))).0), "unauthorized");
    }
    let provider = of(preset);
    assert!(!provider.supports(&named("vpn.example.com", "2a00::2")));
    assert!(!provider.supports(&named("vpn.example.org", "11.0.0.2")));
}

fn of(preset: Preset) -> Dyndns2 {
    let script = Arc::new(Script { answer: Mutex::default(), asked: Mutex::default() });
    Dyndns2::new(script, "example.com".to_owned(), SecretString::from("pass word"), preset)
}

fn named(name: &str, address: &str) -> RecordKey {
    let rtype = if address.contains(':') { RecordType::Aaaa } else { RecordType::A };
    RecordKey { name: name.parse().unwrap(), rtype }
}

#[test]
fn preset_dyn() {
    check(
        "dyn",
        "members.dyndns.org/nic/update?hostname=vpn.example.com&myip=11.0.0.2",
        "members.dyndns.org/nic/update?hostname=vpn.example.com&myip=2a00::2",
    );
}

#[test]
fn preset_he() {
    check(
        "he",
        "dyn.dns.he.net/nic/update?hostname=vpn.example.com&myip=11.0.0.2",
        "dyn.dns.he.net/nic/update?hostname=vpn.example.com&myip=2a00::2",
    );
}

#[test]
fn preset_infomaniak() {
    check(
        "infomaniak",
        "infomaniak.com/nic/update?hostname=vpn.example.com&myip=11.0.0.2",
        "infomaniak.com/nic/update?hostname=vpn.example.com&myip=2a00::2",
    );
}

#[test]
fn preset_noip() {
    check(
        "noip",
        "dynupdate.no-ip.com/nic/update?hostname=vpn.example.com&myip=11.0.0.2",
        "dynupdate.no-ip.com/nic/update?hostname=vpn.example.com&myip=2a00::2",
    );
}

#[test]
fn preset_ovh() {
    check(
        "ovh",
        "dns.eu.ovhapis.com/nic/update?system=dyndns&hostname=vpn.example.com&myip=11.0.0.2",
        "dns.eu.ovhapis.com/nic/update?system=dyndns&hostname=vpn.example.com&myip=2a00::2",
    );
}

#[test]
fn preset_strato() {
    check(
        "strato",
        "dyndns.strato.com/nic/update?hostname=vpn.example.com&myip=11.0.0.2",
        "dyndns.strato.com/nic/update?hostname=vpn.example.com&myip=2a00::2",
    );
}

/// A row without a test, or a word in the documentation without a row.
#[test]
fn the_presets_are_those_that_are_documented() {
    let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
    let documented = PRESET.kind.format().replace(" or ", ", ");
    assert_eq!(documented, names.join(", "));
}

#[test]
fn a_url_without_a_path_has_a_slash() {
    assert_eq!(with_path(Endpoint::parse("https://example.com").unwrap()).path, "/");
    assert_eq!(with_path(Endpoint::parse("https://example.com/nic/update").unwrap()).path, "/nic/update");
}
