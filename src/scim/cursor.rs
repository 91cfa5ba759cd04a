//! Cursors (RFC 9865): what a client carries from one page to the next.
//!
//! Invariant: a cursor is sealed with a key that only servers have, so nobody can read or make one, and it opens only
//! for the query that it was given for: everything that a client must repeat is part of the seal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use chrono::{DateTime, Utc};

use crate::scim::error::{ErrorKind, ScimError};

/// How long a cursor counts, in seconds; `pagination.cursorTimeout` of the service provider configuration.
pub const TIMEOUT: i64 = 3600;

/// The length of a nonce, which must be random and new for every cursor.
pub const NONCE: usize = 24;

/// The numbers at the beginning of a sealed cursor: 8 bytes each.
const NUMBERS: usize = 4;

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When it was given.
    pub given: DateTime<Utc>,
    /// How many resources a page has.
    pub count: u64,
    /// How many matches there were when the walk began.
    pub total: u64,
    /// The sort key of the last resource; none if it has no value, or nothing is sorted by.
    pub key: Option<String>,
    /// The row of the last resource.
    pub row: i64,
}

impl Cursor {
    /// The text that the client gets. It has only letters, digits, `-` and `_`. None only if memory is short.
    pub fn seal(&self, secret: &[u8; 32], query: &str, nonce: [u8; NONCE]) -> Option<String> {
        let mut clear = Vec::with_capacity(64);
        let numbers = [self.given.timestamp(), self.row];
        numbers.iter().for_each(|number| clear.extend(number.to_be_bytes()));
        [self.count, self.total].iter().for_each(|number| clear.extend(number.to_be_bytes()));
        if let Some(key) = &self.key {
            clear.push(1);
            clear.extend(key.as_bytes());
        }
        let payload = Payload { msg: &clear, aad: query.as_bytes() };
        let sealed = XChaCha20Poly1305::new(secret.into()).encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// Reads what a client brings. The same error says everything that is wrong with it (RFC 9865 §5.2).
    ///
    /// # Errors
    /// `invalidCursor` for what was not given for this query, `expiredCursor` for what is older than [`TIMEOUT`].
    pub fn open(text: &str, secret: &[u8; 32], query: &str, now: DateTime<Utc>) -> Result<Self, ScimError> {
        let wrong = || {
            let detail =
                "the cursor is not one that was given for this query; an empty one asks for the first page";
            ScimError::new(ErrorKind::InvalidCursor, detail)
        };
        let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (nonce, sealed) = octets.split_first_chunk::<NONCE>().ok_or_else(wrong)?;
        let payload = Payload { msg: sealed, aad: query.as_bytes() };
        let clear = XChaCha20Poly1305::new(secret.into())
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| wrong())?;
        let cursor = Self::read(&clear).ok_or_else(wrong)?;
        if now.signed_duration_since(cursor.given).num_seconds() > TIMEOUT {
            let detail = format!("the cursor is older than {TIMEOUT} seconds; begin again with an empty one");
            return Err(ScimError::new(ErrorKind::ExpiredCursor, detail));
        }
        Ok(cursor)
    }

    fn read(clear: &[u8]) -> Option<Self> {
        let (numbers, key) = clear.split_at_checked(8 * NUMBERS)?;
        let mut numbers = numbers.as_chunks::<8>().0.iter().copied();
        let given = DateTime::from_timestamp(i64::from_be_bytes(numbers.next()?), 0)?;
        let row = i64::from_be_bytes(numbers.next()?);
        let count = u64::from_be_bytes(numbers.next()?);
        let total = u64::from_be_bytes(numbers.next()?);
        let key = match key.split_first() {
            None => None,
            Some((_, key)) => Some(String::from_utf8(key.to_vec()).ok()?),
        };
        Some(Self { given, count, total, key, row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    fn cursor(key: Option<&str>) -> Cursor {
        let given = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Cursor { given, count: 10, total: 100, key: key.map(str::to_owned), row: 42 }
    }

    fn sealed(cursor: &Cursor) -> String {
        cursor.seal(&SECRET, "query", [1; NONCE]).unwrap()
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        for key in [None, Some(""), Some("bjensen"), Some("ß😀")] {
            let cursor = cursor(key);
            assert_eq!(Cursor::open(&sealed(&cursor), &SECRET, "query", cursor.given), Ok(cursor));
        }
    }

    /// 9865-2-02.
    #[test]
    fn it_shows_nothing_and_stands_in_a_url_as_it_is() {
        let text = sealed(&cursor(Some("bjensen")));
        assert!(
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
            "{text}"
        );
        let octets = URL_SAFE_NO_PAD.decode(&text).unwrap();
        assert!(!octets.windows(7).any(|part| part == b"bjensen"));
    }

    /// 9865-5.2-04.
    #[test]
    fn no_changed_character_no_other_query_and_no_other_key_opens_it() {
        let cursor = cursor(Some("bjensen"));
        let text = sealed(&cursor);
        let kind = |text: &str, secret, query| {
            Cursor::open(text, secret, query, cursor.given).map_err(|error| error.kind)
        };
        let refused = Err(ErrorKind::InvalidCursor);
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(kind(std::str::from_utf8(&forged).unwrap(), &SECRET, "query"), refused, "{at}");
            assert_eq!(kind(text.get(..at).unwrap(), &SECRET, "query"), refused, "{at}");
        }
        assert_eq!(kind(&text, &SECRET, "other query"), refused);
        assert_eq!(kind(&text, &[8; 32], "query"), refused);
        for odd in ["", "x", "?", "null", &"A".repeat(10_000), &format!("{text}A"), &format!("{text}=")] {
            assert_eq!(kind(odd, &SECRET, "query"), refused, "{odd}");
        }
    }

    /// 9865-2.1-02.
    #[test]
    fn it_counts_for_an_hour() {
        let cursor = cursor(None);
        let text = sealed(&cursor);
        let open = |seconds| {
            let now = cursor.given + chrono::TimeDelta::seconds(seconds);
            Cursor::open(&text, &SECRET, "query", now).map_err(|error| error.kind)
        };
        assert!(open(TIMEOUT).is_ok());
        assert_eq!(open(TIMEOUT + 1), Err(ErrorKind::ExpiredCursor));
        assert!(open(-5).is_ok(), "the clocks of two servers differ");
    }
}
