//! The log: lines on stderr, which a thread of their own writes.
//!
//! Invariant: no line is lost while the guard lives or when it goes. Requests make lines and wait for nothing, unless a
//! reader is so slow that thousands of lines wait for it.

use std::io::{self, BufWriter, Write};
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::cli::Refused;
use crate::config::{self, LogFormat};

/// How many lines may wait to be written.
const LINES_WAITING: usize = 8192;

/// How long lines are gathered after some were written.
const GATHERING: Duration = Duration::from_millis(5);

/// Begins to log.
pub(super) fn start(format: LogFormat) -> Result<WorkerGuard, Refused> {
    let filter = config::log_filter().unwrap_or_else(|| "info,actix_server=warn".to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        Refused(format!("the log filter {filter:?} is none: {error}; write info or debug"))
    })?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(LINES_WAITING)
        .thread_name("log")
        .finish(Gathering(BufWriter::with_capacity(64 * 1024, io::stderr())));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(guard)
}

/// A writer that rests after each flush: where many lines come, most find the thread that writes awake, and to wake it
/// costs a request more than to make the line.
struct Gathering<W>(W);

impl<W: Write> Write for Gathering<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(octets)
    }

    #[expect(clippy::disallowed_methods, reason = "the thread that writes lines serves nobody else")]
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        thread::sleep(GATHERING);
        Ok(())
    }
}
