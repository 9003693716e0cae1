//! The Cloudflare double and the name server on plain loopback: no root, no namespaces.

use std::{sync::mpsc, time::Duration};

use ddns_testbed::{
    Authority, CloudflareDouble, Fault, Named, Record, Schema, Scope,
    certificates::Validity,
    cloudflare::{EDGE_IPV4, TokenState},
    dynamic_update::query,
};
use serde_json::{Value, json};

#[path = "support/client.rs"]
mod client;

use client::Client;

const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCD";
const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    authority: Authority,
    double: CloudflareDouble,
    client: Client,
}

impl Scene {
    fn new(protocol: &str) -> Self {
        let authority = Authority::new().expect("an authority");
        let tls = authority.issue(&["127.0.0.1"]).and_then(|identity| identity.server_config()).expect("TLS");
        let double =
            CloudflareDouble::builder(tls, TOKEN).zone("example.com").zone("example.net").start().expect("double");
        let client = Client::new(authority.der(), double.address(), TOKEN, protocol);
        Self { authority, double, client }
    }

    fn send(&self, method: &str, endpoint: &str, body: Option<Value>) -> (u16, Value) {
        let reply = self.client.send(method, &format!("/client/v4{endpoint}"), body).expect("an answer");
        (reply.status, reply.json())
    }

    fn records_path(&self) -> String {
        format!("/zones/{}/dns_records", self.double.zones()[0].id)
    }

    fn existing(&self) -> String {
        let record = Record::new("A", "vpn.example.com", "11.22.33.9").ttl(120).comment("by hand").tags(&["team:net"]);
        self.double.put_record(record).expect("a record")
    }
}

/// Every kind of exchange, once; the transcript must then agree with the official description.
fn tour(protocol: &str) {
    let scene = Scene::new(protocol);
    let id = scene.existing();
    let records = scene.records_path();
    let one = format!("{records}/{id}");

    assert_eq!(scene.send("GET", "/user/tokens/verify", None).1["result"]["status"], "active");
    let (_, zones) = scene.send("GET", "/zones?name=example.com&per_page=5", None);
    assert_eq!(zones["result"][0]["id"], scene.double.zones()[0].id.as_str());
    assert_eq!(scene.send("GET", "/zones?per_page=5", None).1["result_info"]["total_count"], 2);
    assert_eq!(
        scene.send("GET", &format!("/zones/{}", scene.double.zones()[1].id), None).1["result"]["name"],
        "example.net"
    );
    let (_, list) = scene.send("GET", &format!("{records}?name=vpn.example.com&type=A&per_page=100"), None);
    assert_eq!(list["result"][0]["comment"], "by hand");
    assert_eq!(scene.send("GET", &one, None).1["result"]["ttl"], 120);

    let body = |content: &str| json!({"type": "A", "name": "vpn.example.com", "content": content});
    assert_eq!(scene.send("PATCH", &one, Some(body("11.22.33.44"))).1["result"]["tags"], json!(["team:net"]));
    let new = json!({"type": "AAAA", "name": "vpn.example.com", "content": "2A00:0:0::1", "ttl": 60, "proxied": false});
    let (status, created) = scene.send("POST", &records, Some(new.clone()));
    assert_eq!((status, &created["result"]["content"]), (200, &json!("2a00::1")));
    assert_eq!(scene.send("POST", &records, Some(new)).1["errors"][0]["code"], 81058);
    assert_eq!(scene.send("PUT", &one, Some(body("11.22.33.45"))).1["result"]["ttl"], 1);
    assert_eq!(scene.send("DELETE", &one, None).1["result"]["id"], id.as_str());
    assert_eq!(
        scene.send("GET", &one, None),
        (404, scene.double.transcript()[11].response_body.clone().expect("a body"))
    );
    assert_eq!(scene.double.writes(), 4);

    let transcript = scene.double.transcript();
    assert!(transcript.iter().all(|exchange| exchange.answered_ns > Some(exchange.received_ns) && !exchange.faulted));
    assert_eq!(transcript[0].version, if protocol == "h2" { "HTTP/2.0" } else { "HTTP/1.1" });
    if let Some(schema) = Schema::from_env() {
        assert_eq!(schema.check(&transcript), Vec::<String>::new());
    }
}

#[test]
fn every_endpoint_answers_over_http1() {
    tour("http/1.1");
}

#[test]
fn every_endpoint_answers_over_http2() {
    tour("h2");
}

#[test]
fn refused_credentials_agree_with_the_description_too() {
    let mut scene = Scene::new("h2");
    let code = |(status, body): (u16, Value)| (status, body["errors"][0]["code"].clone());
    scene.double.set_token_state(TokenState::WithoutPermission);
    assert_eq!(code(scene.send("GET", "/zones", None)), (403, json!(10000)));
    assert_eq!(scene.send("GET", "/user/tokens/verify", None).0, 200);
    scene.double.set_token_state(TokenState::Revoked);
    assert_eq!(code(scene.send("GET", "/zones", None)), (403, json!(9109)));
    assert_eq!(code(scene.send("GET", "/user/tokens/verify", None)), (401, json!(1000)));
    scene.client.token.clear();
    assert_eq!(code(scene.send("GET", "/zones", None)), (400, json!(6003)));
    if let Some(schema) = Schema::from_env() {
        assert_eq!(schema.check(&scene.double.transcript()), Vec::<String>::new());
    }
}

#[test]
fn a_scripted_status_carries_its_retry_after_and_comes_once() {
    let scene = Scene::new("http/1.1");
    scene.double.faults().push(Fault::too_many_requests(Some("7")));
    let reply = scene.client.send("GET", "/client/v4/zones", None).expect("an answer");
    assert_eq!((reply.status, reply.headers["retry-after"].to_str().ok()), (429, Some("7")));
    assert_eq!(scene.send("GET", "/zones", None).0, 200);
    let faulted: Vec<_> = scene.double.transcript().iter().map(|exchange| exchange.faulted).collect();
    assert_eq!(faulted, [true, false]);
}

#[test]
fn broken_answers_are_broken_in_both_protocols() {
    for protocol in ["http/1.1", "h2"] {
        let scene = Scene::new(protocol);
        for fault in [Fault::Truncated, Fault::ResetMidBody, Fault::Drop] {
            scene.double.faults().push(fault.clone());
            let outcome = scene.client.send("GET", "/client/v4/zones", None);
            assert!(outcome.is_err(), "{protocol} {fault:?}: {outcome:?}");
        }
        scene.double.faults().push(Fault::Html);
        let reply = scene.client.send("GET", "/client/v4/zones", None).expect("an answer");
        assert!(reply.status == 200 && reply.body.starts_with(b"<html>"));
        scene.double.faults().push(Fault::SuccessFalse);
        assert_eq!(scene.send("GET", "/zones", None).1["success"], false);
        scene.double.faults().push(Fault::Huge(3_000_000));
        let reply = scene.client.send("GET", "/client/v4/zones", None).expect("an answer");
        assert!(reply.body.len() > 3_000_000 && reply.json()["success"] == true);
        scene.double.faults().push(Fault::Redirect("https://127.0.0.1:1/".to_owned()));
        let reply = scene.client.send("GET", "/client/v4/zones", None).expect("an answer");
        assert_eq!((reply.status, reply.headers["location"].to_str().ok()), (302, Some("https://127.0.0.1:1/")));
        assert_eq!(scene.double.faults().pending(), 0);
    }
}

#[test]
fn a_write_can_take_effect_although_its_answer_is_lost() {
    for protocol in ["http/1.1", "h2"] {
        let scene = Scene::new(protocol);
        let id = scene.existing();
        scene.double.faults().push_for(Scope::method("PATCH"), Fault::ApplyThenDrop);
        let path = format!("/client/v4{}/{id}", scene.records_path());
        assert!(scene.client.send("PATCH", &path, Some(json!({"content": "11.22.33.44"}))).is_err());
        assert_eq!(scene.double.records()[0].content, "11.22.33.44");
        let exchange = &scene.double.transcript()[0];
        assert!(exchange.wrote && exchange.faulted && exchange.status.is_none());
        assert_eq!(scene.double.writes(), 1);
    }
}

#[test]
fn a_hanging_answer_hangs_until_the_client_goes_and_a_condition_can_be_awaited() {
    let scene = Scene::new("h2");
    scene.double.faults().push(Fault::HangBeforeAnswer);
    let client = scene.client.clone();
    // The double ends with its scene, which ends the connection and with it this thread.
    let (sender, outcome) = mpsc::channel();
    std::thread::spawn(move || sender.send(client.send("GET", "/client/v4/zones", None).is_err()));
    scene.double.wait_for("one request", PATIENCE, |state| state.transcript().len() == 1).expect("it comes");
    let error = scene.double.wait_for("an answer", Duration::from_millis(1), |state| {
        state.transcript().iter().any(|exchange| exchange.status.is_some())
    });
    assert!(error.expect_err("none").to_string().contains("GET /client/v4/zones"));
    assert!(outcome.try_recv().is_err());
    drop(scene);
    assert!(outcome.recv_timeout(PATIENCE).expect("the client ends"));
}

#[test]
fn bad_certificates_are_bad() {
    let authority = Authority::new().expect("an authority");
    let identities = [
        authority.issue_with(&["127.0.0.1"], Validity::Expired),
        authority.issue_with(&["127.0.0.1"], Validity::NotYet),
        authority.issue_for_wrong_name(),
    ];
    for (identity, reason) in identities.into_iter().zip(["certificate expired", "not valid yet", "not valid for name"])
    {
        let tls = identity.and_then(|identity| identity.server_config()).expect("TLS");
        let double = CloudflareDouble::builder(tls, TOKEN).zone("example.com").start().expect("a double");
        let client = Client::new(authority.der(), double.address(), TOKEN, "h2");
        let error = format!("{:#}", client.send("GET", "/client/v4/zones", None).expect_err("a refusal"));
        assert!(error.contains(reason), "{reason} is not in {error}");
        double.wait_for("a failed handshake", PATIENCE, |state| state.failed_handshakes() == 1).expect("counted");
    }
}

#[test]
fn accepted_writes_are_in_dns_before_the_answer_unless_propagation_is_off() {
    let scene = Scene::new("h2");
    let identity = scene.authority.issue(&["127.0.0.1"]).expect("an identity");
    let named = Named::start_on_loopback(&["example.com"], &identity).expect("named");
    let double = CloudflareDouble::builder(identity.server_config().expect("TLS"), TOKEN)
        .zone("example.com")
        .publishing_to(&named)
        .start()
        .expect("a double");
    let seen = || named.lookup("vpn.example.com", "A").expect("an answer");
    assert_eq!(seen(), Vec::<String>::new());
    let id = double.put_record(Record::new("A", "vpn.example.com", "11.22.33.9")).expect("a record");
    assert_eq!(seen(), ["11.22.33.9"]);

    let client = Client::new(scene.authority.der(), double.address(), TOKEN, "h2");
    let path = format!("/client/v4/zones/{}/dns_records/{id}", double.zones()[0].id);
    let patch = |body: Value| assert_eq!(client.send("PATCH", &path, Some(body)).expect("an answer").status, 200);
    patch(json!({"content": "11.22.33.44"}));
    assert_eq!(seen(), ["11.22.33.44"]);
    double.set_propagation(false).expect("off");
    patch(json!({"content": "11.22.33.45"}));
    assert_eq!(seen(), ["11.22.33.44"]);
    double.set_propagation(true).expect("on");
    assert_eq!(seen(), ["11.22.33.45"]);
    patch(json!({"proxied": true}));
    assert_eq!(seen(), [EDGE_IPV4]);
    patch(json!({"proxied": false, "name": "other.example.com"}));
    assert_eq!(seen(), Vec::<String>::new());
    assert_eq!(named.lookup("other.example.com", "A").expect("an answer"), ["11.22.33.45"]);
    named.set("example.com", "other.example.com", "A", &["11.22.33.1", "11.22.33.2"]).expect("an update");
    assert_eq!(named.lookup("other.example.com", "A").expect("an answer").len(), 2);
    double.remove_record(&id).expect("removed");
    assert_eq!(named.lookup("other.example.com", "A").expect("an answer"), Vec::<String>::new());
}

#[test]
fn named_answers_over_https_with_the_given_certificate() {
    let authority = Authority::new().expect("an authority");
    let identity = authority.issue(&["127.0.0.1"]).expect("an identity");
    let named = Named::start_on_loopback(&["example.org", "example.com"], &identity).expect("named");
    named.set("example.com", "vpn.example.com", "AAAA", &["2a00::1"]).expect("an update");
    let client = Client::new(authority.der(), named.doh(), "", "h2");
    let question = query("vpn.example.com", "AAAA").and_then(|message| Ok(message.to_vec()?)).expect("a query");
    let reply = client.dns_over_https(question).expect("an answer");
    let answer = hickory_proto::op::Message::from_vec(&reply.body).expect("a DNS message");
    assert_eq!((reply.status, answer.answers[0].data.to_string().as_str()), (200, "2a00::1"));
}
