use std::future::IntoFuture;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use ddns_core::ports::VoteError;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::message::{self, Place};

/// From connecting to the last octet.
const LIMIT: Duration = Duration::from_secs(3);
/// Descriptions have some thousand octets.
const LARGEST: usize = 64 * 1024;

/// What is wanted.
pub(super) enum Request {
    /// The description.
    Get,
    /// A SOAP call of the external address.
    Call { service: &'static str, body: String },
}

/// One request over a connection of its own. This stands beside the project's HTTP transport since a router's address and
/// port are known only after it was found, and since it follows the gateway and not a configured origin.
pub(super) async fn exchange(place: &Place, request: Request) -> Result<Vec<u8>, VoteError> {
    timeout(LIMIT, talk(place, request)).await.unwrap_or(Err(VoteError::TimedOut))
}

async fn talk(place: &Place, request: Request) -> Result<Vec<u8>, VoteError> {
    let request = message_of(place, request).map_err(|error| VoteError::Garbage(error.to_string()))?;
    let stream = TcpStream::connect(place.address).await.map_err(|error| VoteError::Unreachable(error.into()))?;
    let broken = |error: hyper::Error| VoteError::Unreachable(error.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| VoteError::Garbage(error.to_string()))?.to_bytes();
        if status == StatusCode::OK { Ok(body.into()) } else { Err(message::refused(status.as_u16(), &body)) }
    };
    let (mut answer, connection) = (pin!(answer), pin!(connection.into_future()));
    tokio::select! {
        biased;
        outcome = &mut answer => outcome,
        _ = connection => answer.await,
    }
}

fn message_of(place: &Place, request: Request) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
    let builder = hyper::Request::builder()
        .uri(place.path.as_str())
        .header(header::HOST, place.address.to_string())
        .header(header::CONNECTION, "close");
    match request {
        Request::Get => builder.body(Full::default()),
        Request::Call { service, body } => builder
            .method("POST")
            .header(header::CONTENT_TYPE, "text/xml; charset=\"utf-8\"")
            .header("SOAPAction", format!("\"{service}#{}\"", message::ACTION))
            .body(Full::from(body)),
    }
}
