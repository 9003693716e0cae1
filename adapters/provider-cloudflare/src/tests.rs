use std::sync::Mutex;

use ddns_core::ports::{HttpError, HttpRequest, HttpResponse, Method, Phase};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::*;

const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const RECORD: &str = "372e67954025e0ba6aaa6d586b9e0b59";

/// Answers in turn; remembers what it was asked.
struct Script {
    answers: Mutex<Vec<Result<HttpResponse, HttpError>>>,
    asked: Mutex<Vec<(Method, String, Value)>>,
}

#[async_trait]
impl HttpTransport for Script {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let body = request.body.map_or(Value::Null, |(_, octets)| serde_json::from_slice(&octets).unwrap());
        self.asked.lock().unwrap().push((request.method, request.path, body));
        self.answers.lock().unwrap().remove(0)
    }
}

fn json_answer(status: u16, body: &Value) -> Result<HttpResponse, HttpError> {
    answer(status, &body.to_string())
}

fn answer(status: u16, body: &str) -> Result<HttpResponse, HttpError> {
    Ok(HttpResponse { status, content_type: "application/json".into(), body: body.into(), ..HttpResponse::default() })
}

fn success(result: &Value) -> Result<HttpResponse, HttpError> {
    json_answer(200, &json!({"success": true, "errors": [], "messages": [], "result": result}))
}

fn zone() -> Result<HttpResponse, HttpError> {
    success(&json!([{"id": ZONE, "name": "example.com"}]))
}

fn record(content: &str) -> Value {
    json!({"id": RECORD, "name": "vpn.example.com", "type": "A", "content": content, "proxied": true, "ttl": 120})
}

fn error(status: u16, code: i64) -> Result<HttpResponse, HttpError> {
    json_answer(status, &json!({"success": false, "errors": [{"code": code, "message": "so it is"}], "result": null}))
}

fn key() -> RecordKey {
    RecordKey { name: "vpn.example.com".parse().unwrap(), rtype: ddns_core::record::RecordType::A }
}

fn request(handle: bool) -> UpdateRequest {
    UpdateRequest {
        key: key(),
        address: "11.0.0.2".parse().unwrap(),
        previous: Some("11.0.0.1".parse().unwrap()),
        handle: handle.then(|| RecordHandle(format!("{ZONE}/{RECORD}"))),
        ttl: None,
    }
}

type Given = fn() -> Result<HttpResponse, HttpError>;

struct Asked(Vec<(Method, String, Value)>);

fn run<T>(
    answers: Vec<Result<HttpResponse, HttpError>>,
    work: impl AsyncFnOnce(&Cloudflare) -> Result<T, ProviderError>,
) -> (Result<T, ProviderError>, Asked) {
    let script = Arc::new(Script { answers: Mutex::new(answers), asked: Mutex::default() });
    let token = SecretString::from("q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps");
    let transport: Arc<dyn HttpTransport> = Arc::<Script>::clone(&script);
    let provider = Cloudflare::new(transport, token, None);
    let result = work(&provider).now_or_never().expect("the script answers at once");
    assert!(script.answers.lock().unwrap().is_empty(), "not all answers were asked for");
    let asked = std::mem::take(&mut *script.asked.lock().unwrap());
    (result, Asked(asked))
}

fn update(answers: Vec<Result<HttpResponse, HttpError>>, handle: bool) -> (Result<UpdateResult, ProviderError>, Asked) {
    run(answers, async |provider| provider.update(&request(handle)).await)
}

fn class(error: &ProviderError) -> &'static str {
    match error {
        ProviderError::Unreachable { .. } => "unreachable",
        ProviderError::Unavailable { .. } => "unavailable",
        ProviderError::Unauthorized { .. } => "unauthorized",
        ProviderError::Refused { .. } => "refused",
        ProviderError::Unknown { .. } => "unknown",
        ProviderError::Unreadable => "unreadable",
        ProviderError::Stale { .. } => "stale",
    }
}

/// Trap 27: a change sends type, name and content by PATCH, and nothing else.
#[test]
fn with_a_handle_a_change_is_one_patch_of_three_fields() {
    let (result, Asked(asked)) = update(vec![success(&record("11.0.0.2"))], true);
    let expected = UpdateResult {
        kind: UpdateKind::Changed,
        proxied: true,
        handle: Some(RecordHandle(format!("{ZONE}/{RECORD}"))),
    };
    assert_eq!(result.unwrap(), expected);
    let body = json!({"type": "A", "name": "vpn.example.com", "content": "11.0.0.2"});
    assert_eq!(asked, [(Method::Patch, format!("/zones/{ZONE}/dns_records/{RECORD}"), body)]);
}

/// Trap 26.
#[test]
fn the_zone_is_found_by_walking_up_the_labels() {
    let answers =
        vec![success(&json!([])), zone(), success(&json!([record("11.0.0.1")])), success(&record("11.0.0.2"))];
    let (result, Asked(asked)) = update(answers, false);
    assert_eq!(result.unwrap().kind, UpdateKind::Changed);
    let paths: Vec<_> = asked.iter().map(|(_, path, _)| path.as_str()).collect();
    let list = format!("/zones/{ZONE}/dns_records?name=vpn.example.com&type=A&page=1&per_page=100");
    let change = format!("/zones/{ZONE}/dns_records/{RECORD}");
    assert_eq!(paths, ["/zones?name=vpn.example.com", "/zones?name=example.com", &list, &change]);
    let (result, _) = update(vec![success(&json!([])), success(&json!([]))], false);
    assert_eq!(class(&result.unwrap_err()), "refused");
}

#[test]
fn a_record_that_is_not_there_is_created_and_one_that_is_right_is_left_alone() {
    let answers = vec![success(&json!([])), zone(), success(&json!([])), success(&record("11.0.0.2"))];
    let (result, Asked(asked)) = update(answers, false);
    assert_eq!(result.unwrap().kind, UpdateKind::Created);
    let body = json!({"type": "A", "name": "vpn.example.com", "content": "11.0.0.2", "ttl": 60, "comment": "managed by ddnsd"});
    assert_eq!(asked.last().unwrap(), &(Method::Post, format!("/zones/{ZONE}/dns_records"), body));
    let answers = vec![success(&json!([])), zone(), success(&json!([record("11.0.0.2")]))];
    assert_eq!(update(answers, false).0.unwrap().kind, UpdateKind::Unchanged);
}

/// Codes 81057 and 81058: nothing was written, and what is there is what was wanted.
#[test]
fn a_record_that_appeared_meanwhile_is_read_and_adopted() {
    for code in [81_057, 81_058] {
        let before = || vec![success(&json!([])), zone(), success(&json!([])), error(400, code)];
        let mut answers = before();
        answers.push(success(&json!([record("11.0.0.2")])));
        let (result, Asked(asked)) = update(answers, false);
        let expected = UpdateResult {
            kind: UpdateKind::Unchanged,
            proxied: true,
            handle: Some(RecordHandle(format!("{ZONE}/{RECORD}"))),
        };
        assert_eq!(result.unwrap(), expected);
        assert_eq!(asked.last().unwrap().0, Method::Get, "it is not written a second time");
        let mut answers = before();
        answers.push(success(&json!([record("11.0.0.9")])));
        assert_eq!(class(&update(answers, false).0.unwrap_err()), "unavailable");
    }
}

/// FAULTS 38: a token whose rights were narrowed is told from one that is not known.
#[test]
fn what_a_token_lacks_is_told_with_its_remedy() {
    let says = |answer| update(vec![answer], true).0.unwrap_err().to_string();
    let narrowed = says(error(403, 10_000));
    assert!(narrowed.contains("does not grant") && narrowed.contains("DNS:Edit on the zone"), "{narrowed}");
    for unknown in [error(403, 9109), error(401, 10_000), error(400, 6003)] {
        let unknown = says(unknown);
        assert!(unknown.contains("does not accept") && unknown.contains("DDNS_PROVIDER_API_TOKEN"), "{unknown}");
    }
}

/// FAULTS 42: a zone that went to another account is looked for anew, and if the token does not see it, that is said.
#[test]
fn a_zone_that_has_moved_is_looked_up_anew_or_missed_with_the_remedy() {
    assert_eq!(class(&update(vec![error(404, 7003)], true).0.unwrap_err()), "stale");
    let gone = update(vec![success(&json!([])), success(&json!([]))], false).0.unwrap_err();
    assert_eq!(class(&gone), "refused");
    assert!(gone.to_string().contains("sees no zone that holds vpn.example.com; give it Zone:Read"), "{gone}");
}

/// FAULTS 42: what an answer has more is passed over, and what it lacks is no reason to guess.
#[test]
fn a_member_that_is_new_is_passed_over_and_one_that_is_missing_is_no_answer() {
    let mut more = record("11.0.0.2");
    more["newly_invented"] = json!({"nested": [1, 2]});
    assert_eq!(update(vec![success(&more)], true).0.unwrap().kind, UpdateKind::Changed);
    for missing in ["id", "name", "type", "content"] {
        let mut less = record("11.0.0.2");
        less.as_object_mut().unwrap().remove(missing);
        assert_eq!(class(&update(vec![success(&less)], true).0.unwrap_err()), "unknown", "{missing}");
        let answers = vec![success(&json!([])), zone(), success(&json!([less]))];
        let (read, _) = run(answers, async |provider| provider.read(&key()).await);
        assert_eq!(class(&read.unwrap_err()), "unavailable", "{missing}");
    }
}

/// Trap 15: the time to live is the record's own, unless the configuration gives one.
#[test]
fn a_time_to_live_is_written_only_if_it_is_configured() {
    for (ttl, expected) in [(None, Value::Null), (Some(300), json!(300))] {
        let request = UpdateRequest { ttl, ..request(true) };
        let answers = vec![success(&record("11.0.0.2"))];
        let (result, Asked(asked)) = run(answers, async |provider| provider.update(&request).await);
        assert_eq!(result.unwrap().kind, UpdateKind::Changed);
        assert_eq!((&asked[0].0, &asked[0].2["ttl"]), (&Method::Patch, &expected));
    }
    let request = UpdateRequest { ttl: Some(300), ..request(false) };
    let answers = vec![success(&json!([])), zone(), success(&json!([])), success(&record("11.0.0.2"))];
    let (result, Asked(asked)) = run(answers, async |provider| provider.update(&request).await);
    assert_eq!(result.unwrap().kind, UpdateKind::Created);
    assert_eq!(asked.last().unwrap().2["ttl"], 300);
}

/// Trap 7: all pages are read, and a page that fails is a failure, never "no records".
#[test]
fn a_list_is_read_to_its_end_and_a_failed_page_is_a_failure() {
    let page = |number: u32, content: &str| {
        let info = json!({"page": number, "per_page": 1, "count": 1, "total_count": 2, "total_pages": 2});
        let mut record = record(content);
        record["id"] = json!(format!("id{number}"));
        json_answer(200, &json!({"success": true, "errors": [], "result": [record], "result_info": info}))
    };
    let answers =
        vec![success(&json!([])), zone(), page(1, "11.0.0.9"), page(2, "11.0.0.1"), success(&record("11.0.0.2"))];
    let (result, Asked(asked)) = update(answers, false);
    assert_eq!(result.unwrap().kind, UpdateKind::Changed);
    assert!(asked.last().unwrap().1.ends_with("/dns_records/id2"), "the one that held our last address");
    let (result, _) = update(vec![success(&json!([])), zone(), page(1, "11.0.0.9"), error(500, 0)], false);
    assert_eq!(class(&result.unwrap_err()), "unavailable");
}

/// FAULTS 35.
#[test]
fn of_several_records_none_is_touched_unless_one_is_ours() {
    let several = |contents: [&str; 2]| success(&json!(contents.map(record)));
    let (result, _) = update(vec![success(&json!([])), zone(), several(["11.0.0.8", "11.0.0.9"])], false);
    let error = result.unwrap_err();
    assert_eq!(class(&error), "refused");
    assert!(error.to_string().contains("delete all but one"));
    let (result, _) = update(vec![success(&json!([])), zone(), several(["11.0.0.8", "11.0.0.2"])], false);
    assert_eq!(result.unwrap().kind, UpdateKind::Unchanged);
}

/// FAULTS 35: a record with our mark is ours, unless there are several of them.
#[test]
fn of_several_records_the_only_one_with_our_mark_is_ours() {
    let marked = |id: &str, content: &str, comment: Value| {
        let mut record = record(content);
        (record["id"], record["comment"]) = (json!(id), comment);
        record
    };
    let listed = |second: Value| {
        let both = [marked("id1", "11.0.0.8", second), marked("id2", "11.0.0.9", json!("managed by ddnsd"))];
        vec![success(&json!([])), zone(), success(&json!(both))]
    };
    let mut answers = listed(json!("by hand"));
    answers.push(success(&record("11.0.0.2")));
    let (result, Asked(asked)) = update(answers, false);
    assert_eq!(result.unwrap().kind, UpdateKind::Changed);
    let (method, path, body) = asked.last().unwrap();
    assert!((*method, path.ends_with("/id2")) == (Method::Patch, true), "{path}");
    assert_eq!(body.get("comment"), None, "it stays");
    assert_eq!(class(&update(listed(json!("managed by ddnsd")), false).0.unwrap_err()), "refused");
    let unmarked = async |provider: &Cloudflare| provider.update(&request(false)).await;
    let script = Script { answers: Mutex::new(listed(Value::Null)), asked: Mutex::default() };
    let provider = Cloudflare::new(Arc::new(script), SecretString::from("t"), None).with_comment(None);
    let error = unmarked(&provider).now_or_never().unwrap().unwrap_err();
    assert_eq!(class(&error), "refused", "without a mark none is ours");
}

/// Trap 6: an answer that does not show the address is no acknowledgement.
#[test]
fn a_write_that_is_acknowledged_with_another_address_is_not_done() {
    assert_eq!(class(&update(vec![success(&record("11.0.0.1"))], true).0.unwrap_err()), "unknown");
    assert_eq!(class(&update(vec![success(&Value::Null)], true).0.unwrap_err()), "unknown");
}

/// Traps 6, 9 and 35, FAULTS 36 to 41: what each answer means, for a request that reads and for one that writes.
#[test]
fn every_answer_has_its_class() {
    let broken = || HttpError::Broken { origin: "o".into(), cause: "gone".into() };
    let cases: Vec<(Given, &str, &str)> = vec![
        (|| error(400, 1004), "refused", "refused"),
        (|| error(400, 6003), "unauthorized", "unauthorized"),
        (|| error(401, 10_000), "unauthorized", "unauthorized"),
        (|| error(403, 9109), "unauthorized", "unauthorized"),
        (|| error(404, 81_044), "stale", "stale"),
        (|| error(400, 81_058), "unknown", "unknown"),
        (|| error(429, 971), "unavailable", "unavailable"),
        (|| error(500, 0), "unavailable", "unknown"),
        (|| error(503, 0), "unavailable", "unknown"),
        (|| error(503, 10_000), "unavailable", "unknown"),
        (|| answer(502, "<html>Bad gateway</html>"), "unavailable", "unknown"),
        (|| answer(302, ""), "unavailable", "unavailable"),
        (|| answer(200, "<!doctype html><html>"), "unavailable", "unknown"),
        (|| answer(200, "{\"success\": tr"), "unavailable", "unknown"),
        (|| answer(200, ""), "unavailable", "unknown"),
        (|| json_answer(200, &json!({"success": false, "errors": []})), "unavailable", "unavailable"),
        (|| Err(HttpError::Timeout { origin: "o".into(), phase: Phase::Answer }), "unavailable", "unknown"),
        (|| Err(HttpError::Timeout { origin: "o".into(), phase: Phase::Connect }), "unreachable", "unreachable"),
        (|| Err(HttpError::TooLarge { origin: "o".into(), limit: 1 }), "unavailable", "unknown"),
        (|| Err(HttpError::Connect { origin: "o".into(), cause: "no".into() }), "unreachable", "unreachable"),
        (|| Err(HttpError::Tls { origin: "o".into(), remedy: "r", cause: "no".into() }), "unreachable", "unreachable"),
    ];
    for (number, (given, reads, writes)) in cases.into_iter().enumerate() {
        let (result, _) = run(vec![given()], async |provider| provider.read(&key()).await);
        assert_eq!(class(&result.unwrap_err()), reads, "case {number}, reading");
        assert_eq!(class(&update(vec![given()], true).0.unwrap_err()), writes, "case {number}, writing");
    }
    assert_eq!(class(&update(vec![Err(broken())], true).0.unwrap_err()), "unknown");
}

/// FAULTS 36.
#[test]
fn retry_after_is_passed_on_where_it_is_a_number() {
    for (field, expected) in [("7", Some(7)), (" 7 ", Some(7)), ("soon", None), ("-1", None), ("", None)] {
        let limited = Ok(HttpResponse { status: 429, retry_after: Some(field.into()), ..HttpResponse::default() });
        let Err(ProviderError::Unavailable { retry_after, .. }) = update(vec![limited], true).0 else { panic!() };
        assert_eq!(retry_after.map(|wait| wait.as_secs()), expected, "{field:?}");
    }
}

/// FAULTS 36: `Ratelimit` says it where `Retry-After` doesn't; and a request that would be one too many is not sent.
#[test]
fn a_limit_that_is_used_up_is_waited_for() {
    let limited =
        HttpResponse { status: 429, rate_limit: Some("\"default\";r=0;t=9".into()), ..HttpResponse::default() };
    let used_up = HttpError::UsedUp { origin: "o".into(), wait: std::time::Duration::from_secs(9) };
    for answer in [Ok(limited), Err(used_up)] {
        let Err(ProviderError::Unavailable { retry_after, .. }) = update(vec![answer], true).0 else { panic!() };
        assert_eq!(retry_after.map(|wait| wait.as_secs()), Some(9));
    }
}

#[test]
fn what_the_server_says_is_cut_short() {
    let long = json!({"success": false, "errors": [{"code": 1, "message": "x".repeat(100_000)}]});
    let said = update(vec![json_answer(400, &long)], true).0.unwrap_err().to_string();
    assert!(said.len() < 400, "{} octets", said.len());
}

#[test]
fn an_id_that_could_steer_a_path_is_no_id() {
    for id in ["", "a b", "../user?", "a/b", "a\r\nb"] {
        let zone = success(&json!([{"id": id, "name": "vpn.example.com"}]));
        let (result, Asked(asked)) = run(vec![zone], async |provider| provider.read(&key()).await);
        assert!(matches!(result, Err(ProviderError::Unavailable { .. })), "{id}: {result:?}");
        assert_eq!(asked.len(), 1, "{id}");
    }
}
