use data_encoding::BASE64;
use hickory_proto::rr::Name;
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;

/// How far two clocks may be apart, in seconds (RFC 8945 §10).
pub(crate) const FUDGE: u16 = 300;
/// A shorter secret, in octets, was not made by `tsig-keygen`.
const SHORTEST: usize = 16;

/// Reads one `key` statement of BIND's configuration, as `tsig-keygen` prints it. The errors tell nothing of the secret.
pub(crate) fn parse_key(text: &str) -> Result<TSigner, String> {
    let mut tokens = tokens(text)?.into_iter();
    let mut next = |what: &str| tokens.next().ok_or_else(|| format!("it ends where {what} should be"));
    let is = |found: String, wanted: &str| {
        if found == wanted { Ok(()) } else { Err(format!("it has something else where {wanted:?} should be")) }
    };
    is(next("\"key\"")?, "key")?;
    let name = next("the key's name")?;
    let (mut algorithm, mut secret) = (None, None);
    is(next("\"{\"")?, "{")?;
    loop {
        match next("\"}\"")?.as_str() {
            "}" => break,
            "algorithm" if algorithm.is_none() => algorithm = Some(next("the algorithm")?),
            "secret" if secret.is_none() => secret = Some(next("the secret")?),
            "algorithm" | "secret" => return Err("the algorithm or the secret is there twice".to_owned()),
            _ => return Err("it has something else than an algorithm and a secret".to_owned()),
        }
        is(next("\";\"")?, ";")?;
    }
    is(next("\";\"")?, ";")?;
    if tokens.next().is_some() {
        return Err("it has something behind the key".to_owned());
    }
    let name = Name::from_ascii(&name).map_err(|_| "the key's name is no domain name".to_owned())?;
    let algorithm = match algorithm.ok_or("it has no algorithm")?.to_ascii_lowercase().as_str() {
        "hmac-sha256" => TsigAlgorithm::HmacSha256,
        "hmac-sha384" => TsigAlgorithm::HmacSha384,
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        _ => return Err("the algorithm is none of hmac-sha256, hmac-sha384 and hmac-sha512".to_owned()),
    };
    let secret = secret.ok_or("it has no secret")?;
    let secret = BASE64.decode(secret.as_bytes()).map_err(|_| "the secret is not base64".to_owned())?;
    if secret.len() < SHORTEST {
        return Err(format!("the secret is too short: {} octets, at least {SHORTEST} are expected", secret.len()));
    }
    TSigner::new(secret, algorithm, name, FUDGE).map_err(|_| "the algorithm can't be used".to_owned())
}

/// Words, the contents of quotes, and the three marks, without comments.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").ok_or("a comment has no end")?.1
        } else if first == '#' || rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (inside, after) = quoted.split_once('"').ok_or("a quotation mark has no partner")?;
            tokens.push(inside.to_owned());
            after
        } else if matches!(first, '{' | '}' | ';') {
            tokens.push(first.to_string());
            &rest[1..]
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "{};\"#".contains(c)).unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            &rest[end..]
        };
        rest = after.trim_start();
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "2xNlqoHKvFq3cIhNyJmR9mGzn0dT0p1yQ2m0s3l4uXo=";

    fn error(text: &str) -> String {
        match parse_key(text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn what_tsig_keygen_prints_is_read() {
        for (word, algorithm) in [
            ("hmac-sha256", TsigAlgorithm::HmacSha256),
            ("hmac-sha384", TsigAlgorithm::HmacSha384),
            ("HMAC-SHA512", TsigAlgorithm::HmacSha512),
        ] {
            let text = format!("key \"ddns-key\" {{\n\talgorithm {word};\n\tsecret \"{SECRET}\";\n}};\n");
            let key = parse_key(&text).ok().unwrap();
            assert_eq!((key.signer_name().to_ascii().as_str(), key.algorithm()), ("ddns-key.", &algorithm));
            assert_eq!(BASE64.encode(key.key()), SECRET);
        }
        let other =
            format!("# ours\n/* the\nkey */ key a.b {{ secret {SECRET}; // why\n algorithm \"hmac-sha256\"; }};");
        assert_eq!(parse_key(&other).ok().unwrap().signer_name().to_ascii(), "a.b.");
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_reason_and_without_the_secret() {
        let cases = [
            (String::new(), "it ends where \"key\""),
            (SECRET.to_owned(), "something else where \"key\""),
            (format!("key k {{ secret {SECRET}; }};"), "no algorithm"),
            ("key k { algorithm hmac-sha256; };".to_owned(), "no secret"),
            (format!("key k {{ algorithm hmac-md5; secret {SECRET}; }};"), "none of hmac-sha256"),
            (format!("key k {{ algorithm hmac-sha256; secret {SECRET}; }}"), "it ends where \";\""),
            (format!("key k {{ algorithm hmac-sha256; secret {SECRET}; "), "it ends where \"}\""),
            (format!("key k {{ algorithm hmac-sha256; secret \"{SECRET}; }};"), "no partner"),
            (format!("key k {{ algorithm hmac-sha256; secret {SECRET}x; }};"), "not base64"),
            ("key k { algorithm hmac-sha256; secret c2hvcnQ=; };".to_owned(), "too short"),
            (format!("key k {{ secret {SECRET}; secret {SECRET}; }};"), "twice"),
            (format!("key k {{ algorithm hmac-sha256; secret {SECRET}; }}; key"), "behind the key"),
            (format!("key k..k {{ algorithm hmac-sha256; secret {SECRET}; }};"), "no domain name"),
            (format!("key k {{ password {SECRET}; }};"), "something else than"),
            (format!("/* key k {{ secret {SECRET}; }};"), "no end"),
        ];
        for (text, expected) in cases {
            let reason = error(&text);
            assert!(reason.contains(expected) && !reason.contains(&SECRET[..8]), "{text}: {reason}");
        }
    }
}
