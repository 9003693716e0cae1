use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a worker is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Make the database hold what the slots do.
    Keep,
    /// The same, with a new database; the old one is moved aside.
    Rebuild,
    /// Say what the database holds.
    Read,
}

impl Task {
    pub(crate) const ALL: [Self; 3] = [Self::Keep, Self::Rebuild, Self::Read];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Rebuild => "rebuild",
            Self::Read => "read",
        }
    }
}

/// What a worker says at its end, as one line of JSON; one that says nothing has died.
#[derive(PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The database holds what the slots do.
    Kept {
        generation: u64,
        /// Where the one before it is.
        aside: Option<PathBuf>,
    },
    /// The database holds this.
    Holds { generation: u64, content: Value },
    /// There is no database, or a new one.
    Nothing,
    /// The database does not hold what it was given.
    Damaged { why: String },
    /// The system is in the way.
    Hindered { why: String },
    /// It did not work, and the database may be why.
    Broken { why: String },
}
