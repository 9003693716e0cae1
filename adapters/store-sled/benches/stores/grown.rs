//! The state of a host that has run for years.

use std::net::Ipv4Addr;

use ddns_core::state::SavedState;

pub const RECORDS: u32 = 10;
/// As many as the core keeps (`ddns_core::uptime::KEPT`).
const KEPT: u32 = 400;
const HOUR_MS: u64 = 3_600_000;

/// A state of ten records that differs from the one before in one of them.
pub fn young(serial: u32) -> SavedState {
    decode(&records(serial), "")
}

/// The same after so many days, each with an outage of ten seconds and a change.
pub fn grown(serial: u32, days: u32) -> SavedState {
    let first = days.saturating_sub(KEPT);
    let hour = |day: u32| 490_000 + u64::from(day) * 24;
    let each = |write: &dyn Fn(u32) -> String| (first..days).map(write).collect::<Vec<_>>().join(",");
    let hours = each(&|day| format!("[{},23,3600000,3600000],[{},1,3600000,3590000]", hour(day), hour(day) + 23));
    let outages = each(&|day| {
        let from = hour(day) * HOUR_MS;
        format!(r#"{{"from":{from},"until":{},"cause":"wan-down","cycles":0}}"#, from + 10_000)
    });
    let changes = each(&|day| {
        let (at, address) = (hour(day) * HOUR_MS, Ipv4Addr::from(0x0b00_0000 + day));
        format!(
            r#"{{"at":{at},"record":"host-1.example.com A","from":"{address}","to":"{address}","by":"pppd[812]","took_ms":17}}"#
        )
    });
    let until = hour(days) * HOUR_MS;
    let history =
        format!(r#","history":{{"until":{until},"hours":[{hours}],"outages":[{outages}],"changes":[{changes}]}}"#);
    decode(&records(serial), &history)
}

fn records(serial: u32) -> String {
    let record = |record: u32| {
        let last = serial.saturating_sub((serial + RECORDS - record) % RECORDS);
        let address = Ipv4Addr::from(0x0b00_0000 + last);
        let handle = "0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef";
        format!(
            r#""host-{record}.example.com A":{{"confirmed":"{address}","written_at":1800000{last},"handle":"{handle}"}}"#
        )
    };
    (0..RECORDS).map(record).collect::<Vec<_>>().join(",")
}

fn decode(records: &str, more: &str) -> SavedState {
    SavedState::decode(format!(r#"{{"format":2,"records":{{{records}}}{more}}}"#).as_bytes()).unwrap()
}
