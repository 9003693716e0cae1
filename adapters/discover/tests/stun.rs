//! The STUN voter against a scripted server on loopback.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use ddns_core::address::Family;
use ddns_core::config::HostPort;
use ddns_core::ports::{VoteError, Voter};
use ddns_discover::StunVoter;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const LOOPBACK: &str = "127.0.0.1:0";

/// A success response with MAPPED-ADDRESS.
fn response(request: &[u8], address: [u8; 4]) -> Vec<u8> {
    let mut message = vec![1, 1, 0, 12];
    message.extend(&request[4..20]);
    message.extend([0, 1, 0, 8, 0, 1, 0x30, 0x39]);
    message.extend(address);
    message
}

async fn asked(
    server: &UdpSocket,
    script: impl AsyncFnOnce(&UdpSocket, Vec<u8>, SocketAddr) -> Result<()>,
) -> Result<Result<IpAddr, VoteError>> {
    let address = server.local_addr()?;
    let voter = StunVoter::new(HostPort { host: address.ip().to_string(), port: address.port() });
    let serve = async {
        let mut request = [0; 100];
        let (length, client) = server.recv_from(&mut request).await?;
        script(server, request[..length].to_vec(), client).await
    };
    let (vote, served) = tokio::join!(voter.ask(Family::V4), timeout(PATIENCE, serve));
    served??;
    Ok(vote)
}

#[tokio::test]
async fn a_lost_request_is_sent_again_with_the_same_transaction() -> Result<()> {
    let server = UdpSocket::bind(LOOPBACK).await?;
    let vote = asked(&server, async |server, first, client| {
        let mut again = [0; 100];
        let (length, _) = server.recv_from(&mut again).await?;
        assert_eq!(again[..length], first, "RFC 8489 §6.2.1");
        server.send_to(&response(&first, [11, 0, 0, 1]), client).await?;
        Ok(())
    });
    assert_eq!(vote.await??, IpAddr::from([11, 0, 0, 1]));
    Ok(())
}

/// Fault 72: from another port, and with another transaction.
#[tokio::test]
async fn what_the_server_did_not_say_is_not_heard() -> Result<()> {
    let server = UdpSocket::bind(LOOPBACK).await?;
    let stranger = UdpSocket::bind(LOOPBACK).await?;
    let vote = asked(&server, async |server, request, client| {
        stranger.send_to(&response(&request, [66, 6, 6, 6]), client).await?;
        let mut guessed = request.clone();
        guessed[19] ^= 1;
        server.send_to(&response(&guessed, [66, 6, 6, 7]), client).await?;
        server.send_to(b"noise", client).await?;
        server.send_to(&response(&request, [11, 0, 0, 1]), client).await?;
        Ok(())
    });
    assert_eq!(vote.await??, IpAddr::from([11, 0, 0, 1]));
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_server_is_a_refusal_and_its_nonsense_is_garbage() -> Result<()> {
    let server = UdpSocket::bind(LOOPBACK).await?;
    let refused = asked(&server, async |server, request, client| {
        let error = [&[1, 0x11, 0, 8][..], &request[4..20], &[0, 9, 0, 4, 0, 0, 5, 0]].concat();
        server.send_to(&error, client).await?;
        Ok(())
    });
    assert!(matches!(refused.await?, Err(VoteError::Refused(text)) if text.contains("500")));
    let garbage = asked(&server, async |server, request, client| {
        let mut cut = response(&request, [11, 0, 0, 1]);
        cut.pop();
        server.send_to(&cut, client).await?;
        Ok(())
    });
    assert!(matches!(garbage.await?, Err(VoteError::Garbage(_))));
    Ok(())
}
