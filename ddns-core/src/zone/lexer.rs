//! The words of a zone file (RFC 1035 §5.1).

/// A word: its escapes are still there, its quotes are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token<'a> {
    /// The word.
    pub text: &'a str,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

/// The words of one entry, which may go over several lines in parentheses.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Entry<'a> {
    /// The line of its beginning, from 1.
    pub line: usize,
    /// Whether it begins with a blank: the owner name is that of the entry before.
    pub continued: bool,
    /// Its words.
    pub tokens: Vec<Token<'a>>,
}

/// What cannot be split into words. Whatever follows in the same line is skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unbalanced {
    /// A quote that its line does not close.
    Quote,
    /// A parenthesis that is never closed.
    Open,
    /// A parenthesis that was never opened.
    Close,
}

/// All entries of a file, and what could not be split, with its line.
pub(super) fn entries(text: &str) -> (Vec<Entry<'_>>, Vec<(usize, Unbalanced)>) {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let (mut current, mut open): (Option<Entry<'_>>, Option<usize>) = (None, None);
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let entry = current.get_or_insert_with(|| Entry {
            line: number,
            continued: line.starts_with([' ', '\t']),
            tokens: Vec::new(),
        });
        if let Err(fault) = words(line, &mut entry.tokens, &mut open, number) {
            faults.push((number, fault));
            (current, open) = (None, None);
            continue;
        }
        if open.is_none() {
            entries.extend(current.take().filter(|entry| !entry.tokens.is_empty()));
        }
    }
    if let Some(line) = open {
        faults.push((line, Unbalanced::Open));
    }
    (entries, faults)
}

/// The words of a text that is one entry; none if quotes or parentheses do not match.
pub(super) fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let (mut tokens, mut open) = (Vec::new(), None);
    for line in text.split('\n') {
        words(line, &mut tokens, &mut open, 1).ok()?;
    }
    open.is_none().then_some(tokens)
}

fn words<'a>(
    line: &'a str,
    into: &mut Vec<Token<'a>>,
    open: &mut Option<usize>,
    number: usize,
) -> Result<(), Unbalanced> {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        match rest.bytes().next() {
            None | Some(b';') => return Ok(()),
            Some(b'(') if open.is_some() => return Err(Unbalanced::Open),
            Some(b'(') => {
                *open = Some(number);
                rest = &rest[1..];
            }
            Some(b')') => {
                open.take().ok_or(Unbalanced::Close)?;
                rest = &rest[1..];
            }
            Some(b'"') => {
                let end = end_of(&rest[1..], |octet| octet == b'"');
                let text = &rest[1..=end];
                rest = rest.get(end + 2..).ok_or(Unbalanced::Quote)?;
                into.push(Token { text, quoted: true });
            }
            Some(_) => {
                let end = end_of(rest, |octet| matches!(octet, b' ' | b'\t' | b'\r' | b';' | b'(' | b')' | b'"'));
                let (text, after) = rest.split_at(end);
                into.push(Token { text, quoted: false });
                rest = after;
            }
        }
    }
}

/// Where the first octet stands that ends a word and is not escaped; else the length. Only ASCII ends a word.
fn end_of(text: &str, ends: impl Fn(u8) -> bool) -> usize {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate() {
        if !escaped && ends(octet) {
            return at;
        }
        escaped = !escaped && octet == b'\\';
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, bool, Vec<&str>)> {
        let (entries, faults) = entries(text);
        assert_eq!(faults, [], "{text}");
        entries.into_iter().map(|e| (e.line, e.continued, e.tokens.iter().map(|token| token.text).collect())).collect()
    }

    #[test]
    fn comments_and_blank_lines_are_no_words() {
        assert_eq!(texts("; nothing\n\n  \na b;c\n\tc\r\n"), [(4, false, vec!["a", "b"]), (5, true, vec!["c"])]);
    }

    #[test]
    fn parentheses_join_lines() {
        assert_eq!(texts("a ( b ; x\n c\n) d\ne"), [(1, false, vec!["a", "b", "c", "d"]), (4, false, vec!["e"])]);
    }

    #[test]
    fn quotes_and_backslashes_hold_words_together() {
        assert_eq!(texts(r#"a"b ; ( \" c"d\;e\ f"#), [(1, false, vec!["a", r#"b ; ( \" c"#, r"d\;e\ f"])]);
        assert_eq!(texts(r#""" "ü\\""#), [(1, false, vec!["", r"ü\\"])]);
    }

    #[test]
    fn what_does_not_match_is_told_with_its_line() {
        assert_eq!(entries("a\n\"b\nc").1, [(2, Unbalanced::Quote)]);
        assert_eq!(entries("a\nb (\nc").1, [(2, Unbalanced::Open)]);
        assert_eq!(entries("a )\nb").1, [(1, Unbalanced::Close)]);
        assert_eq!(entries("a ( (\nb").1, [(1, Unbalanced::Open)]);
        assert_eq!(tokens("\"a"), None);
    }
}
