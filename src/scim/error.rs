//! What can be wrong with a request, in SCIM's own words (RFC 7644 §3.12, RFC 9865 §2.1).
//!
//! Invariant: kind → status → `scimType` is decided by one table, [`ErrorKind::row`]; no other place pairs them.

use std::fmt;

/// Every way in which Muster refuses a SCIM request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The body is not JSON, or not the message that the endpoint takes.
    InvalidSyntax,
    /// A value is missing, has the wrong type, or is not allowed.
    InvalidValue,
    /// A filter cannot be parsed, or does not fit the schema.
    InvalidFilter,
    /// A PATCH path cannot be parsed, or names nothing in the schema.
    InvalidPath,
    /// A PATCH path selects no value, or a remove has no path.
    NoTarget,
    /// The attribute may not be changed this way.
    Mutability,
    /// Another resource already has this value.
    Uniqueness,
    /// A cursor that this server did not give for this query.
    InvalidCursor,
    /// A cursor that is too old.
    ExpiredCursor,
    /// A `count` that does not go with a cursor.
    InvalidCount,
    /// It refers to something that could not be done.
    Conflict,
    /// The `vN` segment of the URL is not a version that is served.
    InvalidVers,
    /// No credentials, or credentials that do not count (any more).
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// No such resource, endpoint, schema or type, as far as this caller can see.
    NotFound,
    /// The endpoint exists, but not with this method.
    MethodNotAllowed,
    /// The client accepts no representation that is served.
    NotAcceptable,
    /// An `If-Match` or `If-None-Match` that does not hold.
    PreconditionFailed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The body is over the limit.
    PayloadTooLarge,
    /// The body is not JSON by its media type.
    UnsupportedMediaType,
    /// A fault of the server; the cause is in the log only.
    Internal,
    /// An optional feature of SCIM that is not offered.
    NotImplemented,
    /// The server cannot answer now; the client should come back.
    Unavailable,
}

impl ErrorKind {
    /// The one table: HTTP status and `scimType` (RFC 7644 tables 8 and 9, RFC 9865 table 3).
    const fn row(self) -> (u16, Option<&'static str>) {
        match self {
            Self::InvalidSyntax => (400, Some("invalidSyntax")),
            Self::InvalidValue => (400, Some("invalidValue")),
            Self::InvalidFilter => (400, Some("invalidFilter")),
            Self::InvalidPath => (400, Some("invalidPath")),
            Self::NoTarget => (400, Some("noTarget")),
            Self::Mutability => (400, Some("mutability")),
            Self::Uniqueness => (409, Some("uniqueness")),
            Self::InvalidCursor => (400, Some("invalidCursor")),
            Self::ExpiredCursor => (400, Some("expiredCursor")),
            Self::InvalidCount => (400, Some("invalidCount")),
            Self::Conflict => (409, None),
            Self::InvalidVers => (400, Some("invalidVers")),
            Self::Unauthorized => (401, None),
            Self::Forbidden => (403, None),
            Self::NotFound => (404, None),
            Self::MethodNotAllowed => (405, None),
            Self::NotAcceptable => (406, None),
            Self::PreconditionFailed => (412, None),
            Self::RequestTimeout => (408, None),
            Self::PayloadTooLarge => (413, None),
            Self::UnsupportedMediaType => (415, None),
            Self::Internal => (500, None),
            Self::NotImplemented => (501, None),
            Self::Unavailable => (503, None),
        }
    }

    /// The HTTP status code.
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// The `scimType` keyword, where there is one.
    pub const fn scim_type(self) -> Option<&'static str> {
        self.row().1
    }
}

/// A refusal: its kind, and a sentence for the person who reads it.
///
/// `detail` says what, where and what was expected; it never holds a value of an attribute with `returned: never`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimError {
    /// Which row of the error table applies.
    pub kind: ErrorKind,
    /// The sentence for the client's administrator.
    pub detail: String,
}

impl ScimError {
    /// A refusal of the given kind.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// 400 `invalidSyntax`.
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidSyntax, detail)
    }

    /// 400 `invalidValue`.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidValue, detail)
    }

    /// 400 `invalidFilter`.
    pub fn filter(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidFilter, detail)
    }

    /// 400 `invalidPath`.
    pub fn path(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidPath, detail)
    }

    /// 400 `noTarget`.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::NoTarget, detail)
    }

    /// 400 `mutability`.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Mutability, detail)
    }

    /// 409 without a keyword.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, detail)
    }

    /// The same refusal with the place in front of it, as in `Operations[2]: …`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.detail = format!("{place}: {}", self.detail);
        self
    }
}

impl fmt::Display for ScimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for ScimError {}
