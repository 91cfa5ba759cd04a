//! `muster import` of what `muster export` writes.

use std::fmt::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::people::{TOKEN, create, lines, populate, serve, user};
use crate::program::{Ended, Home};

/// A line for a user.
fn line(body: &Value) -> String {
    json!({"type": "User", "resource": body}).to_string()
}

fn plain(name: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name})
}

/// Lines without the versions, which members change.
fn without_versions(text: &str) -> Vec<Value> {
    let mut lines = lines(text);
    for line in &mut lines {
        line["resource"]["meta"]["version"].take();
    }
    lines
}

/// The line that says how an import ended, without its time.
fn counts(stdout: &str) -> &str {
    stdout.split(';').next().unwrap()
}

#[test]
fn what_was_exported_is_imported_as_it_was() {
    let home = Home::new();
    populate(&home);
    home.run("export --output one.jsonl").done();
    let first = std::fs::read_to_string(home.path().join("one.jsonl")).unwrap();
    let said = home.run("import one.jsonl --database sqlite:two.db").done();
    assert_eq!(counts(&said), "10 imported, 0 unchanged, 0 refused");
    let second = home.run("export --database sqlite:two.db").done();
    assert_eq!(without_versions(&second), without_versions(&first));

    let said = home.run("import one.jsonl --database sqlite:two.db").done();
    assert_eq!(counts(&said), "0 imported, 10 unchanged, 0 refused");
    assert_eq!(home.run("export --database sqlite:two.db").done(), second);
}

#[test]
fn what_was_imported_is_served_like_anything_else() {
    let home = Home::new();
    populate(&home);
    home.run("export --output one.jsonl").done();
    home.run("import one.jsonl --database sqlite:two.db").done();
    let server = home.serve("--database sqlite:two.db", &[("MUSTER_BOOTSTRAP_TOKEN", TOKEN)]);
    let get = |target: &str| server.request("GET", &format!("/scim/v2/{target}"), TOKEN).json();
    for filter in ["userName+eq+%22USER3@example.com%22", "emails.value+eq+%22user3@home.example%22"] {
        let found = get(&format!("Users?filter={filter}"));
        assert_eq!(found["totalResults"], 1, "{found}");
        assert_eq!(found["Resources"][0]["groups"][0]["display"], "All");
    }
    assert_eq!(get("Users?count=0")["totalResults"], 5);
    assert_eq!(get("Groups?filter=members.display+pr")["totalResults"], 2);
    let clash = server.send("POST", "/scim/v2/Users", TOKEN, &user(1));
    assert_eq!(clash.status, 409);
}

#[test]
fn data_beside_a_user_come_with_it_and_must_be_data() {
    let home = Home::new();
    let row = |id: &str, bags: &Value| {
        let resource = json!({"id": id, "userName": id});
        json!({"type": "User", "resource": resource, "bags": bags}).to_string()
    };
    let custom = |plan: &str| json!({"custom": {"plan": plan}});
    home.write("one.jsonl", &[row("a", &custom("x")), row("b", &json!({}))].join("\n"));
    assert_eq!(counts(&home.run("import one.jsonl").done()), "2 imported, 0 unchanged, 0 refused");
    let large = json!({"custom": {"text": "x".repeat(600 << 10)}});
    let rows = [
        row("a", &custom("x")),
        row("a", &json!({})),
        row("b", &json!({})),
        row("a", &custom("y")),
        row("b", &custom("x")),
        row("c", &json!({"shoes": {}})),
        row("c", &json!({"custom": [1]})),
        row("c", &json!({"account": {"pending": "no"}})),
        row("c", &json!([])),
        json!({"membership": {"group": "g", "members": ["a"]}, "bags": {}}).to_string(),
        row("c", &large),
    ];
    home.write("two.jsonl", &rows.join("\n"));
    let ended = home.run("import two.jsonl");
    assert_eq!(counts(&ended.stdout), "0 imported, 3 unchanged, 8 refused");
    let said: Vec<&str> = ended.stderr.lines().collect();
    for (line, part) in [
        (4, "there is another User with this id"),
        (5, "there is another User with this id"),
        (6, "there is no bag \"shoes\""),
        (7, "bags.custom must be an object"),
        (8, "bags.account: it is no account"),
        (9, "\"bags\" must be an object"),
        (10, "\"bags\" must be an object, beside a resource"),
        (11, "bags.custom: it is larger than"),
    ] {
        let found = said.iter().find(|said| said.starts_with(&format!("line {line}: ")));
        assert!(found.is_some_and(|said| said.contains(part)), "{line}: {said:#?}");
    }
    let server = serve(&home);
    let custom = server.request("GET", "/identity/v1/users/a/data/custom", TOKEN).json();
    assert_eq!(custom, json!({"plan": "x"}));
}

#[test]
fn refused_rows_are_named_and_the_rest_is_imported() {
    let home = Home::new();
    let server = serve(&home);
    create(&server, "Users", &plain("taken"));
    let rows = [
        line(&plain("first")),
        "{\"type\": \"User\", \"resource\": {}".to_owned(),
        String::new(),
        line(&json!({"displayName": "without a name"})),
        line(&plain("FIRST")),
        line(&plain("taken")),
        line(&json!({"userName": "taken", "title": "another"})),
        line(&json!({"userName": "x", "id": "a/b"})),
        json!({"type": "Robot", "resource": {}}).to_string(),
        json!({"type": "User", "resource": plain("y"), "secrets": {"password": "in clear"}}).to_string(),
        json!({"membership": {"group": "nobody", "members": ["a"]}}).to_string(),
        json!({"type": "User", "resource": plain("z"), "more": 1}).to_string(),
        line(&plain("last")),
    ];
    home.write("rows.jsonl", &rows.join("\n"));
    let ended = home.run("import rows.jsonl");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(counts(&ended.stdout), "2 imported, 1 unchanged, 9 refused");
    let said: Vec<&str> = ended.stderr.lines().collect();
    for (line, part) in [
        (2, "not acceptable JSON"),
        (4, "userName is required"),
        (5, "another User has this userName"),
        (7, "another User has this userName"),
        (8, "id must be"),
        (9, "no type \"Robot\"; the types are User, Group"),
        (10, "secrets.password: it is no hash"),
        (11, "there is no group \"nobody\""),
        (12, "\"more\" means nothing"),
    ] {
        let found = said.iter().find(|said| said.starts_with(&format!("line {line}: ")));
        assert!(found.is_some_and(|said| said.contains(part)), "{line}: {said:#?}");
    }
    assert!(said.last().unwrap().starts_with("muster: 9 rows were refused, the rest is in"));
    assert_eq!(server.request("GET", "/scim/v2/Users?count=0", TOKEN).json()["totalResults"], 3);

    let ended = home.run("import rows.jsonl --rejects refused.txt");
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{ended:?}");
    let refused = std::fs::read_to_string(home.path().join("refused.txt")).unwrap();
    assert_eq!(refused.lines().count(), 9);
    assert!(refused.starts_with("line 2: "));
}

#[test]
fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let home = Home::new();
    let group = json!({"id": "g", "displayName": "G"});
    let rows = [
        line(&plain("a")),
        line(&plain("a")),
        json!({"type": "Group", "resource": group}).to_string(),
        json!({"membership": {"group": "g", "members": ["x"]}}).to_string(),
    ];
    home.write("rows.jsonl", &rows.join("\n"));
    let ended = home.run("import rows.jsonl --dry-run");
    assert_eq!(counts(&ended.stdout), "3 could be imported, 0 unchanged, 1 refused");
    assert!(ended.stderr.contains("line 2: another User has this userName"), "{ended:?}");
    assert_eq!(home.run("export").done(), "");
}

#[test]
fn a_password_in_clear_is_hashed_and_a_hash_is_kept() {
    let home = Home::new();
    let mut body = plain("a");
    body["password"] = json!("correct horse");
    home.write("rows.jsonl", &line(&body));
    home.run("import rows.jsonl").done();
    let exported = home.run("export").done();
    let hash = lines(&exported)[0]["secrets"]["password"].as_str().unwrap().to_owned();
    assert!(hash.starts_with("$argon2id$") && !exported.contains("correct horse"));
    home.write("again.jsonl", &exported);
    home.run("import again.jsonl --database sqlite:two.db").done();
    assert_eq!(home.run("export --database sqlite:two.db").done(), exported);
}

#[test]
fn rows_come_from_stdin_too() {
    let home = Home::new();
    home.write("rows.jsonl", &line(&plain("a")));
    let mut command = home.command("import -");
    command.stdin(std::fs::File::open(home.path().join("rows.jsonl")).unwrap());
    assert_eq!(counts(&Ended::from(command.output().unwrap()).done()), "1 imported, 0 unchanged, 0 refused");
}

#[test]
fn an_import_beside_a_running_server_is_seen_at_once() {
    let home = Home::new();
    let server = serve(&home);
    home.write("rows.jsonl", &line(&plain("a")));
    home.run("import rows.jsonl").done();
    assert_eq!(server.request("GET", "/scim/v2/Users?count=0", TOKEN).json()["totalResults"], 1);
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was_and_imports_nothing_twice() {
    const ROWS: u32 = 9000;
    let home = Home::new();
    home.run("tenant list").done();
    let mut text = String::new();
    for n in 0..ROWS {
        // Groups have neither an id nor a unique value here: only the position keeps them from coming twice.
        let group = json!({"type": "Group", "resource": {"displayName": format!("group {n}")}});
        writeln!(text, "{group}").unwrap();
    }
    home.write("rows.jsonl", &text);
    let mut child = home.command("import rows.jsonl").stdout(Stdio::null()).spawn().unwrap();
    let database = rusqlite::Connection::open(home.path().join("muster.db")).unwrap();
    let line = || database.query_row("SELECT line FROM import", [], |row| row.get::<_, u32>(0));
    while line().is_err() {}
    child.kill().unwrap();
    child.wait().unwrap();
    let done = line().unwrap();
    assert!(done < ROWS, "it was killed half-way");

    let sentence = home.run("import rows.jsonl").refused();
    assert!(sentence.contains(&format!("after line {done}; add --resume")), "{sentence}");
    let said = home.run("import rows.jsonl --resume").done();
    assert_eq!(counts(&said), format!("{} imported, 0 unchanged, 0 refused", ROWS - done));
    let names = lines(&home.run("export").done());
    let mut names: Vec<&str> =
        names.iter().map(|line| line["resource"]["displayName"].as_str().unwrap()).collect();
    assert_eq!(names.len(), ROWS as usize);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ROWS as usize);
    assert!(line().is_err(), "an import that has ended leaves no position");
}
