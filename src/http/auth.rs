//! Who sends a request: the bearer token in its `Authorization` header (RFC 7644 §2, RFC 6750 §2.1), and whether
//! it allows what is asked.
//!
//! Invariant: tokens are taken from that header alone, never from a URL or a body, where they would end in
//! logs.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use crate::access::Scope;
use crate::context::{Context, Permission};
use crate::scim::error::{ErrorKind, ScimError};

/// The token that a request presents, if it presents any. A header that is no text is a token that nobody
/// has.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().unwrap_or("Bearer \u{fffd}");
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Refuses a caller without this permission, and names the scope that has it.
pub(super) fn check(context: &Context, permission: Permission) -> Result<(), ScimError> {
    if context.caller.scopes.allow(permission) {
        return Ok(());
    }
    let scope = Scope::with(permission).name();
    Err(ScimError::new(
        ErrorKind::Forbidden,
        format!("the token has not the scope {scope}, which this needs"),
    ))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_the_scheme() {
        let cases = [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER   abc ", Some("abc")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ];
        for (header, token) in cases {
            let request = TestRequest::default().insert_header((AUTHORIZATION, header)).to_http_request();
            assert_eq!(bearer(&request), token, "{header:?}");
        }
        assert_eq!(bearer(&TestRequest::default().to_http_request()), None);
    }
}
