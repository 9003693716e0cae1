use ddns_core::state::SavedState;

use super::dice::Dice;

/// The store: what is acknowledged stays, what is not may be there or not.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    durable: Option<(u64, SavedState)>,
    writing: Option<(u64, SavedState)>,
    saves: u64,
}

impl Disk {
    /// A save begins; its number.
    pub fn begin(&mut self, state: SavedState) -> u64 {
        self.saves += 1;
        self.writing = Some((self.saves, state));
        self.saves
    }

    pub const fn busy(&self) -> bool {
        self.writing.is_some()
    }

    /// The save ends well.
    pub fn acknowledge(&mut self) {
        self.durable = self.writing.take().or(self.durable.take());
    }

    /// The save ends with an error.
    pub fn fail(&mut self) {
        self.writing = None;
    }

    /// The process ends in the middle of it.
    pub fn crash(&mut self, dice: &mut Dice) {
        if let Some(writing) = self.writing.take().filter(|_| dice.percent(50)) {
            self.durable = Some(writing);
        }
    }

    /// The number of the save that is on disk.
    pub fn durable(&self) -> u64 {
        self.durable.as_ref().map_or(0, |(number, _)| *number)
    }

    pub fn state(&self) -> Option<&SavedState> {
        self.durable.as_ref().map(|(_, state)| state)
    }

    /// What a start finds.
    pub fn load(&self) -> Option<SavedState> {
        self.state().map(|state| SavedState::decode(&state.encode()).unwrap())
    }
}
