//! Leaving a tenant as it was found.
//!
//! Invariant: only resources that the reported flow itself created are deleted.

use crate::client::{Client, Outgoing};
use crate::placeholder::encoded;
use crate::replay::Subject;
use crate::report::FlowReport;

/// Deletes what a flow created and has not deleted itself, the newest first.
///
/// Returns a sentence for each resource that could not be deleted.
pub fn tidy(subject: &Subject, report: &FlowReport) -> Vec<String> {
    let client = Client::new();
    report.created.iter().rev().filter_map(|url| delete(&client, subject, url).err()).collect()
}

/// The URL of a resource created by a POST to `path`.
pub(crate) fn created_url(subject: &Subject, path: &str, id: &str) -> String {
    let collection = path.split_once('?').map_or(path, |(path, _)| path).trim_matches('/');
    subject.url(&format!("/{collection}/{}", encoded(id)))
}

pub(crate) fn delete(client: &Client, subject: &Subject, url: &str) -> Result<(), String> {
    let outgoing = Outgoing {
        method: "DELETE".to_owned(),
        url: url.to_owned(),
        headers: vec![("Authorization".to_owned(), format!("Bearer {}", subject.token))],
        body: None,
    };
    match client.send(&outgoing) {
        Ok(answer) if matches!(answer.status, 200 | 202 | 204 | 404 | 410) => Ok(()),
        Ok(answer) => Err(format!("{url} is left behind (status {}); delete it by hand", answer.status)),
        Err(error) => Err(format!("{url} is left behind ({error}); delete it by hand")),
    }
}

#[cfg(test)]
mod tests {
    use super::created_url;
    use crate::replay::Subject;

    #[test]
    fn the_url_does_not_copy_the_oddities_of_the_path() {
        let subject = Subject { base: "http://scim.example.com/v2/".into(), token: String::new() };
        for path in ["/Users", "//Users", "/Users/", "/Users?", "/Users/?a=b"] {
            assert_eq!(created_url(&subject, path, "a/b"), "http://scim.example.com/v2/Users/a%2Fb");
        }
    }
}
