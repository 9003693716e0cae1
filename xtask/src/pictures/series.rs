use serde_json::Value;

use crate::observability::Panel;

/// One line of a panel.
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its labels.
    pub labels: Value,
    /// Seconds since the Unix epoch, and values.
    pub samples: Vec<(f64, f64)>,
}

impl Series {
    /// The last value.
    pub fn last(&self) -> f64 {
        self.samples.last().map_or(f64::NAN, |(_, value)| *value)
    }

    /// When it was.
    pub fn until(&self) -> f64 {
        self.samples.last().map_or(f64::NAN, |(time, _)| *time)
    }
}

/// All series of a panel, by the answers to its queries.
pub fn series(panel: &Panel, answers: &[Value]) -> Vec<Series> {
    let targets = panel.panel["targets"].as_array().into_iter().flatten();
    let pairs = targets.zip(answers);
    let each = pairs.flat_map(|(target, answer)| {
        answer.as_array().into_iter().flatten().map(|one| Series {
            name: legend(target["legendFormat"].as_str(), &one["metric"]),
            labels: one["metric"].clone(),
            samples: samples(one),
        })
    });
    each.filter(|series| !series.samples.is_empty()).collect()
}

fn samples(series: &Value) -> Vec<(f64, f64)> {
    let values = series["values"].as_array().into_iter().flatten();
    let pair = |sample: &Value| Some((sample[0].as_f64()?, sample[1].as_str()?.parse().ok()?));
    values.filter_map(pair).filter(|(_, value): &(f64, f64)| value.is_finite()).collect()
}

/// As Grafana fills in a legend.
fn legend(format: Option<&str>, labels: &Value) -> String {
    let Some(format) = format else { return String::new() };
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, after) = behind.split_once("}}").unwrap_or((behind, ""));
        text.push_str(before);
        text.push_str(labels[name.trim()].as_str().unwrap_or_default());
        rest = after;
    }
    text + rest
}

/// A value in the unit of a panel, as short as it can be said.
pub fn in_words(value: f64, unit: &str) -> String {
    let number = |value: f64| {
        let digits = if value.fract().abs() < 1e-9 || value.abs() >= 100.0 {
            0
        } else if value.abs() >= 1.0 {
            2
        } else {
            3
        };
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    match unit {
        "percentunit" => format!("{} %", number(value * 100.0)),
        "bytes" => format!("{} MB", number(value / 1e6)),
        "s" if value.abs() < 1e-9 => "0 s".to_owned(),
        "s" if value.abs() < 0.001 => format!("{} µs", number(value * 1e6)),
        "s" if value.abs() < 1.0 => format!("{} ms", number(value * 1e3)),
        "s" if value.abs() < 120.0 => format!("{} s", number(value)),
        "s" if value.abs() < 7200.0 => format!("{} min", number(value / 60.0)),
        "s" => format!("{} h", number(value / 3600.0)),
        _ => number(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_said_in_their_unit() {
        let said = [
            (0.000_25, "s"),
            (0.25, "s"),
            (90.0, "s"),
            (0.9995, "percentunit"),
            (12_300_000.0, "bytes"),
            (3.0, "short"),
        ]
        .map(|(value, unit)| in_words(value, unit));
        assert_eq!(said, ["250 µs", "250 ms", "90 s", "99.95 %", "12.3 MB", "3"]);
        assert_eq!(legend(Some("{{a}} by {{b}}"), &json!({ "a": "x", "b": "y" })), "x by y");
    }
}
