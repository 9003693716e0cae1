//! Values as people read them on a terminal.

use serde_json::Value;

/// Text of whatever origin, on one line and without power over the terminal (FAULTS 73).
pub(crate) fn text(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\'' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.chars().map(escaped).collect()
}

/// A document on one line. JSON leaves DEL and the controls beyond it as they are, which a terminal may obey.
pub(crate) fn json(document: &Value) -> String {
    let escaped = |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    document.to_string().chars().map(escaped).collect()
}

/// `2d 3h`, `4m 5s`, `1.234s`.
pub(crate) fn millis(millis: u64) -> String {
    match millis / 1000 {
        secs @ 0..60 => format!("{secs}.{:03}s", millis % 1000),
        secs => self::secs(secs),
    }
}

/// `2d 3h`, `4m 5s`, `1s`.
pub(crate) fn secs(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m {}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h {}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d {}h", secs / 86_400, secs / 3600 % 24),
    }
}

/// `2026-11-21 20:45:10Z` of milliseconds since the Unix epoch.
pub(crate) fn date(millis: u64) -> String {
    let at = i64::try_from(millis / 1000).ok().and_then(|secs| time::OffsetDateTime::from_unix_timestamp(secs).ok());
    at.map_or_else(
        || "?".to_owned(),
        |at| {
            let (year, month, day) = at.to_calendar_date();
            let (hour, minute, second) = at.to_hms();
            format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z", u8::from(month))
        },
    )
}

/// `99.9512 %` of a share.
pub(crate) fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "unknown".to_owned(), |share| format!("{:.4} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "\u{1b}[2J\u{9b}2J\r\n\u{7}\u{7f}\u{202e}\u{2028} it's \"so\"";
        let shown = text(hostile);
        assert_eq!(shown, r#"\u{1b}[2J\u{9b}2J\r\n\u{7}\u{7f}\u{202e}\u{2028} it's "so""#);
        let document = Value::String(hostile.to_owned());
        assert!(!json(&document).chars().any(char::is_control), "{}", json(&document));
        assert_eq!(serde_json::from_str::<Value>(&json(&document)).ok(), Some(document));
    }

    #[test]
    fn lengths_have_their_two_largest_units() {
        assert_eq!([0, 59, 60, 3599, 3600, 90_000].map(secs), ["0s", "59s", "1m 0s", "59m 59s", "1h 0m", "1d 1h"]);
        assert_eq!(millis(1234), "1.234s");
        assert_eq!(date(1_763_757_910_000), "2025-11-21 20:45:10Z");
    }
}
