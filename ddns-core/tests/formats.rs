//! Every format of the state that was ever released is read, with all that it says.

use std::time::Duration;

use ddns_core::state::{STATE_FORMAT, SavedState};
use ddns_core::time::Wall;

/// The same state, as each format wrote it. A new format without its file does not compile.
const FORMATS: [&str; STATE_FORMAT as usize] = [include_str!("formats/1.json"), include_str!("formats/2.json")];

/// FAULTS 53, seed 001 phase 15.
#[test]
fn every_format_that_was_ever_written_is_read_whole() {
    for (format, file) in (1..).zip(FORMATS) {
        let state = SavedState::decode(file.as_bytes()).unwrap();
        let records: Vec<_> = state.records().collect();
        let [("nas.example.com AAAA", nas), ("vpn.example.com A", vpn)] = records[..] else {
            panic!("format {format}: {records:?}");
        };
        assert_eq!(nas.pending, Some("2a00:1:2:3::5".parse().unwrap()));
        assert_eq!(nas.asked_until, Some(Wall::from_millis(1_800_000_060_000)));
        assert_eq!((nas.confirmed, nas.proxied), (None, false));
        assert_eq!(vpn.confirmed, Some("11.22.33.44".parse().unwrap()));
        assert_eq!(vpn.written_at, Some(Wall::from_millis(1_799_999_999_999)));
        assert_eq!(vpn.handle.as_ref().map(|handle| &*handle.0), Some("0123456789abcdef/fedcba9876543210"));
        assert!(vpn.proxied && vpn.pending.is_none());
        if format >= 2 {
            let intent = state.recovery().intent().unwrap();
            assert_eq!((&*intent.plug.kind, intent.device.as_deref()), ("shelly1", Some("a8032ab12345")));
            let history = state.history();
            assert_eq!((history.outages.len(), history.changes.len(), history.loops), (2, 1, (100, 98)));
            let summary = history.summary(Wall::from_millis(1_799_999_995_000), Duration::from_secs(400 * 86_400));
            assert_eq!(summary.known, Duration::from_secs(91 * 3600 + 1));
        } else {
            assert!(state.recovery().intent().is_none() && state.history().outages.is_empty());
        }
        // What is written again is the newest format, and says the same.
        assert_eq!(SavedState::decode(&state.encode()).unwrap(), state, "format {format}");
    }
}
