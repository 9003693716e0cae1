use crate::ports::PlugOrder;
use crate::readiness::Readiness;
use crate::time::{Instant, Wall};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The plug has not been looked at yet.
    New,
    Watching,
    /// A look is under way; `then` something may follow.
    Checking {
        then: bool,
    },
    Intending,
    Armed,
    Cutting,
    Dark {
        until: Instant,
    },
    Restoring(Restoring),
    Settling {
        until: Instant,
    },
}

/// The way back to power.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Restoring {
    pub(super) next: PlugOrder,
    /// `None` while it is under way.
    pub(super) due: Option<Instant>,
    pub(super) failures: u32,
    /// The order to switch off has certainly arrived, or it is certain that it no longer can.
    pub(super) landed: bool,
    /// It was seen on.
    pub(super) seen_on: bool,
    /// Whether the router's return is then waited for.
    pub(super) settle: bool,
}

/// What the machine has to know of its surroundings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) now: Instant,
    pub(crate) wall: Wall,
    pub(crate) readiness: Readiness,
    /// Why state can't be kept.
    pub(crate) not_durable: Option<&'a str>,
    pub(crate) ending: bool,
}
