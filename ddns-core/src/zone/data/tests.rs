use super::*;

fn zone() -> Zone {
    "example.com".parse().unwrap()
}

fn parse(kind: Kind, text: &str) -> Result<Data, DataError> {
    Data::parse(kind, text, &zone())
}

#[test]
fn data_is_read_and_written_by_type() {
    for (kind, text, expected) in [
        (Kind::A, "192.0.2.1", "192.0.2.1"),
        (Kind::Aaaa, "2001:DB8:0::1", "2001:db8::1"),
        (Kind::Cname, "www", "www.example.com."),
        (Kind::Mx, "10 mail", "10 mail.example.com."),
        (Kind::Mx, "0 .", "0 ."),
        (Kind::Ns, "NS1.example.net.", "ns1.example.net."),
        (Kind::Srv, "1 2 5060 sip", "1 2 5060 sip.example.com."),
        (Kind::Caa, r#"0 Issue "ca.example; policy=ev""#, r#"0 issue "ca.example; policy=ev""#),
        (Kind::Ptr, "_http._tcp.example.com.", "_http._tcp.example.com."),
        (Kind::Txt, r#"v=spf1 "a b" "\"""#, r#""v=spf1" "a b" "\"""#),
    ] {
        assert_eq!(parse(kind, text).map(|data| data.to_string()), Ok(expected.to_owned()), "{kind} {text}");
    }
}

#[test]
fn an_error_names_field_value_and_remedy() {
    let check = |kind, text: &str, field: &str, value: &str, fault: Fault| {
        let error = parse(kind, text).unwrap_err();
        assert_eq!((error.field, error.value.as_str(), &error.fault), (field, value, &fault), "{kind} {text}");
    };
    check(Kind::A, "192.0.2.256", "address", "192.0.2.256", Fault::Ipv4);
    check(Kind::Aaaa, "192.0.2.1", "address", "192.0.2.1", Fault::Ipv6);
    check(Kind::Mx, "65536 mail", "preference", "65536", Fault::Number(65535));
    check(Kind::Mx, "10", "exchange", "", Fault::Missing);
    check(Kind::Mx, "10 _mail", "exchange", "_mail.example.com.", Fault::Host);
    check(
        Kind::Cname,
        "www.example.net",
        "target",
        "www.example.net",
        Fault::Name(NameError::Ambiguous("www.example.net".into())),
    );
    check(Kind::Srv, "1 2 x sip", "port", "x", Fault::Number(65535));
    check(Kind::Caa, "0 is-sue ca", "tag", "is-sue", Fault::Tag);
    check(Kind::Caa, "256 issue ca", "flags", "256", Fault::Number(255));
    check(Kind::Caa, "0 issue ca policy", "data", "policy", Fault::Surplus);
    check(Kind::Txt, "", "text", "", Fault::Text(TextError::None));
    check(Kind::Txt, &"a".repeat(256), "text", "", Fault::Text(TextError::StringTooLong));
    check(Kind::Txt, "\"a", "data", "\"a", Fault::Unbalanced);
    check(Kind::Soa, "a b 1 2 3 4 5", "type", "SOA", Fault::Soa);
    let shown = parse(Kind::A, "300.1.1.1").unwrap_err().to_string();
    assert_eq!(shown, "address: \"300.1.1.1\": this is no IPv4 address; write one such as 192.0.2.1");
}
