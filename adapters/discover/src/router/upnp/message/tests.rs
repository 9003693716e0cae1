use proptest::prelude::*;

use super::*;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
const DESCRIPTION: &str = r#"<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0" configId="1337"><device><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/ctl/L3F</controlURL></service>
</serviceList><deviceList><device><serviceList>
<service><serviceType> urn:schemas-upnp-org:service:WANIPConnection:1 </serviceType><SCPDURL>/x</SCPDURL><controlURL>/ctl/IPConn?a=1&amp;b=2</controlURL></service>
</serviceList></device></deviceList></device></root>"#;

fn place(path: &str) -> Place {
    Place { address: SocketAddrV4::new(GATEWAY, 5000), path: path.to_owned() }
}

fn found(location: &str) -> Option<Place> {
    let answer = format!("HTTP/1.1 200 OK\r\nST: x\r\nlocation: {location}\r\nEXT:\r\n\r\n");
    super::location(answer.as_bytes(), GATEWAY)
}

#[test]
fn a_location_at_the_gateway_is_found() {
    assert_eq!(found("http://192.168.7.1:5000/rootDesc.xml"), Some(place("/rootDesc.xml")));
    assert_eq!(found("http://192.168.7.1:5000"), Some(place("/")));
    assert_eq!(found("http://192.168.7.1/d").map(|place| place.address.port()), Some(80));
}

/// A router, or who poses as it, sends us nowhere else and writes no request for us.
#[test]
fn a_location_anywhere_else_is_none() {
    for url in [
        "http://192.168.7.9:5000/rootDesc.xml",
        "http://11.22.33.44/",
        "http://router.test/",
        "http://192.168.7.1@evil.test/",
        "http://192.168.7.1:0/",
        "http://192.168.7.1:70000/",
        "http://[::1]/",
        "https://192.168.7.1/",
        "ftp://192.168.7.1/",
        "http://192.168.7.1/a b",
        "http://192.168.7.1/\u{e4}",
        "http://192.168.7.1/#f",
        "/rootDesc.xml",
        "",
    ] {
        assert_eq!(found(url), None, "{url}");
    }
    assert_eq!(found(&format!("http://192.168.7.1/{}", "x".repeat(600))), None);
    assert_eq!(location(b"HTTP/1.1 404 Not Found\r\nLOCATION: http://192.168.7.1/\r\n\r\n", GATEWAY), None);
    assert_eq!(location(b"NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.7.1/\r\n\r\n", GATEWAY), None);
    assert_eq!(location(b"HTTP/1.1 200 OK\r\n\r\nLOCATION: http://192.168.7.1/\r\n", GATEWAY), None, "in the body");
}

#[test]
fn the_wan_connection_is_found_among_the_services() {
    let expected = Some((place("/ctl/IPConn?a=1&b=2"), SERVICES[1]));
    assert_eq!(control(DESCRIPTION.as_bytes(), &place("/d")), expected);
    let ppp = DESCRIPTION.replace("WANIPConnection", "WANPPPConnection");
    assert_eq!(control(ppp.as_bytes(), &place("/d")).map(|found| found.1), Some(SERVICES[2]));
    let relative = DESCRIPTION.replace(">/ctl/IPConn?a=1&amp;b=2<", ">ctl<");
    assert_eq!(control(relative.as_bytes(), &place("/d")).map(|found| found.0), Some(place("/ctl")));
    let base =
        DESCRIPTION.replace("<device><serviceList>", "<URLBase>http://192.168.7.1:80/</URLBase><device><serviceList>");
    assert_eq!(control(base.as_bytes(), &place("/d")).map(|found| found.0.address.port()), Some(80));
    assert_eq!(control(DESCRIPTION.replace("WANIP", "LANIP").as_bytes(), &place("/d")), None);
}

#[test]
fn control_elsewhere_than_at_the_gateway_is_none() {
    let elsewhere = DESCRIPTION.replace(">/ctl/IPConn", ">http://192.168.7.9/ctl/IPConn");
    assert_eq!(control(elsewhere.as_bytes(), &place("/d")), None);
    let base = DESCRIPTION.replace("<device><serviceList>", "<URLBase>http://11.0.0.1/</URLBase><device><serviceList>");
    assert_eq!(control(base.as_bytes(), &place("/d")), None);
    let split = DESCRIPTION.replace("/ctl/IPConn", "/ctl HTTP/1.1\r\nX: y\r\n");
    assert_eq!(control(split.as_bytes(), &place("/d")), None);
}

fn answer(inner: &str) -> Result<Ipv4Addr, VoteError> {
    external_address(
        format!("<s:Envelope><s:Body><u:{ACTION}Response>{inner}</u:{ACTION}Response></s:Body>").as_bytes(),
    )
}

#[test]
fn the_answer_holds_one_address_or_none() {
    let right = Ipv4Addr::new(11, 22, 33, 44);
    assert_eq!(answer("<NewExternalIPAddress>11.22.33.44</NewExternalIPAddress>").unwrap(), right);
    let typed = "<NewExternalIPAddress xmlns:dt=\"x\" dt:dt=\"string\">\n11.22.33.44 </NewExternalIPAddress>";
    assert_eq!(answer(typed).unwrap(), right);
    for nothing in ["", "0.0.0.0"] {
        let outcome = answer(&format!("<NewExternalIPAddress>{nothing}</NewExternalIPAddress>"));
        assert!(matches!(outcome, Err(VoteError::Refused(_))), "{nothing}");
    }
    for garbage in ["<NewExternalIPAddress>x</NewExternalIPAddress>", "<NewExternalIPAddress>11.22.33.44", ""] {
        assert!(matches!(answer(garbage), Err(VoteError::Garbage(_))), "{garbage}");
    }
}

#[test]
fn a_fault_is_a_refusal_with_its_code() {
    let body = b"<s:Fault><detail><UPnPError><errorCode>501</errorCode></UPnPError></detail></s:Fault>";
    assert_eq!(refused(500, body).to_string(), "refused: status 500, UPnP error 501");
    assert_eq!(refused(404, b"\xff<errorCode>501</errorCode>").to_string(), "refused: status 404");
    assert_eq!(refused(500, b"<errorCode>a\nb</errorCode>").to_string(), "refused: status 500");
}

proptest! {
    /// Fault 72.
    #[test]
    fn no_text_is_too_strange(text in "(<|</|>|service|serviceType|controlURL|URLBase|http://192.168.7.1|http://1.2.3.4|/|x| |\r\n|urn:schemas-upnp-org:service:WANIPConnection:1|\\PC){0,40}") {
        if let Some((control, _)) = control(text.as_bytes(), &place("/d")) {
            prop_assert_eq!(*control.address.ip(), GATEWAY);
            prop_assert!(control.path.starts_with('/') && control.path.bytes().all(|octet| octet.is_ascii_graphic()));
        }
        let _ = external_address(text.as_bytes());
        if let Some(place) = location(format!("HTTP/1.1 200 OK\r\nLOCATION: {text}\r\n").as_bytes(), GATEWAY) {
            prop_assert_eq!(*place.address.ip(), GATEWAY);
        }
    }
}
