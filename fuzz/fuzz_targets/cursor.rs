//! Any text as a cursor is refused; any position comes back from the cursor that it was sealed in, and from no other.
#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use muster_fuzz::scim::cursor::{Cursor, NONCE};

fuzz_target!(|given: (i64, i64, u64, u64, Option<String>, String)| {
    let (seconds, row, count, total, key, text) = given;
    let secret = [7; 32];
    let Some(given) = DateTime::from_timestamp(seconds, 0) else { return };
    assert!(Cursor::open(&text, &secret, "query", given).is_err());
    let cursor = Cursor { given, count, total, key, row };
    let sealed = cursor.seal(&secret, &text, [1; NONCE]).unwrap();
    assert!(Cursor::open(&sealed, &secret, &format!("{text}x"), given).is_err());
    assert_eq!(Cursor::open(&sealed, &secret, &text, given), Ok(cursor));
});
