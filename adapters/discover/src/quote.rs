/// At most this many octets of what somebody else said are repeated.
const LONGEST: usize = 80;

/// What somebody else said, as it may stand in a log: printable ASCII in quotes, cut.
pub(crate) fn quoted(octets: &[u8]) -> String {
    let shown = octets.get(..LONGEST).unwrap_or(octets);
    let rest = if shown.len() < octets.len() { "..." } else { "" };
    format!("\"{}\"{rest}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_one_short_line_of_ascii() {
        assert_eq!(quoted(b"a\n\x1b[31m\"\xff"), r#""a\n\x1b[31m\"\xff""#);
        let long = quoted(&[b'x'; 5000]);
        assert!(long.len() < 100 && long.ends_with("\"..."), "{long}");
    }
}
