use std::time::Duration;

use anyhow::Result;
use ddns_core::ports::{PlugAddress, PlugOrder};
use ddns_testbed::PlugSetup;

use super::bench::{Environment, KINDS, PASSWORD, build, environment, start, start_as, told, with_password};

#[tokio::test]
async fn a_kept_plug_is_switched_on_whatever_the_configuration_says() -> Result<()> {
    for kind in KINDS {
        let plug = start(kind)?;
        let configured = build(&with_password(environment(kind, plug.address()), PASSWORD));
        let choice = configured.plugs.as_ref().and_then(|plugs| plugs.configured().cloned()).expect("a plug");
        let kept = serde_json::to_string(&choice.plug)?;
        assert!(!kept.contains("horse"), "{kept}");
        let kept: PlugAddress = serde_json::from_str(&kept)?;
        plug.press(false);
        let plugs = build(&Environment::new()).plugs.expect("no plug is configured, and that is in order");
        assert!(plugs.configured().is_none());
        assert!(plugs.open(&kept).carry_out(PlugOrder::On).await?.on, "{kind}");
        assert!(plug.is_on(), "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn the_password_goes_to_the_configured_plug_alone() -> Result<()> {
    for kind in KINDS {
        let guarded = || PlugSetup { password: Some(PASSWORD.to_owned()), ..PlugSetup::default() };
        let (ours, other) = (start_as(kind, guarded())?, start_as(kind, guarded())?);
        let built = build(&with_password(environment(kind, ours.address()), PASSWORD));
        let plugs = built.plugs.as_ref().expect("a plug");
        let mut address = plugs.configured().expect("a plug").plug.clone();
        assert!(plugs.open(&address).carry_out(PlugOrder::Look).await?.on, "{kind}");
        address.endpoint = format!("http://{}", other.address());
        let (class, text) = told(&plugs.open(&address).carry_out(PlugOrder::On).await);
        assert_eq!((class, text.contains("asks for a password")), ("refused", true), "{kind} {text}");
    }
    Ok(())
}

#[tokio::test]
async fn an_address_that_makes_no_sense_says_why_with_every_order() -> Result<()> {
    let plugs = build(&Environment::new()).plugs.expect("no plug is configured, and that is in order");
    let whole = [("on", "/on"), ("off", "/off"), ("state", "/state"), ("state_on", "1"), ("state_off", "0")];
    let without = |name: &str| whole.into_iter().filter(|(found, _)| *found != name).collect::<Vec<_>>();
    let cases = [
        ("abacus", "http://192.0.2.9:80", vec![], "doesn't know"),
        ("shelly1", "192.0.2.9", vec![], "not a URL"),
        ("shelly1", "http://192.0.2.9:80/x\n", vec![], "URL"),
        ("shelly2", "http://192.0.2.9:80/x", vec![], "no path"),
        ("tasmota", "http://192.0.2.9:80", vec![("device", "x")], "MAC address"),
        ("http", "http://192.0.2.9:80", without("on"), "no `on`"),
        ("http", "http://192.0.2.9:80", without("state_off"), "no `state_off`"),
        ("http", "http://192.0.2.9:80", [without("on"), vec![("on", "on off")]].concat(), "slash"),
    ];
    for (kind, endpoint, details, why) in cases {
        let details = details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let address = PlugAddress { kind: kind.to_owned(), endpoint: endpoint.to_owned(), details };
        for order in [PlugOrder::Look, PlugOrder::Off { back_on: Duration::from_secs(30) }, PlugOrder::On] {
            let (class, text) = told(&plugs.open(&address).carry_out(order).await);
            assert_eq!((class, text.contains(why)), ("refused", true), "{address:?} {text}");
            assert!(!text.contains('\n'), "{text:?}");
        }
    }
    Ok(())
}
