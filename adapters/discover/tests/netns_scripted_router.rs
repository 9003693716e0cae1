//! The router client against scripted routers: older ones, broken ones, hostile ones. Needs root, for the ports are fixed;
//! without it these tests fail and say so.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::num::NonZeroU16;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use ddns_core::discovery::{MapRequest, Protocol};
use ddns_core::ports::VoteError;
use ddns_discover::{MapError, Mapping, Router, router::PORT};
use ddns_testbed::nat_world::{GATEWAY, NEIGHBOUR_IPV4};
use ddns_testbed::{Namespace, NatWorld};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;

const ROUTER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const PRIVATE: [u8; 4] = [192, 168, 1, 7];
const NONCE: [u8; 12] = *b"ours, always";
const PATIENCE: Duration = Duration::from_secs(20);
const SSDP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);

/// Runs a future inside a namespace.
fn inside<T: Send>(namespace: &Namespace, work: impl AsyncFnOnce() -> T + Send) -> T {
    let done = namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
        runtime.block_on(work())
    });
    done.expect("the namespace")
}

/// Runs `question` while a router answers each datagram with those that `script` makes of it.
async fn with_router<T>(mut script: impl FnMut(&[u8]) -> Vec<Vec<u8>>, question: impl AsyncFnOnce() -> T) -> Result<T> {
    let socket = UdpSocket::bind((ROUTER, PORT)).await?;
    let serve = async {
        let mut request = [0; 2000];
        loop {
            let (length, client) = socket.recv_from(&mut request).await?;
            for answer in script(&request[..length]) {
                socket.send_to(&answer, client).await?;
            }
        }
    };
    tokio::select! {
        answered = question() => Ok(answered),
        failed = serve => failed,
    }
}

async fn address() -> Result<Ipv4Addr, VoteError> {
    Router::new(NONCE).external_address(ROUTER).await
}

async fn map() -> Result<Mapping, MapError> {
    let internal_port = NonZeroU16::new(51820).expect("a port");
    let wanted = MapRequest { internal_port, external_port: 51820, lifetime: Duration::from_secs(600) };
    Router::new(NONCE).map(ROUTER, &wanted).await
}

/// RFC 6886 §3: a router that knows nothing newer. It grants port 40000 for five minutes.
fn nat_pmp(request: &[u8]) -> Vec<u8> {
    match request {
        [0, 0] => [&[0, 128, 0, 0, 0, 0, 1, 2][..], &PRIVATE].concat(),
        [0, 1, _, _, internal @ ..] if internal.len() == 8 => {
            [&[0, 129, 0, 0, 0, 0, 1, 2][..], &internal[..2], &[0x9c, 0x40, 0, 0, 1, 44]].concat()
        }
        [_, operation, ..] => vec![0, operation | 128, 0, 1, 0, 0, 1, 2],
        _ => vec![],
    }
}

/// The question for the address goes by PCP, and by NAT-PMP to who doesn't speak PCP; a private address is told as it is,
/// for it shows a double NAT.
#[test]
fn a_router_with_nat_pmp_alone_tells_its_private_address_and_maps() -> Result<()> {
    let namespace = Namespace::create("router")?;
    inside(&namespace, async || {
        let told = with_router(|request| vec![nat_pmp(request)], address).await?;
        assert_eq!(told.expect("an address"), Ipv4Addr::from(PRIVATE));
        let mapping = with_router(|request| vec![nat_pmp(request)], map).await?.expect("a mapping");
        let expected = Mapping {
            external_port: 40_000,
            external_address: Some(PRIVATE.into()),
            lifetime: Duration::from_secs(300),
            epoch: 258,
            protocol: Protocol::NatPmp,
        };
        assert_eq!(mapping, expected);
        Ok(())
    })
}

#[test]
fn a_router_that_ignores_pcp_is_asked_by_nat_pmp_and_lost_requests_go_out_again() -> Result<()> {
    let namespace = Namespace::create("router")?;
    inside(&namespace, async || {
        let (mut pcp, mut nat_pmp_maps) = (vec![], vec![]);
        let script = |request: &[u8]| {
            if request[0] == 2 {
                pcp.push(request.to_vec());
                return vec![];
            }
            if request.len() == 12 {
                nat_pmp_maps.push(request.to_vec());
                if nat_pmp_maps.len() == 1 {
                    return vec![];
                }
            }
            vec![nat_pmp(request)]
        };
        let mapping = with_router(script, map).await?.expect("a mapping");
        assert_eq!(mapping.protocol, Protocol::NatPmp);
        assert!(pcp.len() == 3 && pcp.iter().all(|request| *request == pcp[0]), "{pcp:?}");
        assert!(nat_pmp_maps.len() == 2 && nat_pmp_maps[0] == nat_pmp_maps[1], "{nat_pmp_maps:?}");
        Ok(())
    })
}

/// RFC 6887 §7.4: with the result, and for how long it stands.
#[test]
fn a_refusal_is_told_by_its_class() -> Result<()> {
    let namespace = Namespace::create("router")?;
    let refuse = |result: u8| {
        move |request: &[u8]| {
            let mut answer = request.to_vec();
            (answer[1], answer[3]) = (answer[1] | 128, result);
            answer[4..8].copy_from_slice(&30_u32.to_be_bytes());
            vec![answer]
        }
    };
    inside(&namespace, async || {
        let refused = with_router(refuse(2), map).await?;
        assert!(matches!(refused, Err(MapError::Refused { protocol: Protocol::Pcp, result: 2 })), "{refused:?}");
        match with_router(refuse(8), map).await? {
            Err(MapError::Unavailable { result: 8, retry_after, .. }) => {
                assert_eq!(retry_after, Some(Duration::from_secs(30)));
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

/// Nothing answers by UPnP here, which says less.
#[test]
fn of_several_failures_the_refusal_is_told() -> Result<()> {
    let namespace = Namespace::create("router")?;
    let script = |request: &[u8]| vec![vec![0, request[1] | 128, 0, if request[0] == 2 { 1 } else { 2 }, 0, 0, 0, 9]];
    inside(&namespace, async || {
        let vote = with_router(script, address).await?;
        assert!(matches!(&vote, Err(VoteError::Refused(text)) if text.contains("NatPmp result 2")), "{vote:?}");
        Ok(())
    })
}

/// Fault 72.
#[test]
fn what_answers_another_request_does_not_count() -> Result<()> {
    let namespace = Namespace::create("router")?;
    let script = |request: &[u8]| {
        let right = nat_pmp(request);
        let mut other_port = right.clone();
        for at in [9, 11] {
            if let Some(octet) = other_port.get_mut(at) {
                *octet ^= 1;
            }
        }
        let short = right.get(..right.len().saturating_sub(1)).unwrap_or_default().to_vec();
        if request.len() == 12 { vec![vec![], vec![0xff; 1500], short, other_port, right] } else { vec![right] }
    };
    inside(&namespace, async || {
        assert_eq!(with_router(script, map).await?.expect("a mapping").external_port, 40_000);
        Ok(())
    })
}

/// Answers one search with this location, from this address; `ready` opens once it listens.
async fn answer_search(from: Ipv4Addr, location: &str, ready: &Barrier) -> Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", SSDP.1)).await?;
    socket.join_multicast_v4(SSDP.0, from)?;
    ready.wait();
    let (_, client): (_, SocketAddr) = socket.recv_from(&mut [0; 2000]).await?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: {location}\r\n\r\n"
    );
    socket.send_to(answer.as_bytes(), client).await?;
    Ok(())
}

fn vote_from(world: &NatWorld) -> Result<Ipv4Addr, VoteError> {
    inside(&world.host, async || Router::new(NONCE).external_address(GATEWAY).await)
}

/// The answer of whoever else is on the LAN, and the gateway's own word that leads elsewhere.
#[test]
fn a_device_that_is_not_at_the_gateway_is_not_asked() -> Result<()> {
    let world = NatWorld::new()?;
    let listen = || StdListener::bind((NEIGHBOUR_IPV4, 5000));
    let trap = world.neighbour.enter(listen)??;
    trap.set_nonblocking(true)?;
    let location = format!("http://{NEIGHBOUR_IPV4}:5000/d");
    for (liar, from) in [(&world.neighbour, NEIGHBOUR_IPV4), (&world.router, GATEWAY)] {
        let ready = Barrier::new(2);
        thread::scope(|scope| {
            let lying =
                scope.spawn(|| inside(liar, async || timeout(PATIENCE, answer_search(from, &location, &ready)).await));
            ready.wait();
            let vote = vote_from(&world);
            assert!(matches!(vote, Err(VoteError::TimedOut)), "{vote:?}");
            lying.join().expect("no panic").expect("no search came").expect("no answer went out");
        });
        let met = trap.accept().map_err(|error| error.kind());
        assert!(matches!(met, Err(ErrorKind::WouldBlock)), "the host has asked the neighbour: {met:?}");
    }
    Ok(())
}

/// Fault 72: size limits.
#[test]
fn a_description_without_end_is_garbage() -> Result<()> {
    let world = NatWorld::new()?;
    let ready = Barrier::new(2);
    let served = thread::scope(|scope| {
        let serving = scope.spawn(|| {
            inside(&world.router, async || {
                let listener = TcpListener::bind((GATEWAY, 5000)).await?;
                answer_search(GATEWAY, &format!("http://{GATEWAY}:5000/d"), &ready).await?;
                let (mut stream, _) = listener.accept().await?;
                let mut request = vec![0; 1000];
                let length = stream.read(&mut request).await?;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n").await?;
                while stream.write_all(&[b'<'; 4096]).await.is_ok() {}
                request.truncate(length);
                Ok::<_, anyhow::Error>(request)
            })
        });
        ready.wait();
        let vote = vote_from(&world);
        assert!(matches!(vote, Err(VoteError::Garbage(_))), "{vote:?}");
        serving.join().expect("no panic")
    });
    assert!(served?.starts_with(b"GET /d HTTP/1.1\r\n"));
    Ok(())
}
