use ddns_core::zone::desired::Desired;
use ddns_core::zone::import::import;
use ddns_core::zone::kind::Kind;
use ddns_core::zone::name::{Name, Zone};
use ddns_core::zone::plan::{Mode, Policy, apply, plan};
use ddns_core::zone::render::render;
use ddns_core::zone::rrset::RrSet;
use ddns_core::zone::selector::{Expression, LabelSelector, Labels};
use ddns_core::zone::serial::Serial;
use ddns_core::zone::text::Text;
use ddns_core::zone::{data::Data, soa::mailbox};
use proptest::prelude::*;

#[path = "zone_world.rs"]
mod zone_world;

use zone_world::{claims, spec};

/// Lines that are nearly those of a zone file.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        proptest::sample::select(vec![
            "@",
            "a",
            "IN",
            "A",
            "TXT",
            "SOA",
            "CAA",
            "MX",
            "$TTL",
            "$ORIGIN",
            "60",
            "1h",
            "(",
            ")",
            "\"",
            ";",
            "\n",
            " ",
            "\t",
            "\\",
            "\\000",
            "192.0.2.1",
            ".",
            "..",
            "ü",
            "\r",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

fn policy() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![3 => Just(Mode::Sync), 2 => Just(Mode::UpsertOnly), 1 => Just(Mode::Observe)];
    (mode, any::<bool>()).prop_map(|(mode, override_guard)| Policy { mode, override_guard })
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_zone_file_says_what_the_zone_holds(spec in spec(), claims in claims(), serial: u32) {
        let desired = Desired::assemble(&spec, &claims).unwrap();
        let imported = import(&render(&desired.contents, Serial(serial)), &spec.zone).unwrap();
        prop_assert_eq!((imported.contents, imported.serial), (desired.contents, Serial(serial)));
    }

    #[test]
    fn every_claim_is_in_the_zone_or_rejected(spec in spec(), claims in claims()) {
        let desired = Desired::assemble(&spec, &claims).unwrap();
        for claim in claims.iter().filter(|claim| !desired.rejected.contains_key(&claim.resource.uid)) {
            let owner = Name::owner(&claim.owner, &spec.zone).unwrap();
            let set = desired.contents.sets.get(&owner, claim.data[0].kind()).unwrap();
            prop_assert!(claim.data.iter().all(|data| set.data().contains(data)));
        }
        prop_assert_eq!(desired.contents.faults(), []);
    }

    #[test]
    fn once_a_plan_is_carried_out_nothing_is_left_to_do(
        spec in spec(), before in spec(), wanted in claims(), held in claims(), policy in policy()
    ) {
        let desired = Desired::assemble(&spec, &wanted).unwrap().contents;
        let observed = Desired::assemble(&before, &held).unwrap().contents;
        let first = plan(&desired, &observed, policy);
        prop_assert_eq!(&apply(&first.changes, observed.sets.clone()), &first.outcome.sets);
        prop_assert!(plan(&desired, &first.outcome, policy).is_empty());
        match policy.mode {
            Mode::Sync if first.hold.is_none() => prop_assert_eq!(&first.outcome, &desired),
            Mode::Sync | Mode::Observe => prop_assert_eq!(&first.outcome, &observed),
            Mode::UpsertOnly => {
                let kept = |set: &RrSet| first.outcome.sets.get(set.owner(), set.kind()).is_some();
                prop_assert!(observed.sets.iter().all(kept));
            }
        }
        prop_assert_eq!(first.outcome.faults(), []);
    }

    #[test]
    fn serials_never_go_back(
        start in prop_oneof![any::<u32>(), u32::MAX - 3..=u32::MAX],
        steps in prop::collection::vec(prop_oneof![0..0x7fff_fffe_u32, Just(0)], 1..50)
    ) {
        let mut held = Serial(start);
        for step in steps {
            let elsewhere = Serial(held.0.wrapping_add(step));
            let next = Serial::after_all(&[held, elsewhere]).unwrap();
            prop_assert!(next.is_after(held) && next.is_after(elsewhere) && next != Serial(0));
            held = next;
        }
    }

    #[test]
    fn serials_of_any_kind_are_followed_or_refused(known in prop::collection::vec(any::<u32>().prop_map(Serial), 0..6)) {
        if let Ok(next) = Serial::after_all(&known) {
            prop_assert!(known.iter().all(|&serial| next.is_after(serial)));
        }
    }

    #[test]
    fn no_text_makes_anything_panic(text in prop_oneof![any::<String>(), nearly()]) {
        let zone: Zone = "example.com".parse().unwrap();
        if let Ok(imported) = import(&text, &zone) {
            let again = import(&render(&imported.contents, imported.serial), &zone);
            prop_assert_eq!(again, Ok(imported));
        }
        for kind in Kind::ALL {
            let _ = Data::parse(kind, &text, &zone);
        }
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }
        let _ = (Name::owner(&text, &zone), Name::target(&text, &zone), text.parse::<Zone>(), mailbox(&text));
        let _ = (text.parse::<Kind>(), Text::plain(text.as_bytes()));
        let expression = Expression { key: text.clone(), operator: "In".into(), values: vec![text.clone()] };
        let _ = LabelSelector::new(&Labels::from([(text.clone(), text)]), &[expression]);
    }
}
