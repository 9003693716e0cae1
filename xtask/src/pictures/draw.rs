use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde_json::Value;

use super::series::{Series, in_words};
use crate::observability::Panel;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const PALETTE: [RGBColor; 10] = [
    RGBColor(55, 135, 45),
    RGBColor(224, 180, 0),
    RGBColor(31, 96, 196),
    RGBColor(196, 22, 42),
    RGBColor(143, 59, 184),
    RGBColor(250, 100, 0),
    RGBColor(0, 130, 140),
    RGBColor(120, 120, 120),
    RGBColor(180, 90, 140),
    RGBColor(90, 60, 30),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "sans-serif";
const SMALL: i32 = 11;
/// What a letter of the small font takes, about.
const LETTER: f64 = 6.2;
const LEGEND_LINE: i32 = 15;
const TITLE: i32 = 26;
const LEFT: i32 = 78;

/// Draws one panel as Grafana would, plainly.
pub fn panel(path: &Path, panel: &Panel, series: &[Series], span: (f64, f64)) -> Result<()> {
    let kind = panel.panel["type"].as_str().unwrap_or_default();
    let wide = panel.panel["gridPos"]["w"].as_i64().is_some_and(|width| width > 8);
    let rows = i32::try_from(series.len())?;
    let (width, height) = match kind {
        "stat" => (240, 110),
        "state-timeline" => (if wide { 760 } else { 520 }, TITLE + 40 + 26 * rows.max(1)),
        "table" => (760, 120),
        _ => (if wide { 760 } else { 520 }, 230 + legend_height(series, if wide { 760 } else { 520 })),
    };
    let size = (width.try_into()?, height.try_into()?);
    let area = SVGBackend::new(path, size).into_drawing_area();
    let failed = |error| anyhow!("{error}");
    area.fill(&WHITE).map_err(failed)?;
    write(&area, &panel.title, (8, 7), 14, &INK)?;
    let plot = Plot { area: &area, panel: &panel.panel, series, span, width, height };
    match kind {
        "stat" => plot.stat()?,
        "state-timeline" => plot.states()?,
        "heatmap" => plot.heatmap()?,
        "table" => plot.table()?,
        _ => plot.lines()?,
    }
    area.present().map_err(failed)
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), size: i32, color: &RGBColor) -> Result<()> {
    area.draw_text(text, &(FONT, size).into_text_style(area).color(color), at).map_err(|error| anyhow!("{error}"))
}

/// The y of each entry of the legend follows from how much fits into a line.
fn legend_places(series: &[Series], width: i32) -> Vec<(i32, i32)> {
    let (mut x, mut line) = (LEFT, 0);
    let mut places = Vec::new();
    for one in series {
        let takes = pixels(one.name.chars().map(|_| LETTER).sum::<f64>()) + 26;
        if x > LEFT && x + takes > width {
            x = LEFT;
            line += 1;
        }
        places.push((x, line));
        x += takes;
    }
    places
}

fn legend_height(series: &[Series], width: i32) -> i32 {
    legend_places(series, width).last().map_or(0, |(_, line)| (line + 1) * LEGEND_LINE)
}

/// Drawings are small: what does not fit is not seen.
#[expect(clippy::cast_possible_truncation, reason = "a place in a picture of some hundred pixels")]
fn pixels(value: f64) -> i32 {
    value.round() as i32
}

struct Plot<'a, 'b> {
    area: &'a Area<'b>,
    panel: &'a Value,
    series: &'a [Series],
    span: (f64, f64),
    width: i32,
    height: i32,
}

impl Plot<'_, '_> {
    fn defaults(&self) -> &Value {
        &self.panel["fieldConfig"]["defaults"]
    }

    fn unit(&self) -> &str {
        let axis = self.panel["options"]["yAxis"]["unit"].as_str();
        axis.or_else(|| self.defaults()["unit"].as_str()).unwrap_or_default()
    }

    fn x(&self, time: f64) -> i32 {
        let share = (time - self.span.0) / (self.span.1 - self.span.0);
        LEFT + pixels(share * f64::from(self.width - LEFT - 12))
    }

    fn fill(&self, (left, top): (i32, i32), (right, bottom): (i32, i32), color: &RGBColor) -> Result<()> {
        let shape = Rectangle::new([(left, top), (right, bottom)], color.filled());
        self.area.draw(&shape).map_err(|error| anyhow!("{error}"))
    }

    fn line(&self, points: Vec<(i32, i32)>, color: &RGBColor, width: u32) -> Result<()> {
        self.area.draw(&PathElement::new(points, color.stroke_width(width))).map_err(|error| anyhow!("{error}"))
    }

    /// Text that ends at a place, in its middle.
    fn label(&self, text: &str, at: (i32, i32), pos: HPos) -> Result<()> {
        let style = (FONT, SMALL).into_text_style(self.area).color(&INK).pos(Pos::new(pos, VPos::Center));
        self.area.draw_text(text, &style, at).map_err(|error| anyhow!("{error}"))
    }

    /// Seconds from the begin of the day.
    fn time_axis(&self, (top, bottom): (i32, i32)) -> Result<()> {
        let length = self.span.1 - self.span.0;
        let step = [10.0, 20.0, 30.0, 60.0].into_iter().find(|step| length / step <= 8.0).unwrap_or(120.0);
        let mut at = 0.0;
        while at <= length {
            let x = self.x(self.span.0 + at);
            self.line(vec![(x, top), (x, bottom)], &FAINT, 1)?;
            self.label(&format!("{at:.0} s"), (x, bottom + 10), HPos::Center)?;
            at += step;
        }
        Ok(())
    }

    /// What a value is called, and its colour, by the panel's mappings or thresholds.
    fn mapped(&self, value: f64) -> (String, RGBColor) {
        let result = &self.defaults()["mappings"][0]["options"][format!("{value}")];
        if let Some(text) = result["text"].as_str() {
            return (text.to_owned(), color(result["color"].as_str()));
        }
        let steps = self.defaults()["thresholds"]["steps"].as_array().into_iter().flatten();
        let mut below = steps.filter(|step| step["value"].as_f64().is_none_or(|from| value >= from));
        (in_words(value, self.unit()), color(below.next_back().and_then(|step| step["color"].as_str())))
    }

    fn stat(&self) -> Result<()> {
        let by_name = self.panel["options"]["textMode"] == "name";
        for (number, series) in (0..).zip(self.series.iter().filter(|series| series.until() > self.span.1 - 3.0)) {
            let (mut text, color) = self.mapped(series.last());
            if by_name {
                text.clone_from(&series.name);
            }
            write(self.area, &text, (12, 42 + 26 * number), if by_name { 24 } else { 34 }, &color)?;
        }
        Ok(())
    }

    fn states(&self) -> Result<()> {
        let bottom = TITLE + 6 + 26 * i32::try_from(self.series.len())?;
        self.time_axis((TITLE + 4, bottom))?;
        for (number, series) in (0..).zip(self.series) {
            let top = TITLE + 6 + 26 * number;
            let letters = 13;
            let name: String = if series.name.chars().count() > letters {
                series.name.chars().take(letters - 1).chain(['…']).collect()
            } else {
                series.name.clone()
            };
            self.label(&name, (LEFT - 4, top + 11), HPos::Right)?;
            for (from, to, value) in spells(&series.samples) {
                let (text, color) = self.mapped(value);
                let (left, right) = (self.x(from), self.x(to).max(self.x(from) + 1));
                self.fill((left, top), (right, top + 22), &color)?;
                if f64::from(right - left) > LETTER * f64::from(u32::try_from(text.len())?) + 8.0 {
                    let style = (FONT, SMALL).into_text_style(self.area).color(&WHITE);
                    self.area.draw_text(&text, &style, (left + 4, top + 6)).map_err(|error| anyhow!("{error}"))?;
                }
            }
        }
        Ok(())
    }

    fn table(&self) -> Result<()> {
        let heads = ["record", "type", "proven", "age of the proof", "failures in a row"];
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for series in self.series {
            let label = |name: &str| series.labels[name].as_str().unwrap_or_default().to_owned();
            let (record, rtype) = (label("record"), label("type"));
            let row = rows.entry(format!("{record} {rtype}")).or_insert_with(|| vec![record, rtype]);
            let value = series.last();
            row.push(match row.len() {
                2 => if value > 0.5 { "yes" } else { "no" }.to_owned(),
                3 => in_words(value, "s"),
                _ => in_words(value, "none"),
            });
        }
        let heads: Vec<String> = heads.map(ToOwned::to_owned).to_vec();
        for (number, row) in (0..).zip([&heads].into_iter().chain(rows.values())) {
            let y = TITLE + 8 + 24 * number;
            for (column, cell) in (0..).zip(row) {
                write(self.area, cell, (12 + 150 * column, y), if number == 0 { 11 } else { 13 }, &INK)?;
            }
            self.line(vec![(8, y + 19), (self.width - 8, y + 19)], &FAINT, 1)?;
        }
        Ok(())
    }

    fn heatmap(&self) -> Result<()> {
        let mut buckets: Vec<(f64, &Series)> =
            self.series.iter().filter_map(|one| Some((one.labels["le"].as_str()?.parse().ok()?, one))).collect();
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let counts: Vec<BTreeMap<i32, f64>> = buckets.iter().map(|(_, one)| by_second(one, self.span.0)).collect();
        let most = counts.last().into_iter().flat_map(BTreeMap::values).copied().fold(1.0, f64::max);
        let (top, bottom) = (TITLE + 6, self.height - 30);
        self.time_axis((top, bottom))?;
        let steps = f64::from(u32::try_from(buckets.len().max(1))?);
        let y =
            |row: usize| bottom - pixels(f64::from(bottom - top) * f64::from(u32::try_from(row).unwrap_or(0)) / steps);
        for (row, (bound, _)) in buckets.iter().enumerate() {
            if row % 2 == 1 {
                let text = if bound.is_finite() { in_words(*bound, "s") } else { "more".to_owned() };
                self.label(&text, (LEFT - 6, y(row + 1) + 2), HPos::Right)?;
            }
            for (second, count) in &counts[row] {
                let below = row.checked_sub(1).and_then(|row| counts[row].get(second)).copied().unwrap_or(0.0);
                let share = ((count - below) / most).clamp(0.0, 1.0).sqrt();
                if share > 0.05 {
                    let shade = |full: f64| u8::try_from(pixels(255.0 - share * (255.0 - full))).unwrap_or(0);
                    let blue = RGBColor(shade(8.0), shade(48.0), shade(107.0));
                    let at = self.span.0 + f64::from(*second);
                    self.fill((self.x(at), y(row + 1)), (self.x(at + 1.0), y(row)), &blue)?;
                }
            }
        }
        Ok(())
    }

    fn lines(&self) -> Result<()> {
        let custom = &self.defaults()["custom"];
        let log = custom["scaleDistribution"]["type"] == "log";
        let step = custom["lineInterpolation"] == "stepAfter";
        let scaled = |value: f64| if log { value.max(1e-5).log10() } else { value };
        let values = || self.series.iter().flat_map(|one| &one.samples).map(|(_, value)| scaled(*value));
        let (mut low, mut high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if let Some(min) = self.defaults()["min"].as_f64().filter(|_| !log) {
            low = low.min(min);
        }
        if log {
            (low, high) = (low.floor(), high.ceil());
        }
        if high - low < 1e-9 {
            high = low + if low.abs() < 1e-9 { 1.0 } else { low.abs() };
        }
        let (top, bottom) = (TITLE + 8, self.height - 26 - legend_height(self.series, self.width));
        let y = |value: f64| bottom - pixels(f64::from(bottom - top) * (scaled(value) - low) / (high - low));
        self.time_axis((top, bottom))?;
        for part in 0..=4 {
            let value = low + (high - low) * f64::from(part) / 4.0;
            let value = if log { 10_f64.powf(value) } else { value };
            self.line(vec![(LEFT, y(value)), (self.width - 12, y(value))], &FAINT, 1)?;
            self.label(&in_words(value, self.unit()), (LEFT - 6, y(value)), HPos::Right)?;
        }
        let places = legend_places(self.series, self.width);
        for (number, (series, (x, line))) in self.series.iter().zip(places).enumerate() {
            let color = PALETTE[number % PALETTE.len()];
            for piece in series.samples.chunk_by(|(before, _), (after, _)| after - before < 2.5) {
                let mut points: Vec<(i32, i32)> = Vec::new();
                for (time, value) in piece {
                    let point = (self.x(*time), y(*value));
                    if let Some((_, before)) = points.last().copied().filter(|_| step) {
                        points.push((point.0, before));
                    }
                    points.push(point);
                }
                if let [(x, y)] = points[..] {
                    points.push((x + 2, y));
                }
                self.line(thinned(points), &color, 2)?;
            }
            let y = bottom + 22 + line * LEGEND_LINE;
            self.fill((x, y), (x + 10, y + 9), &color)?;
            write(self.area, &series.name, (x + 14, y - 1), SMALL, &INK)?;
        }
        Ok(())
    }
}

/// Without the points in the middle of a level line.
fn thinned(points: Vec<(i32, i32)>) -> Vec<(i32, i32)> {
    let mut kept: Vec<(i32, i32)> = Vec::new();
    for point in points {
        if let [.., (_, a), (_, b)] = kept[..]
            && a == b
            && b == point.1
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}

/// From when to when which value held. A value that is not followed by another within seconds ends there.
fn spells(samples: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    let mut found: Vec<(f64, f64, f64)> = Vec::new();
    for (time, value) in samples {
        match found.last_mut() {
            Some((_, to, last)) if *time - *to < 2.5 => {
                *to = *time;
                if (*last - value).abs() > 1e-9 {
                    found.push((*time, *time, *value));
                }
            }
            _ => found.push((*time, *time, *value)),
        }
    }
    found
}

fn by_second(series: &Series, begin: f64) -> BTreeMap<i32, f64> {
    series.samples.iter().map(|(time, value)| (pixels(time - begin), *value)).collect()
}

fn color(name: Option<&str>) -> RGBColor {
    match name {
        Some("green") => RGBColor(55, 135, 45),
        Some("red") => RGBColor(196, 22, 42),
        Some("yellow") => RGBColor(204, 160, 0),
        Some("orange") => RGBColor(224, 102, 0),
        Some("blue") => RGBColor(31, 96, 196),
        _ => INK,
    }
}
