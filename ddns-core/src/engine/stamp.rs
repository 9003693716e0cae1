use crate::time::{Instant, Wall};

/// The wall time of a moment, worked out once: steps of the wall clock don't change what is saved.
#[derive(Debug, Default)]
pub(super) struct Stamp(Option<(Instant, Wall)>);

impl Stamp {
    /// A moment whose wall time was saved.
    pub(super) fn saved(at: Option<Instant>, wall: Option<Wall>) -> Self {
        Self(at.zip(wall))
    }

    /// The wall time of `at`, by the clocks' `now` and `wall` if it is another moment than before.
    pub(super) fn of(&mut self, at: Option<Instant>, now: Instant, wall: Wall) -> Option<Wall> {
        self.0 = at.map(|at| match self.0 {
            Some((known, wall)) if known == at => (known, wall),
            Some(_) | None => (at, wall.before(now.saturating_since(at)).after(at.saturating_since(now))),
        });
        self.0.map(|(_, wall)| wall)
    }
}
