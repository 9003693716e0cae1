use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use ddns_core::state::SavedState;
use ddns_slots::{ReplaceError, Slots};

use crate::{CONFIGURATION, RUNTIME, refuse, wiring};

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Print the saved state as JSON; a running ddnsd is not disturbed
    Export,
    /// Put a state that `ddnsd state export` printed in the place of the saved one, which is kept beside
    Restore {
        /// The file with the state
        file: PathBuf,
    },
}

/// Exit code 1 for what is wrong with the configuration or the file, 2 for what is wrong with the place.
pub(crate) fn run(verb: &Verb) -> ExitCode {
    let directory = match wiring::state_directory(std::env::vars_os()) {
        Ok(directory) => directory,
        Err(wrong) => return refuse(&wrong),
    };
    let done = match verb {
        Verb::Export => export(directory),
        Verb::Restore { file } => match read(file) {
            Ok(state) => restore(directory, &state),
            Err(error) => return fail(&error, CONFIGURATION),
        },
    };
    done.map_or_else(|error| fail(&error, RUNTIME), |()| ExitCode::SUCCESS)
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("ddnsd: error: {error:#}");
    ExitCode::from(code)
}

fn export(directory: PathBuf) -> anyhow::Result<()> {
    let shown = directory.display().to_string();
    let found = Slots::new(directory).find()?;
    let damage = found.damage();
    let newest = found.only_whole()?.with_context(|| format!("no state is saved in {shown}"))?;
    if !damage.is_empty() {
        eprintln!("ddnsd: warning: a copy of the state is damaged, so that this one may not be the newest: {damage}");
    }
    let mut out = std::io::stdout().lock();
    out.write_all(&newest.state.encode()).and_then(|()| writeln!(out)).context("standard output")
}

fn read(file: &Path) -> anyhow::Result<SavedState> {
    let octets = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    SavedState::decode(&octets).with_context(|| format!("{} is no state to restore", file.display()))
}

fn restore(directory: PathBuf, state: &SavedState) -> anyhow::Result<()> {
    let mut slots = Slots::new(directory);
    slots.take()?;
    let copy = ddns_store_sled::set_aside(slots.directory()).context("the copy in sled can't be moved aside")?;
    let kept = slots.replace(state).map_err(|error| match error {
        ReplaceError::Load(error) => anyhow::Error::new(error),
        ReplaceError::Save(error) => anyhow::Error::new(error),
    })?;
    for path in kept.iter().chain(&copy) {
        println!("kept: {}", path.display());
    }
    println!("restored: {} records in {}", state.records().count(), slots.directory().display());
    Ok(())
}
