use std::time::Duration;

use anyhow::Result;
use ddns_core::ports::PlugOrder;
use ddns_testbed::{PlugFault, PlugSetup, Tasmota};

use super::bench::{
    KINDS, LONG, PASSWORD, build, build_within, environment, loopback, parts, start, told, with_password,
};

const ORDERS: [PlugOrder; 3] = [PlugOrder::Look, LONG, PlugOrder::On];

#[tokio::test]
async fn a_plug_that_is_not_there_is_unreachable_and_works_again_when_it_is() -> Result<()> {
    for kind in KINDS {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        plug.set(PlugFault::Unreachable);
        while tokio::net::TcpStream::connect(plug.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
        for order in ORDERS {
            assert_eq!(told(&switch.carry_out(order).await).0, "unreachable", "{kind} {order:?}");
        }
        plug.heal();
        while tokio::net::TcpStream::connect(plug.address()).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert!(!switch.carry_out(LONG).await?.on, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_answer_of_the_kind_before_an_order_stops_it() -> Result<()> {
    let bodies = ["", "on", "[]", "{}", "null", "{\"ison\":1}", "{\"mac\":\"A8032AB12345\"}", "{\"relay\":[]}"];
    let faults = bodies.map(PlugFault::Says).into_iter().chain([PlugFault::Status(500), PlugFault::Status(302)]);
    for (kind, fault) in KINDS.iter().flat_map(|kind| faults.clone().map(move |fault| (*kind, fault))) {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        plug.set(fault.clone());
        for order in [PlugOrder::Look, LONG] {
            let (class, text) = told(&switch.carry_out(order).await);
            assert_eq!(class, "refused", "{kind} {fault:?} {text}");
        }
        assert_eq!(plug.history(), [], "{kind} {fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_plug_that_hangs_is_waited_for_as_long_as_its_transport_allows() -> Result<()> {
    for kind in KINDS {
        let plug = start(kind)?;
        let switch = build_within(&environment(kind, plug.address()), Duration::from_millis(200)).switch();
        plug.set(PlugFault::Hang);
        for (order, class) in ORDERS.into_iter().zip(["unreachable", "unreachable", "unconfirmed"]) {
            assert_eq!(told(&switch.carry_out(order).await).0, class, "{kind} {order:?}");
        }
    }
    Ok(())
}

/// The answer to an order says less than the read-back.
#[tokio::test]
async fn an_order_whose_answer_was_lost_is_judged_by_the_read_back() -> Result<()> {
    for kind in KINDS {
        let [_, off, on, _] = parts(kind);
        for (fault, worked) in [(PlugFault::ApplyThenDrop, true), (PlugFault::Status(503), false)] {
            let plug = start(kind)?;
            let switch = build(&environment(kind, plug.address())).switch();
            plug.set_for(off, fault.clone());
            assert_eq!(switch.carry_out(LONG).await?.on, !worked, "{kind} {fault:?}");
            plug.heal();
            plug.press(false);
            plug.set_for(on, fault.clone());
            assert_eq!(switch.carry_out(PlugOrder::On).await?.on, worked, "{kind} {fault:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_not_read_back_is_unconfirmed() -> Result<()> {
    for (kind, off, on) in [("shelly2", "GetStatus", "GetStatus"), ("tasmota", "RuleTimer8&", "Power1&")] {
        for fault in [PlugFault::Status(500), PlugFault::Says("{}"), PlugFault::ApplyThenDrop] {
            let plug = start(kind)?;
            let switch = build(&with_password(environment(kind, plug.address()), PASSWORD)).switch();
            plug.set_for(off, fault.clone());
            assert_eq!(told(&switch.carry_out(LONG).await).0, "unconfirmed", "{kind} {fault:?}");
            assert!(!plug.is_on(), "{kind} {fault:?}");
            plug.heal();
            plug.set_for(on, fault.clone());
            assert_eq!(told(&switch.carry_out(PlugOrder::On).await).0, "unconfirmed", "{kind} {fault:?}");
            assert!(plug.is_on(), "{kind} {fault:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_device_that_takes_no_timer_is_switched_on_again_at_once_or_never_off() -> Result<()> {
    for kind in ["shelly1", "shelly2", "tasmota"] {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        plug.set(PlugFault::IgnoresTimer);
        let (class, text) = told(&switch.carry_out(LONG).await);
        assert_eq!(class, "refused", "{kind} {text}");
        assert!(text.contains("would have stayed off") || text.contains("would stay off"), "{kind} {text}");
        assert!(plug.is_on(), "{kind}");
        let states: Vec<bool> = plug.history().iter().map(|(_, on)| *on).collect();
        assert_eq!(states, if kind == "tasmota" { vec![] } else { vec![false, true] }, "{kind}");
    }
    Ok(())
}

/// It is off without a timer: whatever keeps it from being switched on again, nobody may take it for untouched.
#[tokio::test]
async fn an_off_without_a_timer_that_cannot_be_undone_is_unconfirmed() -> Result<()> {
    for kind in ["shelly1", "shelly2"] {
        for fault in [PlugFault::Status(401), PlugFault::Status(404), PlugFault::Status(500), PlugFault::Deaf] {
            let plug = start(kind)?;
            let switch = build(&environment(kind, plug.address())).switch();
            let [_, off, on, _] = parts(kind);
            plug.set_for(off, PlugFault::IgnoresTimer);
            plug.set_for(on, fault.clone());
            let (class, text) = told(&switch.carry_out(LONG).await);
            assert_eq!(class, "unconfirmed", "{kind} {fault:?} {text}");
            assert!(!plug.is_on(), "{kind} {fault:?}");
        }
    }
    Ok(())
}

/// A timer of the wrong length would keep the router off for longer than anybody wants.
#[tokio::test]
async fn a_timer_of_another_length_counts_as_none() -> Result<()> {
    let long = "{\"ison\":false,\"output\":false,\"has_timer\":true,\"timer_remaining\":999,\"timer_started_at\":1.5,\
                \"timer_duration\":999}";
    for kind in ["shelly1", "shelly2"] {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        plug.set_for(if kind == "shelly1" { "/relay/0" } else { "GetStatus" }, PlugFault::Says(long));
        assert_eq!(told(&switch.carry_out(LONG).await).0, "unconfirmed", "{kind}: it says that it is off all the time");
        assert!(plug.requests().iter().any(|request| request.contains(parts(kind)[2])), "{kind}: it was told to be on");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_device_says_is_reported_and_not_what_it_was_told() -> Result<()> {
    for kind in KINDS {
        for fault in [PlugFault::Deaf, PlugFault::Lies] {
            let plug = start(kind)?;
            let switch = build(&environment(kind, plug.address())).switch();
            plug.set(fault.clone());
            assert!(told(&switch.carry_out(LONG).await).0 != "off", "{kind} {fault:?}");
            plug.press(false);
            plug.heal();
            plug.press(false);
            plug.set(fault.clone());
            assert!(!switch.carry_out(PlugOrder::On).await?.on, "{kind} {fault:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_device_that_will_switch_itself_off_is_not_simply_on() -> Result<()> {
    let states = [
        ("shelly1", "{\"ison\":true,\"has_timer\":true,\"timer_remaining\":40}"),
        ("shelly2", "{\"output\":true,\"timer_started_at\":1.5,\"timer_duration\":40}"),
    ];
    for (kind, state) in states {
        let plug = start(kind)?;
        let switch = build(&environment(kind, plug.address())).switch();
        plug.set_for(parts(kind)[3], PlugFault::Says(state));
        let (class, text) = told(&switch.carry_out(PlugOrder::On).await);
        assert_eq!(class, "refused", "{kind}");
        assert!(text.contains("auto-off"), "{kind} {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rule_of_the_operator_is_not_written_over() -> Result<()> {
    let rule = "ON Power1#State=0 DO Publish x ENDON";
    let plug = Tasmota::with_rule((None, loopback()), PlugSetup::default(), rule)?;
    let switch = build(&environment("tasmota", plug.address())).switch();
    let (class, text) = told(&switch.carry_out(LONG).await);
    assert_eq!((class, text.contains("Rule3")), ("refused", true), "{text}");
    assert_eq!(plug.history(), []);
    assert!(plug.requests().iter().all(|request| !request.contains("Rule3%20")), "{:?}", plug.requests());
    Ok(())
}

/// Each in the form of another version of the firmware.
#[tokio::test]
async fn the_answers_of_other_tasmota_versions_are_understood() -> Result<()> {
    let plug = Tasmota::start((None, loopback()), PlugSetup::default())?;
    let switch = build(&environment("tasmota", plug.address())).switch();
    let flat = "{\"Rule3\":\"ON\",\"Once\":\"OFF\",\"StopOnError\":\"OFF\",\"Free\":477,\
                \"Rules\":\"ON Rules#Timer=8  DO Power1 1 ENDON\"}";
    plug.set_for("Rule3", PlugFault::Says(flat));
    assert!(!switch.carry_out(LONG).await?.on);
    plug.heal();
    let states = [
        ("{\"POWER1\":\"ON\"}", "on"),
        ("{\"POWER\":\"ON\",\"POWER1\":\"OFF\"}", "refused"),
        ("{\"POWER\":\"AN\"}", "refused"),
    ];
    for (state, class) in states {
        plug.heal();
        plug.set_for("Power1", PlugFault::Says(state));
        assert_eq!(told(&switch.carry_out(PlugOrder::Look).await).0, class, "{state}");
    }
    for (part, answer, remedy) in [
        ("Rule", "{\"Command\":\"Unknown\"}", "standard build"),
        ("Status", "{\"WARNING\":\"Brauche user=<name>&password=<wort>\"}", "DDNS_PLUG_PASSWORD_FILE"),
    ] {
        plug.heal();
        plug.press(true);
        plug.set_for(part, PlugFault::Says(answer));
        let (class, text) = told(&switch.carry_out(LONG).await);
        assert_eq!((class, text.contains(remedy)), ("refused", true), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_neither_on_nor_off_or_both_is_an_error() -> Result<()> {
    let plug = start("http")?;
    let switch = build(&environment("http", plug.address())).switch();
    for body in [
        "{\"relay\":{\"on\":\"maybe\"}}",
        "{\"relay\":{\"on\":true},\"was\":{\"on\":false}}",
        "{\"relay\":{\"on\":[true]}}",
    ] {
        plug.heal();
        plug.set(PlugFault::Says(body));
        let (class, text) = told(&switch.carry_out(PlugOrder::Look).await);
        assert_eq!((class, text.contains("DDNS_PLUG_STATE_ON")), ("refused", true), "{body} {text}");
    }
    Ok(())
}
