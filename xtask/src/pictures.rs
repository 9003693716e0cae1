//! Draws every panel of the dashboards from the answers of a real Prometheus to their own queries.

mod draw;
mod series;

use std::fmt::Write;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::observability::{PAGE, Panel, dashboards, panels};
use crate::setup::{self, Purpose};
use crate::{ebpf, is_root, root, run_command, step};

/// What is written between these lines of the page is made here.
const MARKS: [&str; 2] = ["<!-- begin: cargo xtask pictures -->", "<!-- end: cargo xtask pictures -->"];
/// Where the pictures lie.
const PICTURES: &str = "docs/pictures";

/// Options of `cargo xtask pictures`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Draw the last day again, without a new one
    #[arg(long)]
    again: bool,
}

/// Runs the day of the test `netns_observability`, draws what each panel showed, and puts it all into the page.
pub fn run(arguments: &Arguments) -> Result<()> {
    let answers = root().join("target/pictures");
    if !arguments.again {
        ensure!(is_root(), "the day is played in network namespaces, which need root");
        setup::ensure(Purpose::Test)?;
        ebpf::run()?;
        fs::create_dir_all(&answers).context("target/pictures")?;
        step("pictures: a day");
        let mut day = Command::new("cargo");
        day.args(["test", "--package", "ddns-daemon", "--test", "netns_observability"]);
        run_command(day.env("PICTURES", &answers).current_dir(root()))?;
    }
    step("pictures: drawing");
    let pictures = root().join(PICTURES);
    if pictures.exists() {
        fs::remove_dir_all(&pictures).context(PICTURES)?;
    }
    fs::create_dir_all(&pictures).context(PICTURES)?;
    let mut page = String::new();
    for dashboard in dashboards()? {
        let path = answers.join(dashboard.trim_start_matches("dashboards/"));
        let text = fs::read_to_string(&path).with_context(|| format!("{}: run it without --again", path.display()))?;
        let day: Value = serde_json::from_str(&text)?;
        let mut row = String::new();
        for panel in panels(&dashboard)? {
            let answers = day["panels"][panel.panel["id"].to_string()].as_array().cloned().unwrap_or_default();
            let span = (day["begin"].as_f64().context("begin")?, day["end"].as_f64().context("end")?);
            draw::panel(&root().join(panel.picture()), &panel, &series::series(&panel, &answers), span)
                .with_context(|| format!("drawing {:?}", panel.title))?;
            describe(&mut page, &mut row, &panel);
        }
    }
    into_page(&page)
}

fn describe(page: &mut String, row: &mut String, panel: &Panel) {
    if *row != panel.row {
        row.clone_from(&panel.row);
        // Writing to a String cannot fail.
        let _ = write!(page, "\n### {row}\n");
    }
    let picture = panel.picture();
    let description = panel.panel["description"].as_str().unwrap_or_default();
    let _ = write!(page, "\n**{0}.** {description}\n\n![{0}]({1})\n", panel.title, picture.trim_start_matches("docs/"));
}

fn into_page(fresh: &str) -> Result<()> {
    let path = root().join(PAGE);
    let text = fs::read_to_string(&path).context(PAGE)?;
    let (before, rest) = text.split_once(MARKS[0]).with_context(|| format!("{PAGE} lacks {}", MARKS[0]))?;
    let (_, after) = rest.split_once(MARKS[1]).with_context(|| format!("{PAGE} lacks {}", MARKS[1]))?;
    fs::write(&path, format!("{before}{}\n{fresh}\n{}{after}", MARKS[0], MARKS[1]))?;
    println!("pictures: {PAGE} and {PICTURES} are up to date");
    Ok(())
}
