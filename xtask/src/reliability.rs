//! What docs/reliability.md says of the tests is true.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};

use crate::root;

const PAGE: &str = "docs/reliability.md";

/// The tables whose lines are numbered, and how many there are.
const TABLES: [(&str, u32); 2] = [("## Faults", 80), ("## Traps", 35)];

/// What a line may show beside a test by name: what it waits for, and proof by another command.
const OTHERS: [&str; 3] = ["not yet: ", "the simulation", "`cargo xtask "];

/// Every test that the page names exists in these files; every fault and every trap has its line, with a proof or with
/// what it waits for.
pub fn check(files: &[String], found: &mut Vec<String>) -> Result<()> {
    let page = fs::read_to_string(root().join(PAGE)).context(PAGE)?;
    let mut functions = BTreeSet::new();
    for path in files.iter().filter(|path| path.ends_with(".rs")) {
        let text = fs::read_to_string(root().join(path))?;
        let after = text.split("fn ").skip(1);
        functions.extend(after.map(|rest| rest.split(|c: char| !is_word(c)).next().unwrap_or_default().to_owned()));
    }
    for name in names(&page).filter(|name| !functions.contains(*name)) {
        found.push(format!("{PAGE}: there is no test {name}"));
    }
    for (heading, last) in TABLES {
        let section = page.split(&format!("\n{heading}\n")).nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        for number in 1..=last {
            let start = format!("| {number} |");
            let lines: Vec<&str> = section.lines().filter(|line| line.starts_with(&start)).collect();
            match lines[..] {
                [line] if OTHERS.iter().any(|other| line.contains(other)) || names(line).next().is_some() => {}
                [_] => found.push(format!("{PAGE}: {heading} {number} names no proof and nothing that it waits for")),
                _ => found.push(format!("{PAGE}: {heading} {number} has {} lines", lines.len())),
            }
        }
    }
    Ok(())
}

const fn is_word(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// The words in backticks that look like names of functions: lower case with an underscore.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|word| word.contains('_') && word.chars().all(is_word))
}
