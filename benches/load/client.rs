//! A load generator that costs little: one thread, HTTP/1.1 keep-alive, one request outstanding a connection.
//!
//! Invariant: it never has more than one request on a connection, so a latency is that of one request; it reads
//! just as much of an answer as is needed to find its end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Failure;

/// How much of an answer that was not expected is kept for the report.
const KEPT: usize = 600;

/// How long an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the next request of a connection.
pub(crate) type NextRequest<'a> = dyn FnMut(usize, &mut Vec<u8>) + 'a;

/// Looks at the beginning of the body that a connection got.
pub(crate) type SeeAnswer<'a> = dyn FnMut(usize, &[u8]) + 'a;

/// What came of one slice of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slice {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// Octets of the bodies of the answers.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// Of every request.
    pub(crate) latencies: Vec<Duration>,
    /// The processor time of the side that was measured.
    pub(crate) cpu: Duration,
}

impl Slice {
    /// Adds what came after it.
    pub(crate) fn join(&mut self, later: Self) {
        self.requests += later.requests;
        self.errors += later.errors;
        self.first_error = self.first_error.take().or(later.first_error);
        self.bytes += later.bytes;
        self.elapsed += later.elapsed;
        self.latencies.extend(later.latencies);
        self.cpu += later.cpu;
    }

    pub(crate) fn a_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Connections that stay open from slice to slice.
pub(crate) struct Client {
    poll: Poll,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    began: Instant,
    answer: Answer,
    busy: bool,
}

/// An answer as far as it was read.
#[derive(Default)]
struct Answer {
    head: Vec<u8>,
    status: u16,
    /// Octets of the body that are still to come; none while the head is not complete.
    missing: Option<usize>,
    length: usize,
    kept: Vec<u8>,
}

impl Client {
    /// Opens the connections.
    pub(crate) fn connect(address: SocketAddr, count: usize) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            connections.push(Connection {
                stream,
                request: Vec::with_capacity(4096),
                sent: 0,
                began: Instant::now(),
                answer: Answer::default(),
                busy: false,
            });
        }
        Ok(Self { poll, connections })
    }

    /// Sends requests on every connection for that long, then waits for the last answers.
    pub(crate) fn run(&mut self, time: Duration, next: &mut NextRequest<'_>) -> Result<Slice, Failure> {
        let began = Instant::now();
        self.drive(next, &mut |_, _| {}, |_| began.elapsed() >= time)
    }

    /// Sends that many requests as fast as they are answered.
    pub(crate) fn send(&mut self, count: u64, next: &mut NextRequest<'_>) -> Result<Slice, Failure> {
        self.send_and_see(count, next, &mut |_, _| {})
    }

    /// The same, and shows the beginning of the body of every answer.
    pub(crate) fn send_and_see(
        &mut self,
        count: u64,
        next: &mut NextRequest<'_>,
        see: &mut SeeAnswer<'_>,
    ) -> Result<Slice, Failure> {
        self.drive(next, see, |begun| begun >= count)
    }

    /// Sends one request and answers its body.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Failure> {
        self.connections[0].answer.kept = Vec::with_capacity(1 << 20);
        let slice = self.send(1, &mut |_, out| out.extend_from_slice(request))?;
        match slice.first_error {
            Some(error) => Err(error.into()),
            None => Ok(std::mem::take(&mut self.connections[0].answer.kept)),
        }
    }

    fn drive(
        &mut self,
        next: &mut NextRequest<'_>,
        see: &mut SeeAnswer<'_>,
        done: impl Fn(u64) -> bool,
    ) -> Result<Slice, Failure> {
        let began = Instant::now();
        let mut slice = Slice::default();
        let mut begun = 0;
        let mut outstanding = 0;
        for (index, connection) in self.connections.iter_mut().enumerate() {
            if done(begun) {
                break;
            }
            connection.begin(index, next)?;
            begun += 1;
            outstanding += 1;
        }
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; 256 * 1024];
        while outstanding > 0 {
            self.poll.poll(&mut events, Some(PATIENCE))?;
            if events.is_empty() {
                return Err("no answer within a minute".into());
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if !connection.busy {
                    continue;
                }
                connection.flush()?;
                if !event.is_readable() || !connection.read(&mut buffer)? {
                    continue;
                }
                slice.count(connection);
                see(event.token().0, &connection.answer.kept);
                if done(begun) {
                    outstanding -= 1;
                } else {
                    connection.begin(event.token().0, next)?;
                    begun += 1;
                }
            }
        }
        slice.elapsed = began.elapsed();
        Ok(slice)
    }
}

impl Slice {
    fn count(&mut self, connection: &mut Connection) {
        connection.busy = false;
        self.requests += 1;
        self.latencies.push(connection.began.elapsed());
        self.bytes += connection.answer.length as u64;
        if !(200..300).contains(&connection.answer.status) {
            self.errors += 1;
            let answer = &connection.answer;
            self.first_error.get_or_insert_with(|| {
                let request = String::from_utf8_lossy(&connection.request);
                let request: String = request.chars().take(KEPT).collect();
                format!("{} {}\nto: {request}", answer.status, String::from_utf8_lossy(&answer.kept))
            });
        }
    }
}

impl Connection {
    fn begin(&mut self, index: usize, next: &mut NextRequest<'_>) -> Result<(), Failure> {
        self.request.clear();
        next(index, &mut self.request);
        self.sent = 0;
        self.answer.restart();
        self.busy = true;
        self.began = Instant::now();
        self.flush()
    }

    /// Writes as much of the request as the socket takes.
    fn flush(&mut self) -> Result<(), Failure> {
        while self.sent < self.request.len() {
            match self.stream.write(&self.request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what there is; answers whether the answer is complete. Events come on edges, so that it reads on
    /// until the answer is complete or nothing is there.
    fn read(&mut self, buffer: &mut [u8]) -> Result<bool, Failure> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => {
                    if self.answer.take(&buffer[..count])? {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Answer {
    fn restart(&mut self) {
        self.head.clear();
        self.missing = None;
        self.length = 0;
        self.kept.clear();
    }

    /// Takes the next octets; answers whether the answer is complete.
    fn take(&mut self, octets: &[u8]) -> Result<bool, Failure> {
        let body = if self.missing.is_some() {
            octets
        } else {
            let earlier = self.head.len();
            self.head.extend_from_slice(octets);
            let Some(end) = find(&self.head, b"\r\n\r\n") else { return Ok(false) };
            self.read_head(end)?;
            &octets[end + 4 - earlier..]
        };
        let missing = self.missing.unwrap_or_default();
        if body.len() > missing {
            return Err("more came than the answer's Content-Length".into());
        }
        let room = self.kept.capacity().max(KEPT) - self.kept.len();
        self.kept.extend_from_slice(&body[..body.len().min(room)]);
        self.missing = Some(missing - body.len());
        Ok(missing == body.len())
    }

    fn read_head(&mut self, end: usize) -> Result<(), Failure> {
        let head = str::from_utf8(&self.head[..end])?;
        self.status = head.get(9..12).ok_or("a short status line")?.parse()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then_some(value.trim())
        });
        self.length = match length {
            Some(length) => length.parse()?,
            None if self.status == 204 || self.status == 304 => 0,
            None => return Err("an answer without Content-Length".into()),
        };
        self.missing = Some(self.length);
        Ok(())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
