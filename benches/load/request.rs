//! Requests as octets with gaps, so that making the next one is a copy.
//!
//! Invariant: what fills a gap in a body is as long as the mark that it replaces, so that Content-Length holds.

use serde_json::Value;

use crate::server::TOKEN;

/// The mark of a gap for a [`label`](crate::directory::label).
pub(crate) const LABEL: &str = "########";

/// The mark of a gap for an id.
pub(crate) const ID: &str = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";

/// A request with gaps.
pub(crate) struct Template {
    pieces: Vec<Vec<u8>>,
}

impl Template {
    /// A request under the SCIM base, whose gaps are where `mark` is.
    pub(crate) fn new(method: &str, path: &str, body: Option<&Value>, mark: &str) -> Self {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut text = format!(
            "{method} /scim/v2{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        );
        if !body.is_empty() {
            text += &format!("Content-Type: application/scim+json\r\nContent-Length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += &body;
        Self { pieces: text.split(mark).map(|piece| piece.as_bytes().to_vec()).collect() }
    }

    /// Writes the request with that text in its gaps.
    pub(crate) fn fill(&self, text: &str, out: &mut Vec<u8>) {
        for (index, piece) in self.pieces.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(text.as_bytes());
            }
            out.extend_from_slice(piece);
        }
    }

    /// The request with that text in its gaps.
    pub(crate) fn filled(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        self.fill(text, &mut out);
        out
    }
}
