use anyhow::Result;
use ddns_core::ports::{PlugOrder, PlugReport};
use ddns_testbed::{PlugFault, PlugSetup, ShellyGen2};

use super::bench::{
    KINDS, LIMIT, LONG, MAC, PASSWORD, SHORT, build, environment, loopback, parts, start, start_as, told, with_password,
};

fn device(kind: &str) -> Option<String> {
    (kind != "http").then(|| MAC.to_owned())
}

#[tokio::test]
async fn a_look_tells_the_state_and_the_device_and_changes_nothing() -> Result<()> {
    for kind in KINDS {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        for on in [true, false] {
            plug.press(on);
            let report = switch.carry_out(PlugOrder::Look).await?;
            assert_eq!(report, PlugReport { on, device: device(kind) }, "{kind}");
        }
        assert_eq!(plug.history().len(), 1, "{kind}: the button alone");
    }
    Ok(())
}

#[tokio::test]
async fn an_off_is_read_back_and_ends_by_the_devices_own_timer() -> Result<()> {
    for kind in KINDS {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        let report = switch.carry_out(SHORT).await?;
        assert_eq!(report, PlugReport { on: false, device: device(kind) }, "{kind}");
        let asked = plug.requests().len();
        plug.wait_for(true, LIMIT).await?;
        let states: Vec<bool> = plug.history().iter().map(|(_, on)| *on).collect();
        assert_eq!(states, [false, true], "{kind}");
        assert_eq!(plug.requests().len(), asked, "{kind}: nobody else switched it on");
    }
    Ok(())
}

/// What is asked of a device while it is off does not bring it back before its time.
#[tokio::test]
async fn looking_at_a_plug_that_is_off_leaves_it_off() -> Result<()> {
    for kind in KINDS {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        for order in [LONG, PlugOrder::Look, PlugOrder::Look] {
            assert!(!switch.carry_out(order).await?.on, "{kind}");
        }
        assert_eq!(plug.history().len(), 1, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn an_on_ends_an_off_before_its_timer_does() -> Result<()> {
    for kind in KINDS {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        assert!(!switch.carry_out(LONG).await?.on, "{kind}");
        for _ in 0..2 {
            assert_eq!(switch.carry_out(PlugOrder::On).await?, PlugReport { on: true, device: device(kind) }, "{kind}");
        }
        assert!(plug.is_on(), "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn the_password_opens_the_device_and_a_wrong_or_missing_one_is_named_with_the_remedy() -> Result<()> {
    for kind in KINDS {
        let setup = PlugSetup { password: Some(PASSWORD.to_owned()), ..PlugSetup::default() };
        let plug = start_as(kind, setup)?;
        let bare = environment(kind, plug.address());
        let switch = build(&with_password(bare.clone(), PASSWORD)).switch();
        for (order, on) in [(PlugOrder::Look, true), (LONG, false), (PlugOrder::On, true)] {
            assert_eq!(switch.carry_out(order).await?.on, on, "{kind} {order:?}");
        }
        let changes = plug.history().len();
        let wrong = with_password(bare.clone(), "incorrect horse");
        for (environment, remedy) in [(wrong, "correct DDNS_PLUG_USER"), (bare, "set DDNS_PLUG_PASSWORD_FILE")] {
            let switch = build(&environment).switch();
            for order in [PlugOrder::Look, LONG, PlugOrder::On] {
                let (class, text) = told(&switch.carry_out(order).await);
                assert_eq!(class, "refused", "{kind} {order:?} {text}");
                assert!(text.contains(remedy), "{kind} {order:?} {text}");
            }
        }
        assert_eq!(plug.history().len(), changes, "{kind}: nothing was switched");
    }
    Ok(())
}

#[tokio::test]
async fn a_stale_nonce_is_replaced_once_within_an_order() -> Result<()> {
    let setup = PlugSetup { password: Some(PASSWORD.to_owned()), ..PlugSetup::default() };
    let plug = ShellyGen2::with_nonces_for((None, loopback()), setup, 1)?;
    let switch = build(&with_password(environment("shelly2", plug.address()), PASSWORD)).switch();
    assert!(!switch.carry_out(LONG).await?.on);
    let wanted = ["/shelly", "Set", "Set", "GetStatus", "GetStatus"];
    let requests = plug.requests();
    assert_eq!(requests.len(), wanted.len(), "{requests:?}");
    assert!(requests.iter().zip(wanted).all(|(request, wanted)| request.contains(wanted)), "{requests:?}");
    assert_eq!(plug.history().len(), 1, "the order was carried out once");
    let setup = PlugSetup { password: Some(PASSWORD.to_owned()), ..PlugSetup::default() };
    let forgetful = ShellyGen2::with_nonces_for((None, loopback()), setup, 0)?;
    let switch = build(&with_password(environment("shelly2", forgetful.address()), PASSWORD)).switch();
    let outcome = tokio::time::timeout(LIMIT, switch.carry_out(LONG)).await?;
    assert_eq!(told(&outcome).0, "refused", "a second stale nonce is not replaced");
    assert_eq!(forgetful.requests().len(), 4, "{:?}", forgetful.requests());
    Ok(())
}

#[tokio::test]
async fn another_device_at_the_address_is_not_switched_off() -> Result<()> {
    for kind in ["shelly1", "shelly2", "tasmota"] {
        let plug = start(kind)?;
        let mut environment = environment(kind, plug.address());
        environment.insert("DDNS_PLUG_ID", "A8:03:2A:B1:23:45".to_owned());
        let switch = build(&environment).switch();
        assert!(switch.carry_out(PlugOrder::Look).await?.on, "{kind}");
        plug.replace_by("B8032AB12345");
        for order in [PlugOrder::Look, LONG, PlugOrder::On] {
            let (class, text) = told(&switch.carry_out(order).await);
            assert_eq!(class, "refused", "{kind} {order:?}");
            assert!(text.contains("b8032ab12345 in place of a8032ab12345"), "{kind} {text}");
        }
        assert_eq!(plug.history(), [], "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn a_device_of_another_kind_is_not_switched_off() -> Result<()> {
    for real in KINDS {
        let plug = start(real)?;
        for kind in KINDS.iter().filter(|kind| **kind != real) {
            let switch = build(&environment(kind, plug.address())).switch();
            for order in [PlugOrder::Look, LONG] {
                let (class, text) = told(&switch.carry_out(order).await);
                assert_eq!(class, "refused", "{real} as {kind}: {text}");
                let remedy = format!("DDNS_PLUG_KIND={real}");
                let remedy =
                    if real.starts_with("shelly") && kind.starts_with("shelly") { &remedy } else { "DDNS_PLUG_KIND" };
                assert!(text.contains(remedy), "{real} as {kind}: {text}");
            }
            let off = parts(kind)[1];
            assert!(
                plug.requests().iter().all(|request| !request.contains(off)),
                "{real} as {kind}: it was told to go off"
            );
        }
        assert_eq!(plug.history(), [], "{real}");
    }
    Ok(())
}

#[tokio::test]
async fn an_on_needs_no_identity() -> Result<()> {
    for kind in ["shelly1", "shelly2", "tasmota"] {
        for fault in [PlugFault::Status(500), PlugFault::Says("{}"), PlugFault::ApplyThenDrop] {
            let plug = start(kind)?;
            let switch = build(&environment(kind, plug.address())).switch();
            plug.press(false);
            plug.set_for(parts(kind)[0], fault.clone());
            let report = switch.carry_out(PlugOrder::On).await?;
            assert_eq!(report, PlugReport { on: true, device: None }, "{kind} {fault:?}");
            assert_eq!(
                told(&switch.carry_out(LONG).await).0,
                if fault == PlugFault::ApplyThenDrop { "unreachable" } else { "refused" }
            );
            assert!(plug.is_on(), "{kind} {fault:?}");
        }
    }
    Ok(())
}
