//! The link in a message: whoever opens it has verified the address that it went to.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY};

use crate::context::Context;
use crate::http::api::{Answer, Anybody, Call, Operation, Run};
use crate::http::error::Failure;
use crate::identity::{Error, Identity, Opened};
use crate::scim::error::{ErrorKind, ScimError};

pub(super) const OPEN: Operation = Operation {
    method: "GET",
    path: "/identity/v1/links/{link}",
    summary: "Open the link that verifies an e-mail address; it needs no token",
    takes: None,
    answers: &[
        Answer(
            303,
            "The address is verified, or is not; the browser goes on with ?result=true or false",
            None,
        ),
        Answer(200, "The address is verified; there is nowhere to go on to", None),
        Answer(410, "The link is none, was opened before, or has expired", None),
    ],
    run: Run::Open(|call| Box::pin(open(call))),
};

async fn open(call: Call<Anybody>) -> Result<HttpResponse, Failure> {
    let link = call.capture(0);
    let opened = match Identity::tenant_of_link(link) {
        None => Err(Error::NoChallenge),
        Some(tenant) => match call.app.access.keeper(tenant, "a link").await? {
            None => Err(Error::NoChallenge),
            Some(caller) => {
                let context = Context { caller, now: call.context.now, request: String::new() };
                call.app.identity.open_link(&context, link).await
            }
        },
    };
    match opened {
        Ok(Opened { verified, redirect: Some(url) }) => {
            let mut response = HttpResponse::SeeOther();
            response.insert_header((LOCATION, with_result(&url, verified)));
            Ok(response
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header((REFERRER_POLICY, "no-referrer"))
                .finish())
        }
        Ok(Opened { verified: true, redirect: None }) => {
            Ok(says(200, "Thank you. The address is verified.\n"))
        }
        Ok(Opened { verified: false, .. }) | Err(Error::NoChallenge) => {
            Ok(says(410, "This link was used before or has expired. Have a new one sent.\n"))
        }
        Err(Error::Failure(failure)) => Err(failure.into()),
        Err(error) => Err(ScimError::new(ErrorKind::NotFound, error.to_string()).into()),
    }
}

/// The URL with what came of it in its query.
fn with_result(url: &str, verified: bool) -> String {
    let (address, fragment) = url.split_once('#').map_or((url, None), |(a, f)| (a, Some(f)));
    let joint = if address.contains('?') { '&' } else { '?' };
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{address}{joint}result={verified}{fragment}")
}

fn says(status: u16, text: &'static str) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"));
    response.body(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_a_link_goes_into_the_query() {
        assert_eq!(with_result("https://a.example/x", true), "https://a.example/x?result=true");
        assert_eq!(with_result("https://a.example/x?y=1#z", false), "https://a.example/x?y=1&result=false#z");
    }
}
