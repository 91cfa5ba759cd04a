//! What must hold of a flow before it is replayed.
//!
//! Invariant: an inspected flow has no expectation that can never be met or never fail because of a
//! typo in the file.

use crate::error::FlowError;
use crate::flow::{Flow, Step};
use crate::placeholder::{TOKEN, names, texts};
use std::collections::BTreeSet;

/// Refuses a flow that could not be replayed as written.
pub(crate) fn inspect(flow: &Flow) -> Result<(), FlowError> {
    let refuse = |step, reason| Err(FlowError::refused(&flow.file, step, reason));
    if flow.steps.is_empty() {
        return refuse(None, "the flow has no steps; add at least one".to_owned());
    }
    let mut known = BTreeSet::from([TOKEN]);
    for (step, number) in flow.steps.iter().zip(1..) {
        if let Err(reason) = request(step).and_then(|()| answer(step, &mut known)) {
            return refuse(Some(number), reason);
        }
    }
    Ok(())
}

/// Every name that a step needs to have been captured before.
pub(crate) fn needed(step: &Step) -> Result<BTreeSet<&str>, String> {
    let mut all = vec![step.path.as_str()];
    all.extend(step.headers.iter().map(|(_, value)| value.as_str()));
    all.extend(step.body.iter().flat_map(texts));
    all.extend(step.expect.body_contains.iter().flat_map(|(_, value)| texts(value)));
    all.extend(step.expect.headers.iter().map(|(_, value)| value.as_str()));
    let mut found = BTreeSet::new();
    for text in all {
        found.extend(names(text)?);
    }
    Ok(found)
}

fn request(step: &Step) -> Result<(), String> {
    if step.method.is_empty() || !step.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("`{}` is no HTTP method; write it in capitals", step.method));
    }
    if !step.path.starts_with('/') {
        return Err(format!("path `{}` must begin with `/`", step.path));
    }
    if !step.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(format!("path `{}` must be percent-encoded and without a fragment", step.path));
    }
    if step.body.is_some() && !matches!(step.method.as_str(), "POST" | "PUT" | "PATCH") {
        return Err(format!("a {} request cannot carry a body; remove it", step.method));
    }
    Ok(())
}

fn answer<'a>(step: &'a Step, known: &mut BTreeSet<&'a str>) -> Result<(), String> {
    if step.expect.status.is_empty() {
        return Err("no status is expected; list the allowed ones".to_owned());
    }
    let contains = step.expect.body_contains.iter().map(|(pointer, _)| pointer);
    let present = step.expect.body_present.iter().map(String::as_str);
    let absent = step.expect.body_absent.iter().map(String::as_str);
    let captured = step.capture.iter().map(|(_, pointer)| pointer.as_str());
    contains.chain(present).chain(absent).chain(captured).try_for_each(pointer)?;
    if let Some(name) = needed(step)?.into_iter().find(|name| !known.contains(name)) {
        return Err(format!("nothing captures `{{{{{name}}}}}` before this step; correct the name"));
    }
    for (name, _) in step.capture.iter() {
        if name == TOKEN {
            return Err("`token` is the examined server's token; capture under another name".to_owned());
        }
        known.insert(name);
    }
    Ok(())
}

/// RFC 6901: empty, or `/` before each token; `~` only as `~0` and `~1`.
fn pointer(pointer: &str) -> Result<(), String> {
    let begins_well = pointer.is_empty() || pointer.starts_with('/');
    let escapes_well = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if begins_well && escapes_well {
        return Ok(());
    }
    Err(format!("`{pointer}` is no JSON pointer; write it as in `/name/familyName`"))
}

#[cfg(test)]
mod tests {
    use crate::flow::Flow;
    use serde_json::{Value, json};

    fn step() -> Value {
        json!({"method": "GET", "path": "/Users", "expect": {"status": [200]}})
    }

    fn refusal(steps: &[Value]) -> String {
        let flow = json!({"client": "c", "flow": "f", "source": "s", "steps": steps});
        Flow::parse("odd.json", &flow.to_string()).unwrap_err().to_string()
    }

    fn refusal_of(change: impl Fn(&mut Value)) -> String {
        let mut changed = step();
        change(&mut changed);
        refusal(&[step(), changed])
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_file_name() {
        for place in ["", "/steps/0", "/steps/0/expect"] {
            let mut flow = json!({"client": "c", "flow": "f", "source": "s", "steps": [step()]});
            flow.pointer_mut(place).unwrap()["bodyContains"] = json!({});
            let error = Flow::parse("odd.json", &flow.to_string()).unwrap_err().to_string();
            assert!(error.contains("odd.json") && error.contains("`bodyContains`"), "{error}");
        }
    }

    #[test]
    fn a_pointer_without_slash_is_refused_wherever_it_stands() {
        let places: [fn(&mut Value); 4] = [
            |step| step["expect"]["body_contains"] = json!({"active": true}),
            |step| step["expect"]["body_present"] = json!(["active"]),
            |step| step["expect"]["body_absent"] = json!(["active"]),
            |step| step["capture"] = json!({"id": "active"}),
        ];
        for place in places {
            let error = refusal_of(place);
            assert!(error.contains("odd.json, step 2: `active` is no JSON pointer"), "{error}");
        }
    }

    #[test]
    fn a_bad_escape_in_a_pointer_is_refused() {
        let error = refusal_of(|step| step["expect"]["body_absent"] = json!(["/a~2b"]));
        assert!(error.contains("no JSON pointer"), "{error}");
    }

    #[test]
    fn a_placeholder_must_be_captured_earlier_wherever_it_stands() {
        let places: [fn(&mut Value); 5] = [
            |step| step["path"] = json!("/Users/{{x}}"),
            |step| step["headers"] = json!({"If-Match": "{{x}}"}),
            |step| (step["method"], step["body"]) = (json!("PUT"), json!({"a": ["{{x}}"]})),
            |step| step["expect"]["body_contains"] = json!({"/id": "{{x}}"}),
            |step| step["expect"]["headers"] = json!({"ETag": "{{x}}"}),
        ];
        for place in places {
            let error = refusal_of(place);
            assert!(error.contains("step 2: nothing captures `{{x}}`"), "{error}");
        }
    }

    #[test]
    fn a_step_cannot_use_what_it_captures_itself() {
        let error = refusal_of(|step| {
            step["path"] = json!("/Users/{{x}}");
            step["capture"] = json!({"x": "/id"});
        });
        assert!(error.contains("nothing captures"), "{error}");
    }

    #[test]
    fn requests_that_could_not_be_sent_as_written_are_refused() {
        assert!(refusal_of(|step| step["path"] = json!("Users")).contains("must begin with `/`"));
        assert!(refusal_of(|step| step["path"] = json!("/Users?a b")).contains("percent-encoded"));
        assert!(refusal_of(|step| step["path"] = json!("/Users#x")).contains("fragment"));
        assert!(refusal_of(|step| step["method"] = json!("get")).contains("capitals"));
        assert!(refusal_of(|step| step["body"] = json!({})).contains("cannot carry a body"));
    }

    #[test]
    fn a_flow_without_a_check_is_refused() {
        assert!(refusal(&[]).contains("no steps"));
        assert!(refusal_of(|step| step["expect"]["status"] = json!([])).contains("no status"));
    }
}
