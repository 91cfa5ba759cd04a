//! The query part of a URL → the parameters of RFC 7644 §3.4.2 and §3.9, and of RFC 9865 §2.
//!
//! Invariant: a parameter is text that was percent-decoded once. A `+` is a blank, as form encoding has it,
//! unless the query writes blanks as `%20`: then its writer meant `+`. Parameters that SCIM does not know are
//! ignored.

use crate::scim::error::ScimError;
use crate::scim::listing::{self, ListQuery};
use crate::scim::projection::Projection;
use crate::scim::uri::decode;

/// The parameters of one request. An empty one counts as not given, but for `filter`, which is refused when
/// empty, and `cursor`, which then asks for the first page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    cursor: Option<String>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

impl Query {
    /// Reads what stands behind the `?`.
    ///
    /// # Errors
    /// `invalidValue` with the parameter's name.
    pub(super) fn parse(raw: &str) -> Result<Self, ScimError> {
        let mut query = Self::default();
        let plus_is_blank = !raw.contains("%20");
        let has_cursor = raw.split('&').any(|pair| pair.split('=').next() == Some("cursor"));
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = known(name) else { continue };
            let text = decode(value, plus_is_blank)
                .ok_or_else(|| ScimError::value(format!("parameter {name} is not percent-encoded UTF-8")))?;
            match text.is_empty() {
                // A client that lost its filter must not be given everyone (RFC 7644 §3.4.2.2 wants an
                // expression).
                true if name == "filter" => return Err(ScimError::filter("the filter is empty")),
                true if name != "cursor" => continue,
                _ => {}
            }
            query.set(name, text).map_err(|error| match name {
                "count" if has_cursor => listing::invalid_count(error),
                _ => error,
            })?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &'static str, text: String) -> Result<(), ScimError> {
        let given_before = match name {
            "filter" => self.filter.replace(text).is_some(),
            "sortBy" => self.sort_by.replace(text).is_some(),
            "sortOrder" => self.sort_order.replace(text).is_some(),
            "startIndex" => self.start_index.replace(integer(name, &text)?).is_some(),
            "count" => self.count.replace(integer(name, &text)?).is_some(),
            "cursor" => self.cursor.replace(text).is_some(),
            "attributes" => self.attributes.replace(text).is_some(),
            _ => self.excluded_attributes.replace(text).is_some(),
        };
        if given_before {
            return Err(ScimError::value(format!("parameter {name} is there twice")));
        }
        Ok(())
    }

    /// What the response shall show.
    ///
    /// # Errors
    /// `invalidValue`.
    pub(super) fn projection(&self) -> Result<Projection, ScimError> {
        Projection::parse(self.attributes.as_deref(), self.excluded_attributes.as_deref())
    }

    /// Whether `attributes` or `excludedAttributes` are given.
    pub(super) fn projects(&self) -> bool {
        self.attributes.is_some() || self.excluded_attributes.is_some()
    }

    /// What is asked for.
    pub(super) fn into_list_query(self) -> ListQuery {
        ListQuery {
            filter: self.filter,
            sort_by: self.sort_by,
            sort_order: self.sort_order,
            start_index: self.start_index,
            count: self.count,
            cursor: self.cursor,
        }
    }
}

/// All parameters of a query, or fields of a form, in their order.
///
/// # Errors
/// `invalidValue` if one is not percent-encoded text.
pub(super) fn pairs(raw: &str) -> Result<Vec<(String, String)>, ScimError> {
    let plus_is_blank = !raw.contains("%20");
    let text = |text: &str, name: &str| {
        decode(text, plus_is_blank)
            .ok_or_else(|| ScimError::value(format!("parameter {name} is not percent-encoded UTF-8")))
    };
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((text(name, name)?, text(value, name)?))
        })
        .collect()
}

/// The parameters that count. Names of parameters are no attribute names: their case matters.
fn known(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 8] = [
        "filter",
        "sortBy",
        "sortOrder",
        "startIndex",
        "count",
        "cursor",
        "attributes",
        "excludedAttributes",
    ];
    NAMES.into_iter().find(|known| *known == name)
}

/// A whole number; one beyond 64 bits is as good as the largest.
fn integer(name: &str, text: &str) -> Result<i64, ScimError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ScimError::value(format!("parameter {name} must be a whole number")));
    }
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(text.parse().unwrap_or(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(raw: &str) -> Option<String> {
        Query::parse(raw).unwrap().filter
    }

    #[test]
    fn a_plus_is_a_blank_unless_blanks_are_written_as_percent_20() {
        assert_eq!(filter("filter=userName+eq+%22a%2Bb%40c%22").unwrap(), r#"userName eq "a+b@c""#);
        assert_eq!(filter("filter=userName%20eq%20%22a%2Bb%22").unwrap(), r#"userName eq "a+b""#);
        assert_eq!(filter("filter=userName%20eq%20%22a+b%22").unwrap(), r#"userName eq "a+b""#);
    }

    #[test]
    fn all_parameters_of_scim_are_read() {
        let query = Query::parse(
            "sortBy=userName&sortOrder=descending&startIndex=2&count=-1&attributes=a,b&filter=a%20pr",
        )
        .unwrap();
        assert!(query.projects());
        let list = query.into_list_query();
        assert_eq!(list.filter.as_deref(), Some("a pr"));
        assert_eq!(list.sort_by.as_deref(), Some("userName"));
        assert_eq!(list.sort_order.as_deref(), Some("descending"));
        assert_eq!((list.start_index, list.count), (Some(2), Some(-1)));
        assert!(Query::parse("excludedAttributes=members").unwrap().projects());
    }

    #[test]
    fn what_is_empty_or_unknown_is_ignored() {
        for raw in ["", "&", "&&=&", "foo=bar", "foo=%zz", "startIndex=", "count", "Filter=x", "attributes=&"]
        {
            assert_eq!(Query::parse(raw).unwrap(), Query::default(), "{raw}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_name() {
        let cases = [
            ("filter=", "the filter is empty"),
            ("filter=%zz", "filter"),
            ("filter=%f", "filter"),
            ("filter=%ff", "filter"),
            ("filter=a&filter=b", "filter is there twice"),
            ("startIndex=one", "startIndex must be a whole number"),
            ("startIndex=1.5", "startIndex"),
            ("count=-", "count"),
            ("count=0x10", "count"),
        ];
        for (raw, part) in cases {
            let error = Query::parse(raw).unwrap_err();
            assert!(error.detail.contains(part), "{raw}: {error}");
        }
    }

    #[test]
    fn a_number_of_any_size_is_a_number() {
        let query = Query::parse("startIndex=99999999999999999999&count=-99999999999999999999").unwrap();
        assert_eq!((query.start_index, query.count), (Some(i64::MAX), Some(i64::MIN)));
        assert_eq!(filter("filter=%00").as_deref(), Some("\0"));
    }
}
