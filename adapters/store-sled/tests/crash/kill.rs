use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::scene::{self, Random, Writer};
use crate::store::{self, Outcome};
use crate::tally::Tally;

/// FAULTS 9 and 45: SIGKILL of the writer and its worker at any moment, again and again on one store.
pub fn in_a_write_loop(tally: &mut Tally, many: u32, random: &mut Random) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut acknowledged = 0;
    for _ in 0..many {
        let writer = Writer::start(&[], directory.path(), &[])?;
        std::thread::sleep(Duration::from_micros(random.below(90_000)));
        acknowledged = writer.kill()?.unwrap_or(acknowledged);
        // sled by itself, before anything mends it.
        let copy = scene::worker("read", directory.path())?;
        if !copy.as_ref().is_some_and(|said| said.starts_with("{\"holds\"") || said.starts_with("\"nothing\"")) {
            if copy.is_none() {
                tally.judge(acknowledged, &Outcome::Hung, || "a worker that reads".to_owned());
            }
            tally.mended();
        }
        let (outcome, _) = store::loaded(directory.path())?;
        tally.judge(acknowledged, &outcome, || format!("{copy:?}"));
    }
    Ok(())
}

/// FAULTS 9, 45 and 54: SIGKILL of a worker that opens sled and writes a change.
pub fn in_open(tally: &mut Tally, many: u32, random: &mut Random) -> Result<()> {
    let (directory, mut acknowledged) = scene::saved(5)?;
    let begin = Instant::now();
    scene::worker("keep", directory.path())?;
    let usual = begin.elapsed();
    for _ in 0..many {
        let mut worker = Command::new(std::env::current_exe()?);
        worker.args(["worker", "keep"]).arg(directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut worker = worker.spawn().context("a worker")?;
        let limit = u64::try_from(usual.as_micros())?.max(1);
        std::thread::sleep(Duration::from_micros(random.below(limit + limit / 4)));
        worker.kill()?;
        worker.wait()?;
        let (outcome, logged) = store::loaded(directory.path())?;
        tally.judge(acknowledged, &outcome, || logged.clone());
        if logged.contains("was damaged") {
            tally.mended();
        }
        let kept = scene::worker("keep", directory.path())?;
        if !kept.as_ref().is_some_and(|said| said.starts_with("{\"kept\"")) {
            tally.wedge(format!("after a kill in open the worker said {kept:?}"));
        }
        // The next worker has something to write: a slot further on, and no worker with it.
        let writer = Writer::start(&["env", &format!("{}=1", store::NO_WORKER)], directory.path(), &[1])?;
        acknowledged = writer.end()?.0.unwrap_or(acknowledged);
    }
    Ok(())
}
