//! Every way in which a command on a user can fail.
//!
//! Invariant: it is a fact, not a sentence for a client: each API has its own status and words for it.

use std::fmt;

use crate::contact;
use crate::directory::Failure;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::schema::ContactKind;
use crate::store::StoreError;

/// Why a command cannot be done.
#[derive(Debug)]
pub enum Error {
    /// The tenant has no such user.
    NoUser,
    /// The user has no such address or number.
    NoContact(ContactKind),
    /// The text is no address or number.
    NotOne(ContactKind),
    /// The user has this address or number already.
    Present(ContactKind),
    /// The primary address or number may not be removed here.
    PrimaryNotRemovable(ContactKind),
    /// Something else has a value that it cannot have.
    Invalid {
        /// What: the name of an attribute, or of a part of the request.
        field: String,
        /// Why.
        reason: String,
    },
    /// Another user has this value: `userName`, `emails`, `phoneNumbers` or `loginIds`.
    Taken(String),
    /// A user's only login id stays.
    LastLoginId,
    /// Nothing is being verified.
    NoChallenge,
    /// It is not what was sent there, or it was used already.
    CodeInvalid,
    /// It came too late.
    CodeExpired,
    /// It was guessed at too often; a new one has to be sent.
    TooManyAttempts,
    /// Enough was sent for now; seconds until more can be.
    Limited(u64),
    /// The user has a password already.
    HasPassword,
    /// The user has no password.
    NoPassword,
    /// It is not the user's password.
    WrongPassword,
    /// Anything below: the store, or what SCIM says of a resource.
    Failure(Failure),
}

impl From<contact::Error> for Error {
    fn from(error: contact::Error) -> Self {
        match error {
            contact::Error::NotFound(kind) => Self::NoContact(kind),
            contact::Error::Invalid(kind) => Self::NotOne(kind),
            contact::Error::Present(kind) => Self::Present(kind),
            contact::Error::PrimaryNotRemovable(kind) => Self::PrimaryNotRemovable(kind),
        }
    }
}

impl From<ScimError> for Error {
    fn from(error: ScimError) -> Self {
        Failure::from(error).into()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Scim(ScimError { kind: ErrorKind::NotFound, .. }) => Self::NoUser,
            Failure::Store(error) => error.into(),
            other => Self::Failure(other),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            // How long that is, who began the verification knows.
            StoreError::Exhausted => Self::Limited(0),
            StoreError::Unique { path } => {
                let name = path.rsplit(':').next().unwrap_or(&path);
                Self::Taken(name.to_owned())
            }
            other => Self::Failure(other.into()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser => f.write_str("there is no such user"),
            Self::NoContact(kind) => contact::Error::NotFound(*kind).fmt(f),
            Self::NotOne(kind) => contact::Error::Invalid(*kind).fmt(f),
            Self::Present(kind) => contact::Error::Present(*kind).fmt(f),
            Self::PrimaryNotRemovable(kind) => contact::Error::PrimaryNotRemovable(*kind).fmt(f),
            Self::Invalid { field, reason } => write!(f, "{field}: {reason}"),
            Self::Taken(name) => write!(f, "another user has this value of {name}"),
            Self::LastLoginId => f.write_str("the user's only login id cannot be removed"),
            Self::NoChallenge => f.write_str("nothing is being verified"),
            Self::CodeInvalid => f.write_str("the code is not the one that was sent, or was used already"),
            Self::CodeExpired => f.write_str("the code has expired"),
            Self::TooManyAttempts => f.write_str("the code was guessed at too often; have a new one sent"),
            Self::Limited(seconds) => write!(f, "enough was sent for now; try again in {seconds} seconds"),
            Self::HasPassword => f.write_str("the user has a password already"),
            Self::NoPassword => f.write_str("the user has no password"),
            Self::WrongPassword => f.write_str("it is not the user's password"),
            Self::Failure(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
