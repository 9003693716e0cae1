//! Holds exchanges against Cloudflare's official OpenAPI description.
//!
//! Three places of the description are read with sense rather than to the letter: a refusal (4xx) is described as a success
//! *and* a failure at once, which nothing can be, so it is held against the failure alone; members that only the server
//! can set are not demanded of requests; and a request body without any schema (DELETE) is not demanded at all.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use jsonschema::Draft;
use serde_json::{Map, Value, json};

use crate::Exchange;

mod dialect;

/// The part of the API that keeps lists.
const LISTS: &str = "/rules/lists/";

/// The variable that names the file.
pub const VARIABLE: &str = "CLOUDFLARE_SCHEMA";

/// The description, ready for checks.
pub struct Schema {
    paths: Map<String, Value>,
    requests: Value,
    responses: Value,
}

struct Operation<'a> {
    template: &'a str,
    description: &'a Value,
    path_values: BTreeMap<String, String>,
}

impl Schema {
    /// Reads the file that [`VARIABLE`] names; `None` if it is unset, and said plainly on standard error.
    ///
    /// # Panics
    ///
    /// If the variable is set and the file cannot be read: a check that was asked for must not be skipped.
    pub fn from_env() -> Option<Self> {
        let Some(path) = std::env::var_os(VARIABLE) else {
            eprintln!("NOT RUN: {VARIABLE} is unset, nothing is held against Cloudflare's OpenAPI description");
            return None;
        };
        Some(Self::read(Path::new(&path)).unwrap_or_else(|error| panic!("{VARIABLE}: {error:#}")))
    }

    /// Reads an OpenAPI 3.0 description.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let document = serde_json::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
        Self::new(&document).with_context(|| format!("understanding {}", path.display()))
    }

    fn new(document: &Value) -> Result<Self> {
        let version = document["openapi"].as_str().unwrap_or_default();
        ensure!(version.starts_with("3.0."), "this reads OpenAPI 3.0, not {version:?}");
        let paths = document["paths"].as_object().context("a description without paths")?.clone();
        let components = &document["components"];
        Ok(Self { paths, requests: dialect::for_requests(components), responses: dialect::for_responses(components) })
    }

    /// Every way in which the exchanges break the description; of scripted answers only the requests are checked. A
    /// description of DNS alone has no word of lists, which are held by the official client instead.
    pub fn check(&self, exchanges: &[Exchange]) -> Vec<String> {
        let described = self.paths.iter().any(|(template, _)| template.contains(LISTS));
        let covered = |exchange: &&Exchange| described || !exchange.endpoint().contains(LISTS);
        exchanges.iter().filter(covered).flat_map(|exchange| self.check_one(exchange)).collect()
    }

    fn check_one(&self, exchange: &Exchange) -> Vec<String> {
        let label = format!("{} {}", exchange.method, exchange.endpoint());
        let operation = match self.operation(exchange) {
            Ok(operation) => operation,
            Err(violation) => return vec![format!("{label}: {violation}")],
        };
        let mut violations = self.check_parameters(&operation, exchange);
        violations.extend(self.check_request(&operation, exchange));
        if !exchange.faulted {
            violations.extend(self.check_response(&operation, exchange));
        }
        violations.into_iter().map(|violation| format!("{label}: {violation}")).collect()
    }

    fn operation(&self, exchange: &Exchange) -> Result<Operation<'_>, String> {
        let mut fitting: Vec<_> = self
            .paths
            .iter()
            .filter_map(|(template, item)| Some((template, item, path_values(template, exchange.endpoint())?)))
            .collect();
        // A literal path comes before one with parameters.
        fitting.sort_by_key(|(.., values)| values.len());
        let (template, item, path_values) = fitting.into_iter().next().ok_or("the description has no such path")?;
        let method = exchange.method.to_ascii_lowercase();
        let description = item.get(&method).ok_or_else(|| format!("{template} has no such method"))?;
        Ok(Operation { template, description, path_values })
    }

    fn check_parameters(&self, operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let none = vec![];
        let known = operation.description["parameters"].as_array().unwrap_or(&none);
        let find = |place: &str, name: &str| known.iter().find(|p| p["in"] == place && p["name"] == name);
        let mut violations = vec![];
        let given = operation.path_values.iter().map(|(name, value)| ("path", name, value));
        for (place, name, value) in given.chain(exchange.query.iter().map(|(name, value)| ("query", name, value))) {
            match find(place, name) {
                Some(parameter) => {
                    let problems =
                        self.problems(&self.requests, &dialect::request(&parameter["schema"]), &typed(value));
                    violations
                        .extend(problems.into_iter().map(|problem| format!("{place} parameter {name}: {problem}")));
                }
                None => violations.push(format!("{} has no {place} parameter {name}", operation.template)),
            }
        }
        for parameter in known.iter().filter(|p| p["in"] == "query" && p["required"] == true) {
            if !exchange.query.iter().any(|(name, _)| parameter["name"] == name.as_str()) {
                violations.push(format!("query parameter {} is missing", parameter["name"]));
            }
        }
        violations
    }

    fn check_request(&self, operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let schema = &operation.description["requestBody"]["content"]["application/json"]["schema"];
        match (schema.is_object(), &exchange.request_body) {
            (true, Some(body)) => {
                let problems = self.problems(&self.requests, &dialect::request(schema), body);
                problems.into_iter().map(|problem| format!("request body: {problem}")).collect()
            }
            (true, None) => vec!["the request body is missing or no JSON".to_owned()],
            (false, None) => vec![],
            (false, Some(_)) if operation.description.get("requestBody").is_some() => vec![],
            (false, Some(_)) => vec!["a request body where none belongs".to_owned()],
        }
    }

    fn check_response(&self, operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let Some(status) = exchange.status else { return vec![] };
        let responses = &operation.description["responses"];
        let class = format!("{}xx", status / 100);
        let described = [status.to_string(), class.clone(), class.to_ascii_uppercase(), "default".to_owned()];
        let Some(response) = described.iter().find_map(|key| responses.get(key)) else {
            return vec![format!("status {status} is not described")];
        };
        let schema = dialect::response(refusal(&response["content"]["application/json"]["schema"]));
        let Some(body) = &exchange.response_body else {
            return vec![format!("the body of the answer ({status}) is missing or no JSON")];
        };
        let problems = self.problems(&self.responses, &schema, body);
        problems.into_iter().map(|problem| format!("answer {status}: {problem}")).collect()
    }

    /// OpenAPI 3.0 keeps the numeric keywords of draft 4 (boolean `exclusiveMinimum`).
    fn problems(&self, components: &Value, schema: &Value, instance: &Value) -> Vec<String> {
        let whole = json!({"allOf": [schema], "components": components});
        let options = jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true);
        let validator = match options.build(&whole) {
            Ok(validator) => validator,
            Err(error) => return vec![format!("the description itself cannot be used: {error}")],
        };
        let shown = |error: jsonschema::ValidationError<'_>| {
            let place = error.instance_path().to_string();
            format!("{}: {error}", if place.is_empty() { "/" } else { &place })
        };
        validator.iter_errors(instance).map(shown).collect()
    }
}

/// Of a refusal that is described as success and failure, the failure.
fn refusal(schema: &Value) -> &Value {
    let failure = |part: &&Value| part["$ref"].as_str().is_some_and(|target| target.ends_with("-common-failure"));
    schema["allOf"].as_array().and_then(|parts| parts.iter().find(failure)).unwrap_or(schema)
}

fn path_values(template: &str, endpoint: &str) -> Option<BTreeMap<String, String>> {
    let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), endpoint.split('/').collect());
    let mut values = BTreeMap::new();
    for (wanted, given) in wanted.iter().zip(&given) {
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => drop(values.insert(name.to_owned(), (*given).to_owned())),
            None if wanted == given => {}
            None => return None,
        }
    }
    (wanted.len() == given.len()).then_some(values)
}

/// A parameter is text on the wire; numbers and booleans are what they look like, all else is a string.
fn typed(value: &str) -> Value {
    match serde_json::from_str(value) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        Ok(_) | Err(_) => Value::from(value),
    }
}

#[cfg(test)]
mod tests;
