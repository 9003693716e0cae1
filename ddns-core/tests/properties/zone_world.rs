//! Zones and claims of all kinds, good and bad.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ddns_core::zone::data::{Caa, Data};
use ddns_core::zone::desired::{Claim, NameServer, Resource, ZoneSpec};
use ddns_core::zone::name::{Name, Zone};
use ddns_core::zone::rrset::Ttl;
use ddns_core::zone::soa::{Soa, mailbox};
use ddns_core::zone::text::Text;
use proptest::prelude::*;

fn zone() -> Zone {
    "example.com".parse().unwrap()
}

/// Few names, so that claims meet: hosts, services, wildcards, delegations, odd ones, and names elsewhere.
fn owner() -> impl Strategy<Value = String> {
    let known = [
        "@",
        "www",
        "mail",
        "sub",
        "ns.sub",
        "deep.sub",
        "a.deep.sub",
        "*",
        "*.sub",
        "a.*",
        "_sip._tcp",
        "ns1",
        "b.c.d",
        "_acme-challenge",
        "_x",
        "WWW",
        "www.example.net.",
        "sub.example.com.",
        r"od\.d",
        r"\000\255",
        r#"q\@\$\;\(\""#,
    ];
    prop_oneof![8 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[a-z0-9_-]{1,63}"]
}

fn name() -> impl Strategy<Value = Name> {
    owner().prop_filter_map("a name", |text| Name::relative(&text, zone().name()).ok())
}

fn host() -> impl Strategy<Value = Name> {
    prop_oneof![9 => name().prop_filter("a host", Name::is_host), 1 => Just(".".parse().unwrap())]
}

fn octets(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..longest)
}

fn data() -> impl Strategy<Value = Vec<Data>> {
    let text = prop_oneof![4 => octets(40), 1 => octets(1000)].prop_map(|text| Text::plain(&text).unwrap());
    let strings = prop::collection::vec(octets(256).prop_map(Into::into), 1..4).prop_map(|all| Text::of(all).unwrap());
    let caa = (any::<u8>(), "[a-zA-Z0-9]{1,15}", octets(300));
    let several = |one: BoxedStrategy<Data>| prop::collection::vec(one, 1..4);
    prop_oneof![
        3 => several(any::<[u8; 4]>().prop_map(|octets| Data::A(octets.into())).boxed()),
        2 => several(any::<[u8; 16]>().prop_map(|octets| Data::Aaaa(octets.into())).boxed()),
        1 => several(name().prop_map(Data::Cname).boxed()),
        2 => several(host().prop_filter("no root", |name| !name.is_root()).prop_map(Data::Ns).boxed()),
        1 => several((any::<u16>(), host()).prop_map(|(preference, exchange)| Data::Mx { preference, exchange }).boxed()),
        2 => several(prop_oneof![text, strings].prop_map(Data::Txt).boxed()),
        1 => several((any::<u16>(), any::<u16>(), any::<u16>(), host()).prop_map(|(priority, weight, port, target)| {
            Data::Srv { priority, weight, port, target }
        }).boxed()),
        1 => several(caa.prop_map(|(flags, tag, value)| Data::Caa(Caa::new(flags, &tag, value).unwrap())).boxed()),
        1 => several(name().prop_map(Data::Ptr).boxed()),
    ]
}

fn ttl() -> impl Strategy<Value = Ttl> {
    (0..=2_147_483_647_u64).prop_map(|seconds| Ttl::seconds(seconds).unwrap())
}

fn claim() -> impl Strategy<Value = Claim> {
    (0..5_u64, owner(), prop::option::of(ttl()), data()).prop_map(|(created, owner, ttl, data)| Claim {
        resource: Resource { created, uid: String::new() },
        owner,
        ttl,
        data,
    })
}

/// Resources that want to be in one zone.
pub fn claims() -> impl Strategy<Value = Vec<Claim>> {
    prop::collection::vec(claim(), 0..30).prop_map(|mut claims| {
        claims.iter_mut().enumerate().for_each(|(at, claim)| claim.resource.uid = format!("uid-{at}"));
        claims
    })
}

/// A zone that can be made whatever is claimed.
pub fn spec() -> impl Strategy<Value = ZoneSpec> {
    let addresses = prop::collection::btree_set(any::<IpAddr>(), 1..3);
    (ttl(), ttl(), addresses, any::<bool>(), "[a-z.!'-]{1,20}").prop_map(|(ttl, refresh, addresses, foreign, local)| {
        let ns1: Name = "ns1.example.com".parse().unwrap();
        let mut name_servers = vec![NameServer { name: ns1.clone(), addresses }];
        if foreign {
            name_servers.push(NameServer { name: "ns.example.net".parse().unwrap(), addresses: BTreeSet::new() });
        }
        let mailbox = mailbox(&format!("{local}@example.com")).unwrap();
        let soa = Soa { primary: ns1, mailbox, refresh, retry: ttl, expire: refresh, negative_ttl: ttl };
        ZoneSpec { zone: zone(), soa, ttl, name_servers }
    })
}
