use ddns_core::record::RecordName;
use proptest::prelude::*;

/// Texts that are names, nearly names, or nothing of the kind.
fn text() -> impl Strategy<Value = String> {
    let label = prop_oneof![
        8 => "[A-Za-z0-9_]([A-Za-z0-9_-]{0,8}[A-Za-z0-9_])?",
        2 => "[a-z]{60,66}",
        1 => Just("*".to_owned()),
        1 => "[-*a-zä .]{0,4}",
    ];
    let labels = prop_oneof![8 => 1..6_usize, 2 => 6..50_usize];
    let dotted = labels.prop_flat_map(move |count| prop::collection::vec(label.clone(), count));
    let dotted = (dotted, prop_oneof![Just(""), Just(".")]).prop_map(|(labels, end)| labels.join(".") + end);
    let at_the_limit = (56..=63_usize).prop_map(|last| {
        let label = "a".repeat(63);
        format!("{label}.{label}.{label}.{}", "b".repeat(last))
    });
    prop_oneof![
        8 => dotted,
        1 => at_the_limit,
        1 => any::<String>(),
        1 => any::<std::net::IpAddr>().prop_map(|address| address.to_string()),
    ]
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_name_comes_back_as_it_was(text in text()) {
        let Ok(name) = text.parse::<RecordName>() else { return Err(TestCaseError::reject("not a name")) };
        prop_assert_eq!(&name.to_string().parse::<RecordName>(), &Ok(name.clone()));
        prop_assert_eq!(format!("{name}.").parse::<RecordName>(), Ok(name.clone()));
        prop_assert_eq!(text.to_ascii_uppercase().parse::<RecordName>(), Ok(name));
    }

    /// RFC 1035 §2.3.4: labels of 1 to 63 octets, 255 octets in wire form.
    #[test]
    fn an_accepted_name_is_within_the_limits_of_dns(text in text()) {
        let Ok(name) = text.parse::<RecordName>() else { return Err(TestCaseError::reject("not a name")) };
        let labels: Vec<&str> = name.as_str().split('.').collect();
        prop_assert!(labels.len() >= 2);
        prop_assert!(labels.iter().all(|label| (1..=63).contains(&label.len()) && label.is_ascii()));
        prop_assert!(labels.iter().map(|label| label.len() + 1).sum::<usize>() < 255);
        prop_assert!(labels.iter().skip(1).all(|label| !label.contains('*')));
        prop_assert!(name.ancestors().all(|zone| name.is_within(zone)));
    }
}
