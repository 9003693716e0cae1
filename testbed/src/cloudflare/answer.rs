//! The envelope of every answer, and the errors in Cloudflare's own words and numbers.

use serde_json::{Value, json};

/// A normal answer: status and body.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn result(result: Value) -> Self {
        Self { status: 200, body: json!({"result": result, "success": true, "errors": [], "messages": []}) }
    }

    pub(super) fn page(result: Value, result_info: Value) -> Self {
        let mut answer = Self::result(result);
        answer.body["result_info"] = result_info;
        answer
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ApiError {
    status: u16,
    code: u32,
    message: String,
}

impl ApiError {
    fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn answer(&self) -> Answer {
        Answer { status: self.status, body: failure(self.code, &self.message) }
    }

    pub(super) fn no_credentials() -> Self {
        Self::new(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
    }

    pub(super) fn bad_header() -> Self {
        Self::new(400, 6003, "Invalid request headers")
    }

    pub(super) fn unknown_token() -> Self {
        Self::new(401, 1000, "Invalid API Token")
    }

    pub(super) fn invalid_access_token() -> Self {
        Self::new(403, 9109, "Invalid access token")
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(403, 10000, "Authentication error")
    }

    pub(super) fn no_route(path: &str) -> Self {
        Self::new(404, 7003, format!("Could not route to {path}, perhaps your object identifier is invalid?"))
    }

    pub(super) fn method() -> Self {
        Self::new(405, 10405, "Method not allowed for this authentication scheme")
    }

    pub(super) fn no_record() -> Self {
        Self::new(404, 81044, "Record does not exist.")
    }

    pub(super) fn identical() -> Self {
        Self::new(400, 81058, "An identical record already exists.")
    }

    pub(super) fn host_taken() -> Self {
        Self::new(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
    }

    pub(super) fn malformed(detail: &str) -> Self {
        Self::new(400, 9207, format!("Request body is invalid: {detail}."))
    }

    pub(super) fn missing(member: &str) -> Self {
        Self::new(400, 1004, format!("DNS Validation Error: {member} is required."))
    }

    pub(super) fn page() -> Self {
        Self::new(400, 1004, "page and per_page must be positive numbers.")
    }

    pub(super) fn name() -> Self {
        Self::new(400, 9000, "DNS name is invalid.")
    }

    pub(super) fn content(record: &str, family: &str) -> Self {
        Self::new(400, 9005, format!("Content for {record} record must be a valid {family} address."))
    }

    pub(super) fn ttl() -> Self {
        Self::new(400, 9021, "TTL must be between 60 and 86400 seconds, or 1 for Automatic.")
    }

    pub(super) fn proxied() -> Self {
        Self::new(400, 9004, "This record type cannot be proxied.")
    }

    pub(super) fn no_list() -> Self {
        Self::new(404, 10001, "filters.api.not_found")
    }

    pub(super) fn operation_pending() -> Self {
        Self::new(429, 10013, "filters.api.operation_pending")
    }

    pub(super) fn range() -> Self {
        Self::new(400, 10014, "filters.api.invalid_ip")
    }

    pub(super) fn cursor() -> Self {
        Self::new(400, 10015, "filters.api.invalid_cursor")
    }

    pub(super) fn internal(detail: &str) -> Self {
        Self::new(500, 1000, detail)
    }
}

/// The body of a refusal.
pub(super) fn failure(code: u32, message: &str) -> Value {
    json!({"result": null, "success": false, "errors": [{"code": code, "message": message}], "messages": []})
}
