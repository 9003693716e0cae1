//! The router's own word, against a real miniupnpd. Needs root; without it these tests fail and say so.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_core::discovery::{Epoch, Judgement, MapRequest, Protocol};
use ddns_core::ports::VoteError;
use ddns_discover::announcements::{GROUP, PORT};
use ddns_discover::{Announcement, Announcements, MapError, Router};
use ddns_testbed::nat_world::{EXTERNAL_IPV4, GATEWAY, HOST_IPV4, NEIGHBOUR_IPV4};
use ddns_testbed::{Miniupnpd, Namespace, NatWorld};

const NEXT: Ipv4Addr = Ipv4Addr::new(11, 44, 5, 6);
const WIREGUARD: u16 = 51820;
const NONCE: [u8; 12] = *b"ours, always";
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Runs a future inside a namespace.
fn inside<T: Send>(namespace: &Namespace, work: impl AsyncFnOnce() -> T + Send) -> T {
    let done = namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
        runtime.block_on(work())
    });
    done.expect("the namespace")
}

fn external_address(world: &NatWorld) -> Result<Ipv4Addr, VoteError> {
    inside(&world.host, async || Router::new(NONCE).external_address(GATEWAY).await)
}

fn wanted(lifetime: u64) -> MapRequest {
    let internal_port = NonZeroU16::new(WIREGUARD).expect("a port");
    MapRequest { internal_port, external_port: WIREGUARD, lifetime: Duration::from_secs(lifetime) }
}

fn map(namespace: &Namespace, lifetime: u64) -> Result<ddns_discover::Mapping, MapError> {
    inside(namespace, async || Router::new(NONCE).map(GATEWAY, &wanted(lifetime)).await)
}

/// The rules by which the router sends what comes from outside to this host.
fn redirections(router: &Miniupnpd<'_>, to: Ipv4Addr) -> Vec<String> {
    let rules = router.rules().expect("the rules");
    let redirections = rules.lines().filter(|line| line.contains("dnat") && line.contains(&to.to_string()));
    redirections.map(|line| line.trim().to_owned()).collect()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !condition() {
        ensure!(begun.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(POLL);
    }
    Ok(())
}

#[test]
fn the_router_tells_its_address_and_keeps_no_mapping_for_it() -> Result<()> {
    let world = NatWorld::new()?;
    let router = Miniupnpd::start(&world)?;
    assert_eq!(external_address(&world)?, EXTERNAL_IPV4);
    wait_until("no mapping is left", || redirections(&router, HOST_IPV4).is_empty())?;
    world.set_external_ipv4(NEXT)?;
    wait_until("the router tells its new address", || external_address(&world).is_ok_and(|address| address == NEXT))
}

#[test]
fn upnp_alone_tells_the_address_as_well() -> Result<()> {
    let world = NatWorld::new()?;
    let _router = Miniupnpd::start_with_upnp_alone(&world)?;
    assert_eq!(external_address(&world)?, EXTERNAL_IPV4);
    assert!(matches!(map(&world.host, 600), Err(MapError::Unsupported(_))));
    Ok(())
}

/// Fault 7: miniupnpd doesn't even give its shared address.
#[test]
fn a_router_behind_the_providers_nat_tells_no_public_address() -> Result<()> {
    let world = NatWorld::new()?;
    world.share_ipv4()?;
    let _router = Miniupnpd::start(&world)?;
    let outcome = external_address(&world);
    assert!(matches!(outcome, Err(VoteError::Refused(_))), "{outcome:?}");
    let outcome = map(&world.host, 600);
    assert!(matches!(outcome, Err(MapError::Unavailable { .. })), "{outcome:?}");
    Ok(())
}

#[test]
fn a_router_that_speaks_nothing_is_told_apart_from_one_that_is_not_there() -> Result<()> {
    let world = NatWorld::new()?;
    let outcome = external_address(&world);
    assert!(matches!(outcome, Err(VoteError::TimedOut)), "{outcome:?}");
    assert!(matches!(map(&world.host, 600), Err(MapError::Unsupported(_))));
    let nobody = Ipv4Addr::new(11, 200, 0, 1);
    world.cut()?;
    let outcome = inside(&world.host, async || Router::new(NONCE).map(nobody, &wanted(600)).await);
    assert!(matches!(outcome, Err(MapError::TimedOut)), "{outcome:?}");
    Ok(())
}

#[test]
fn a_mapping_is_made_renewed_and_ended() -> Result<()> {
    let world = NatWorld::new()?;
    let router = Miniupnpd::start(&world)?;
    let first = map(&world.host, 600)?;
    assert_eq!((first.external_port, first.external_address), (WIREGUARD, Some(EXTERNAL_IPV4)));
    assert_eq!((first.lifetime, first.protocol), (Duration::from_secs(600), Protocol::Pcp));
    let rules = redirections(&router, HOST_IPV4);
    assert!(rules.len() == 1 && rules[0].contains(&format!("dport {WIREGUARD} ")), "{rules:?}");
    let again = map(&world.host, 900)?;
    assert_eq!((again.external_port, again.lifetime), (WIREGUARD, Duration::from_secs(900)));
    assert_eq!(redirections(&router, HOST_IPV4).len(), 1);
    map(&world.host, 0)?;
    assert!(redirections(&router, HOST_IPV4).is_empty());
    Ok(())
}

#[test]
fn a_port_that_a_neighbour_has_is_not_taken_from_it() -> Result<()> {
    let world = NatWorld::new()?;
    let router = Miniupnpd::start(&world)?;
    assert_eq!(map(&world.neighbour, 600)?.external_port, WIREGUARD);
    let ours = map(&world.host, 600)?;
    assert_ne!(ours.external_port, WIREGUARD);
    let rules = redirections(&router, HOST_IPV4);
    assert!(rules.len() == 1 && rules[0].contains(&ours.external_port.to_string()), "{rules:?}");
    assert_eq!(redirections(&router, NEIGHBOUR_IPV4).len(), 1);
    Ok(())
}

/// Fault 25.
#[test]
fn a_restarted_router_has_lost_its_mappings_and_its_epoch_says_so() -> Result<()> {
    let world = NatWorld::new()?;
    let router = Miniupnpd::start(&world)?;
    let first = map(&world.host, 600)?;
    let mut epoch = Epoch::new(first.protocol);
    // As if that had been told an hour ago by a router that ran for a day.
    let at = |seconds| ddns_core::time::Instant::since_boot(Duration::from_secs(seconds));
    assert_eq!(epoch.observe(at(0), first.epoch + 86_400), Judgement::First);
    drop(router);
    let router = Miniupnpd::start(&world)?;
    assert!(redirections(&router, HOST_IPV4).is_empty());
    let again = map(&world.host, 600)?;
    assert_eq!(epoch.observe(at(3600), again.epoch), Judgement::Lost);
    assert_eq!(again.external_port, WIREGUARD);
    assert_eq!(redirections(&router, HOST_IPV4).len(), 1);
    let renewed = map(&world.host, 600)?;
    assert_eq!(epoch.observe(at(3600 + u64::from(renewed.epoch - again.epoch)), renewed.epoch), Judgement::Consistent);
    Ok(())
}

/// Hears announcements in a namespace while `cause` is at work, until one suits.
fn heard(
    namespace: &Namespace,
    cause: impl FnOnce() -> Result<()> + Send,
    suits: impl Fn(&Announcement) -> bool + Sync,
) -> Result<Announcement> {
    inside(namespace, async || {
        let announcements = Announcements::listen()?;
        cause()?;
        let waiting = async {
            loop {
                let announcement = announcements.next().await?;
                if suits(&announcement) {
                    return Ok::<_, std::io::Error>(announcement);
                }
            }
        };
        Ok(tokio::time::timeout(PATIENCE, waiting).await.context("nothing was announced")??)
    })
}

#[test]
fn a_change_of_the_routers_address_is_announced_in_both_protocols() -> Result<()> {
    let world = NatWorld::new()?;
    let _router = Miniupnpd::start(&world)?;
    let change = || world.set_external_ipv4(NEXT);
    let told = |announcement: &Announcement| announcement.external == Some(NEXT);
    let announcement = heard(&world.host, change, told)?;
    assert_eq!((announcement.from, announcement.protocol), (IpAddr::from(GATEWAY), Protocol::NatPmp));
    let back = || world.set_external_ipv4(EXTERNAL_IPV4);
    let announcement = heard(&world.host, back, |announcement| announcement.protocol == Protocol::Pcp)?;
    assert_eq!((announcement.from, announcement.external), (IpAddr::from(GATEWAY), None));
    Ok(())
}

/// Says that the external address is 66.6.6.6.
const FORGED: [u8; 12] = [0, 128, 0, 0, 0, 0, 0, 1, 66, 6, 6, 6];

fn send(from: &Namespace, address: Ipv4Addr, datagram: &[u8], to: impl Into<IpAddr> + Send) -> Result<()> {
    let to = SocketAddr::new(to.into(), PORT);
    from.enter(|| UdpSocket::bind((address, 5351))?.send_to(datagram, to).map(drop))??;
    Ok(())
}

/// Fault 26.
#[test]
fn a_forged_announcement_is_told_apart_by_its_sender() -> Result<()> {
    let world = NatWorld::new()?;
    let forge = || send(&world.neighbour, NEIGHBOUR_IPV4, &FORGED, GROUP);
    let announcement = heard(&world.host, forge, |_| true)?;
    assert_eq!(announcement.external, Some(Ipv4Addr::new(66, 6, 6, 6)));
    assert_eq!(announcement.from, IpAddr::from(NEIGHBOUR_IPV4));
    Ok(())
}

/// RFC 6886 §3.2.1: what isn't sent to the group isn't heard, so nobody beyond the link is.
#[test]
fn nothing_is_heard_that_was_sent_to_the_host_alone_and_nonsense_is_passed_over() -> Result<()> {
    let world = NatWorld::new()?;
    let right = [0, 128, 0, 0, 0, 0, 0, 9, 11, 22, 33, 44];
    let cause = || {
        send(&world.neighbour, NEIGHBOUR_IPV4, &FORGED, HOST_IPV4)?;
        send(&world.neighbour, NEIGHBOUR_IPV4, &[0; 2000], GROUP)?;
        send(&world.neighbour, NEIGHBOUR_IPV4, b"", GROUP)?;
        send(&world.neighbour, NEIGHBOUR_IPV4, &right, GROUP)
    };
    assert_eq!(heard(&world.host, cause, |_| true)?.epoch, 9);
    Ok(())
}

/// RFC 6886 §3.2.1: several clients on one host.
#[test]
fn the_address_is_shared_with_other_clients() -> Result<()> {
    let world = NatWorld::new()?;
    inside(&world.host, async || {
        let (first, second) = (Announcements::listen()?, Announcements::listen()?);
        send(&world.neighbour, NEIGHBOUR_IPV4, &FORGED, GROUP)?;
        let both = async { tokio::try_join!(first.next(), second.next()) };
        let (first, second) = tokio::time::timeout(PATIENCE, both).await.context("one hears nothing")??;
        assert_eq!(first, second);
        Ok(())
    })
}
