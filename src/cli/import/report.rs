//! What an import says: its progress, the rows that it refuses, and how it ended.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;

use crate::cli::{Refused, say};
use crate::directory::{Line, Outcome};

/// The counts so far, and where the refusals go.
pub(super) struct Report {
    bar: ProgressBar,
    rejects: Option<BufWriter<File>>,
    started: Instant,
    imported: u64,
    unchanged: u64,
    refused: u64,
}

impl Report {
    /// With a bar, and a file for what is refused; a resumed import adds to the one that there is.
    pub(super) fn new(bar: ProgressBar, rejects: Option<&Path>, resumed: bool) -> Result<Self, Refused> {
        let open = |path: &Path| {
            let mut options = File::options();
            options.create(true).write(true).append(resumed).truncate(!resumed);
            options
                .open(path)
                .map(BufWriter::new)
                .map_err(|error| Refused(format!("{} cannot be written: {error}", path.display())))
        };
        let rejects = rejects.map(open).transpose()?;
        Ok(Self { bar, rejects, started: Instant::now(), imported: 0, unchanged: 0, refused: 0 })
    }

    /// Counts what became of rows, and says which were refused, in the order of their lines.
    pub(super) fn add(&mut self, mut outcomes: Vec<Line<Outcome>>) -> Result<(), Refused> {
        outcomes.sort_by_key(|(line, _)| *line);
        for (line, outcome) in outcomes {
            match outcome {
                Outcome::Imported => self.imported += 1,
                Outcome::Unchanged => self.unchanged += 1,
                Outcome::Refused(reason) => {
                    self.refused += 1;
                    self.refuse(&format!("line {line}: {reason}"))?;
                }
            }
        }
        if let Some(rejects) = &mut self.rejects {
            rejects.flush()?;
        }
        Ok(())
    }

    fn refuse(&mut self, sentence: &str) -> Result<(), Refused> {
        match &mut self.rejects {
            Some(rejects) => Ok(writeln!(rejects, "{sentence}")?),
            None => Ok(self.bar.suspend(|| writeln!(std::io::stderr(), "{sentence}"))?),
        }
    }

    /// Shows how much of the input was read.
    pub(super) fn at(&self, bytes: u64) {
        self.bar.set_position(bytes);
        self.bar.set_message(format!("{} rows", self.rows()));
    }

    fn rows(&self) -> u64 {
        self.imported + self.unchanged + self.refused
    }

    /// The end: the counts, and a refusal if there was one.
    pub(super) fn finish(self, is_dry: bool) -> Result<(), Refused> {
        self.bar.finish_and_clear();
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = self.rows() as f64 / seconds.max(0.001);
        let verb = if is_dry { "could be imported" } else { "imported" };
        let (imported, unchanged, refused) = (self.imported, self.unchanged, self.refused);
        say(format_args!(
            "{imported} {verb}, {unchanged} unchanged, {refused} refused; {seconds:.1} s, {rate:.0} rows/s"
        ))?;
        if refused == 0 {
            return Ok(());
        }
        let rows = if refused == 1 { "1 row was".to_owned() } else { format!("{refused} rows were") };
        let rest = if is_dry { "nothing was written" } else { "the rest is in" };
        Err(Refused(format!("{rows} refused, {rest}; put them right and import the file again")))
    }
}
