//! From the dialect of OpenAPI 3.0 to JSON schema draft 4.

use serde_json::{Map, Value, json};

/// Members of a DNS record that the server alone sets, though not all of them are marked `readOnly`.
const SET_BY_SERVER: [&str; 4] = ["id", "proxiable", "created_on", "modified_on"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

pub(super) fn for_requests(components: &Value) -> Value {
    translate(components, Side::Request)
}

pub(super) fn for_responses(components: &Value) -> Value {
    translate(components, Side::Response)
}

pub(super) fn request(schema: &Value) -> Value {
    translate(schema, Side::Request)
}

pub(super) fn response(schema: &Value) -> Value {
    translate(schema, Side::Response)
}

fn translate(value: &Value, side: Side) -> Value {
    match value {
        Value::Array(parts) => parts.iter().map(|part| translate(part, side)).collect(),
        Value::Object(object) => translate_object(object, side),
        plain => plain.clone(),
    }
}

fn translate_object(object: &Map<String, Value>, side: Side) -> Value {
    let mut out = Map::new();
    for (key, value) in object {
        match key.as_str() {
            // Data, or prose, in which nothing is a schema.
            "enum" | "default" | "example" | "examples" | "description" | "discriminator" | "nullable" => {
                if key == "enum" {
                    out.insert(key.clone(), value.clone());
                }
            }
            "properties" => drop(out.insert(key.clone(), translate_members(value, side))),
            "required" if value.is_array() => {
                let wanted = value.as_array().into_iter().flatten().filter(|name| demanded(object, name, side));
                let wanted: Vec<_> = wanted.cloned().collect();
                // Draft 4 forbids an empty list.
                if !wanted.is_empty() {
                    out.insert(key.clone(), Value::Array(wanted));
                }
            }
            _ => drop(out.insert(key.clone(), translate(value, side))),
        }
    }
    if object.get("nullable") == Some(&Value::Bool(true)) { nullable(out) } else { Value::Object(out) }
}

/// The names of members are data: a member may be called `default` or `required`.
fn translate_members(members: &Value, side: Side) -> Value {
    let Some(members) = members.as_object() else { return members.clone() };
    Value::Object(members.iter().map(|(name, schema)| (name.clone(), translate(schema, side))).collect())
}

fn demanded(object: &Map<String, Value>, name: &Value, side: Side) -> bool {
    let Some(name) = name.as_str() else { return true };
    let read_only = object.get("properties").is_some_and(|members| members[name]["readOnly"] == true);
    side == Side::Response || !(read_only || SET_BY_SERVER.contains(&name))
}

fn nullable(mut schema: Map<String, Value>) -> Value {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    json!({"anyOf": [{"type": "null"}, schema]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nullable_becomes_a_choice() {
        let translated = response(&json!({"type": "string", "nullable": true, "enum": ["a"]}));
        let expected = json!({"anyOf": [{"type": "null"}, {"type": "string", "enum": ["a", null]}]});
        assert_eq!(translated, expected);
    }

    #[test]
    fn a_request_need_not_carry_what_the_server_sets() {
        let schema = json!({
            "required": ["id", "stamp", "name"],
            "properties": {"stamp": {"type": "string", "readOnly": true}, "default": {"type": "string", "nullable": true}}
        });
        assert_eq!(request(&schema)["required"], json!(["name"]));
        assert_eq!(response(&schema)["required"], json!(["id", "stamp", "name"]));
        assert!(request(&schema)["properties"]["default"]["anyOf"].is_array(), "a member named like a keyword");
    }
}
