//! What an answer says of the requests that are left (draft-ietf-httpapi-ratelimit-headers, as Cloudflare sends it).

use hyper::HeaderMap;
use hyper::header::HeaderValue;

/// Requests in a window, and its length in seconds: those of the real API.
const QUOTA: usize = 1200;
const WINDOW: u64 = 300;

/// Puts in that so many have been made of the window's requests.
pub(super) fn tell_used(headers: &mut HeaderMap, used: usize) {
    tell(headers, QUOTA.saturating_sub(used).max(1), WINDOW);
}

/// Puts in that none is left for so many seconds.
pub(super) fn tell_used_up(headers: &mut HeaderMap, seconds: u64) {
    tell(headers, 0, seconds);
}

fn tell(headers: &mut HeaderMap, left: usize, seconds: u64) {
    let fields = [
        ("ratelimit", format!("\"default\";r={left};t={seconds}")),
        ("ratelimit-policy", format!("\"default\";q={QUOTA};w={WINDOW}")),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::try_from(value).expect("digits and letters"));
    }
}
