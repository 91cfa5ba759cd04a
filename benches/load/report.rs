//! What comes out: a table for people and JSON for machines.
//!
//! Invariant: every figure stands beside the reference of the same run, and the ratio is the median of the ratios
//! of neighbouring slices, so that what the machine did meanwhile cancels out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Slice;
use crate::sync;

/// One row of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) subject: Side,
    pub(crate) reference_name: &'static str,
    pub(crate) reference: Side,
    /// The subject's peak memory during the row, in MB.
    pub(crate) peak: f64,
    /// How many requests shared a commit, on average; none where nothing was written.
    pub(crate) batch: Option<f64>,
}

/// The slices of one side.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) slices: Vec<Slice>,
}

impl Side {
    fn median(&self, figure: impl Fn(&Slice) -> f64) -> f64 {
        median(self.slices.iter().map(figure).collect())
    }

    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.median(Slice::a_second)
    }

    /// Octets of answers a second, in MB.
    fn megabytes(&self) -> f64 {
        self.median(|slice| slice.bytes as f64 / 1e6 / slice.elapsed.as_secs_f64().max(1e-9))
    }

    /// Processor time a request, in µs.
    fn cpu(&self) -> f64 {
        let cpu: Duration = self.slices.iter().map(|slice| slice.cpu).sum();
        let requests: u64 = self.slices.iter().map(|slice| slice.requests).sum();
        cpu.as_secs_f64() * 1e6 / requests.max(1) as f64
    }

    /// The latency that this part of the requests stays under, in ms.
    pub(crate) fn latency(&self, part: f64) -> f64 {
        let mut all: Vec<Duration> = self.slices.iter().flat_map(|slice| &slice.latencies).copied().collect();
        all.sort_unstable();
        let index = ((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1));
        all.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }

    fn errors(&self) -> u64 {
        self.slices.iter().map(|slice| slice.errors).sum()
    }

    fn json(&self) -> Value {
        json!({
            "requests_a_second": self.rate(),
            "slices": self.slices.iter().map(Slice::a_second).collect::<Vec<_>>(),
            "p50_ms": self.latency(0.5),
            "p99_ms": self.latency(0.99),
            "megabytes_a_second": self.megabytes(),
            "cpu_us_a_request": self.cpu(),
            "errors": self.errors(),
        })
    }
}

impl Row {
    /// Subject over reference.
    pub(crate) fn ratio(&self) -> f64 {
        let pairs = self.subject.slices.iter().zip(&self.reference.slices);
        median(pairs.map(|(subject, reference)| subject.a_second() / reference.a_second()).collect())
    }

    /// The first answer that was not expected.
    pub(crate) fn first_error(&self) -> Option<&str> {
        let slices = self.subject.slices.iter().chain(&self.reference.slices);
        slices.filter_map(|slice| slice.first_error.as_deref()).next()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.subject.errors() + self.reference.errors() > 0
    }

    /// The row as a line of a Markdown table.
    pub(crate) fn line(&self) -> String {
        let Self { subject, reference, .. } = self;
        format!(
            "| {:<28} | {:>8.0} | {:>7.2} | {:>7.2} | {:>7.1} | {:>6.0} | {:>6} | {:>5.0} | {:>9} | {:>8.0} | {:>6.0} | {:>5.2} |",
            self.name,
            subject.rate(),
            subject.latency(0.5),
            subject.latency(0.99),
            subject.megabytes(),
            subject.cpu(),
            subject.errors(),
            self.peak,
            self.reference_name,
            reference.rate(),
            reference.cpu(),
            self.ratio(),
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "muster": self.subject.json(),
            "reference": self.reference_name,
            "reference_figures": self.reference.json(),
            "ratio": self.ratio(),
            "peak_mb": self.peak,
            "requests_a_commit": self.batch,
        })
    }
}

/// The head of the table.
pub(crate) fn head() -> String {
    let line = format!(
        "| {:<28} | {:>8} | {:>7} | {:>7} | {:>7} | {:>6} | {:>6} | {:>5} | {:>9} | {:>8} | {:>6} | {:>5} |",
        "request",
        "muster/s",
        "p50 ms",
        "p99 ms",
        "MB/s",
        "CPU µs",
        "errors",
        "MB",
        "beside",
        "it/s",
        "CPU µs",
        "ratio"
    );
    let rule: String = line.chars().map(|c| if c == '|' { '|' } else { '-' }).collect();
    format!("{line}\n{rule}")
}

/// What the table does not say.
pub(crate) fn notes(rows: &[Row]) {
    println!();
    for row in rows.iter().filter(|row| row.batch.is_some()) {
        println!("{}: {:.1} requests shared a commit", row.name, row.batch.unwrap_or_default());
    }
    for row in rows.iter().filter(|row| row.name.starts_with("first sync")) {
        println!("{}", sync::note(row));
    }
    let members: Vec<&Row> = rows.iter().filter(|row| row.name.starts_with("PATCH member")).collect();
    if let [small, larger @ ..] = members.as_slice() {
        for row in larger {
            println!("p50 of {} / {}: {:.2}", row.name, small.name, slower(row, small));
        }
    }
    // A first synchronisation has a server of its own.
    let served = rows.iter().filter(|row| !row.name.starts_with("first sync"));
    if let Some(row) = served.max_by(|a, b| a.peak.total_cmp(&b.peak)) {
        println!("Most memory: {:.0} MB ({})", row.peak, row.name);
    }
}

/// How much more each request costs in the larger directory.
pub(crate) fn compare((few, small): (usize, &[Row]), (many, large): (usize, &[Row])) {
    println!("\n| {:<28} |   p50 | CPU µs |", format!("{many} users / {few}"));
    println!("|{}|-------|--------|", "-".repeat(30));
    for row in large {
        if let Some(same) = small.iter().find(|same| same.name == row.name) {
            let cpu = row.subject.cpu() / same.subject.cpu().max(1e-9);
            println!("| {:<28} | {:>5.2} | {cpu:>6.2} |", row.name, slower(row, same));
        }
    }
}

/// The half of the requests that is faster, beside that of another row.
fn slower(row: &Row, other: &Row) -> f64 {
    row.subject.latency(0.5) / other.subject.latency(0.5).max(1e-9)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
