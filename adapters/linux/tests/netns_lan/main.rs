//! The look at the local network, against routers in network namespaces. Needs root and nftables.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../netns_kernel/namespace.rs"]
mod namespace;
mod scene;

use std::net::IpAddr;

use ddns_core::address::Family;
use ddns_core::ports::LanReport;
use ddns_linux::{LanProbe, Way};

use scene::{ANYBODY, NOBODY, OTHER, ROUTER, ROUTER_V6, Scene, give_up_all};

fn router() -> IpAddr {
    ROUTER.parse().unwrap()
}

/// A probe of the one router, by IPv4.
fn probe(way: Way) -> LanProbe {
    let probe = LanProbe::new(Some(router()));
    assert_eq!(probe.ways(), Family::ALL.map(|family| (family, way)));
    probe
}

fn look(scene: &Scene, probe: &LanProbe) -> LanReport {
    let report = scene.block_on(probe.look());
    assert_eq!(report.routers.iter().filter(|(address, _)| *address == router()).count(), 1, "{report:?}");
    report
}

/// Nothing but a ping gets an answer of this router.
fn only_pings(scene: &Scene) {
    scene.router_drops("meta l4proto tcp");
}

#[test]
fn a_router_that_answers_pings_is_there_over_both_families() {
    for (pings, way) in [(ANYBODY, Way::Datagram), (NOBODY, Way::Raw)] {
        Scene::run(pings, |scene| {
            only_pings(scene);
            let probe = LanProbe::new(None);
            assert_eq!(probe.ways(), Family::ALL.map(|family| (family, way)));
            for _ in 0..2 {
                let report = look(scene, &probe);
                let all = [(router(), None), (ROUTER_V6.parse().unwrap(), None)];
                assert_eq!(report, LanReport { carrier: Some(true), routers: all.into() }, "{way:?}");
            }
        });
    }
}

/// What was opened before works without rights.
#[test]
fn a_raw_socket_is_opened_before_rights_are_given_up() {
    Scene::run(NOBODY, |scene| {
        only_pings(scene);
        let probe = probe(Way::Raw);
        give_up_all();
        assert_eq!(look(scene, &probe).router_answers(), Some(true));
    });
}

#[test]
fn a_silent_router_is_told_with_what_was_tried() {
    Scene::run(ANYBODY, |scene| {
        scene.router_drops("meta l4proto { icmp, tcp }");
        let report = look(scene, &probe(Way::Datagram));
        assert_eq!((report.carrier, report.router_answers()), (Some(true), Some(false)));
        let reason = report.routers[0].1.as_ref().unwrap();
        assert!(reason.contains("pings") && reason.contains("53, 80 and 443"), "{reason}");
    });
}

/// FAULTS 16: a ping that is dropped says nothing. A refusal comes from somebody.
#[test]
fn a_router_that_drops_pings_is_heard_on_tcp() {
    Scene::run(ANYBODY, |scene| {
        scene.router_drops("meta l4proto icmp");
        let probe = probe(Way::Datagram);
        assert_eq!(look(scene, &probe).router_answers(), Some(true), "a refusal");
        scene.router_drops("tcp dport { 53, 443 }");
        let listener = scene.router_listens(80);
        assert_eq!(look(scene, &probe).router_answers(), Some(true), "a connection");
        drop(listener);
        scene.router_drops("tcp dport 80");
        assert_eq!(look(scene, &probe).router_answers(), Some(false));
    });
}

#[test]
fn without_the_right_to_ping_tcp_is_left() {
    Scene::run(NOBODY, |scene| {
        give_up_all();
        let probe = probe(Way::Tcp);
        assert_eq!(look(scene, &probe).router_answers(), Some(true));
        only_pings(scene);
        assert_eq!(look(scene, &probe).router_answers(), Some(false), "no ping is sent");
        assert_eq!(scene.sent(), 0);
    });
}

/// FAULTS 15. The routes have gone with the carrier; who was the router is still known.
#[test]
fn a_cable_that_is_out_is_seen_and_its_router_remembered() {
    Scene::run(ANYBODY, |scene| {
        let probe = LanProbe::new(None);
        assert_eq!(probe.glance().carrier, Some(true));
        scene.router.ip("link set lan0 down");
        let report = look(scene, &probe);
        assert_eq!((report.carrier, report.router_answers()), (Some(false), Some(false)), "{report:?}");
        scene.router.ip("link set lan0 up");
        assert_eq!(probe.glance().carrier, Some(true));
        assert_eq!(look(scene, &probe).router_answers(), Some(true));
    });
}

#[test]
fn of_an_interface_that_has_gone_nothing_is_known_but_its_router() {
    Scene::run(ANYBODY, |scene| {
        let probe = LanProbe::new(None);
        probe.glance();
        scene.host.ip("link del wan0");
        let report = look(scene, &probe);
        assert_eq!((report.carrier, report.router_answers()), (None, Some(false)), "{report:?}");
        assert_eq!(report.routers.len(), 2, "{report:?}");
    });
}

/// A host that never had a way out has nobody to ask.
#[test]
fn without_a_route_nobody_is_asked_but_the_configured_router() {
    Scene::run(ANYBODY, |scene| {
        scene.host.ip("route del default");
        scene.host.ip("-6 route del default");
        let report = scene.block_on(LanProbe::new(None).look());
        assert_eq!((report.routers.len(), report.router_answers()), (0, None));
        assert_eq!(look(scene, &probe(Way::Datagram)).router_answers(), Some(true));
        let elsewhere = LanProbe::new(Some(OTHER.into()));
        assert_eq!(scene.block_on(elsewhere.look()).routers, [(IpAddr::from(OTHER), None)]);
    });
}

#[test]
fn a_glance_sends_nothing() {
    Scene::run(ANYBODY, |scene| {
        let probe = probe(Way::Datagram);
        assert!(probe.glance().routers.is_empty());
        assert_eq!(scene.sent(), 0);
        look(scene, &probe);
        assert!(scene.sent() > 0);
    });
}

/// Somebody else in the network, or a router's neighbour, answers; a raw socket hears answers that are not for it.
#[test]
fn a_forged_answer_is_not_believed() {
    type Forge = fn(&mut [u8]);
    let ours: std::net::Ipv4Addr = ROUTER.parse().unwrap();
    let cases: [(&str, std::net::Ipv4Addr, Forge, bool); 5] = [
        ("the right one", ours, |_| {}, true),
        ("another identifier", ours, |message| message[4] ^= 1, false),
        ("another sequence", ours, |message| message[6] ^= 1, false),
        ("another payload", ours, |message| message[8] ^= 1, false),
        ("another sender", OTHER, |_| {}, false),
    ];
    for (pings, way) in [(ANYBODY, Way::Datagram), (NOBODY, Way::Raw)] {
        Scene::run(pings, |scene| {
            only_pings(scene);
            scene.router.sysctl("net/ipv4/icmp_echo_ignore_all", "1");
            let probe = probe(way);
            for (what, from, forge, believed) in cases {
                let report = scene.answering(from, forge, || look(scene, &probe));
                assert_eq!(report.router_answers(), Some(believed), "{what}, {way:?}: {report:?}");
            }
        });
    }
}
