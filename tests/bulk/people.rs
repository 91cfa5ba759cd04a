//! Directories to move, made through the running program.

use serde_json::{Value, json};

use crate::program::{Home, Server};

pub(crate) const TOKEN: &str = "a-token-that-was-chosen";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

pub(crate) fn serve(home: &Home) -> Server {
    home.serve("", &[("MUSTER_BOOTSTRAP_TOKEN", TOKEN)])
}

/// Creates a resource through the server; answers its id.
pub(crate) fn create(server: &Server, endpoint: &str, body: &Value) -> String {
    let answer = server.send("POST", &format!("/scim/v2/{endpoint}"), TOKEN, body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// A directory with what an export could lose: passwords, extensions, changes, nested and empty groups.
pub(crate) fn populate(home: &Home) {
    let server = serve(home);
    let users: Vec<String> = (0..5).map(|n| create(&server, "Users", &user(n))).collect();
    let members: Vec<Value> = users.iter().map(|id| json!({"value": id})).collect();
    let group =
        |name: &str, members: &[Value]| json!({"schemas": [GROUP], "displayName": name, "members": members});
    let inner = create(&server, "Groups", &group("Inner", &members[1..3]));
    let mut all = members.clone();
    all.push(json!({"value": inner}));
    create(&server, "Groups", &group("All", &all));
    create(&server, "Groups", &group("Nobody", &[]));
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "Chief"}]
    });
    let answer = server.send("PATCH", &format!("/scim/v2/Users/{}", users[0]), TOKEN, &patch);
    assert_eq!(answer.status, 200, "{answer:?}");
    let bags = [
        ("data/custom", json!({"plan": "x", "seats": [1, {"n": 2.5}]})),
        ("data/app:shop", json!({"cart": "\u{e9}\"\n"})),
        ("password", json!({"password": "battery staple", "temporary": true})),
    ];
    for (path, body) in bags {
        let answer = server.send("PUT", &format!("/identity/v1/users/{}/{path}", users[1]), TOKEN, &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    server.stop();
}

pub(crate) fn user(n: usize) -> Value {
    json!({
        "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": format!("user{n}@example.com"),
        "externalId": format!("ext-{n}"),
        "password": "correct horse",
        "name": {"givenName": "Zoë", "familyName": format!("Ångström {n}")},
        "emails": [
            {"value": format!("user{n}@example.com"), "type": "work", "primary": true},
            {"value": format!("user{n}@home.example"), "type": "home"}
        ],
        "phoneNumbers": [{"value": "+1 (201) 555.0123", "type": "work"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D \"North\""}
    })
}

/// The lines of a text as JSON.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
