//! Reading a list page by page.
//!
//! Invariant: a walk ends: after the last page, at the first answer that is no page, or after 1,000 pages.

use crate::client::{Answer, Outgoing};
use crate::placeholder::encoded;
use serde_json::{Value, json};

const MOST_PAGES: usize = 1000;

type Send<'a> = &'a dyn Fn(&Outgoing) -> Result<Answer, String>;

/// Follows `startIndex`. The answer has the resources of all pages, and the last page as `last`.
pub(crate) fn by_index(first: &Outgoing, send: Send<'_>) -> Result<Answer, String> {
    walk(
        first,
        send,
        |page, so_far| {
            let total = page.get("totalResults").and_then(Value::as_u64).unwrap_or(0);
            let size = page.get("Resources").and_then(Value::as_array).map_or(0, Vec::len);
            let next = so_far as u64 + 1;
            (size > 0 && next <= total).then(|| format!("startIndex={next}"))
        },
        "startIndex=1",
    )
}

/// Follows `nextCursor`.
pub(crate) fn by_cursor(first: &Outgoing, send: Send<'_>) -> Result<Answer, String> {
    walk(
        first,
        send,
        |page, _| {
            let next = page.get("nextCursor").and_then(Value::as_str)?;
            Some(format!("cursor={}", encoded(next)))
        },
        "cursor=",
    )
}

fn walk(
    first: &Outgoing,
    send: Send<'_>,
    next: impl Fn(&Value, usize) -> Option<String>,
    start: &str,
) -> Result<Answer, String> {
    let joint = if first.url.contains('?') { '&' } else { '?' };
    let mut parameter = start.to_owned();
    let (mut all, mut sizes, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let outgoing = Outgoing {
            method: first.method.clone(),
            url: format!("{}{joint}{parameter}", first.url),
            headers: first.headers.clone(),
            body: None,
        };
        let answer = send(&outgoing)?;
        let Ok(page) = serde_json::from_slice::<Value>(&answer.body) else { return Ok(answer) };
        if answer.status != 200 {
            return Ok(answer);
        }
        let resources = page.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
        sizes.push(resources.len());
        all.extend(resources);
        let following = next(&page, all.len());
        pages.push(page);
        match following {
            Some(following) if sizes.len() < MOST_PAGES => parameter = following,
            _ => {
                let last = pages.last().cloned();
                let earlier: Vec<Value> = pages.iter().take(pages.len().saturating_sub(1)).cloned().collect();
                let body = json!({"Resources": all, "sizes": sizes, "first": pages.first(), "last": last,
                    "earlier": earlier});
                return Ok(Answer {
                    status: 200,
                    headers: answer.headers,
                    body: body.to_string().into_bytes(),
                });
            }
        }
    }
}
