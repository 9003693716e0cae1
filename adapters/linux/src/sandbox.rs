//! What a process that was taken over could still do: as little as the kernel can be told.

mod calls;
mod files;

use std::fmt;
use std::path::PathBuf;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

pub(crate) use calls::give_up_attaching;

/// One thing that the process gives up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Layer {
    /// Nobody but root looks into the process, and it leaves no core (prctl(2) PR_SET_DUMPABLE, RLIMIT_CORE).
    NotDumpable,
    /// Files outside a short list can't be opened (landlock(7)).
    Landlock,
    /// System calls outside a list are refused with EPERM (seccomp(2)).
    Seccomp,
    /// The same calls are let through, and told in the kernel's log: to find out what the list lacks.
    SeccompLog,
}

impl Layer {
    /// All, in the order in which they are closed.
    pub const ALL: [Self; 4] = [Self::NotDumpable, Self::Landlock, Self::Seccomp, Self::SeccompLog];

    /// As configured and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotDumpable => "dumpable",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::SeccompLog => "seccomp-log",
        }
    }
}

/// What became of a layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It stands; in what extent.
    Closed(String),
    /// It is switched off, and why.
    Open(String),
    /// The kernel refuses it, and what to do.
    Refused(String),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(extent) => write!(f, "closed ({extent})"),
            Self::Open(why) => write!(f, "open: {why}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// The files that stay within reach.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Directories in which files are written, made and removed.
    pub write: Vec<PathBuf>,
    /// Files and directories that are read.
    pub read: Vec<PathBuf>,
    /// Programs that are run.
    pub run: Vec<PathBuf>,
}

/// Closes these layers for the calling thread and all that it starts from now on. What is open stays open. To be called
/// before there are other threads.
pub fn close(layers: &[Layer], reach: &Reach) -> Vec<(Layer, Standing)> {
    let close = |layer: &Layer| {
        let standing = match layer {
            Layer::NotDumpable => not_dumpable(),
            Layer::Landlock => files::restrict(reach),
            Layer::Seccomp => calls::restrict(calls::Mode::Refuse),
            Layer::SeccompLog => calls::restrict(calls::Mode::Log),
        };
        (*layer, standing)
    };
    layers.iter().map(close).collect()
}

/// Whether this kernel knows the layer at all; nothing is closed.
pub fn known(layer: Layer) -> Standing {
    match layer {
        Layer::NotDumpable => Standing::Closed("known to every kernel".to_owned()),
        Layer::Landlock => files::known(),
        Layer::Seccomp | Layer::SeccompLog => calls::known(),
    }
}

fn not_dumpable() -> Standing {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    match set_dumpable_behavior(DumpableBehavior::NotDumpable).and_then(|()| setrlimit(Resource::Core, none)) {
        Ok(()) => Standing::Closed("no core, no look into the process".to_owned()),
        Err(error) => Standing::Refused(error.to_string()),
    }
}
