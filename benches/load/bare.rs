//! The reference of the reading requests: a handler that answers the same octets from memory.
//!
//! Invariant: it is a process of its own with as many workers as the server has, and does nothing per request but
//! what actix-web does for everybody.

use std::io::Read as _;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};

use crate::Failure;

/// The argument that turns this program into the bare handler.
pub(crate) const ARGUMENT: &str = "--be-the-bare-handler";

/// What it says before its address.
pub(crate) const ANNOUNCEMENT: &str = "bare listening on ";

/// Answers every request with the octets on stdin, until it is killed.
pub(crate) fn serve() -> Result<(), Failure> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let body = Data::new(Bytes::from(body));
    actix_web::rt::System::new().block_on(async {
        let server =
            HttpServer::new(move || App::new().app_data(Data::clone(&body)).default_service(web::to(answer)));
        let server = server.bind("127.0.0.1:0")?;
        if let Some(address) = server.addrs().first() {
            println!("{ANNOUNCEMENT}{address}");
        }
        server.run().await
    })?;
    Ok(())
}

async fn answer(body: Data<Bytes>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "application/scim+json"));
    response.body(Bytes::clone(&body))
}
