//! The base of the URLs in an answer (RFC 7644 §1.3): what a client sees before `/Users`.
//!
//! Invariant: `--public-url` decides where it is set; else the request's own host does, and forwarding
//! headers only where the operator said that a proxy sets them (reading A53). Nothing odd gets into a URL.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName};

use crate::http::Settings;
use crate::scim::error::ScimError;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The base of a request that came in under `mount`: `/scim/v2` or `/scim`.
///
/// # Errors
/// `invalidValue` for a host or a prefix that has no place in a URL.
pub(super) fn base(request: &HttpRequest, settings: &Settings, mount: &str) -> Result<String, ScimError> {
    if let Some(url) = &settings.public_url {
        return Ok(format!("{url}{mount}"));
    }
    let forwarded = |name| if settings.trust_forwarded { first(request, name) } else { Ok(None) };
    let scheme = match forwarded(FORWARDED_PROTO)? {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    };
    let prefix = forwarded(FORWARDED_PREFIX)?.unwrap_or_default().trim_end_matches('/');
    let is_path = prefix.is_empty() || prefix.starts_with('/') && prefix.bytes().all(is_path_byte);
    if !is_path {
        return Err(ScimError::value("the X-Forwarded-Prefix header is no path"));
    }
    let host = match forwarded(FORWARDED_HOST)? {
        Some(host) => host,
        None => own_host(request)?,
    };
    if host.is_empty() || !host.bytes().all(is_host_byte) {
        return Err(ScimError::value("the Host header is no host name with or without a port"));
    }
    Ok([scheme, "://", host, prefix, mount].concat())
}

/// The host that the request names: in its target, else in its header, else where it came in.
fn own_host(request: &HttpRequest) -> Result<&str, ScimError> {
    if let Some(authority) = request.uri().authority() {
        return Ok(authority.as_str());
    }
    Ok(first(request, HOST)?.unwrap_or_else(|| request.app_config().host()))
}

/// The first element of a header's list: the one that the outermost proxy wrote.
fn first(request: &HttpRequest, name: HeaderName) -> Result<Option<&str>, ScimError> {
    let Some(value) = request.headers().get(&name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| ScimError::value(format!("the {name} header is no text")))?;
    Ok(text.split(',').next().map(str::trim))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~' | b'%')
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn settings(public_url: Option<&str>, trust_forwarded: bool) -> Settings {
        Settings { public_url: public_url.map(str::to_owned), trust_forwarded, ..Settings::default() }
    }

    fn of(settings: &Settings, headers: &[(&'static str, &str)]) -> Result<String, ScimError> {
        let mut request = TestRequest::default();
        for header in headers {
            request = request.append_header(*header);
        }
        base(&request.to_http_request(), settings, "/scim/v2")
    }

    #[test]
    fn the_host_of_the_request_counts_unless_a_public_url_is_set() {
        let host = [("host", "id.example.com:8080"), ("x-forwarded-host", "evil.example")];
        assert_eq!(of(&settings(None, false), &host).unwrap(), "http://id.example.com:8080/scim/v2");
        let public = settings(Some("https://example.com/muster"), true);
        assert_eq!(of(&public, &host).unwrap(), "https://example.com/muster/scim/v2");
    }

    #[test]
    fn forwarding_headers_count_where_they_are_trusted() {
        let headers = [
            ("host", "10.0.0.1"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "id.example.com, inner"),
            ("x-forwarded-prefix", "/muster/"),
        ];
        assert_eq!(of(&settings(None, true), &headers).unwrap(), "https://id.example.com/muster/scim/v2");
        assert_eq!(of(&settings(None, false), &headers).unwrap(), "http://10.0.0.1/scim/v2");
        assert_eq!(of(&settings(None, true), &[("host", "a")]).unwrap(), "http://a/scim/v2");
    }

    #[test]
    fn an_odd_host_is_refused() {
        for odd in ["a b", "a/b", "a\"b", "<a>", "a@b", "", "ä"] {
            assert!(of(&settings(None, false), &[("host", odd)]).is_err(), "{odd}");
        }
        let prefix = [("host", "a"), ("x-forwarded-prefix", "//evil\"")];
        assert!(of(&settings(None, true), &prefix).is_err());
        assert!(of(&settings(None, true), &[("host", "a"), ("x-forwarded-prefix", "b")]).is_err());
    }
}
