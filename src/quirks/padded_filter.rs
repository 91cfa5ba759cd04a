//! `padded-filter`: blanks around a filter.
//!
//! Who: clients that glue filters together from templates; Ping's own SCIM library tests that it is accepted (D08).
//! They send ` title pr ` and mean `title pr`; the grammar of RFC 7644 has no blanks there.

/// The filter without the blanks around it.
pub(super) fn rewrite(filter: &str) -> Option<String> {
    let trimmed = filter.trim_matches([' ', '\t']);
    (trimmed.len() < filter.len() && !trimmed.is_empty()).then(|| trimmed.to_owned())
}
