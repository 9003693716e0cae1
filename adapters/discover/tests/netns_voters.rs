//! The voters against real servers, from behind a NAT. Needs root; without it these tests fail and say so.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use ddns_core::address::Family;
use ddns_core::config::{Endpoint, HostPort};
use ddns_core::ports::{VoteError, Voter};
use ddns_discover::{EchoVoter, StunVoter, WhoamiType, WhoamiVoter};
use ddns_http::{HttpStack, Limits};
use ddns_testbed::certificates::Validity;
use ddns_testbed::nat_world::{
    CARRIER_IPV4, ECHO_ADDRESSES, EXTERNAL_IPV4, HOST_IPV6, STUN_ADDRESSES, WHOAMI_ADDRESSES,
};
use ddns_testbed::whoami::WHOAMI_NAME;
use ddns_testbed::{Authority, Coturn, EchoMode, EchoServer, Identity, NatWorld, Whoami};

const NEXT: Ipv4Addr = Ipv4Addr::new(11, 44, 5, 6);
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    handshake: Duration::from_secs(10),
    answer: Duration::from_secs(20),
    body: 4096,
};
const IMPATIENT: Limits = Limits {
    connect: Duration::from_millis(300),
    handshake: Duration::from_millis(300),
    answer: Duration::from_millis(300),
    body: 4096,
};

/// Asks from the host.
fn ask(world: &NatWorld, voter: &impl Voter, family: Family) -> Result<IpAddr, VoteError> {
    let asked = world.host.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
        runtime.block_on(voter.ask(family))
    });
    asked.expect("the host's namespace")
}

/// The voter sees the router's address and the host's, and the router's next address after a change; whoever asks another
/// server than the one of the family would not.
fn check_through_the_nat(world: &NatWorld, voter: &impl Voter) {
    assert_eq!(ask(world, voter, Family::V4).expect("IPv4"), EXTERNAL_IPV4);
    assert_eq!(ask(world, voter, Family::V6).expect("IPv6"), HOST_IPV6);
    world.set_external_ipv4(NEXT).expect("changed");
    assert_eq!(ask(world, voter, Family::V4).expect("IPv4 after the change"), NEXT);
    world.share_ipv4().expect("shared");
    assert_eq!(ask(world, voter, Family::V4).expect("IPv4 behind the carrier"), CARRIER_IPV4);
}

fn authority_and_identity() -> (Authority, Identity) {
    let authority = Authority::new().expect("an authority");
    let names = ECHO_ADDRESSES.map(|address| address.to_string());
    let identity = authority.issue(&[&names[0], &names[1]]).expect("an identity");
    (authority, identity)
}

fn echo_server(world: &NatWorld, identity: &Identity) -> EchoServer {
    EchoServer::start(&world.internet, &ECHO_ADDRESSES, identity.server_config().expect("TLS")).expect("an echo server")
}

fn echo_voter(server: &EchoServer, trusted: &Authority, limits: Limits) -> EchoVoter {
    let stack = HttpStack::new(Some(trusted.pem().as_bytes())).expect("a stack");
    let urls = server.urls();
    let transport = |url: &str| stack.http1(Endpoint::parse(url).expect("a URL"), limits);
    EchoVoter::new(transport(&urls[0]), transport(&urls[1]))
}

/// Trap 17.
#[test]
fn an_echo_service_sees_the_router_for_ipv4_and_the_host_for_ipv6() {
    let world = NatWorld::new().expect("a world");
    let (authority, identity) = authority_and_identity();
    let server = echo_server(&world, &identity);
    check_through_the_nat(&world, &echo_voter(&server, &authority, LIMITS));
    let clients: [IpAddr; 4] = [EXTERNAL_IPV4.into(), HOST_IPV6.into(), NEXT.into(), CARRIER_IPV4.into()];
    assert_eq!(server.clients(), clients);
    server.set(EchoMode::Trace);
    let voter = echo_voter(&server, &authority, LIMITS);
    assert_eq!(ask(&world, &voter, Family::V6).expect("the trace"), HOST_IPV6);
}

/// Trap 9, fault 18: what isn't an address alone never becomes one.
#[test]
fn an_echo_service_that_answers_wrongly_is_told_apart() {
    let world = NatWorld::new().expect("a world");
    let (authority, identity) = authority_and_identity();
    let server = echo_server(&world, &identity);
    let outcome = |mode: EchoMode| {
        server.set(mode);
        ask(&world, &echo_voter(&server, &authority, LIMITS), Family::V4)
    };
    assert!(matches!(outcome(EchoMode::Page), Err(VoteError::Page(_))));
    let elsewhere = server.urls()[1].clone();
    assert!(matches!(outcome(EchoMode::Redirect(elsewhere)), Err(VoteError::Page(_))));
    assert!(matches!(outcome(EchoMode::Status(429)), Err(VoteError::Refused(_))));
    assert!(matches!(outcome(EchoMode::Status(511)), Err(VoteError::Page(_))));
    assert!(matches!(outcome(EchoMode::Body(vec![b'1'; 1 << 20])), Err(VoteError::Garbage(_))));
    assert!(matches!(outcome(EchoMode::Body(b"{\"ip\":\"11.0.0.1\"}".to_vec())), Err(VoteError::Garbage(_))));
    // Whether the address fits is for the caller to judge.
    for address in ["2a00::66", "127.0.0.1", "11.66.66.66"] {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(outcome(EchoMode::Fixed(address)).expect("an address"), address);
    }
    assert!(server.clients().iter().all(|client| *client == EXTERNAL_IPV4), "the redirect was followed");
}

/// Fault 18.
#[test]
fn an_echo_service_with_a_certificate_of_somebody_else_is_not_heard() {
    let world = NatWorld::new().expect("a world");
    let (authority, own) = authority_and_identity();
    let (_, foreign) = authority_and_identity();
    let names = ECHO_ADDRESSES.map(|address| address.to_string());
    let expired = authority.issue_with(&[&names[0], &names[1]], Validity::Expired).expect("an identity");
    let misnamed = authority.issue_for_wrong_name().expect("an identity");
    let server = echo_server(&world, &own);
    for identity in [foreign, expired, misnamed] {
        server.present(identity.server_config().expect("TLS"));
        let outcome = ask(&world, &echo_voter(&server, &authority, LIMITS), Family::V4);
        assert!(matches!(outcome, Err(VoteError::Intercepted(_))), "{outcome:?}");
    }
    assert!(server.clients().is_empty());
    server.present(own.server_config().expect("TLS"));
    assert_eq!(ask(&world, &echo_voter(&server, &authority, LIMITS), Family::V4).expect("itself again"), EXTERNAL_IPV4);
}

/// Faults 20 and 22.
#[test]
fn an_echo_service_that_hangs_or_is_cut_off_times_out() {
    let world = NatWorld::new().expect("a world");
    let (authority, identity) = authority_and_identity();
    let server = echo_server(&world, &identity);
    server.set(EchoMode::Hang);
    let voter = echo_voter(&server, &authority, IMPATIENT);
    assert!(matches!(ask(&world, &voter, Family::V4), Err(VoteError::TimedOut)));
    server.set(EchoMode::Right);
    world.cut().expect("cut");
    let outcome = ask(&world, &voter, Family::V4);
    assert!(matches!(outcome, Err(VoteError::TimedOut | VoteError::Unreachable(_))), "{outcome:?}");
}

fn stun_voter(server: SocketAddr) -> StunVoter {
    StunVoter::new(HostPort { host: server.ip().to_string(), port: server.port() })
}

/// Asks each family at its own server.
struct Both<V>([V; 2]);

#[async_trait::async_trait]
impl<V: Voter> Voter for Both<V> {
    async fn ask(&self, family: Family) -> Result<IpAddr, VoteError> {
        let [v4, v6] = &self.0;
        match family {
            Family::V4 => v4.ask(family).await,
            Family::V6 => v6.ask(family).await,
        }
    }
}

#[test]
fn coturn_sees_the_router_for_ipv4_and_the_host_for_ipv6() {
    let world = NatWorld::new().expect("a world");
    let coturn = Coturn::start(&world.internet, &STUN_ADDRESSES).expect("coturn");
    let servers = [coturn.addresses()[0], coturn.addresses()[1]];
    check_through_the_nat(&world, &Both(servers.map(stun_voter)));
}

/// Faults 14 and 22, trap 17.
#[test]
fn a_stun_server_of_the_other_family_behind_a_cut_or_not_there_gives_no_vote() {
    let world = NatWorld::new().expect("a world");
    let [v4, v6] = STUN_ADDRESSES.map(|address| stun_voter(SocketAddr::new(address, 3478)));
    assert!(matches!(ask(&world, &v4, Family::V6), Err(VoteError::Unsupported(Family::V6))));
    assert!(matches!(ask(&world, &v6, Family::V4), Err(VoteError::Unsupported(Family::V4))));
    assert!(matches!(ask(&world, &v4, Family::V4), Err(VoteError::Unreachable(_))), "nobody listens");
    world.cut().expect("cut");
    assert!(matches!(ask(&world, &v4, Family::V4), Err(VoteError::TimedOut)));
}

fn whoami_voter(rtype: WhoamiType, name: &str) -> WhoamiVoter {
    let stack = HttpStack::new(None).expect("a stack");
    let transport =
        |address: IpAddr| std::sync::Arc::new(stack.dns(HostPort { host: address.to_string(), port: 53 }, LIMITS));
    let [v4, v6] = WHOAMI_ADDRESSES.map(transport);
    WhoamiVoter::new(v4, v6, name.parse().expect("a name"), rtype)
}

#[test]
fn knot_sees_the_router_for_ipv4_and_the_host_for_ipv6() {
    let world = NatWorld::new().expect("a world");
    let _whoami = Whoami::start(&world.internet, &WHOAMI_ADDRESSES).expect("knotd");
    check_through_the_nat(&world, &whoami_voter(WhoamiType::Address, WHOAMI_NAME));
}

#[test]
fn a_name_server_that_refuses_or_has_no_such_record_gives_no_vote() {
    let world = NatWorld::new().expect("a world");
    let _whoami = Whoami::start(&world.internet, &WHOAMI_ADDRESSES).expect("knotd");
    let outcome = ask(&world, &whoami_voter(WhoamiType::Address, "elsewhere.test"), Family::V4);
    assert!(matches!(outcome, Err(VoteError::Refused(_))), "{outcome:?}");
    let outcome = ask(&world, &whoami_voter(WhoamiType::Txt, WHOAMI_NAME), Family::V4);
    assert!(matches!(outcome, Err(VoteError::Garbage(_))), "{outcome:?}");
}
