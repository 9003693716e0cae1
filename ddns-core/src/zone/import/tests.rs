use super::*;
use crate::zone::render::render;

const SOA: &str = "@ 60 SOA ns1 host.master 7 1h 10m 1w 300\n";

fn zone() -> Zone {
    "example.com".parse().unwrap()
}

fn faults(text: &str) -> Vec<(usize, ImportFault)> {
    import(text, &zone()).unwrap_err().into_iter().map(|error| (error.line, error.fault)).collect()
}

#[test]
fn a_file_written_by_hand_is_understood() {
    let text = r#"
$TTL 1h30m            ; a comment; with another
$ORIGIN com.
example IN SOA ns1.example admin\.of.example. (
        2024010101  ; serial
        3600 600 1w 5m )
        IN NS ns1.example
$ORIGIN example.com.
ns1     A   192.0.2.1
        300 IN AAAA 2001:db8::1
www     IN 60 A ( 192.0.2.2
                )
        60 A 192.0.2.3
@       MX 10 mail.example.net.
txt     TXT "a;b" c "\"d\\"
"#;
    let imported = import(text, &zone()).unwrap();
    let expected = r#"example.com. 5400 IN SOA ns1.example.com. admin\.of.example. ( 2024010101 3600 600 604800 300 )
example.com. 5400 IN NS ns1.example.com.
example.com. 5400 IN MX 10 mail.example.net.
ns1.example.com. 5400 IN A 192.0.2.1
ns1.example.com. 300 IN AAAA 2001:db8::1
txt.example.com. 5400 IN TXT "a;b" "c" "\"d\\"
www.example.com. 60 IN A 192.0.2.2
www.example.com. 60 IN A 192.0.2.3
"#;
    assert_eq!(render(&imported.contents, imported.serial), expected);
    assert_eq!(imported.contents.faults(), []);
}

#[test]
fn everything_that_is_not_understood_is_named_with_its_line() {
    let text = format!(
        "{SOA}$INCLUDE other\na HINFO x y\nb CH A 192.0.2.1\nc A 192.0.2.300\nd 9x A 192.0.2.1\n\
         www.example.net. A 192.0.2.1\ne\nf..g A 192.0.2.1\n A 192.0.2.1\n\"x\nh )\n$TTL\ni 1 A 192.0.2.1\ni 2 A 192.0.2.2\n\
         @ SOA a b 1 2 3 4 5\nj RRSIG x\nk CNAME a\nk CNAME b\n"
    );
    let told = faults(&text);
    let expected: Vec<usize> = (2..=13).chain([15, 16, 17, 19]).collect();
    assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), expected, "{told:?}");
    let fault = |line| told.iter().find(|(at, _)| *at == line).map(|(_, fault)| fault.clone()).unwrap();
    assert_eq!(fault(2), ImportFault::Directive("$INCLUDE".into()));
    assert_eq!(fault(3), ImportFault::Kind(KindError::Unknown("HINFO".into())));
    assert_eq!(fault(4), ImportFault::Class("CH".into()));
    assert_eq!(fault(6), ImportFault::Time("9x".into()));
    assert_eq!(fault(10), ImportFault::NoOwner);
    assert_eq!((fault(11), fault(12)), (ImportFault::Quote, ImportFault::Close));
    assert_eq!(fault(16), ImportFault::SurplusSoa);
    assert_eq!(fault(17), ImportFault::Kind(KindError::Dnssec("RRSIG".into())));
}

#[test]
fn a_zone_begins_with_its_soa_record() {
    assert_eq!(faults(""), [(1, ImportFault::NoSoa)]);
    assert_eq!(faults("@ 60 SOA ns1 host 4294967296 1 1 1 1"), [(1, ImportFault::Soa), (1, ImportFault::NoSoa)]);
    assert_eq!(faults("a 60 SOA ns1 host 1 1 1 1 1")[0], (1, ImportFault::SurplusSoa));
    assert_eq!(faults(&format!("{SOA}a (\n"))[0], (2, ImportFault::Open));
}

#[test]
fn a_time_to_live_comes_from_the_record_the_directive_or_the_record_before() {
    let ttl = |text: &str| {
        let imported = import(&format!("{SOA}{text}"), &zone()).unwrap();
        imported.contents.sets.get(&"a.example.com".parse().unwrap(), Kind::A).unwrap().ttl().get()
    };
    assert_eq!(ttl("a A 192.0.2.1"), 60);
    assert_eq!(ttl("b 5 A 192.0.2.1\na A 192.0.2.1"), 5);
    assert_eq!(ttl("$TTL 9\nb 5 A 192.0.2.1\na A 192.0.2.1"), 9);
    assert_eq!(faults("a A 192.0.2.1")[0], (1, ImportFault::NoTtl));
    assert_eq!(faults(&format!("{SOA}a 4000w A 192.0.2.1"))[0], (2, ImportFault::TooLong(TtlError(2_419_200_000))));
}
