//! Turning a step of a scenario into a request.
//!
//! Invariant: a query goes out percent-encoded, whatever it is written like; a new user or group has what
//! this server requires.

use crate::client::Outgoing;
use crate::placeholder::Captured;
use crate::replay::Subject;
use crate::scenario::{Action, Content, Credentials};
use crate::server::{Core, Server};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What a query may not have as it is; what is escaped already stays.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

const JSON: &str = "application/scim+json";

/// The tokens that requests can be sent with.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    pub(crate) other: Option<String>,
    pub(crate) reader: Option<String>,
}

pub(crate) struct Composer<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) tokens: &'a Tokens,
    pub(crate) server: &'a Server,
}

impl Composer<'_> {
    /// The request, and its body as a report shows it.
    pub(crate) fn compose(
        &self,
        action: &Action,
        captured: &Captured,
        number: usize,
    ) -> Result<(Outgoing, Option<Value>), String> {
        let content = self.content(action, captured, number)?;
        let body = match (&action.content, &content) {
            (Content::Octets(octets), _) => Some(octets.clone()),
            (Content::Text(_), Some(Value::String(text))) => Some(text.clone().into_bytes()),
            (_, Some(value)) => Some(value.to_string().into_bytes()),
            (_, None) => None,
        };
        let url = self.url(action, captured)?;
        let headers = self.headers(action, captured, body.is_some())?;
        Ok((Outgoing { method: action.method.clone(), url, headers, body }, content))
    }

    /// A path that begins with a placeholder is a URI that the server gave: it is resolved against the base,
    /// and never followed to another host, which would see the token.
    fn url(&self, action: &Action, captured: &Captured) -> Result<String, String> {
        if action.path.starts_with("{{") {
            let given = captured.fill(&action.path)?;
            return resolved(&given, &self.subject.base);
        }
        let (path, query) = action.path.split_once('?').unzip();
        let mut url = self.subject.url(&captured.fill_path(path.unwrap_or(&action.path))?);
        if let Some(query) = query {
            url.push('?');
            url.push_str(&utf8_percent_encode(&captured.fill_path(query)?, QUERY).to_string());
        }
        Ok(url)
    }

    fn headers(
        &self,
        action: &Action,
        captured: &Captured,
        has_body: bool,
    ) -> Result<Vec<(String, String)>, String> {
        let token = match action.credentials {
            Credentials::Own => Some(self.subject.token.clone()),
            Credentials::None => None,
            Credentials::Wrong => Some("no-such-token-as-this-one".to_owned()),
            Credentials::Other => self.tokens.other.clone(),
            Credentials::Reader => self.tokens.reader.clone(),
        };
        let mut headers = vec![("Accept".to_owned(), JSON.to_owned())];
        headers.extend(token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))));
        if has_body {
            headers.push(("Content-Type".to_owned(), JSON.to_owned()));
        }
        for (name, value) in action.headers.iter() {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            let value = captured.fill(value)?;
            if !value.is_empty() {
                headers.push((name.to_owned(), value));
            }
        }
        Ok(headers)
    }

    fn content(&self, action: &Action, captured: &Captured, number: usize) -> Result<Option<Value>, String> {
        let message = |name: &str| format!("urn:ietf:params:scim:api:messages:2.0:{name}");
        Ok(match &action.content {
            Content::None => None,
            Content::Fresh(core, members) => {
                let mut body = self.fresh(core, captured.fill_json(members)?, captured, number)?;
                for name in &action.without {
                    body.remove(name);
                }
                Some(Value::Object(body))
            }
            Content::Json(value) => Some(captured.fill_json(value)?),
            Content::Patch(operations) => Some(json!({
                "schemas": [message("PatchOp")], "Operations": captured.fill_json(operations)?,
            })),
            Content::Search(members) => {
                let mut body = Map::from_iter([("schemas".to_owned(), json!([message("SearchRequest")]))]);
                body.extend(captured.fill_json(members)?.as_object().cloned().unwrap_or_default());
                Some(Value::Object(body))
            }
            Content::Bulk(content) => {
                let mut body = Map::from_iter([("schemas".to_owned(), json!([message("BulkRequest")]))]);
                match captured.fill_json(content)? {
                    Value::Object(members) => body.extend(members),
                    operations => body.extend([("Operations".to_owned(), operations)]),
                }
                Some(Value::Object(body))
            }
            Content::Text(text) => Some(Value::String(captured.fill(text)?)),
            Content::Octets(octets) => Some(Value::String(format!("{} octets: {octets:02x?}", octets.len()))),
        })
    }

    /// A resource that the server should take, with these members put in; `@name` is an attribute that was
    /// looked for.
    fn fresh(
        &self,
        core: &Core,
        members: Value,
        captured: &Captured,
        number: usize,
    ) -> Result<Map<String, Value>, String> {
        let name = format!("{}-{number}", captured.fill("{{run}}")?);
        let mut body = Map::from_iter([("schemas".to_owned(), json!([]))]);
        body.extend(self.server.minimal(core, &name));
        let mut schemas = vec![json!(core.urn)];
        let Value::Object(members) = members else { return Err("a user or group is an object".to_owned()) };
        for (key, value) in members {
            let place = match key.strip_prefix('@') {
                Some(name) => captured.fill(&format!("{{{{{name}.at}}}}"))?.replace("~1", "/"),
                None => key,
            };
            match place.rsplit_once('/').filter(|(urn, _)| urn.contains(':')) {
                Some((urn, attribute)) => {
                    let container = body.entry(urn).or_insert_with(|| json!({}));
                    if let Some(container) = container.as_object_mut() {
                        container.insert(attribute.to_owned(), value);
                    }
                    schemas.push(json!(urn));
                }
                None => {
                    if place.starts_with("urn:") {
                        schemas.push(json!(place));
                    }
                    body.insert(place, value);
                }
            }
        }
        if body.get("schemas") == Some(&json!([])) {
            body.insert("schemas".to_owned(), schemas.into());
        }
        Ok(body)
    }
}

/// A URI that the server gave, whole: a relative one counts from the base (RFC 7643 §2.3.7), unless it repeats the
/// path of the base.
fn resolved(given: &str, base: &str) -> Result<String, String> {
    let base = base.trim_end_matches('/');
    let (host, path) = split(base).ok_or_else(|| format!("{base} has no host"))?;
    match split(given) {
        Some((other, _)) if other.eq_ignore_ascii_case(host) => Ok(given.to_owned()),
        Some(_) => Err(format!("{given} is on another host than {base}")),
        None if !path.is_empty() && given.starts_with(&format!("{path}/")) => Ok(format!("{host}{given}")),
        None => Ok(format!("{base}/{}", given.trim_start_matches('/'))),
    }
}

/// Scheme, host and port of a URL, and what follows.
fn split(url: &str) -> Option<(&str, &str)> {
    let host = url.find("://")? + 3;
    let path = url.get(host..)?.find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    url.split_at_checked(path)
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn a_relative_uri_counts_from_the_base_and_no_other_host_sees_the_token() {
        let base = "https://scim.example.com/scim/v2/";
        let whole = "https://scim.example.com/scim/v2/Users/1";
        for given in [whole, "Users/1", "/Users/1", "/scim/v2/Users/1"] {
            assert_eq!(resolved(given, base).unwrap(), whole, "{given}");
        }
        assert_eq!(resolved("/Users/1", "http://a:8").unwrap(), "http://a:8/Users/1");
        for given in ["https://scim.example.com.evil/Users/1", "http://scim.example.com/scim/v2/Users/1"] {
            assert!(resolved(given, base).unwrap_err().contains("another host"), "{given}");
        }
    }
}
