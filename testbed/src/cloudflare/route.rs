//! From method and path to the account.

use serde_json::{Map, Value};

use super::{
    BASE_PATH,
    account::{RrsetKey, Written},
    answer::{Answer, ApiError},
    state::State,
    token,
};

/// What the API needs to know of a request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The answer, and for a write the RRsets that it touched.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) wrote: Option<Vec<RrsetKey>>,
}

pub(super) fn answer(state: &mut State, request: &Request) -> Outcome {
    dispatch(state, request).unwrap_or_else(|refusal| Outcome { answer: refusal.answer(), wrote: None })
}

fn dispatch(state: &mut State, request: &Request) -> Result<Outcome, ApiError> {
    let no_route = || ApiError::no_route(&request.path);
    let endpoint = request.path.strip_prefix(BASE_PATH).ok_or_else(no_route)?;
    let segments: Vec<_> = endpoint.trim_matches('/').split('/').collect();
    let authorization = request.authorization.as_deref();
    state.token().check(authorization, segments == ["user", "tokens", "verify"], request.method != "GET")?;

    let read = |answer| Ok(Outcome { answer, wrote: None });
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["user", "tokens", "verify"]) => read(token::verified(state.token().state)),
        ("GET", ["zones"]) => read(state.account().list_zones(&request.query)?),
        ("GET", ["zones", zone]) => read(state.account().show_zone(zone)?),
        ("GET", ["zones", zone, "dns_records"]) => read(state.account().list_records(zone, &request.query)?),
        ("GET", ["zones", zone, "dns_records", id]) => read(state.account().show_record(zone, id)?),
        ("POST", ["zones", zone, "dns_records"]) => write(state.account_mut().create(zone, &object(&request.body)?)?),
        ("PATCH", ["zones", zone, "dns_records", id]) => {
            write(state.account_mut().patch(zone, id, &object(&request.body)?)?)
        }
        ("PUT", ["zones", zone, "dns_records", id]) => {
            write(state.account_mut().put(zone, id, &object(&request.body)?)?)
        }
        ("DELETE", ["zones", zone, "dns_records", id]) => write(state.account_mut().delete(zone, id)?),
        ("GET", ["accounts", account, "rules", "lists", "bulk_operations", id]) => {
            read(state.lists_mut().operation(account, id)?)
        }
        ("GET", ["accounts", account, "rules", "lists", list, "items"]) => {
            read(state.lists_mut().show(account, list, &request.query)?)
        }
        ("POST", ["accounts", account, "rules", "lists", list, "items"]) => {
            read(state.lists_mut().create(account, list, &request.body)?)
        }
        ("DELETE", ["accounts", account, "rules", "lists", list, "items"]) => {
            let body = object(&request.body)?;
            read(state.lists_mut().delete(account, list, &body)?)
        }
        (_, ["user", "tokens", "verify"] | ["zones", ..]) => Err(ApiError::method()),
        _ => Err(no_route()),
    }
}

fn write(written: Written) -> Result<Outcome, ApiError> {
    Ok(Outcome { answer: written.answer, wrote: Some(written.keys) })
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::malformed("it must be an object")),
        Err(error) => Err(ApiError::malformed(&error.to_string())),
    }
}

/// Decodes `application/x-www-form-urlencoded`, the form of a query.
pub(super) fn decoded_query(query: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(key), decoded(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let escaped = (byte == b'%')
            .then(|| text.get(position + 1..position + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok()))
            .flatten();
        plain.push(match (escaped, byte) {
            (Some(escaped), _) => escaped,
            (None, b'+') => b' ',
            (None, byte) => byte,
        });
        position += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let pairs = decoded_query("name=vpn.example.com&comment.exact=Hello%2C+w%C3%B6rld&flag&x=%zz");
        let expected = [("name", "vpn.example.com"), ("comment.exact", "Hello, wörld"), ("flag", ""), ("x", "%zz")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
