use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::scene::{self, Random};
use crate::store::{self, Outcome};
use crate::tally::Tally;

/// Changes a file as a failing disk or a careless person would; what was done.
fn damage(file: &Path, random: &mut Random) -> Result<String> {
    let mut octets = fs::read(file)?;
    let length = octets.len() as u64;
    let at = usize::try_from(random.below(length.max(1)))?;
    let what = match random.below(4) {
        0 if length > 0 => {
            octets[at] ^= 1 << random.below(8);
            format!("octet {at} flipped")
        }
        1 => {
            octets.truncate(at);
            format!("cut to {at} octets")
        }
        2 => {
            // A sector, a page, or all up to the end.
            let block = [512, 4096, usize::MAX][usize::try_from(random.below(3))?];
            let begin = if block == usize::MAX { 0 } else { at / block * block };
            let end = begin.saturating_add(block).min(octets.len());
            octets[begin..end].fill(0);
            format!("octets {begin} to {end} zeroed")
        }
        _ => {
            fs::remove_file(file)?;
            return Ok("deleted".to_owned());
        }
    };
    fs::write(file, octets)?;
    Ok(what)
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// FAULTS 47: one file damaged, each in turn. The newest state comes back, what was damaged is told and kept, and the
/// next start finds all in order.
pub fn one_file(tally: &mut Tally, many: u32, random: &mut Random) -> Result<()> {
    let (pristine, acknowledged) = scene::saved(60)?;
    let count = scene::files(pristine.path())?.len();
    for run in 0..many as usize {
        let directory = scene::copy(pristine.path())?;
        let file = scene::files(directory.path())?.swap_remove(run % count);
        let before = fs::read(&file)?;
        let what = damage(&file, random)?;
        let changed = fs::read(&file).ok().as_ref() != Some(&before);
        let (outcome, logged) = store::loaded(directory.path())?;
        let about = format!("{} {what}\n{logged}", name(&file));
        tally.judge(acknowledged, &outcome, || about.clone());
        let told = logged.contains("damaged") || logged.contains("in no slot");
        if told {
            tally.mended();
        }
        let slot = name(&file).starts_with("state.");
        if slot && changed && what != "deleted" {
            let evidence = scene::files(directory.path())?.iter().any(|file| name(file).contains(".corrupt-"));
            if !evidence || !told {
                tally.wedge(format!("a damaged slot is not told or not kept: {about}"));
            }
        }
        let (again, logged) = store::loaded(directory.path())?;
        if !matches!(again, Outcome::Serial(serial) if serial == acknowledged) || logged.contains("damaged") {
            tally.wedge(format!("the second start: {again:?} {logged} after {about}"));
        }
    }
    Ok(())
}

/// FAULTS 48: every file damaged at once. Whatever comes back was saved once, or it is refused; never is it taken for
/// an empty state.
pub fn all_files(tally: &mut Tally, many: u32, random: &mut Random) -> Result<()> {
    let (pristine, acknowledged) = scene::saved(60)?;
    for _ in 0..many.max(1) {
        let directory = scene::copy(pristine.path())?;
        let mut all = String::new();
        for file in scene::files(directory.path())? {
            // Without a trace of a state there is none.
            let what = loop {
                let what = damage(&file, random)?;
                if what != "deleted" {
                    break what;
                }
                fs::copy(pristine.path().join(file.strip_prefix(directory.path())?), &file).context("a file")?;
            };
            all = format!("{all}{} {what}; ", name(&file));
        }
        let (outcome, logged) = store::loaded(directory.path())?;
        tally.judge_mercifully(acknowledged, &outcome, || format!("{all}\n{logged}"));
    }
    Ok(())
}
