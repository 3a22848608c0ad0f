//! The text format of OpenMetrics 1.0.

use std::fmt::Write;

use crate::units::Unit;

/// A text under way.
#[derive(Debug, Default)]
pub struct Text {
    text: String,
}

impl Text {
    /// Begins a family of metrics of a type: `counter`, `gauge`, `summary`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = escaped(help);
        let _ = writeln!(self.text, "# TYPE {name} {kind}\n# HELP {name} {help}");
    }

    /// A sample, with labels.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.text.push_str(name);
        let mut before = '{';
        for (label, text) in labels {
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(text));
            before = ',';
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// The whole.
    pub fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

/// Times in seconds: OpenMetrics has base units.
pub fn in_base_units(number: i128, unit: Unit) -> String {
    match unit {
        Unit::Time => format!("{}", number as f64 / 1e9),
        Unit::Count | Unit::Bytes => number.to_string(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
