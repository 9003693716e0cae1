use std::sync::Arc;

use ddns_core::ports::{HttpRequest, HttpTransport, LookupError, Method};

/// The media type of RFC 8484 §6.
const DNS_MESSAGE: &str = "application/dns-message";

/// One resolver: what it is called in logs, and the transport that is bound to its URL.
pub struct Resolver {
    /// Its URL.
    pub name: String,
    /// The way to it.
    pub transport: Arc<dyn HttpTransport>,
}

impl Resolver {
    /// One message and its answer.
    pub(crate) async fn exchange(&self, query: Vec<u8>) -> Result<Vec<u8>, LookupError> {
        let request = HttpRequest {
            method: Method::Post,
            path: String::new(),
            credentials: None,
            accept: DNS_MESSAGE,
            body: Some((DNS_MESSAGE, query)),
        };
        let response =
            self.transport.exchange(request).await.map_err(|error| LookupError::NoAnswer { cause: error.into() })?;
        if response.status != 200 {
            return Err(LookupError::Status(response.status));
        }
        if !response.content_type.eq_ignore_ascii_case(DNS_MESSAGE) {
            return Err(LookupError::Garbage("the content type is not application/dns-message"));
        }
        Ok(response.body)
    }
}
