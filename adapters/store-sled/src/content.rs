use std::collections::BTreeMap;

use ddns_core::state::SavedState;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Keys and values in sled. A key is a JSON pointer (RFC 6901) of one or two steps without the leading slash, a value
/// is the JSON there; an object at a first step is `{}` and followed by its members. So what changes in a state of many
/// entries is written, and nothing else.
pub(crate) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The key of the guard, which no pointer can be.
pub(crate) const GUARD: &[u8] = b"\0guard";

const LAYOUT: u32 = 1;

/// Stands beside the entries in every batch and says what they have to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Guard {
    layout: u32,
    pub(crate) generation: u64,
    entries: u64,
    checksum: u32,
}

impl Guard {
    pub(crate) fn new(generation: u64, entries: &Entries) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&generation.to_be_bytes());
        for octets in entries.iter().flat_map(|(key, value)| [key, value]) {
            hasher.update(&(octets.len() as u64).to_be_bytes());
            hasher.update(octets);
        }
        Self { layout: LAYOUT, generation, entries: entries.len() as u64, checksum: hasher.finalize() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("four numbers have a JSON form")
    }

    /// The guard, if the entries are what it says.
    pub(crate) fn check(octets: &[u8], entries: &Entries) -> Result<Self, String> {
        let guard: Self =
            serde_json::from_slice(octets).map_err(|error| format!("its guard can't be read: {error}"))?;
        if guard.layout != LAYOUT {
            return Err(format!("its layout is {}, not {LAYOUT}", guard.layout));
        }
        if guard != Self::new(guard.generation, entries) {
            return Err(format!("its entries are not those of generation {}", guard.generation));
        }
        Ok(guard)
    }
}

/// A state, taken apart.
pub(crate) fn take_apart(state: &SavedState) -> Entries {
    let value = serde_json::from_slice(&state.encode()).expect("a state's encoding is JSON");
    from_value(value)
}

fn from_value(value: Value) -> Entries {
    let mut entries = Entries::new();
    let Value::Object(members) = value else { return entries };
    for (name, member) in members {
        let key = escape(&name);
        let Value::Object(inner) = member else {
            entries.insert(key.into_bytes(), octets(&member));
            continue;
        };
        for (inner, value) in inner {
            entries.insert(format!("{key}/{}", escape(&inner)).into_bytes(), octets(&value));
        }
        entries.insert(key.into_bytes(), b"{}".to_vec());
    }
    entries
}

/// The JSON that was taken apart into these entries.
pub(crate) fn put_together(entries: &Entries) -> Result<Value, String> {
    let mut members = Map::new();
    for (key, value) in entries {
        let not = |what: &str| format!("the entry {:?} is not {what}", String::from_utf8_lossy(key));
        let pointer = str::from_utf8(key).map_err(|_| not("text"))?;
        let value: Value = serde_json::from_slice(value).map_err(|_| not("JSON"))?;
        match pointer.split_once('/') {
            None => {
                members.insert(unescape(pointer), value);
            }
            // The entry of the object itself sorts before those of its members.
            Some((name, inner)) => match members.get_mut(&unescape(name)) {
                Some(Value::Object(object)) => {
                    object.insert(unescape(inner), value);
                }
                Some(_) | None => return Err(not("in an object")),
            },
        }
    }
    Ok(Value::Object(members))
}

fn octets(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// RFC 6901 §3.
fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_becomes_one_entry_for_each_record() {
        let json = br#"{"format":1,"records":{"vpn.example.com A":{"confirmed":"11.0.0.1"},"b/c AAAA":{}}}"#;
        let entries = take_apart(&SavedState::decode(json).unwrap());
        let keys: Vec<_> = entries.keys().map(|key| String::from_utf8_lossy(key)).collect();
        assert_eq!(keys, ["format", "records", "records/b~1c AAAA", "records/vpn.example.com A"]);
        let again = put_together(&entries).unwrap().to_string();
        assert_eq!(SavedState::decode(again.as_bytes()).unwrap(), SavedState::decode(json).unwrap());
    }

    #[test]
    fn what_no_state_was_taken_apart_into_is_told() {
        for (key, value) in [(&b"\xff"[..], &b"1"[..]), (b"a", b"{"), (b"a/b", b"1")] {
            assert!(put_together(&Entries::from([(key.to_vec(), value.to_vec())])).is_err());
        }
        let inside_a_number = [(b"a".to_vec(), b"1".to_vec()), (b"a/b".to_vec(), b"1".to_vec())];
        assert!(put_together(&Entries::from(inside_a_number)).is_err());
    }

    #[test]
    fn a_guard_tells_every_other_generation_or_entry() {
        let entries = from_value(json!({"format": 1, "records": {"a": 1, "b": 2}}));
        let guard = Guard::new(7, &entries);
        assert_eq!(Guard::check(&guard.encode(), &entries), Ok(guard));
        for key in entries.keys() {
            let mut fewer = entries.clone();
            fewer.remove(key);
            assert!(Guard::check(&guard.encode(), &fewer).is_err());
            let mut other = entries.clone();
            other.insert(key.clone(), b"3".to_vec());
            assert!(Guard::check(&guard.encode(), &other).is_err());
        }
        assert!(Guard::check(&Guard { generation: 8, ..guard }.encode(), &entries).is_err());
        assert!(Guard::check(&Guard { layout: 2, ..guard }.encode(), &entries).is_err());
        assert!(Guard::check(b"", &entries).is_err());
    }

    proptest! {
        #[test]
        fn any_entries_are_read_without_panicking(
            entries in prop::collection::btree_map(any::<Vec<u8>>(), any::<Vec<u8>>(), 0..4),
            text in prop::collection::btree_map("[a~/01]{0,4}", r#"[{}\[\]0-9":,]{0,4}"#, 0..4),
            guard in any::<Vec<u8>>(),
        ) {
            let text = text.into_iter().map(|(key, value)| (key.into_bytes(), value.into_bytes()));
            for entries in [entries, text.collect()] {
                prop_assert!(Guard::check(&guard, &entries).is_err());
                let _ = put_together(&entries);
            }
        }

        #[test]
        fn any_members_of_any_names_come_back(
            members in prop::collection::btree_map(any::<String>(), prop::collection::btree_map(any::<String>(), any::<u64>(), 0..4), 0..4),
            plain in any::<Option<i64>>(),
        ) {
            let mut value = json!(members);
            value["a plain one"] = json!(plain);
            let entries = from_value(value.clone());
            prop_assert!(!entries.contains_key(GUARD));
            prop_assert_eq!(put_together(&entries), Ok(value));
        }
    }
}
