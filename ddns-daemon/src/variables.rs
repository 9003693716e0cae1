use std::fmt::Write;

use ddns_core::config::{Kind, Variable};

/// The table of all variables.
pub(crate) fn markdown(variables: &[Variable]) -> String {
    let mut text = String::from("| variable | values | default | meaning |\n| --- | --- | --- | --- |\n");
    for variable in variables {
        let default = variable.kind.default_text().map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        let format = match variable.kind {
            Kind::Number { .. } => format!("{} {}", variable.kind.format(), unit(variable.name)),
            _ => variable.kind.format(),
        };
        let cell = |text: &str| text.replace('|', "\\|");
        let (format, default, help) = (cell(format.trim()), cell(&default.replace(',', ", ")), cell(variable.help));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{}` | {format} | {default} | {help} |", variable.name);
    }
    text
}

fn unit(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("SECS") => "seconds",
        Some("MS") => "milliseconds",
        _ => "",
    }
}
