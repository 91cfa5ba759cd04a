//! Percent encoding (RFC 3986 §2.1), undone.
//!
//! Invariant: what comes out is UTF-8, or nothing comes out.

/// Undoes percent encoding; none if that gives no UTF-8 or the encoding is broken. Form encoding writes blanks as `+`.
pub fn decode(text: &str, plus_is_blank: bool) -> Option<String> {
    let is_encoded = |byte: u8| byte == b'%' || byte == b'+' && plus_is_blank;
    if !text.bytes().any(is_encoded) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus_is_blank => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
