//! Paging by cursor as a client sees it (RFC 9865).

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{App, user};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// A directory with a boss and twelve others, some of whom have a title.
fn filled() -> App {
    let app = App::start();
    for index in 0..13 {
        let mut body = user(&format!("u{:02}", index * 5 % 13));
        if index % 3 > 0 {
            body["title"] = json!(format!("t{}", index % 2));
        }
        assert_eq!(app.post("/Users", &body).status, 201);
    }
    app
}

fn names(page: &Value) -> Vec<String> {
    let names = page["Resources"].as_array().unwrap().iter();
    names.map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
}

/// 9865-2-01 to -04, -08, -09, 9865-2.2-01.
#[test]
fn the_pages_of_a_walk_are_the_list() {
    let app = filled();
    for query in [
        "",
        "&sortBy=userName",
        "&sortBy=title&sortOrder=descending",
        "&filter=title+pr&sortBy=title",
        "&filter=userName+sw+%22u0%22&attributes=userName",
    ] {
        let whole = app.get(&format!("/Users?count=1000{query}")).json();
        for first in ["cursor", "cursor="] {
            let mut page = app.get(&format!("/Users?{first}&count=4{query}")).json();
            let mut found = Vec::new();
            loop {
                assert_eq!(page["totalResults"], whole["totalResults"], "{query}");
                assert_eq!(page.get("startIndex"), None, "{page}");
                assert_eq!(page.get("previousCursor"), None, "{page}");
                assert_eq!(page["itemsPerPage"], names(&page).len());
                found.extend(names(&page));
                let Some(next) = page.get("nextCursor") else { break };
                let next = next.as_str().unwrap();
                assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)), "{next}");
                assert_eq!(names(&page).len(), 4);
                page = app.get(&format!("/Users?cursor={next}&count=4{query}")).json();
            }
            assert_eq!(found, names(&whole), "{query}");
        }
    }
}

/// 9865-3-01.
#[test]
fn a_search_takes_cursors_as_a_get_does() {
    let app = filled();
    let mut body = json!({"schemas": [SEARCH], "cursor": "", "count": 5, "sortBy": "userName"});
    let mut found = Vec::new();
    for path in ["/Users/.search", "/Users/.search", "/Users/.search"] {
        let page = app.post(path, &body).json();
        found.extend(names(&page));
        body["cursor"] = page.get("nextCursor").cloned().unwrap_or(Value::Null);
    }
    assert_eq!((found.len(), body["cursor"].is_null()), (13, true));
    let next = app.get("/Users?cursor&count=5&sortBy=userName").json()["nextCursor"].clone();
    body["cursor"] = next;
    assert_eq!(names(&app.post("/Users/.search", &body).json()), found[5..10], "given by GET");
    let root = app.get("/?cursor&count=5").json();
    let next = root["nextCursor"].as_str().unwrap();
    assert_eq!(app.get(&format!("/?cursor={next}&count=5")).json()["itemsPerPage"], 5);
}

/// 9865-2-05 to -07, 9865-2.1-01, -02, 9865-2.4-03, reading A45.
#[test]
fn what_does_not_go_with_a_cursor_is_said() {
    let app = filled();
    let next = app.get("/Users?cursor&count=4&sortBy=userName").json()["nextCursor"].clone();
    let next = next.as_str().unwrap();
    let good = format!("cursor={next}&count=4&sortBy=userName");
    assert_eq!(app.get(&format!("/Users?{good}")).status, 200);
    let cases = [
        (format!("/Users?cursor=x{next}&count=4&sortBy=userName"), "invalidCursor"),
        (format!("/Users?cursor={}&count=4&sortBy=userName", &next[1..]), "invalidCursor"),
        ("/Users?cursor=nonsense".to_owned(), "invalidCursor"),
        ("/Users?cursor=%00".to_owned(), "invalidCursor"),
        (format!("/Users?cursor={next}&count=4"), "invalidCursor"),
        (format!("/Users?cursor={next}&count=4&sortBy=title"), "invalidCursor"),
        (format!("/Users?{good}&sortOrder=descending"), "invalidCursor"),
        (format!("/Users?{good}&filter=title+pr"), "invalidCursor"),
        (format!("/Users?{good}&attributes=userName"), "invalidCursor"),
        (format!("/Groups?cursor={next}&count=4"), "invalidCursor"),
        (format!("/?{good}"), "invalidCursor"),
        (format!("/Users?cursor={next}&count=5&sortBy=userName"), "invalidCount"),
        (format!("/Users?cursor={next}&sortBy=userName"), "invalidCount"),
        ("/Users?cursor&count=four".to_owned(), "invalidCount"),
        ("/Users?count=4.5&cursor".to_owned(), "invalidCount"),
        (format!("/Users?{good}&startIndex=1"), "invalidValue"),
        ("/Users?cursor&startIndex=2".to_owned(), "invalidValue"),
        (format!("/Users?{good}&cursor="), "invalidValue"),
    ];
    for (path, scim_type) in cases {
        app.get(&path).error(400, Some(scim_type));
    }
    let body = json!({"schemas": [SEARCH], "cursor": "", "count": "4"});
    app.post("/Users/.search", &body).error(400, Some("invalidCount"));
    let body = json!({"schemas": [SEARCH], "cursor": 4});
    app.post("/Users/.search", &body).error(400, Some("invalidValue"));
}

#[test]
fn a_count_out_of_range_is_brought_into_it() {
    let app = filled();
    for (count, items) in [("0", 0), ("-5", 0), ("5000", 13)] {
        let page = app.get(&format!("/Users?cursor&count={count}")).json();
        assert_eq!((page["totalResults"].as_u64(), page["itemsPerPage"].as_u64()), (Some(13), Some(items)));
        assert_eq!(page.get("nextCursor"), None);
    }
    assert_eq!(app.get("/Users?count=4").json()["startIndex"], 1, "the default is by index");
}

/// 9865-5.2-01, -02.
#[test]
fn a_cursor_is_of_no_use_to_another_tenant_and_gives_no_rights() {
    let app = filled();
    let path = format!(
        "/Users?cursor={}&count=4",
        app.get("/Users?cursor&count=4").json()["nextCursor"].as_str().unwrap()
    );
    let other = app.new_token(app.new_tenant("acme"), Scope::Scim, "default");
    let foreign = app.scim("GET", &path).token(&other).send().error(400, Some("invalidCursor"));
    assert_eq!(foreign, app.get("/Users?cursor=x&count=4").error(400, Some("invalidCursor")));
    app.scim("GET", &path).anonymous().send().error(401, None);
    let reader = app.new_token(TenantId::DEFAULT, Scope::ScimRead, "default");
    assert_eq!(app.scim("GET", &path).token(&reader).send().status, 200);
    app.revoke_newest_token(TenantId::DEFAULT);
    app.scim("GET", &path).token(&reader).send().error(401, None);
}
