//! Shell completions and man pages, made from the very definitions that parse the arguments.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, ValueEnum};
use clap_mangen::{Man, generate_to};

use crate::RUNTIME;

/// The shells that completions are made for.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the completions.
pub(crate) fn completions(shell: Shell, mut command: Command) -> ExitCode {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    ended(io::stdout().write_all(&script), Path::new("standard output"))
}

/// Which man pages are wanted.
#[derive(Args)]
pub(crate) struct ManArguments {
    /// Write the pages of all verbs there; without it the page of ddnsd itself is printed
    directory: Option<PathBuf>,
}

/// Prints ddnsd(1), or writes it and the pages of all verbs into a directory.
pub(crate) fn man(arguments: &ManArguments, command: Command) -> ExitCode {
    match &arguments.directory {
        Some(directory) => ended(generate_to(command, directory), directory),
        None => ended(Man::new(command).render(&mut io::stdout()), Path::new("standard output")),
    }
}

fn ended(written: io::Result<()>, place: &Path) -> ExitCode {
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ddnsd: error: {}: {error}", place.display());
            ExitCode::from(RUNTIME)
        }
    }
}
