use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// What happened: always its hash, in words only where asked for.
#[derive(Default)]
pub struct History {
    hasher: DefaultHasher,
    lines: Option<Vec<String>>,
}

impl History {
    pub fn new(in_words: bool) -> Self {
        Self { hasher: DefaultHasher::new(), lines: in_words.then(Vec::new) }
    }

    pub fn mark(&mut self, what: impl Hash) {
        what.hash(&mut self.hasher);
    }

    pub fn say(&mut self, now: Duration, what: fmt::Arguments<'_>) {
        let Some(lines) = &mut self.lines else { return };
        let secs = now.as_secs();
        let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
        let mut line = format!("{days:>5}d {hours:02}:{minutes:02}:{:02}.{:03}  ", secs % 60, now.subsec_millis());
        line.write_fmt(what).unwrap();
        lines.push(line);
    }

    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub fn last(&self, lines: usize) -> &[String] {
        let all = self.lines.as_deref().unwrap_or_default();
        &all[all.len().saturating_sub(lines)..]
    }
}
