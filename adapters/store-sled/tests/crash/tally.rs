use std::fmt;

use crate::store::Outcome;

/// What came of one kind of fault.
#[derive(Default)]
pub struct Tally {
    what: &'static str,
    runs: u32,
    lost: u32,
    empty: u32,
    wedged: u32,
    hung: u32,
    /// Databases that were made anew, or states that came from sled: it was said, and the evidence kept.
    mended: u32,
    /// States refused because every copy was damaged, where that may be, and saves because of the disk.
    refused: u32,
    first: Option<String>,
}

impl Tally {
    pub const HEAD: &'static str = "| fault | runs | acknowledged lost | silent empties | wedges | hangs | mended, said | refused, said |\n\
                                    | --- | --- | --- | --- | --- | --- | --- | --- |";

    pub fn new(what: &'static str) -> Self {
        Self { what, ..Self::default() }
    }

    /// A store that has to hold what was acknowledged.
    pub fn judge(&mut self, acknowledged: u32, outcome: &Outcome, about: impl FnOnce() -> String) {
        self.runs += 1;
        let before = self.bad();
        match outcome {
            Outcome::Serial(serial) if *serial < acknowledged => self.lost += 1,
            Outcome::Serial(_) => {}
            Outcome::Nothing if acknowledged > 0 => self.empty += 1,
            Outcome::Nothing => {}
            Outcome::Refused(_) => self.wedged += 1,
            Outcome::Hung => self.hung += 1,
        }
        if self.bad() > before && self.first.is_none() {
            self.first = Some(format!("acknowledged {acknowledged}, came back {outcome:?}: {}", about()));
        }
    }

    /// A store in which every copy may be damaged: an older state or a refusal is all that can be asked for.
    pub fn judge_mercifully(&mut self, acknowledged: u32, outcome: &Outcome, about: impl FnOnce() -> String) {
        match outcome {
            Outcome::Refused(_) => {
                self.runs += 1;
                self.refused += 1;
            }
            Outcome::Serial(_) => self.runs += 1,
            Outcome::Nothing | Outcome::Hung => self.judge(acknowledged, outcome, about),
        }
    }

    /// Saves that were refused with an error, as they should be.
    pub fn refused(&mut self, many: usize) {
        self.refused += u32::try_from(many).unwrap_or(u32::MAX);
    }

    pub fn mended(&mut self) {
        self.mended += 1;
    }

    /// Something that has to be so is not.
    pub fn wedge(&mut self, why: String) {
        self.wedged += 1;
        self.first.get_or_insert(why);
    }

    const fn bad(&self) -> u32 {
        self.lost + self.empty + self.wedged + self.hung
    }

    pub const fn is_good(&self) -> bool {
        self.bad() == 0 && self.runs > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, runs, lost, empty, wedged, hung, mended, refused, first } = self;
        write!(f, "| {what} | {runs} | {lost} | {empty} | {wedged} | {hung} | {mended} | {refused} |")?;
        first.iter().try_for_each(|first| write!(f, "\nfirst failure: {first}"))
    }
}
