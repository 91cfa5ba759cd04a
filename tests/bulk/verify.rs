//! `muster verify` finds what was corrupted on purpose, and `muster reindex` heals it.

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::people::{TOKEN, create, lines, populate, serve, user};
use crate::program::Home;

fn database(home: &Home) -> Connection {
    Connection::open(home.path().join("muster.db")).unwrap()
}

/// Every row beside the documents.
fn side_rows(database: &Connection) -> Vec<String> {
    let tables = [
        "SELECT 'fact', tenant, path, key, resource, element, leads, uniq, long FROM fact",
        "SELECT 'contact', kind, key, resource, ordinal, value, canonical, type_key, is_primary, id, created, \
         verified_at, verified_by, claim FROM contact",
        "SELECT 'membership', tenant, grp, member FROM membership",
        "SELECT 'bag', tenant, resource, name, document FROM bag",
        "SELECT 'challenge', tenant, resource, id FROM challenge",
        "SELECT 'counter', tenant, kind, slot, n FROM counter WHERE n <> 0",
        "SELECT 'resource', pk, label, label_key, version, modified FROM resource",
    ];
    let mut out = Vec::new();
    for sql in tables {
        let mut statement = database.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|index| format!("{:?}", row.get_unwrap::<_, Value>(index)));
            Ok(values.collect::<Vec<_>>().join("|"))
        });
        out.extend(rows.unwrap().map(Result::unwrap));
    }
    out.sort();
    out
}

/// What can go wrong beside a document, and what is said of it.
const CORRUPTIONS: [(&str, &str); 16] = [
    ("DELETE FROM fact WHERE key = 'user1@example.com'", "a fact of userName is missing"),
    ("UPDATE fact SET uniq = 0 WHERE key = 'user1@example.com'", "a fact of userName differs"),
    ("UPDATE fact SET key = 'x' WHERE key = 'ext-2'", "a fact of externalId is not in the document"),
    (
        "INSERT INTO fact SELECT tenant, 9999, 'k', resource, 0, 1, 0, NULL FROM fact LIMIT 1",
        "a fact of an attribute of no schema is not in the document",
    ),
    ("DELETE FROM contact WHERE key = 'user3@home.example'", "e-mail address 1 is missing"),
    ("UPDATE contact SET canonical = '' WHERE resource = 1 AND kind = 2", "phone number 0 differs"),
    (
        "UPDATE contact SET ordinal = 7 WHERE key = 'user3@home.example'",
        "e-mail address 7 is not in the document",
    ),
    (
        "INSERT INTO contact (tenant, kind, key, resource, ordinal, id, value, canonical, is_primary) \
         SELECT tenant, kind, 'other', resource, ordinal, 'id', value, canonical, is_primary FROM contact \
         WHERE resource = 2 AND kind = 1 AND ordinal = 0",
        "e-mail address 0 is there twice",
    ),
    ("UPDATE contact SET verified_at = '2026-01-01T00:00:00' WHERE resource = 3", "e-mail address 0 differs"),
    (
        "UPDATE contact SET claim = 1 WHERE resource = 3 AND kind = 1 AND ordinal = 0",
        "e-mail address 0 differs",
    ),
    ("UPDATE resource SET label = 'nobody' WHERE pk = 1", "the name that groups show is not the document's"),
    ("INSERT INTO membership VALUES (1, 777777, 'x')", "row 777777: there are memberships of a resource"),
    (
        "INSERT INTO fact SELECT tenant, path, key, 777777, element, leads, 0, long FROM fact LIMIT 1",
        "row 777777: there are facts of a resource",
    ),
    ("INSERT INTO bag VALUES (1, 777777, 'custom', '{}')", "row 777777: there are bags of a resource"),
    (
        "INSERT INTO challenge (tenant, resource, id, kind, canonical, value, method, hash, attempts, created, expires, \
         pending, promotes) VALUES (1, 777777, 'c', 1, 'a', 'a', 'code', x'00', 0, 'c', 'e', 0, 'no')",
        "row 777777: there are challenges of a resource",
    ),
    ("UPDATE counter SET n = n + 5 WHERE slot = 1", "and the counters say"),
];

#[test]
fn every_corruption_is_found_and_healed() {
    let home = Home::new();
    populate(&home);
    assert_eq!(home.run("verify").done(), "8 resources, and everything agrees with them\n");
    let database = database(&home);
    let before = side_rows(&database);
    for (sql, part) in CORRUPTIONS {
        assert!(database.execute(sql, []).unwrap() > 0, "{sql}");
        let found = home.run("verify");
        assert_eq!(found.code, Some(1), "{sql}: {found:?}");
        assert!(found.stdout.contains(part), "{sql}: {found:?}");
        assert!(found.stderr.contains("muster reindex --tenant default"), "{sql}: {found:?}");
        let healed = home.run("reindex").done();
        assert!(healed.contains("put right"), "{sql}: {healed}");
        home.run("verify").done();
        assert_eq!(side_rows(&database), before, "{sql}");
    }
}

#[test]
fn what_waits_for_its_return_belongs_to_somebody() {
    let home = Home::new();
    populate(&home);
    home.run("tenant set default soft-delete=7").done();
    let id = lines(&home.run("export").done())[1]["resource"]["id"].as_str().unwrap().to_owned();
    let server = serve(&home);
    assert_eq!(server.request("DELETE", &format!("/scim/v2/Users/{id}"), TOKEN).status, 204);
    assert_eq!(home.run("verify").done(), "7 resources, and everything agrees with them\n");
    assert!(home.run("reindex").done().contains(" 0 disagreements"));
    home.run(&format!("deleted restore {id} --tenant default")).done();
    let custom = server.request("GET", &format!("/identity/v1/users/{id}/data/custom"), TOKEN);
    assert_eq!(custom.json()["plan"], "x");
}

#[test]
fn filters_find_again_what_was_lost() {
    let home = Home::new();
    populate(&home);
    let database = database(&home);
    database.execute_batch("DELETE FROM fact; DELETE FROM contact; DELETE FROM counter").unwrap();
    let server = serve(&home);
    let total = |filter: &str| {
        let answer = server.request("GET", &format!("/scim/v2/Users?count=0{filter}"), TOKEN);
        answer.json()["totalResults"].as_u64().unwrap()
    };
    let by_mail = "&filter=emails.value+eq+%22user3@home.example%22";
    assert_eq!((total(""), total("&filter=userName+sw+%22user%22"), total(by_mail)), (0, 0, 0));
    home.run("reindex").done();
    assert_eq!((total(""), total("&filter=userName+sw+%22user%22"), total(by_mail)), (5, 5, 1));
    let clash = server.send("POST", "/scim/v2/Users", TOKEN, &user(1));
    assert_eq!(clash.status, 409);
}

#[test]
fn what_cannot_be_mended_is_said_and_left() {
    let home = Home::new();
    populate(&home);
    let database = database(&home);
    database.execute("UPDATE resource SET document = '{' WHERE pk = 1", []).unwrap();
    let found = home.run("verify");
    assert!(found.stdout.contains("the document is no JSON object"), "{found:?}");
    let left = home.run("reindex");
    assert_eq!(left.code, Some(1));
    assert!(
        left.stdout.contains("it cannot be mended") && left.stderr.contains("1 disagreements are left"),
        "{left:?}"
    );
}

#[test]
fn two_that_share_a_unique_value_cannot_both_be_mended() {
    let home = Home::new();
    populate(&home);
    let database = database(&home);
    let sql = "UPDATE resource SET document = replace(document, 'user2@example.com', 'user1@example.com') WHERE pk = 3";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    let left = home.run("reindex");
    assert!(left.stdout.contains("the value of userName is taken"), "{left:?}");
}

#[test]
fn a_server_may_write_while_it_is_checked() {
    let home = Home::new();
    populate(&home);
    let server = serve(&home);
    let id = lines(&home.run("export").done())[0]["resource"]["id"].as_str().unwrap().to_owned();
    let target = format!("/scim/v2/Users/{id}");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..60 {
                let patch = serde_json::json!({
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations": [{"op": "replace", "value": {"title": format!("title {n}"), "userName": format!("name-{n}")}}]
                });
                assert_eq!(server.send("PATCH", &target, TOKEN, &patch).status, 200);
                create(&server, "Users", &user(100 + n));
            }
        });
        while !writer.is_finished() {
            home.run("verify").done();
            assert!(home.run("reindex").done().contains(" 0 disagreements"));
        }
    });
    assert_eq!(home.run("verify").done(), "68 resources, and everything agrees with them\n");
}
