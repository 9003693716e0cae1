//! Character strings (RFC 1035 §3.3, §5.1) and the data of TXT records.

use std::fmt::{self, Write};

use super::name::escaped;

/// Octets of one character string.
pub const LONGEST_STRING: usize = 255;
/// Octets of the data of a record (RFC 1035 §3.2.1).
pub const LONGEST_DATA: usize = 65_535;

/// The strings of a TXT record: at least one, each of at most 255 octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Text(Vec<Box<[u8]>>);

/// Why something is no text of a record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TextError {
    /// RFC 1035 §3.3.14.
    #[error("there is no string; an empty one is written as \"\"")]
    None,
    /// RFC 1035 §3.3.
    #[error("a string is longer than 255 octets; write it as several, such as \"...\" \"...\"")]
    StringTooLong,
    /// RFC 1035 §3.2.1.
    #[error("the text does not fit into a record of 65535 octets; shorten it")]
    TooLong,
    /// RFC 1035 §5.1.
    #[error("a backslash wants three digits up to 255, or one character that is no digit")]
    Escape,
}

impl Text {
    /// The text as it is, split into strings of 255 octets; clients put them together again (RFC 7208 §3.3).
    pub fn plain(text: &[u8]) -> Result<Self, TextError> {
        if text.is_empty() {
            return Ok(Self(vec![Box::default()]));
        }
        Self::of(text.chunks(LONGEST_STRING).map(Into::into).collect())
    }

    /// The strings as they are, such as those of a message.
    pub fn of(strings: Vec<Box<[u8]>>) -> Result<Self, TextError> {
        if strings.is_empty() {
            return Err(TextError::None);
        }
        if strings.iter().any(|string| string.len() > LONGEST_STRING) {
            return Err(TextError::StringTooLong);
        }
        let octets: usize = strings.iter().map(|string| string.len() + 1).sum();
        if octets > LONGEST_DATA { Err(TextError::TooLong) } else { Ok(Self(strings)) }
    }

    /// Its strings.
    pub fn strings(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|string| &**string)
    }
}

/// Each string in quotes, one space between them.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, string) in self.strings().enumerate() {
            if at > 0 {
                f.write_char(' ')?;
            }
            quote(string, f)?;
        }
        Ok(())
    }
}

/// Writes a string in quotes: quotes and backslashes escaped, what is no printable ASCII as `\DDD`.
pub(super) fn quote(string: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for &octet in string {
        match octet {
            b'"' | b'\\' => write!(f, "\\{}", char::from(octet))?,
            b' '..=b'~' => f.write_char(char::from(octet))?,
            _ => write!(f, "\\{octet:03}")?,
        }
    }
    f.write_char('"')
}

/// The octets that a written string stands for.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, TextError> {
    let (mut octets, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('\\') {
        octets.extend(before.bytes());
        let (octet, after) = escaped(after).ok_or(TextError::Escape)?;
        octets.push(octet);
        rest = after;
    }
    octets.extend(rest.bytes());
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_over_255_octets_is_split() {
        let lengths = |length: usize| {
            let text = Text::plain(&vec![b'a'; length]).unwrap();
            text.strings().map(<[u8]>::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(0), [0]);
        assert_eq!(lengths(255), [255]);
        assert_eq!(lengths(256), [255, 1]);
        assert_eq!(lengths(600), [255, 255, 90]);
        assert_eq!(Text::plain(&vec![0; LONGEST_DATA]), Err(TextError::TooLong));
    }

    #[test]
    fn quotes_backslashes_and_control_octets_are_escaped() {
        let text = Text::plain("a\"b\\c;d\n\u{fc}\u{7f}".as_bytes()).unwrap();
        assert_eq!(text.to_string(), r#""a\"b\\c;d\010\195\188\127""#);
    }

    #[test]
    fn what_was_written_is_read_again() {
        assert_eq!(unescape(r#"a\"b\\c\010ü\;"#), Ok("a\"b\\c\nü;".as_bytes().to_vec()));
        for wrong in ["\\", r"\1", r"\999", r"\12x", "\\ü"] {
            assert_eq!(unescape(wrong), Err(TextError::Escape), "{wrong}");
        }
        assert_eq!(Text::of(vec![]), Err(TextError::None));
        assert_eq!(Text::of(vec![vec![0; 256].into()]), Err(TextError::StringTooLong));
    }
}
