//! What ddnsd gives up once it is configured, and what became of it.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ddns_core::config::{Config, ON_CHANGE, SANDBOX, Settings};
use ddns_linux::{Layer, Reach, Standing, close, known};

/// What became of each layer.
pub(crate) type Sandbox = Arc<[(Layer, Standing)]>;

/// The word for no layer at all.
const NONE: &str = "none";

/// The layers that the operator wants. A program that is run after a change would be bound by them as well, so that those
/// which bind programs are left out beside one.
pub(crate) fn layers(settings: &mut Settings<'_>, config: &Config) -> Vec<Layer> {
    let words = settings.list(&SANDBOX);
    let mut layers = Vec::new();
    for word in words.iter().filter(|word| *word != NONE) {
        match Layer::ALL.into_iter().find(|layer| layer.as_str() == word) {
            Some(layer) => layers.push(layer),
            None => settings.problem(
                &SANDBOX,
                &format!("{word:?} is no layer"),
                &format!("use some of {}, or {NONE}", Layer::ALL.map(Layer::as_str).join(", ")),
            ),
        }
    }
    if words.iter().any(|word| word == NONE) && words.len() > 1 {
        settings.problem(&SANDBOX, "none, and yet some", "choose");
    }
    layers.sort_unstable();
    layers.dedup();
    if layers.contains(&Layer::Seccomp) && layers.contains(&Layer::SeccompLog) {
        settings.problem(
            &SANDBOX,
            "seccomp can't both refuse and let through",
            "choose one of seccomp and seccomp-log",
        );
    }
    let binding = |layer: &Layer| *layer != Layer::NotDumpable;
    if config.on_change.program.is_some() && layers.iter().any(binding) {
        settings.warn(
            &ON_CHANGE,
            "landlock and seccomp would bind this program as well, and are left out",
            "use DDNS_ON_CHANGE_URL, or DDNS_SANDBOX=dumpable if it is meant so",
        );
        layers.retain(|layer| !binding(layer));
    }
    layers
}

/// The directories that the daemon writes in while it runs.
pub(crate) struct Places {
    /// The state, if it is kept on a disk.
    pub(crate) state: Option<PathBuf>,
    /// The admin socket.
    pub(crate) socket: Option<PathBuf>,
}

impl Places {
    /// What is not there can't be named to the kernel. Whoever needs a directory that can't be made says why.
    fn made(&self) -> Reach {
        if let Some(state) = &self.state {
            let _ = ddns_slots::make(state);
        }
        if let Some(socket) = &self.socket {
            let _ = fs::create_dir_all(socket);
        }
        let write = self.state.iter().chain(&self.socket).cloned().collect();
        Reach { write, read: Vec::new(), run: env::current_exe().into_iter().collect() }
    }
}

/// Closes them, before there are other threads, and says what became of each.
pub(crate) fn enter(layers: &[Layer], places: &Places) -> Sandbox {
    let mut standings = close(layers, &places.made());
    for layer in [Layer::NotDumpable, Layer::Landlock, Layer::Seccomp] {
        let covered = |closed: &Layer| *closed == layer || (layer == Layer::Seccomp && *closed == Layer::SeccompLog);
        if !standings.iter().any(|(closed, _)| covered(closed)) {
            standings.push((layer, Standing::Open("switched off".to_owned())));
        }
    }
    standings.sort_by_key(|(layer, _)| *layer);
    for (layer, standing) in &standings {
        let layer = layer.as_str();
        match standing {
            Standing::Closed(_) => tracing::debug!(layer, %standing, "Sandbox"),
            Standing::Open(_) => tracing::info!(layer, %standing, "Sandbox"),
            Standing::Refused(_) => tracing::warn!(layer, %standing, "Sandbox"),
        }
    }
    standings.into()
}

/// What this kernel knows of them.
pub(crate) fn known_here() -> impl Iterator<Item = (Layer, Standing)> {
    [Layer::NotDumpable, Layer::Landlock, Layer::Seccomp].into_iter().map(|layer| (layer, known(layer)))
}
