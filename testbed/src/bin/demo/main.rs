//! The show-piece: the real `ddnsd` in a small world whose addresses change, and the time that each step takes.
//!
//! `demo PATH_TO_DDNSD` exits 0 if every change ended in DNS and the records kept what was not ours to change.

use std::{path::PathBuf, process::ExitCode, sync::Arc, thread};

use anyhow::{Context, Result, anyhow};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

mod interrupt;
mod paint;
mod passage;
mod report;
mod story;
mod timeline;

use interrupt::Interrupt;
use paint::Paint;

fn main() -> ExitCode {
    let paint = Paint::for_stdout();
    let Some(binary) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: demo PATH_TO_DDNSD (`cargo xtask demo` builds ddnsd and passes its path)");
        return ExitCode::FAILURE;
    };
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting a tokio runtime")
        .and_then(|runtime| runtime.block_on(watch(binary, paint)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{} {error:#}", paint.bad("The demo failed:"));
            ExitCode::FAILURE
        }
    }
}

/// The story runs on a thread of its own, which owns all that must go away; a signal makes it end early, and its end is
/// awaited in any case.
async fn watch(binary: PathBuf, paint: Paint) -> Result<()> {
    let (mut terminate, mut interactive) =
        (signal(SignalKind::terminate()).context("SIGTERM")?, signal(SignalKind::interrupt()).context("SIGINT")?);
    let interrupt = Arc::new(Interrupt::default());
    let (sender, mut ended) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("story".to_owned())
        .spawn({
            let interrupt = Arc::clone(&interrupt);
            move || sender.send(story::tell(&binary, &interrupt, paint))
        })
        .context("starting the thread of the story")?;
    let outcome = loop {
        tokio::select! {
            outcome = &mut ended => break outcome,
            _ = terminate.recv() => interrupt.trip(),
            _ = interactive.recv() => interrupt.trip(),
        }
    };
    // On a panic the stack of the thread is unwound, which cleans up; joining waits for that.
    match (thread.join(), outcome) {
        (Ok(_), Ok(_)) if interrupt.is_tripped() => Err(anyhow!("interrupted; everything is cleaned up")),
        (Ok(_), Ok(outcome)) => outcome,
        (Err(_), _) | (_, Err(_)) => Err(anyhow!("a fault in the demo itself, see the message above")),
    }
}
