/// The most lines of one run that are logged.
const LINES: usize = 100;
/// The most octets of a line that are logged; what follows belongs to the next one.
const LINE: usize = 500;

/// What a program has printed, cut into lines and within bounds.
#[derive(Debug, Default)]
pub(super) struct Output {
    line: Vec<u8>,
    lines: usize,
}

impl Output {
    /// Takes some of it, cut anywhere; the lines that are complete. Control characters are made visible.
    pub(super) fn take(&mut self, octets: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for octet in octets {
            if *octet != b'\n' {
                self.line.push(*octet);
            }
            if *octet == b'\n' || self.line.len() == LINE {
                lines.extend(self.complete());
            }
        }
        lines
    }

    /// The last line, which nothing ends.
    pub(super) fn finish(&mut self) -> Option<String> {
        if self.line.is_empty() { None } else { self.complete() }
    }

    fn complete(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        self.lines += 1;
        match self.lines {
            ..=LINES => Some(String::from_utf8_lossy(&line).escape_debug().to_string()),
            _ if self.lines == LINES + 1 => Some("(there was more)".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_wherever_they_are_cut_and_control_characters_are_visible() {
        let mut output = Output::default();
        assert_eq!(output.take(b"one\ntw"), ["one"]);
        assert_eq!(output.take(b"o\x1b[2J\n\nthree"), ["two\\u{1b}[2J", ""]);
        assert_eq!(output.finish().as_deref(), Some("three"));
        assert_eq!(output.finish(), None);
    }

    #[test]
    fn neither_a_long_line_nor_many_lines_take_more_than_their_bounds() {
        let mut output = Output::default();
        let lines = output.take(&vec![b'x'; LINE * (LINES + 50)]);
        assert_eq!(lines.len(), LINES + 1);
        assert!(lines.iter().all(|line| line.len() <= LINE));
        assert!(output.line.is_empty() && output.take(b"more\n").is_empty());
    }
}
