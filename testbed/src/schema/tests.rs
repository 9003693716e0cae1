use std::net::SocketAddr;

use super::*;

const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";

fn exchange(method: &str, endpoint: &str) -> Exchange {
    Exchange {
        received_ns: 1,
        answered_ns: Some(2),
        client: SocketAddr::from(([127, 0, 0, 1], 1)),
        version: "HTTP/2.0".into(),
        method: method.into(),
        path: format!("/client/v4{endpoint}"),
        query: vec![],
        user_agent: None,
        request_body: None,
        status: Some(200),
        response_body: None,
        faulted: false,
        wrote: false,
    }
}

fn record() -> Value {
    json!({
        "id": ZONE, "type": "A", "name": "vpn.example.com", "content": "11.22.33.44", "proxiable": true, "proxied": false,
        "ttl": 120, "tags": [], "created_on": "2014-01-01T05:20:00.12345Z", "modified_on": "2014-01-01T05:20:00.12345Z",
    })
}

fn patch() -> Exchange {
    Exchange {
        request_body: Some(json!({"type": "A", "name": "vpn.example.com", "content": "11.22.33.44"})),
        response_body: Some(json!({"success": true, "errors": [], "messages": [], "result": record()})),
        ..exchange("PATCH", &format!("/zones/{ZONE}/dns_records/{ZONE}"))
    }
}

fn refusal() -> Exchange {
    let body = json!({
        "success": false, "errors": [{"code": 81044, "message": "Record does not exist."}], "messages": [], "result": null
    });
    Exchange { status: Some(404), response_body: Some(body), ..patch() }
}

/// The official description decides whether `exchange` is good, when it is at hand.
#[track_caller]
fn check(exchange: Exchange, violation: Option<&str>) {
    let Some(schema) = Schema::from_env() else { return };
    let found = schema.check(&[exchange]);
    match violation {
        None => assert!(found.is_empty(), "{found:#?}"),
        Some(part) => assert!(found.iter().any(|line| line.contains(part)), "{part} is not in {found:#?}"),
    }
}

#[test]
fn a_good_patch_passes() {
    check(patch(), None);
}

#[test]
fn a_request_with_a_wrong_content_is_found() {
    let body = json!({"type": "A", "name": "vpn.example.com", "content": "2a00::1"});
    check(Exchange { request_body: Some(body), ..patch() }, Some("request body"));
}

#[test]
fn a_request_with_a_ttl_out_of_range_is_found() {
    let body = json!({"type": "A", "name": "vpn.example.com", "content": "11.22.33.44", "ttl": 5});
    check(Exchange { request_body: Some(body), ..patch() }, Some("request body"));
}

#[test]
fn a_request_without_its_type_is_found() {
    check(Exchange { request_body: Some(json!({"content": "11.22.33.44"})), ..patch() }, Some("request body"));
}

#[test]
fn a_request_without_its_body_is_found_even_if_the_answer_was_scripted() {
    check(Exchange { request_body: None, faulted: true, response_body: None, ..patch() }, Some("request body"));
}

#[test]
fn an_answer_without_a_time_stamp_is_found() {
    let mut broken = patch();
    if let Some(result) = broken.response_body.as_mut().and_then(|body| body["result"].as_object_mut()) {
        result.remove("created_on");
    }
    check(broken, Some("answer 200"));
}

#[test]
fn an_answer_that_is_a_refusal_under_status_200_is_found() {
    check(Exchange { status: Some(200), ..refusal() }, Some("answer 200"));
}

#[test]
fn a_refusal_passes_and_one_without_errors_is_found() {
    check(refusal(), None);
    let body = json!({"success": false, "messages": [], "result": null});
    check(Exchange { response_body: Some(body), ..refusal() }, Some("answer 404"));
    let body = json!({"success": true, "errors": [], "messages": [], "result": null});
    check(Exchange { response_body: Some(body), ..refusal() }, Some("answer 404"));
}

#[test]
fn a_scripted_answer_is_not_held_against_the_description() {
    check(Exchange { faulted: true, response_body: None, ..patch() }, None);
}

#[test]
fn lists_are_passed_over_by_a_description_that_has_none() {
    check(exchange("GET", "/accounts/1/rules/lists/2/items"), None);
    check(exchange("GET", "/accounts/1/rules"), Some("no such path"));
}

#[test]
fn an_unknown_path_method_and_parameter_are_found() {
    check(exchange("GET", "/zonen"), Some("no such path"));
    check(exchange("PUT", "/zones"), Some("no such method"));
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    let list = || {
        let body = json!({"success": true, "errors": [], "messages": [], "result": []});
        Exchange { response_body: Some(body), ..exchange("GET", "/zones") }
    };
    check(Exchange { query: pairs(&[("name", "example.com"), ("page", "1"), ("per_page", "50")]), ..list() }, None);
    check(Exchange { query: pairs(&[("colour", "red")]), ..list() }, Some("no query parameter colour"));
    check(Exchange { query: pairs(&[("per_page", "500")]), ..list() }, Some("per_page"));
    check(Exchange { query: pairs(&[("page", "one")]), ..list() }, Some("page"));
}

#[test]
fn an_identifier_that_is_too_long_is_found() {
    check(exchange("GET", &format!("/zones/{ZONE}{ZONE}")), Some("path parameter zone_id"));
}

/// Without the official file: the same rules on a small description.
#[test]
fn a_description_of_our_own_is_applied() {
    let document = json!({
        "openapi": "3.0.3",
        "components": {"schemas": {"thing": {
            "type": "object", "required": ["id", "size"],
            "properties": {"size": {"type": "number", "minimum": 0, "exclusiveMinimum": true}},
        }}},
        "paths": {"/things": {"post": {
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}},
            "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}}},
        }}},
    });
    let schema = Schema::new(&document).expect("a description");
    let asked = |request: Value, response: Value| {
        let exchange = exchange("POST", "/things");
        schema.check(&[Exchange { request_body: Some(request), response_body: Some(response), ..exchange }])
    };
    assert_eq!(asked(json!({"size": 1}), json!({"id": "a", "size": 1})), Vec::<String>::new());
    assert!(asked(json!({"size": 0}), json!({"id": "a", "size": 1}))[0].contains("request body"));
    assert!(asked(json!({"size": 1}), json!({"size": 1}))[0].contains("answer 200"));
}
