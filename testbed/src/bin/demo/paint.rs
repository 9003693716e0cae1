//! Colours, where they are wanted.

use std::{env, io::IsTerminal};

/// Colours text on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
#[derive(Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// As standard output wants it.
    pub fn for_stdout() -> Self {
        let declined = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: std::io::stdout().is_terminal() && !declined }
    }

    /// Headings.
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Side remarks.
    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// What went well.
    pub fn good(self, text: &str) -> String {
        self.wrap("1;32", text)
    }

    /// What went wrong.
    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// A stage of the timeline, each in a colour of its own.
    pub fn stage(self, number: usize, text: &str) -> String {
        const COLOURS: [&str; 6] = ["35", "34", "36", "33", "32", "1;32"];
        self.wrap(COLOURS[number % COLOURS.len()], text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
