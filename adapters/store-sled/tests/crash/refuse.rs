use std::fs::{self, File};
use std::io;

use anyhow::{Context, Result, ensure};

use crate::scene::{self, Mount, Random, Writer};
use crate::store;
use crate::tally::Tally;

/// What the kernel is made to answer; strace counts for each thread by itself.
const ERRORS: [&str; 6] = [
    "inject=fsync:error=EIO:when=2+3",
    "inject=write:error=EIO:when=5+7",
    "inject=rename,renameat2:error=EIO:when=2+3",
    "inject=pwrite64:error=EIO:when=1+2",
    "inject=sync_file_range,fdatasync:error=EIO:when=1+2",
    "inject=openat:error=EIO:when=40+9",
];

/// FAULTS 50: calls of the writer and its workers that fail. What is refused may be lost, what is acknowledged not, and
/// afterwards all goes on.
pub fn errors_of_the_disk(tally: &mut Tally, rounds: u32, _: &mut Random) -> Result<()> {
    for inject in ERRORS.iter().cycle().take(ERRORS.len() * rounds as usize) {
        let (directory, before) = scene::saved(3)?;
        let trace = tempfile::NamedTempFile::new()?;
        let output = format!("--output={}", trace.path().display());
        let through = ["strace", "--follow-forks", "--quiet=all", &output, "-e", inject];
        let (last, refused) = Writer::start(&through, directory.path(), &[8])?.end()?;
        ensure!(fs::read_to_string(trace.path())?.contains("(INJECTED)"), "{inject}: no call failed");
        tally.refused(refused);
        let acknowledged = last.unwrap_or(before).max(before);
        let (outcome, logged) = store::loaded(directory.path())?;
        tally.judge(acknowledged, &outcome, || format!("{inject}, {refused} refused\n{logged}"));
        if logged.contains("damaged") {
            tally.mended();
        }
        let (last, refused) = Writer::start(&[], directory.path(), &[2])?.end()?;
        if refused > 0 || last.is_none_or(|last| last < acknowledged + 2) {
            tally.wedge(format!("{inject}: afterwards {last:?} after {acknowledged}, {refused} refused"));
        }
    }
    Ok(())
}

/// FAULTS 49: no room, then room again.
pub fn a_full_disk(tally: &mut Tally, rounds: u32, _: &mut Random) -> Result<()> {
    for _ in 0..rounds {
        let at = tempfile::tempdir()?;
        let disk = Mount::new("mount -t tmpfs -o size=1m", "tmpfs".as_ref(), at.path().join("disk"))?;
        let directory = disk.0.join("state");
        let (last, _) = Writer::start(&[], &directory, &[3])?.end()?;
        let before = last.context("nothing was acknowledged")?;
        let filler = disk.0.join("filler");
        let filled = io::copy(&mut File::open("/dev/zero")?, &mut File::create(&filler)?);
        ensure!(filled.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull), "the disk is not full");
        let (last, refused) = Writer::start(&[], &directory, &[3])?.end()?;
        ensure!(refused > 0, "a full disk refused nothing");
        tally.refused(refused);
        let acknowledged = last.unwrap_or(before).max(before);
        let (outcome, logged) = store::loaded(&directory)?;
        // A start on a full disk may refuse, with a word on the room; the state stays.
        if !matches!(&outcome, store::Outcome::Refused(why) if why.contains("make room")) {
            tally.judge(acknowledged, &outcome, || logged.clone());
        }
        fs::remove_file(&filler)?;
        let (outcome, logged) = store::loaded(&directory)?;
        tally.judge(acknowledged, &outcome, || format!("with room again\n{logged}"));
        let (last, refused) = Writer::start(&[], &directory, &[2])?.end()?;
        if refused > 0 || last.is_none_or(|last| last < acknowledged + 2) {
            tally.wedge(format!("with room again {last:?} after {acknowledged}, {refused} refused"));
        }
    }
    Ok(())
}
