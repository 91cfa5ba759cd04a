//! What the runner makes of good, bad and missing answers, on a server with prepared ones.
//!
//! Invariant: a requirement fails only by an answer to a step that expects something.

use crate::fake::{Fake, answer, empty};
use muster_conformance::{Examination, Form, Scenario, Scope, Verdict, check, requirements};
use serde_json::{Value, json};

const CREATED: &str = "7644-3.3-04";
const BODY: &str = "7644-3.3-05";

/// The answers to what the examiner asks first: a list, the configuration, the schemas, the resource types.
fn discovery(config: &Value) -> Vec<Vec<u8>> {
    let list = json!({"totalResults": 0});
    let schema = json!({"id": "urn:ietf:params:scim:schemas:core:2.0:User",
        "attributes": [{"name": "userName", "required": true}]});
    let schemas = json!({"totalResults": 1, "Resources": [schema]});
    let types =
        json!({"Resources": [{"name": "User", "schema": "urn:ietf:params:scim:schemas:core:2.0:User"}]});
    vec![answer(200, &list), answer(200, config), answer(200, &schemas), answer(200, &types)]
}

fn examine_with(config: &Value, answers: Vec<Vec<u8>>, scenario: &str) -> (Fake, Examination) {
    let fake = Fake::answering([discovery(config), answers].concat());
    let text = format!("[[scenario]]\nname = \"it works\"\ncovers = [\"{CREATED}\", \"{BODY}\"]\n{scenario}");
    let scenarios = Scenario::parse("test.toml", &text).unwrap();
    let scope = Scope { only: vec![CREATED.into(), BODY.into()], ..Scope::default() };
    let all = check(&fake.subject, &scope, &scenarios, requirements().unwrap(), |_| {}).unwrap();
    (fake, all)
}

fn examine(answers: Vec<Vec<u8>>, scenario: &str) -> (Fake, Examination) {
    examine_with(&json!({"patch": {"supported": false}}), answers, scenario)
}

fn verdicts(all: &Examination) -> [Verdict; 2] {
    [all.requirements[0].verdict, all.requirements[1].verdict]
}

fn user() -> Vec<u8> {
    answer(201, &json!({"id": "7", "userName": "a"}))
}

const TWO_STEPS: &str = r#"steps = [
    { user = '{}', status = 201, as = "u" },
    { GET = "/Users/{{u/id}}", expect = '/userName = "a"', proves = "7644-3.3-05" },
]"#;

#[test]
fn good_answers_pass_and_what_was_created_is_deleted() {
    let (fake, all) = examine(vec![user(), answer(200, &json!({"userName": "a"})), empty(204)], TWO_STEPS);
    assert_eq!(verdicts(&all), [Verdict::Pass, Verdict::Pass]);
    assert!(all.passed() && all.left_behind.is_empty());
    let lines = fake.lines();
    assert_eq!(
        lines[4..],
        ["POST /scim/v2/Users HTTP/1.1", "GET /scim/v2/Users/7 HTTP/1.1", "DELETE /scim/v2/Users/7 HTTP/1.1"]
    );
}

#[test]
fn a_bad_answer_breaks_what_its_step_proves_and_nothing_else() {
    let (_, all) = examine(vec![user(), answer(200, &json!({"userName": "b"})), empty(204)], TWO_STEPS);
    // The second requirement is a SHOULD.
    assert_eq!(verdicts(&all), [Verdict::Pass, Verdict::Warning]);
    assert!(all.passed());
    let told = all.told(Form::Table);
    for part in
        ["it works", "GET /scim/v2/Users/7 HTTP/1.1", r#"{"userName":"b"}"#, r#"/userName = "a", not "b""#]
    {
        assert!(told.contains(part), "no `{part}` in\n{told}");
    }
}

#[test]
fn a_wrong_status_breaks_the_requirement_and_the_rest_is_not_reached() {
    let (_, all) = examine(vec![answer(200, &json!({"id": "7"})), empty(204)], TWO_STEPS);
    assert_eq!(verdicts(&all), [Verdict::Fail, Verdict::Warning]);
    assert!(!all.passed());
    assert!(all.told(Form::Table).contains("status 201, not 200"));
}

#[test]
fn a_step_that_only_prepares_breaks_nothing() {
    let steps = r#"steps = [{ user = '{}', as = "u" }, { GET = "/Users/{{u/id}}", status = 200 }]"#;
    let (_, all) = examine(vec![answer(500, &json!({"detail": "broken"}))], steps);
    assert_eq!(verdicts(&all), [Verdict::NotReached, Verdict::NotReached]);
    assert!(!all.passed() && all.told(Form::Table).contains("only prepares"));
}

#[test]
fn what_the_server_says_it_lacks_is_not_asked_for() {
    let steps = |step: &str| format!("steps = [{step}]");
    for (step, reason) in [
        (r#"{ PATCH = "/Users/1", patch = '[]', status = 200 }"#, "patch is not advertised"),
        (r#"{ user = '{"title": "x"}', status = 201 }"#, "no attribute title"),
        (r#"{ group = '{}', status = 201 }"#, "no resource type Group"),
        (r#"{ GET = "/Users?filter=title pr", status = 200 }"#, "no attribute title"),
    ] {
        let (fake, all) = examine(Vec::new(), &steps(step));
        assert_eq!(verdicts(&all), [Verdict::NotApplicable; 2], "{step}");
        assert!(all.requirements[0].reasons[0].contains(reason), "{:?}", all.requirements[0].reasons);
        assert_eq!(fake.lines().len(), 4, "{step}");
    }
}

#[test]
fn a_scenario_may_lower_the_level() {
    let steps = r#"level = "SHOULD"
steps = [{ GET = "/Users/1", status = 200 }]"#;
    let (_, all) = examine(vec![answer(404, &json!({}))], steps);
    assert_eq!(verdicts(&all), [Verdict::Warning, Verdict::Warning]);
}

#[test]
fn an_error_may_be_required_with_or_without_its_kind() {
    let refused = |kind: &str| answer(400, &json!({"status": "400", "scimType": kind}));
    for (expected, given, verdict) in [
        ("400 invalidFilter", refused("invalidFilter"), Verdict::Pass),
        ("400 invalidFilter", refused("invalidValue"), Verdict::Fail),
        ("400 invalidFilter", answer(400, &json!({})), Verdict::Fail),
        ("400 (invalidFilter)", answer(400, &json!({})), Verdict::Pass),
        ("400 (invalidFilter)", refused("invalidValue"), Verdict::Fail),
        ("400", refused("anything"), Verdict::Pass),
        ("400", answer(500, &json!({})), Verdict::Fail),
    ] {
        let (_, all) =
            examine(vec![given], &format!("steps = [{{ GET = \"/Users/1\", error = \"{expected}\" }}]"));
        assert_eq!(verdicts(&all)[0], verdict, "{expected}");
    }
}

#[test]
fn what_cannot_be_deleted_is_told() {
    let (_, all) = examine(vec![user(), empty(500)], "steps = [{ user = '{}', status = 201 }]");
    assert!(all.passed());
    assert!(matches!(all.left_behind.as_slice(), [one] if one.contains("/Users/7 is left behind")));
}

#[test]
fn every_form_tells_the_same_and_none_has_the_token() {
    let (_, all) = examine(vec![answer(500, &json!({"detail": "<broken> & \"bad\""}))], TWO_STEPS);
    for form in [Form::Table, Form::Json, Form::Junit, Form::Html, Form::Markdown] {
        let told = all.told(form);
        assert!(told.contains(CREATED) && !told.contains(crate::fake::TOKEN), "{form:?}: {told}");
    }
    let json: Value = serde_json::from_str(&all.told(Form::Json)).unwrap();
    assert_eq!(json["requirements"][0]["verdict"], "fail");
    assert_eq!(json["scenarios"][0]["findings"][0]["exchange"]["status"], 500);
    assert!(all.told(Form::Junit).contains("failures=\"1\"") && !all.told(Form::Junit).contains("<broken>"));
}

#[test]
fn pages_are_followed_to_the_last() {
    let page = |ids: Value, more: Value| {
        let mut page = json!({"totalResults": 3, "Resources": ids});
        page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer(200, &page)
    };
    let by = |walk: &str| {
        format!(
            "steps = [{{ GET = \"/Users?count=2\", walk = \"{walk}\", expect = '/Resources/*/id lists [1, 2, 3]' }}]"
        )
    };
    let pages = || {
        vec![
            page(json!([{"id": 1}, {"id": 2}]), json!({"nextCursor": "a+b"})),
            page(json!([{"id": 3}]), json!({})),
        ]
    };
    let (fake, all) = examine(pages(), &by("index"));
    assert_eq!(verdicts(&all)[0], Verdict::Pass);
    assert!(fake.lines()[5].contains("/Users?count=2&startIndex=3"));
    let (fake, all) = examine(pages(), &by("cursor"));
    assert_eq!(verdicts(&all)[0], Verdict::Pass);
    assert!(fake.lines()[5].contains("/Users?count=2&cursor=a%2Bb"));
}
