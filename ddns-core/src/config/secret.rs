const SHORTEST: usize = 20;

/// The text of a secret's file: UTF-8 without a byte-order mark; one line end is cut off.
pub(super) fn decode_secret(content: Vec<u8>) -> Result<String, &'static str> {
    if content.starts_with(b"\xef\xbb\xbf") {
        return Err("the file begins with a byte-order mark");
    }
    let mut text = String::from_utf8(content).map_err(|_| "the file is not text")?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    if text.is_empty() {
        return Err("the file is empty");
    }
    Ok(text)
}

/// Finds what can't be a secret.
pub(super) fn check_secret(text: &str) -> Result<(), String> {
    let lower = text.to_ascii_lowercase();
    let placeholder =
        ["your", "token", "changeme", "change-me", "placeholder", "example", "secret", "xxxx", "<", "..."];
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it holds white space or control characters".to_owned());
    }
    if !text.is_ascii() {
        return Err("it holds characters outside ASCII".to_owned());
    }
    if placeholder.iter().any(|word| lower.contains(word)) {
        return Err("it is a placeholder".to_owned());
    }
    if text.len() < SHORTEST {
        return Err(format!("it is too short: {} characters, at least {SHORTEST} are expected", text.len()));
    }
    Ok(())
}
