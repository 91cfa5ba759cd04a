//! Comparing an answer with what a step expects.
//!
//! Invariant: every unmet expectation is returned, not only the first.

use crate::client::Answer;
use crate::flow::Expect;
use crate::placeholder::Captured;
use crate::unmet::Unmet;
use serde_json::Value;

/// An answer whose body has been looked at once.
pub(crate) struct Judged<'a> {
    answer: &'a Answer,
    body: Body,
}

/// A body as far as pointers are concerned.
enum Body {
    /// This kind of answer has none: 204, 304 and answers to HEAD.
    None,
    Json(Value),
    Other(String),
}

impl<'a> Judged<'a> {
    pub(crate) fn new(method: &str, answer: &'a Answer) -> Self {
        let body = if method == "HEAD" || matches!(answer.status, 204 | 304) {
            Body::None
        } else {
            serde_json::from_slice(&answer.body)
                .map_or_else(|error| Body::Other(error.to_string()), Body::Json)
        };
        Self { answer, body }
    }

    /// The unmet expectations; an error when a placeholder cannot be filled.
    pub(crate) fn unmet(&self, expect: &Expect, captured: &Captured) -> Result<Vec<Unmet>, String> {
        let mut unmet = Vec::new();
        unmet.extend(self.status(expect));
        for (name, beginning) in expect.headers.iter() {
            unmet.extend(self.header(name, captured.fill(beginning)?));
        }
        match &self.body {
            Body::None => {}
            Body::Json(body) => unmet.extend(within(body, expect, captured)?),
            Body::Other(reason) if looks_inside(expect) => {
                unmet.push(Unmet::NotJson { reason: reason.clone() });
            }
            Body::Other(_) => {}
        }
        Ok(unmet)
    }

    /// The value to capture: a string with at least one character.
    pub(crate) fn capture(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The whole body, where it is JSON.
    pub(crate) fn json(&self) -> Option<&Value> {
        match &self.body {
            Body::Json(body) => Some(body),
            Body::None | Body::Other(_) => None,
        }
    }

    /// Why a body that could have been JSON is none.
    pub(crate) fn reason(&self) -> Option<&str> {
        match &self.body {
            Body::Other(reason) => Some(reason),
            Body::None | Body::Json(_) => None,
        }
    }

    /// What is at a pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.json().and_then(|body| body.pointer(pointer))
    }

    /// The body, for a report: the JSON, or else the text.
    pub(crate) fn shown(&self) -> Option<Value> {
        match &self.body {
            Body::Json(body) => Some(body.clone()),
            Body::None | Body::Other(_) if self.answer.body.is_empty() => None,
            Body::None | Body::Other(_) => {
                Some(Value::String(String::from_utf8_lossy(&self.answer.body).into_owned()))
            }
        }
    }

    fn status(&self, expect: &Expect) -> Option<Unmet> {
        let got = self.answer.status;
        (!expect.status.contains(&got)).then(|| Unmet::Status { expected: expect.status.clone(), got })
    }

    fn header(&self, name: &str, expected: String) -> Option<Unmet> {
        let headers = self.answer.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let got: Vec<String> = headers.map(|(_, value)| value.clone()).collect();
        let met = got.iter().any(|value| begins_with(value, &expected));
        (!met).then(|| Unmet::Header { name: name.to_owned(), expected, got })
    }
}

fn begins_with(value: &str, beginning: &str) -> bool {
    value
        .as_bytes()
        .get(..beginning.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
}

fn looks_inside(expect: &Expect) -> bool {
    !(expect.body_contains.is_empty() && expect.body_present.is_empty() && expect.body_absent.is_empty())
}

fn within(body: &Value, expect: &Expect, captured: &Captured) -> Result<Vec<Unmet>, String> {
    let mut unmet = Vec::new();
    for (pointer, value) in expect.body_contains.iter() {
        unmet.extend(contains(body, pointer, captured.fill_json(value)?));
    }
    unmet.extend(expect.body_present.iter().filter_map(|pointer| present(body, pointer)));
    unmet.extend(expect.body_absent.iter().filter_map(|pointer| absent(body, pointer)));
    Ok(unmet)
}

fn contains(body: &Value, pointer: &str, expected: Value) -> Option<Unmet> {
    let got = body.pointer(pointer);
    (got != Some(&expected)).then(|| Unmet::Contains {
        pointer: pointer.to_owned(),
        expected,
        got: got.cloned(),
    })
}

fn present(body: &Value, pointer: &str) -> Option<Unmet> {
    let there = body.pointer(pointer).is_some_and(|value| !value.is_null());
    (!there).then(|| Unmet::Present { pointer: pointer.to_owned() })
}

fn absent(body: &Value, pointer: &str) -> Option<Unmet> {
    body.pointer(pointer).map(|got| Unmet::Absent { pointer: pointer.to_owned(), got: got.clone() })
}

#[cfg(test)]
mod tests {
    use super::Judged;
    use crate::client::Answer;
    use crate::flow::Expect;
    use crate::placeholder::Captured;
    use crate::unmet::Unmet;
    use serde_json::{Value, json};

    fn answer(status: u16, body: &str) -> Answer {
        let headers = vec![("content-type".to_owned(), "Application/SCIM+json; charset=utf-8".to_owned())];
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    fn unmet_by(method: &str, answer: &Answer, expect: Value) -> Vec<Unmet> {
        let expect: Expect = serde_json::from_value(expect).unwrap();
        let mut captured = Captured::new("t");
        captured.insert("user.id", "42");
        Judged::new(method, answer).unmet(&expect, &captured).unwrap()
    }

    fn unmet(body: &Value, expect: Value) -> Vec<Unmet> {
        unmet_by("GET", &answer(200, &body.to_string()), expect)
    }

    #[test]
    fn a_fitting_answer_leaves_nothing_unmet() {
        let body = json!({"id": "42", "urn:x:2.0:User": {"a/b": [false, {"n": 1}]}, "s~t": 0});
        let expect = json!({"status": [200, 204],
            "body_contains": {"/id": "{{user.id}}", "/urn:x:2.0:User/a~1b/0": false,
                "/urn:x:2.0:User/a~1b/1": {"n": 1}, "/s~0t": 0},
            "body_present": ["", "/id"], "body_absent": ["/urn:x:2.0:User/a~1b/2", "/password"],
            "headers": {"Content-TYPE": "application/scim+JSON"}});
        assert_eq!(unmet(&body, expect), []);
    }

    #[test]
    fn every_unmet_expectation_is_returned() {
        let expect = json!({"status": [201], "body_contains": {"/a": 1, "/b": 1}, "body_present": ["/c"],
            "body_absent": ["/d"], "headers": {"Location": "http", "Content-Type": "text/html"}});
        let found = unmet(&json!({"a": 2, "d": 4}), expect);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "status 201, not 200",
                "header Location to begin with `http`; there is none",
                "header Content-Type to begin with `text/html`, not `Application/SCIM+json; charset=utf-8`",
                "/a to be 1, not 2",
                "/b to be 1; there is nothing",
                "/c to have a value",
                "nothing at /d, not 4",
            ]
        );
    }

    #[test]
    fn equality_is_exact() {
        for (expected, got) in [
            (json!("1"), json!(1)),
            (json!(1), json!(1.0)),
            (json!(true), json!("True")),
            (json!([]), json!(null)),
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!([1, 2]), json!([2, 1])),
            (json!("ada"), json!("Ada")),
        ] {
            let found =
                unmet(&json!({"x": got}), json!({"status": [200], "body_contains": {"/x": expected}}));
            assert_eq!(found.len(), 1, "{expected} against {got}");
        }
    }

    #[test]
    fn null_is_neither_present_nor_absent() {
        let expect = json!({"status": [200], "body_present": ["/x"], "body_absent": ["/x"]});
        assert_eq!(unmet(&json!({"x": null}), expect).len(), 2);
    }

    #[test]
    fn a_body_that_is_no_json_fails_only_where_the_body_matters() {
        let page = answer(200, "<html>");
        assert_eq!(unmet_by("GET", &page, json!({"status": [200]})), []);
        for key in ["body_present", "body_absent"] {
            let found = unmet_by("GET", &page, json!({"status": [200], key: ["/x"]}));
            assert!(matches!(found.as_slice(), [Unmet::NotJson { .. }]), "{found:?}");
        }
    }

    #[test]
    fn an_answer_that_cannot_have_a_body_is_not_searched() {
        let expect = json!({"status": [200, 204, 304], "body_present": ["/x"]});
        assert_eq!(unmet_by("PATCH", &answer(204, ""), expect.clone()), []);
        assert_eq!(unmet_by("GET", &answer(304, ""), expect.clone()), []);
        assert_eq!(unmet_by("HEAD", &answer(200, ""), expect.clone()), []);
        assert_eq!(unmet_by("PATCH", &answer(200, ""), expect).len(), 1);
    }

    #[test]
    fn only_a_string_with_something_in_it_is_captured() {
        let seen = answer(201, r#"{"a":"x","b":"","c":7,"d":null}"#);
        let judged = Judged::new("POST", &seen);
        assert_eq!(judged.capture("/a"), Some("x"));
        for pointer in ["/b", "/c", "/d", "/e"] {
            assert_eq!(judged.capture(pointer), None, "{pointer}");
        }
    }
}
