/// A MAC address in the one form in which they are compared: `a8032ab12345`.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    if digits.len() != 12 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err("not a MAC address, which has twelve hexadecimal digits".to_owned());
    }
    Ok(digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mac_address_is_read_however_it_is_written() {
        for text in ["A8032AB12345", "a8:03:2a:b1:23:45", "A8-03-2A-B1-23-45", "a803.2ab1.2345"] {
            assert_eq!(super::parse(text).as_deref(), Ok("a8032ab12345"), "{text}");
        }
        for text in ["", "a8032ab1234", "a8032ab123456", "a8032ab1234g", "ä8032ab12345"] {
            assert!(super::parse(text).is_err(), "{text}");
        }
    }
}
