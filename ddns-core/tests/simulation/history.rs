use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use ddns_core::engine::{Action, Event, Transition};
use ddns_core::record::RecordKey;

/// What happened: always its hash, in words only where asked for.
#[derive(Default)]
pub struct History {
    hasher: DefaultHasher,
    lines: Option<Vec<Line>>,
}

/// One thing that happened, and the record that it is about.
struct Line {
    about: About,
    text: String,
}

/// The record that something is about; `None`: all of them, or the world.
pub type About = Option<usize>;

impl History {
    pub fn new(in_words: bool) -> Self {
        Self { hasher: DefaultHasher::new(), lines: in_words.then(Vec::new) }
    }

    pub fn mark(&mut self, what: impl Hash) {
        what.hash(&mut self.hasher);
    }

    pub fn say(&mut self, now: Duration, about: About, what: fmt::Arguments<'_>) {
        let Some(lines) = &mut self.lines else { return };
        let secs = now.as_secs();
        let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
        let mut text = format!("{days:>5}d {hours:02}:{minutes:02}:{:02}.{:03}  ", secs % 60, now.subsec_millis());
        text.write_fmt(what).unwrap();
        lines.push(Line { about, text: plainer(&text) });
    }

    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// The last lines about the world and, if one is named, that record.
    pub fn last(&self, most: usize, about: About) -> Vec<&str> {
        let concerns = |line: &&Line| about.is_none() || line.about.is_none() || line.about == about;
        let lines = self.lines.iter().flatten().filter(concerns).map(|line| line.text.as_str());
        let all: Vec<&str> = lines.collect();
        all[all.len().saturating_sub(most)..].to_vec()
    }
}

/// Without the words of the types.
fn plainer(text: &str) -> String {
    let words = ["RecordKey { name: RecordName(\"", "\"), rtype:", "RecordId(", "RecordHandle("];
    let short = ["{", "", "(", "("];
    words.into_iter().zip(short).fold(text.to_owned(), |text, (word, short)| text.replace(word, short))
}

pub fn event(event: &Event) -> About {
    match event {
        Event::Resolved { record, .. } | Event::Read { record, .. } | Event::Updated { record, .. } => Some(record.0),
        _ => None,
    }
}

pub fn action(action: &Action) -> About {
    match action {
        Action::Resolve { record, .. } | Action::Read { record, .. } | Action::Update { record, .. } => Some(record.0),
        Action::Watch { .. }
        | Action::LookAgain { .. }
        | Action::Probe
        | Action::Plug { .. }
        | Action::AddressesHeld(_)
        | Action::CloseIdle => None,
    }
}

/// `place` finds a record's number by its key.
pub fn transition(told: &Transition, place: impl Fn(&RecordKey) -> About) -> About {
    match told {
        Transition::Unsupported { key }
        | Transition::Checked { key, .. }
        | Transition::Deferred { key, .. }
        | Transition::UpdateStarted { key, .. }
        | Transition::WouldUpdate { key, .. }
        | Transition::Updated { key, .. }
        | Transition::Foreign { key, .. }
        | Transition::UpdateFailed { key, .. }
        | Transition::VerifyPending { key, .. }
        | Transition::Verified { key, .. } => place(key),
        _ => None,
    }
}
