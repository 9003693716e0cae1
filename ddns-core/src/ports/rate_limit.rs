//! What an answer says of further requests: `Retry-After` (RFC 9110 §10.2.3) and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers-10: `"default";r=0;t=30`).

use std::time::Duration;

use super::HttpResponse;

impl HttpResponse {
    /// How long the server asks to wait, where it refused: `Retry-After` in seconds, else the rest of a window in which
    /// no request is left.
    pub fn asked_to_wait(&self) -> Option<Duration> {
        let after = self.retry_after.as_deref().and_then(|text| text.trim().parse().ok());
        after.map(Duration::from_secs).or_else(|| self.used_up())
    }

    /// For how long no request is left, if the server says so; the longest of several windows.
    pub fn used_up(&self) -> Option<Duration> {
        let policies = self.rate_limit.as_deref()?.split(',');
        policies
            .filter(|policy| parameter(policy, "r") == Some(0))
            .filter_map(|policy| parameter(policy, "t"))
            .max()
            .map(Duration::from_secs)
    }
}

/// A whole number among the parameters of an item (RFC 9651 §3.1.2).
fn parameter(item: &str, key: &str) -> Option<u64> {
    let pairs = item.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    pairs.filter(|(name, _)| name.trim() == key).last().and_then(|(_, value)| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_from_either_field_and_nonsense_is_none() {
        let wait = |retry_after: Option<&str>, rate_limit: Option<&str>| {
            let fields = (retry_after.map(ToOwned::to_owned), rate_limit.map(ToOwned::to_owned));
            let response = HttpResponse { retry_after: fields.0, rate_limit: fields.1, ..HttpResponse::default() };
            response.asked_to_wait().map(|wait| wait.as_secs())
        };
        let cases = [
            (Some("7"), None, Some(7)),
            (Some(" 7 "), Some("\"default\";r=0;t=30"), Some(7)),
            (None, Some("\"default\";r=0;t=30"), Some(30)),
            (Some("soon"), Some("\"default\"; r=0; t=30"), Some(30)),
            (None, Some("\"burst\";r=0;t=2, \"day\";r=0;t=600, \"hour\";r=9;t=3600"), Some(600)),
            (None, Some("\"default\";r=1;t=30"), None),
            (None, Some("\"default\";r=0"), None),
            (None, Some("\"default\";t=30"), None),
            (None, Some("\"default\";r=0;t=-30"), None),
            (None, Some("r=0;t=99999999999999999999"), None),
            (None, Some(";;;,=,"), None),
            (Some("-1"), None, None),
            (Some("soon"), None, None),
            (None, None, None),
        ];
        for (retry_after, rate_limit, expected) in cases {
            assert_eq!(wait(retry_after, rate_limit), expected, "{retry_after:?} {rate_limit:?}");
        }
    }
}
