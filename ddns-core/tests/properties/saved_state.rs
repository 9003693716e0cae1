use std::net::IpAddr;

use ddns_core::state::{DecodeError, STATE_FORMAT, SavedState};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A record as it stands in a file; an outsider has no other way to one.
fn record() -> impl Strategy<Value = Value> {
    let address = || prop::option::of(any::<IpAddr>());
    (address(), address(), prop::option::of(any::<u64>()), any::<bool>(), prop::option::of(any::<String>())).prop_map(
        |(confirmed, pending, written_at, proxied, handle)| {
            let all = json!({
                "confirmed": confirmed, "pending": pending, "written_at": written_at, "proxied": proxied,
                "handle": handle,
            });
            let Value::Object(mut fields) = all else { unreachable!("the literal above is an object") };
            fields.retain(|_, value| !value.is_null());
            Value::Object(fields)
        },
    )
}

fn state(format: u32) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(any::<String>(), record(), 0..5)
        .prop_map(move |records| json!({"format": format, "records": records}))
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_state_comes_back_as_it_was(file in state(STATE_FORMAT)) {
        let state = SavedState::decode(file.to_string().as_bytes()).unwrap();
        let encoded = state.encode();
        prop_assert_eq!(SavedState::decode(&encoded).unwrap(), state);
        prop_assert_eq!(serde_json::from_slice::<Value>(&encoded).unwrap(), file);
    }

    #[test]
    fn a_newer_state_is_refused_whatever_it_holds(
        format in prop_oneof![STATE_FORMAT + 1..STATE_FORMAT + 4, STATE_FORMAT + 1..],
        content in any::<String>(),
    ) {
        let file = json!({"format": format, "records": content}).to_string();
        prop_assert!(matches!(SavedState::decode(file.as_bytes()), Err(DecodeError::Newer(found)) if found == format));
    }

    #[test]
    fn any_octets_are_read_without_panicking(octets in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = SavedState::decode(&octets);
    }

    /// One step deeper: a state with a few octets changed, or cut off.
    #[test]
    fn a_damaged_state_is_read_without_panicking_and_once_read_comes_back(
        file in state(STATE_FORMAT),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut octets = file.to_string().into_bytes();
        for (at, value) in damage {
            let at = at.index(octets.len());
            octets[at] = value;
        }
        if let Some(at) = cut {
            octets.truncate(at.index(octets.len()));
        }
        if let Ok(state) = SavedState::decode(&octets) {
            prop_assert_eq!(SavedState::decode(&state.encode()).unwrap(), state);
        }
    }
}
