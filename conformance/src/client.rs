//! A thin HTTP client that sends what it is told.
//!
//! Invariant: the request target goes out byte for byte and no header is added but `Host` and
//! `Content-Length`; every answer, whatever its status, is an answer, and no redirect is followed.

use std::fmt;
use std::time::Duration;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

const TIMEOUT: Duration = Duration::from_secs(30);
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;

pub(crate) struct Client(Agent);

/// A request, ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// What came back; a gzip body is already decoded.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The request cannot be written down as asked.
    Unsendable(String),
    /// The server could not be reached or did not answer properly.
    NoAnswer(String),
}

impl fmt::Display for SendError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsendable(why) => write!(out, "the request cannot be sent: {why}"),
            Self::NoAnswer(why) => write!(out, "the server gave no answer: {why}"),
        }
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .max_idle_connections(0)
            .user_agent("")
            .accept("")
            .accept_encoding("");
        Self(trusting_the_system(config).build().new_agent())
    }

    pub(crate) fn send(&self, outgoing: &Outgoing) -> Result<Answer, SendError> {
        let mut request = Request::builder().method(outgoing.method.as_str()).uri(&outgoing.url);
        for (name, value) in &outgoing.headers {
            request = request.header(name, value);
        }
        let sent = match &outgoing.body {
            Some(body) => self.0.run(checked(request.body(body), outgoing)?),
            None => self.0.run(checked(request.body(()), outgoing)?),
        };
        read(sent.map_err(no_answer)?)
    }
}

#[cfg(feature = "tls")]
fn trusting_the_system(
    config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>,
) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    use ureq::tls::{RootCerts, TlsConfig};
    config.tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
}

#[cfg(not(feature = "tls"))]
fn trusting_the_system(
    config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>,
) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    config
}

/// Makes sure that the client library would send the target as it was given.
fn checked<B>(
    request: Result<Request<B>, ureq::http::Error>,
    outgoing: &Outgoing,
) -> Result<Request<B>, SendError> {
    let request = request.map_err(|error| {
        SendError::Unsendable(format!("{error}; check the URL {} and the headers", outgoing.url))
    })?;
    let target = request.uri().path_and_query().map(|target| target.as_str());
    if target == Some(outgoing.target()) {
        return Ok(request);
    }
    Err(SendError::Unsendable(format!("{} would be altered; check the base URL and the path", outgoing.url)))
}

impl Outgoing {
    /// The path and query, as in the request line.
    pub(crate) fn target(&self) -> &str {
        let behind_scheme = self.url.split_once("://").map_or("", |(_, rest)| rest);
        behind_scheme.find('/').and_then(|at| behind_scheme.get(at..)).unwrap_or("/")
    }

    /// The first line of the request.
    pub(crate) fn line(&self) -> String {
        format!("{} {} HTTP/1.1", self.method, self.target())
    }
}

fn read(mut response: Response<Body>) -> Result<Answer, SendError> {
    let body = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(no_answer)?;
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Ok(Answer { status: response.status().as_u16(), headers, body })
}

fn no_answer(error: ureq::Error) -> SendError {
    SendError::NoAnswer(error.to_string())
}
