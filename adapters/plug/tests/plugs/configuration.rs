use ddns_core::config::Problem;

use super::bench::{Built, Environment, KINDS, MAC, PASSWORD, build, environment, loopback, with_password};

fn with(kind: &str, changes: &[(&'static str, &str)]) -> Built {
    let mut environment = if kind.is_empty() { Environment::new() } else { environment(kind, loopback()) };
    environment.insert("DDNS_PLUG_HOST", "192.0.2.9".to_owned());
    if kind.is_empty() {
        environment.remove("DDNS_PLUG_HOST");
    }
    for (name, value) in changes {
        environment.insert(name, (*value).to_owned());
    }
    build(&environment)
}

fn names(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.variable.as_str()).collect()
}

#[test]
fn a_configured_plug_is_what_the_variables_say() {
    for kind in KINDS {
        let built =
            with(kind, &[("DDNS_ALLOW_PHYSICAL_RECOVERY", "true"), ("DDNS_PLUG_REACHABLE_WITHOUT_ROUTER", "true")]);
        assert_eq!((names(&built.problems), names(&built.warnings)), (vec![], vec![]), "{kind}");
        let plugs = built.plugs.expect("a plug");
        let choice = plugs.configured().expect("a plug");
        assert_eq!((choice.plug.kind.as_str(), choice.plug.endpoint.as_str()), (kind, "http://192.0.2.9:80"));
        assert!(choice.has_timer && choice.reachable_without_router, "{kind}");
    }
    for (host, endpoint) in [
        ("plug.lan", "http://plug.lan:80"),
        ("192.0.2.9:8080", "http://192.0.2.9:8080"),
        ("[2001:db8::9]", "http://[2001:db8::9]:80"),
        ("[2001:db8::9]:81", "http://[2001:db8::9]:81"),
    ] {
        let built = with("shelly1", &[("DDNS_PLUG_HOST", host), ("DDNS_PLUG_ID", "A8:03:2A:B1:23:45")]);
        let choice = built.plugs.and_then(|plugs| plugs.configured().cloned()).expect("a plug");
        assert_eq!(choice.plug.endpoint, endpoint);
        assert_eq!(choice.plug.details.get("device").map(String::as_str), Some(MAC));
    }
}

/// Kind, what is set, and the one problem: its variable, value and remedy.
#[test]
fn each_mistake_is_told_with_variable_value_and_remedy() {
    let cases = [
        ("", "DDNS_PLUG_KIND", "shelly", "use shelly1, shelly2, tasmota or http"),
        ("", "DDNS_PLUG_HOST", "192.0.2.9", "set DDNS_PLUG_KIND as well"),
        ("", "DDNS_PLUG_ID", MAC, "set DDNS_PLUG_KIND as well"),
        ("", "DDNS_PLUG_STATE_ON", "1", "set DDNS_PLUG_KIND as well"),
        ("", "DDNS_PLUG_FEEDS", "router", "set DDNS_PLUG_KIND as well"),
        ("", "DDNS_PLUG_REACHABLE_WITHOUT_ROUTER", "true", "set DDNS_PLUG_KIND as well"),
        ("shelly1", "DDNS_PLUG_HOST", "", "set it to the plug's address"),
        ("shelly1", "DDNS_PLUG_HOST", "http://192.0.2.9", "use host[:port]"),
        ("shelly1", "DDNS_PLUG_HOST", "192.0.2.9:0", "use host[:port]"),
        ("shelly1", "DDNS_PLUG_HOST", "2001:db8::9", "use host[:port]"),
        ("shelly1", "DDNS_PLUG_HOST", "me@plug", "use host[:port]"),
        ("shelly1", "DDNS_PLUG_ID", "12345", "use a MAC address"),
        ("http", "DDNS_PLUG_ID", MAC, "unset it"),
        ("tasmota", "DDNS_PLUG_ON_PATH", "/on", "unset it"),
        ("shelly2", "DDNS_PLUG_STATE_OFF", "0", "unset it"),
        ("shelly1", "DDNS_PLUG_USER", "me", "set DDNS_PLUG_PASSWORD_FILE"),
        ("shelly1", "DDNS_PLUG_FEEDS", "fridge", "use router or router-and-host"),
        ("shelly1", "DDNS_PLUG_FEEDS", "router-and-host", "feed this host from another outlet"),
        ("shelly1", "DDNS_PLUG_REACHABLE_WITHOUT_ROUTER", "yes", "use false, true"),
        ("http", "DDNS_PLUG_ON_PATH", "", "set it to path and query"),
        ("http", "DDNS_PLUG_ON_PATH", "on", "use path and query"),
        ("http", "DDNS_PLUG_ON_PATH", "/on?for={seconds}", "DDNS_PLUG_OFF_PATH alone"),
        ("http", "DDNS_PLUG_OFF_PATH", "/off {seconds}", "use path and query"),
        ("http", "DDNS_PLUG_OFF_PATH", "/off?{minutes}", "use path and query"),
        ("http", "DDNS_PLUG_OFF_PATH", "/on", "a toggle is of no use"),
        ("http", "DDNS_PLUG_STATE_ON", "/relay/on", "use a text, or /json/pointer=value"),
        ("http", "DDNS_PLUG_STATE_OFF", "/relay/on=true", "name what tells them apart"),
    ];
    for (kind, variable, value, remedy) in cases {
        let mut changes = vec![(variable, value)];
        changes.extend((value == "/on" && kind == "http").then_some(("DDNS_PLUG_REACHABLE_WITHOUT_ROUTER", "true")));
        let built = with(kind, &changes);
        let about: Vec<_> = built.problems.iter().filter(|problem| problem.variable == variable).collect();
        let [problem] = about[..] else { panic!("{kind} {variable}={value}: {:?}", built.problems) };
        assert_eq!(problem.value.as_deref().unwrap_or_default(), value, "{problem}");
        assert!(problem.remedy.contains(remedy), "{problem}");
        assert!(built.plugs.is_none(), "{problem}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_no_secret_with_them() {
    let secret = "correct horse\nbattery";
    let changes = [
        ("DDNS_PLUG_HOST", "a b"),
        ("DDNS_PLUG_ID", "x"),
        ("DDNS_PLUG_USER", "a:b"),
        ("DDNS_PLUG_PASSWORD", secret),
        ("DDNS_PLUG_FEEDS", "x"),
        ("DDNS_PLUG_ON_PATH", "/on"),
    ];
    let built = with("shelly1", &changes);
    let mut told = names(&built.problems);
    told.sort_unstable();
    let mut wanted = changes.map(|(name, _)| name);
    wanted.sort_unstable();
    assert_eq!(told, wanted);
    for problem in built.problems.iter().chain(&built.warnings) {
        assert!(!format!("{problem} {problem:?}").contains("horse"), "{problem:?}");
    }
    let stray = with("", &[("DDNS_PLUG_PASSWORD", PASSWORD)]);
    assert_eq!(names(&stray.problems), ["DDNS_PLUG_PASSWORD"]);
    assert!(!format!("{:?} {:?}", stray.problems, stray.warnings).contains("horse"));
}

#[test]
fn a_users_name_goes_with_its_password_and_its_kind() {
    let user = |kind: &str, user: &str| {
        let mut environment = with_password(environment(kind, loopback()), PASSWORD);
        environment.insert("DDNS_PLUG_HOST", "192.0.2.9".to_owned());
        environment.insert("DDNS_PLUG_USER", user.to_owned());
        names(&build(&environment).problems).join(" ")
    };
    assert_eq!(user("shelly2", "me"), "DDNS_PLUG_USER");
    for (kind, name) in [("shelly1", "me"), ("shelly2", "admin"), ("tasmota", "me"), ("http", "me")] {
        assert_eq!(user(kind, name), "", "{kind}");
    }
    assert_eq!(user("http", ""), "DDNS_PLUG_USER");
}

#[test]
fn power_cycling_needs_a_plug_that_can_come_back() {
    let allowed = ("DDNS_ALLOW_PHYSICAL_RECOVERY", "true");
    let built = with("", &[allowed]);
    assert_eq!(names(&built.problems), ["DDNS_PLUG_KIND"], "allowed without a plug");
    let dumb = ("DDNS_PLUG_OFF_PATH", "/off");
    let built = with("http", &[allowed, dumb]);
    assert_eq!(names(&built.problems), ["DDNS_PLUG_REACHABLE_WITHOUT_ROUTER"]);
    let built = with("http", &[dumb]);
    assert_eq!((names(&built.problems), names(&built.warnings)), (vec![], vec!["DDNS_PLUG_REACHABLE_WITHOUT_ROUTER"]));
    assert!(!built.plugs.and_then(|plugs| plugs.configured().cloned()).expect("a plug").has_timer);
    let built = with("http", &[allowed, dumb, ("DDNS_PLUG_REACHABLE_WITHOUT_ROUTER", "true")]);
    assert_eq!((names(&built.problems), names(&built.warnings)), (vec![], vec![]));
}

/// FAULTS 64.
#[test]
fn what_hangs_on_the_plug_is_asked_for() {
    let built = with("shelly1", &[("DDNS_PLUG_FEEDS", "")]);
    assert_eq!((names(&built.problems), names(&built.warnings)), (vec![], vec!["DDNS_PLUG_FEEDS"]));
    assert!(built.plugs.is_some());
    let built = with("shelly1", &[("DDNS_PLUG_FEEDS", "router-and-host")]);
    assert_eq!(names(&built.problems), ["DDNS_PLUG_FEEDS"]);
    assert!(built.plugs.is_none());
}
