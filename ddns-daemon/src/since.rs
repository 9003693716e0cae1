//! How far back somebody looks.

use std::str::FromStr;
use std::time::Duration;

use ddns_core::time::Wall;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A length of time before now, or a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Since {
    Ago(Duration),
    Moment(Wall),
}

impl Since {
    /// The moment, seen from `now`.
    pub(crate) fn before(self, now: Wall) -> Wall {
        match self {
            Self::Ago(ago) => now.before(ago),
            Self::Moment(moment) => moment,
        }
    }
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str =
            "neither a length like 90s, 30m, 12h, 7d or 4w nor a date like 2026-11-01 or 2026-11-01T12:00:00Z";
        let unit = |unit: char| match unit {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3600),
            'd' => Some(86_400),
            'w' => Some(604_800),
            _ => None,
        };
        if let Some(secs) = text.chars().last().and_then(unit) {
            let number: u64 = text[..text.len() - 1].parse().map_err(|_| WRONG)?;
            return number.checked_mul(secs).map(|secs| Self::Ago(Duration::from_secs(secs))).ok_or(WRONG);
        }
        let day = if text.len() == "2026-11-01".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let moment = OffsetDateTime::parse(&day, &Rfc3339).map_err(|_| WRONG)?;
        let millis = u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).map_err(|_| WRONG)?;
        Ok(Self::Moment(Wall::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(text: &str) -> Result<u64, &'static str> {
        let now = Wall::from_millis(1_700_000_000_000);
        text.parse::<Since>().map(|since| since.before(now).as_millis())
    }

    #[test]
    fn lengths_and_dates_are_understood() {
        assert_eq!(before("90s"), Ok(1_699_999_910_000));
        assert_eq!(before("7d"), before("1w"));
        assert_eq!(before("12h"), before("720m"));
        assert_eq!(before("2025-11-21"), Ok(1_763_683_200_000));
        assert_eq!(before("2025-11-21T20:45:10Z"), before("2025-11-21T21:45:10+01:00"));
        assert_eq!(before("100000w"), Ok(0), "longer ago than the epoch");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "7", "d", "-7d", "7 d", "7y", "1.5h", "2025-13-01", "1960-01-01", "18446744073709551615w", "é"]
        {
            assert!(before(text).is_err(), "{text}");
        }
    }
}
