//! How far a long command has come: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr for work of `total` steps; `unit` is what a step is called.
pub(super) fn bar(total: u64, unit: &str) -> ProgressBar {
    let template = match unit {
        "bytes" => "{bar:40} {bytes}/{total_bytes}, {eta} left, {msg}".to_owned(),
        unit => format!("{{bar:40}} {{human_pos}}/{{human_len}} {unit}, {{eta}} left"),
    };
    // The templates are right; where one were not, the bar would only look different.
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}
