use super::*;

fn zone() -> Zone {
    "Example.COM".parse().unwrap()
}

fn written(name: Result<Name, NameError>) -> Result<String, NameError> {
    name.map(|name| name.to_string())
}

#[test]
fn a_name_is_in_lower_case_and_ends_in_a_dot() {
    for (text, expected) in [
        ("WWW.Example.com", "www.example.com."),
        ("www.example.com.", "www.example.com."),
        (r"a\.b.example.com", r"a\.b.example.com."),
        (r"\065\066.example", "ab.example."),
        (r"a\032b\255\;.example", r"a\032b\255\;.example."),
        ("*.example.com", "*.example.com."),
        ("_sip._tcp.example.com", "_sip._tcp.example.com."),
        (".", "."),
    ] {
        assert_eq!(written(text.parse()), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn what_is_no_name_is_refused_with_its_reason() {
    let check = |text: &str, expected| assert_eq!(text.parse::<Name>(), Err(expected), "{text}");
    check("", NameError::Empty);
    check("a..b", NameError::EmptyLabel);
    check(".a", NameError::EmptyLabel);
    check("bücher.example", NameError::NotAscii('ü'));
    check("a b.example", NameError::Character(' '));
    check("a@example.com", NameError::Character('@'));
    check(r"a\25.example", NameError::Escape);
    check(r"a\256.example", NameError::Escape);
    check("a\\", NameError::Escape);
    check("a\\ü", NameError::Escape);
    check(&"a".repeat(64), NameError::LabelTooLong("a".repeat(64)));
    assert!(NameError::Character(' ').to_string().contains("\\032"));
}

#[test]
fn a_name_has_at_most_255_octets() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert!(longest.parse::<Name>().is_ok());
    assert_eq!(format!("{longest}b").parse::<Name>(), Err(NameError::TooLong));
    let origin: Name = longest.parse().unwrap();
    assert_eq!(Name::relative("a", &origin), Err(NameError::TooLong));
}

#[test]
fn names_in_zone_files_are_relative_to_the_origin() {
    let origin = zone().name().clone();
    assert_eq!(written(Name::relative("@", &origin)), Ok("example.com.".into()));
    assert_eq!(written(Name::relative("www.example.com", &origin)), Ok("www.example.com.example.com.".into()));
    assert_eq!(written(Name::relative("www.example.net.", &origin)), Ok("www.example.net.".into()));
}

#[test]
fn a_resource_does_not_get_the_zone_twice() {
    assert_eq!(written(Name::owner("a.b", &zone())), Ok("a.b.example.com.".into()));
    assert_eq!(written(Name::owner("a.example.com.", &zone())), Ok("a.example.com.".into()));
    assert_eq!(Name::owner("a.example.com", &zone()), Err(NameError::ZoneTwice("a.example.com".into())));
    assert_eq!(Name::owner("Example.Com", &zone()), Err(NameError::ZoneTwice("Example.Com".into())));
}

#[test]
fn a_target_of_several_labels_ends_in_a_dot() {
    assert_eq!(written(Name::target("lb", &zone())), Ok("lb.example.com.".into()));
    assert_eq!(written(Name::target("@", &zone())), Ok("example.com.".into()));
    assert_eq!(written(Name::target(".", &zone())), Ok(".".into()));
    assert_eq!(written(Name::target("lb.example.net.", &zone())), Ok("lb.example.net.".into()));
    assert_eq!(Name::target("lb.example.net", &zone()), Err(NameError::Ambiguous("lb.example.net".into())));
}

#[test]
fn a_name_lies_in_a_zone_by_whole_labels() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    assert!(zone().holds(&name("example.com")) && zone().holds(&name("a.b.example.com")));
    assert!(!zone().holds(&name("aexample.com")) && !zone().holds(&name("com")));
    assert!(!zone().holds(&name(r"a\007example.com")), "an octet that looks like the length of a label");
}

#[test]
fn the_order_is_that_of_rfc_4034() {
    let sorted = [
        "example.",
        "a.example.",
        "yljkjljk.a.example.",
        "Z.a.example.",
        "zABC.a.EXAMPLE.",
        "z.example.",
        r"\001.z.example.",
        "*.z.example.",
        r"\200.z.example.",
    ];
    let names: Vec<Name> = sorted.iter().map(|text| text.parse().unwrap()).collect();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn hosts_have_letters_digits_and_inner_hyphens() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    assert!(name("a-1.example").is_host() && name(".").is_host());
    assert!(!name("_a.example").is_host() && !name("-a.example").is_host() && !name("*.example").is_host());
    assert!(name("*.example").is_host_or_wildcard() && !name("a.*.example").is_host_or_wildcard());
    assert!(name("a.*.example").has_stray_asterisk() && name("a*.example").has_stray_asterisk());
}

#[test]
fn a_zone_is_neither_the_root_nor_a_wildcard() {
    assert_eq!(".".parse::<Zone>(), Err(NameError::Root));
    assert_eq!("*.example".parse::<Zone>(), Err(NameError::WildcardZone));
}
