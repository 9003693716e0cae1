//! docs/admin-api.openapi.json describes what the real daemon answers: every path, status, member and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ddns_testbed::nat_world::{EXTERNAL_IPV4, NatWorld};
use ddns_testbed::wireguard::unused_interface;
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{EchoMode, WireGuardGo, World};
use serde_json::{Value, json};

use crate::admin::answer;
use crate::behind_nat::{Voters, discovering};
use crate::scene::{Scene, ipv4, wait_line, wait_ready};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/admin-api.openapi.json");

struct Description(Value);

impl Description {
    fn read() -> Result<Self> {
        let text = fs::read_to_string(Path::new(PAGE)).context(PAGE)?;
        let description: Value = serde_json::from_str(&text)?;
        ensure!(description["openapi"] == "3.1.0", "{}", description["openapi"]);
        Ok(Self(description))
    }

    fn paths(&self) -> Vec<&str> {
        self.0["paths"].as_object().into_iter().flatten().map(|(path, _)| path.as_str()).collect()
    }

    /// What is wrong with `value` by `schema`.
    fn violations(&self, schema: &Value, value: &Value) -> Result<Vec<String>> {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::new(&schema)?;
        Ok(validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect())
    }

    /// Holds one answer of the daemon against the description; its status.
    fn check(&self, scene: &Scene<'_>, path: &str, request: &str) -> Result<u16> {
        let answer = answer(scene, request)?;
        let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{path}: {answer}"))?;
        let status = head.split(' ').nth(1).context("a status")?;
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).context("a content type")?;
        let content = &self.0["paths"][path]["get"]["responses"][status]["content"];
        let schema = &content[kind]["schema"];
        ensure!(schema.is_object(), "{path} {status} {kind} is not described: {body}");
        let value = if kind == "application/json" { serde_json::from_str(body)? } else { json!(body) };
        let violations = self.violations(schema, &value)?;
        ensure!(violations.is_empty(), "{path} {status}: {violations:#?} in {value:#}");
        Ok(status.parse()?)
    }

    /// The status of each path, in their order.
    fn check_all(&self, scene: &Scene<'_>) -> Result<Vec<u16>> {
        self.paths().iter().map(|path| self.check(scene, path, &get(path))).collect()
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: ddnsd\r\n\r\n")
}

/// Every schema of an object: the members that it has to have are among those that it may have, and there are no others.
fn strict(value: &Value, at: &str) -> Result<()> {
    if value["type"] == "object" {
        ensure!(value["additionalProperties"] == false, "{at} may have further members");
        ensure!(value["description"].is_string(), "{at} has no description");
        let members = value["properties"].as_object().with_context(|| format!("{at}: properties"))?;
        for required in value["required"].as_array().with_context(|| format!("{at}: required"))? {
            ensure!(required.as_str().is_some_and(|name| members.contains_key(name)), "{at} lacks {required}");
        }
        for (name, member) in members {
            ensure!(member["description"].is_string() || member["$ref"].is_string(), "{at}/{name}: no description");
        }
    }
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, member)| strict(member, &format!("{at}/{name}"))),
        Value::Array(items) => items.iter().try_for_each(|item| strict(item, at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[test]
fn the_description_leaves_no_member_open() -> Result<()> {
    let description = Description::read()?;
    strict(&description.0["components"]["schemas"], "")?;
    let history = &json!({ "$ref": "#/components/schemas/History" });
    let violations = description.violations(history, &json!({ "now_ms": 1, "surprise": true }))?;
    ensure!(violations.iter().any(|text| text.contains("surprise")), "{violations:?}");
    ensure!(violations.iter().any(|text| text.contains("uptime")), "{violations:?}");
    Ok(())
}

/// A host behind NAT, from the first moment over an outage to its end, with voters of which one lies.
#[test]
fn every_answer_behind_nat_is_as_described() -> Result<()> {
    let description = Description::read()?;
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    voters.echo.set(EchoMode::Fixed("11.99.99.99".parse()?));
    let absent = unused_interface();
    let changes = [("DDNS_PROBE_INTERVAL_SECS", "1"), ("DDNS_WIREGUARD_INTERFACE", absent.as_str())];
    let daemon = scene.start(&discovering(&changes))?;
    wait_line(&daemon, 0, "ddnsd starts", &[])?;
    description.check_all(&scene)?;
    let known: BTreeSet<_> = description.paths().into_iter().map(str::to_owned).collect();
    let (_, told) = daemon.get("/nonesuch")?;
    let routed: BTreeSet<_> = told.trim_start_matches("there are ").trim().split(", ").map(str::to_owned).collect();
    ensure!(routed == known, "routed: {routed:?}; described: {known:?}");

    wait_ready(&daemon)?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    description.check_all(&scene)?;
    let status: Value = serde_json::from_str(&daemon.get("/v1/status")?.1)?;
    let source = &status["sources"][0];
    ensure!(source["nat"]["class"] == "nat", "{status:#}");
    ensure!(source["elections"][0]["rejected"][0]["voter"].is_string(), "whoever lies is rejected: {status:#}");

    let mark = daemon.mark();
    world.cut()?;
    let (mark, _) = wait_line(&daemon, mark, "Readiness changed", &[("to", "not-ready")])?;
    description.check_all(&scene)?;
    let status: Value = serde_json::from_str(&daemon.get("/v1/status")?.1)?;
    ensure!(status["wan"]["line"] == "dead" && status["readiness"] == "not-ready", "{status:#}");
    world.restore()?;
    // What the router announces brings the next round forward.
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    wait_line(&daemon, mark, "Readiness changed", &[("to", "ready")])?;
    description.check_all(&scene)?;
    let history: Value = serde_json::from_str(&daemon.get("/v1/history")?.1)?;
    ensure!(history["outages"][0]["until"].is_u64(), "{history:#}");
    scene.end(daemon)
}

/// A host with addresses of its own and a tunnel; every status that clients can bring about.
#[test]
fn every_answer_with_a_tunnel_and_to_wrong_requests_is_as_described() -> Result<()> {
    let description = Description::read()?;
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let (tunnel, peer) = (WireGuardGo::start(&world.host, 51820)?, WireGuardGo::start(&world.internet, 51820)?);
    tunnel.meet(&peer, None)?;
    let daemon = scene.start(&[("DDNS_WIREGUARD_INTERFACE", tunnel.interface())])?;
    wait_ready(&daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.1")])?;
    let statuses: BTreeSet<_> = description.check_all(&scene)?.into_iter().collect();
    ensure!(statuses == BTreeSet::from([200, 404]), "{statuses:?}: all but /metrics");
    let history: Value = serde_json::from_str(&daemon.get("/v1/history")?.1)?;
    ensure!(history["changes"].as_array().is_some_and(|changes| !changes.is_empty()), "{history:#}");
    let status: Value = serde_json::from_str(&daemon.get("/v1/status")?.1)?;
    ensure!(status["wireguard"]["peers"][0]["handshake_secs_ago"].is_null(), "{status:#}");
    for path in description.paths() {
        let wrong = [
            (405, format!("DELETE {path} HTTP/1.1\r\nhost: ddnsd\r\n\r\n")),
            (413, format!("GET {path} HTTP/1.1\r\nhost: ddnsd\r\ncontent-length: 2\r\n\r\n{{}}")),
        ];
        for (expected, request) in wrong {
            let status = description.check(&scene, path, &request)?;
            if status != expected {
                bail!("{request}: {status}, not {expected}");
            }
        }
    }
    for (expected, query) in
        [(400, "since_ms=-1"), (400, "since=1"), (200, "since_ms=0"), (200, "since_ms=9999999999999")]
    {
        let status = description.check(&scene, "/v1/history", &get(&format!("/v1/history?{query}")))?;
        ensure!(status == expected, "{query}: {status}");
    }
    scene.end(daemon)
}
