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
            if !given.contains("://") {
                return Ok(self.subject.url(&format!("/{}", given.trim_start_matches('/'))));
            }
            if origin(&given) != origin(&self.subject.base) {
                return Err(format!("{given} is on another host than {}", self.subject.base));
            }
            return Ok(given);
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

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    Some(format!("{scheme}://{}", rest.split(['/', '?', '#']).next()?).to_lowercase())
}
