use super::*;
use crate::zone::soa::mailbox;

pub(crate) fn spec() -> ZoneSpec {
    let seconds = |seconds| Ttl::seconds(seconds).unwrap();
    let ns1: Name = "ns1.example.com".parse().unwrap();
    ZoneSpec {
        zone: "example.com".parse().unwrap(),
        soa: Soa {
            primary: ns1.clone(),
            mailbox: mailbox("host.master@example.com").unwrap(),
            refresh: seconds(3600),
            retry: seconds(600),
            expire: seconds(604_800),
            negative_ttl: seconds(300),
        },
        ttl: seconds(3600),
        name_servers: vec![NameServer { name: ns1, addresses: ["192.0.2.53".parse().unwrap()].into() }],
    }
}

fn claim(created: u64, uid: &str, owner: &str, kind: Kind, text: &str) -> Claim {
    let data = vec![Data::parse(kind, text, &spec().zone).unwrap()];
    Claim { resource: Resource { created, uid: uid.to_owned() }, owner: owner.to_owned(), ttl: None, data }
}

/// The claims, by age: uid, owner, type, data; and those that are rejected, with their reasons.
fn check(claims: &[(&str, &str, Kind, &str)], expected: &[(&str, &str)]) {
    let claims = claims.iter().zip(1..).map(|((uid, owner, kind, text), age)| claim(age, uid, owner, *kind, text));
    let mut claims: Vec<_> = claims.collect();
    claims.reverse();
    let desired = Desired::assemble(&spec(), &claims).unwrap();
    let told: Vec<_> = desired.rejected.iter().map(|(uid, why)| (uid.as_str(), why.reason())).collect();
    assert_eq!(told, expected, "{:?}", desired.rejected);
    assert_eq!(desired.contents.sets.len(), 2 + claims.len() - expected.len());
}

#[test]
fn of_two_resources_for_one_owner_and_type_the_oldest_wins() {
    check(&[("x", "www", Kind::A, "192.0.2.1"), ("a", "WWW", Kind::A, "192.0.2.2")], &[("a", "Conflict")]);
    let same = [claim(7, "b", "www", Kind::A, "192.0.2.1"), claim(7, "a", "www", Kind::A, "192.0.2.2")];
    let rejected = Desired::assemble(&spec(), &same).unwrap().rejected;
    assert!(matches!(&rejected["b"], Rejection::Taken { holder, .. } if holder == "a"));
}

#[test]
fn an_alias_stands_alone_and_never_at_the_apex() {
    check(&[("a", "www", Kind::Cname, "lb"), ("b", "www", Kind::A, "192.0.2.2")], &[("b", "Conflict")]);
    check(&[("a", "www", Kind::Txt, "x"), ("b", "www", Kind::Cname, "lb")], &[("b", "Conflict")]);
    check(&[("a", "@", Kind::Cname, "lb")], &[("a", "Refused")]);
    check(&[("a", "ns1", Kind::Cname, "lb")], &[("a", "Conflict")]);
}

#[test]
fn protected_and_foreign_names_are_refused() {
    check(&[("a", "www.example.net.", Kind::A, "192.0.2.2")], &[("a", "NotZone")]);
    check(&[("a", "www.example.com", Kind::A, "192.0.2.2")], &[("a", "Refused")]);
    check(&[("a", "@", Kind::Ns, "ns.example.net.")], &[("a", "Conflict")]);
    check(&[("a", "ns1", Kind::A, "192.0.2.2")], &[("a", "Conflict")]);
    check(&[("a", "_acme-challenge.www", Kind::Txt, "x")], &[("a", "Refused")]);
}

#[test]
fn what_makes_a_name_server_refuse_the_whole_zone_is_refused_alone() {
    check(&[("a", "_x", Kind::A, "192.0.2.2"), ("b", "a.*", Kind::Txt, "x")], &[("a", "Refused"), ("b", "Refused")]);
    check(&[("a", "*", Kind::Ns, "ns.example.net.")], &[("a", "Refused")]);
    check(&[("a", "*", Kind::A, "192.0.2.2"), ("b", "_x._tcp", Kind::Srv, "0 0 1 www")], &[]);
    check(&[("a", "sub", Kind::Ns, "ns.sub.example.com.")], &[("a", "Refused")]);
    check(&[("a", "www", Kind::Cname, "lb"), ("b", "@", Kind::Mx, "0 www")], &[("b", "Refused")]);
}

#[test]
fn the_host_of_a_record_is_no_alias_by_a_wildcard_either() {
    let wildcard = ("w", "*", Kind::Cname, "@");
    check(&[wildcard, ("a", "@", Kind::Srv, "0 0 1 www")], &[("a", "Refused")]);
    check(&[wildcard, ("a", "@", Kind::Srv, "0 0 1 www"), ("b", "x.www", Kind::Txt, "x")], &[]);
}

#[test]
fn where_a_rejected_record_leaves_its_name_to_a_wildcard_others_are_looked_at_again() {
    check(
        &[("w", "*", Kind::Cname, "@"), ("a", "www", Kind::Mx, "0 other"), ("b", "m", Kind::Mx, "0 www")],
        &[("a", "Refused"), ("b", "Refused")],
    );
}

#[test]
fn beneath_a_delegation_only_glue_is_served() {
    let ns = ("ns", "sub", Kind::Ns, "ns.sub.example.com.");
    let glue = ("glue", "ns.sub", Kind::A, "192.0.2.2");
    check(&[ns, glue], &[]);
    check(
        &[ns, glue, ("x", "www.sub", Kind::A, "192.0.2.2"), ("y", "sub", Kind::Txt, "x")],
        &[("x", "NotZone"), ("y", "NotZone")],
    );
    check(&[ns, glue, ("x", "deep.sub", Kind::Ns, "ns.example.net.")], &[("x", "NotZone")]);
}

#[test]
fn a_zone_whose_name_server_has_no_address_is_not_made() {
    let mut without = spec();
    without.name_servers[0].addresses.clear();
    let ns1 = without.name_servers[0].name.clone();
    let fault = ZoneFault::NoAddress { owner: without.zone.name().clone(), target: ns1 };
    assert_eq!(Desired::assemble(&without, &[]), Err(vec![fault]));
    assert!(Desired::assemble(&without, &[claim(1, "a", "ns1", Kind::Aaaa, "2001:db8::1")]).is_ok());
    without.name_servers.clear();
    assert_eq!(Desired::assemble(&without, &[]), Err(vec![ZoneFault::NoNameServer]));
}
