use super::retrying::Retrying;
use super::status::SourceStatus;
use crate::address::{Hint, Snapshot};
use crate::time::Instant;

/// What one source has told.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) watching: Retrying,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) hint: Option<Hint>,
}

impl Source {
    /// A source that is watched from `first` on.
    pub(super) const fn new(name: String, first: Instant) -> Self {
        Self { name, watching: Retrying::at(first), snapshot: None, hint: None }
    }

    pub(super) fn status(&self) -> SourceStatus {
        SourceStatus {
            name: self.name.clone(),
            rung: self.hint.map(|hint| hint.rung),
            error: self.watching.error().cloned(),
        }
    }
}
