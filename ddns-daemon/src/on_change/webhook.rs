use std::time::Duration;

use ddns_core::ports::{HttpError, HttpRequest, HttpTransport, Method};
use tokio::time::timeout;

use super::Notice;

/// Why a URL was not told. None of these shows more of it than its host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error("no answer within {} seconds", .0.as_secs())]
    Late(Duration),
    #[error("it was answered with status {0}; only 200 to 299 is a success, and no redirect is followed")]
    Status(u16),
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Posts a notice as a JSON object.
pub(crate) async fn post(transport: &dyn HttpTransport, notice: &Notice, limit: Duration) -> Result<(), PostError> {
    let request = HttpRequest {
        method: Method::Post,
        path: String::new(),
        credentials: None,
        accept: "*/*",
        body: Some(("application/json", body(notice))),
    };
    let answer = timeout(limit, transport.exchange(request)).await.map_err(|_| PostError::Late(limit))??;
    if (200..300).contains(&answer.status) { Ok(()) } else { Err(PostError::Status(answer.status)) }
}

fn body(notice: &Notice) -> Vec<u8> {
    let field = |(name, value): (&str, String)| {
        let value = if value.is_empty() { serde_json::Value::Null } else { value.into() };
        (name.to_ascii_lowercase(), value)
    };
    let object: serde_json::Map<_, _> = notice.told().into_iter().map(field).collect();
    serde_json::Value::Object(object).to_string().into_bytes()
}
