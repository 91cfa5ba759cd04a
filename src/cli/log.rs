//! The log: lines on stderr, which a thread of their own writes.
//!
//! Invariant: no line is lost while the guard lives or when it goes. Requests make lines and wait for nothing, unless a
//! reader is so slow that thousands of lines wait for it.

use std::fmt::{self, Debug};
use std::io::{self, BufWriter, Write};
use std::thread;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

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
        LogFormat::Text => lines.with_ansi(false).fmt_fields(Fields).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(guard)
}

/// Fields as text, `name=value`, and the message without a name. The library's own are made for colours, and take most
/// of the time that a line takes.
struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, out: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = FieldVisitor { out, is_first: true, outcome: Ok(()) };
        fields.record(&mut visitor);
        visitor.outcome
    }
}

struct FieldVisitor<'w> {
    out: Writer<'w>,
    is_first: bool,
    outcome: fmt::Result,
}

impl FieldVisitor<'_> {
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let write = || {
            self.out.write_str(if is_first { "" } else { " " })?;
            if field.name() != "message" {
                self.out.write_str(field.name())?;
                self.out.write_char('=')?;
            }
            value(&mut self.out)
        };
        self.outcome = self.outcome.and_then(|()| write());
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, |out| write!(out, "{value:?}"));
    }

    /// Quoted, and written as it is where that needs no escapes.
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        self.field(field, |out| match value.bytes().all(is_plain) {
            true => ["\"", value, "\""].iter().try_for_each(|part| out.write_str(part)),
            false => write!(out, "{value:?}"),
        });
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_field_is_quoted_and_nothing_in_it_can_end_its_line() {
        let lines = Lines::default();
        let kept = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .fmt_fields(Fields)
            .with_writer(move || kept.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let client = "a \"b\"\nINFO c\u{1b}[0m ü";
            tracing::info!(target: "t", client, tenant = "acme 1", status = 200_u16, took = 1.5, left = ?Some(1), "said");
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let client = r#"client="a \"b\"\nINFO c\u{1b}[0m ü""#;
        assert_eq!(
            written,
            format!(" INFO t: said {client} tenant=\"acme 1\" status=200 took=1.5 left=Some(1)\n")
        );
    }
}
