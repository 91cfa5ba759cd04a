//! `muster import` of CSV.

use std::fmt::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::people::{TOKEN, lines, serve};
use crate::program::{Ended, Home};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What was imported, without what the server adds.
fn imported(home: &Home) -> Vec<Value> {
    let mut lines = lines(&home.run("export").done());
    for line in &mut lines {
        let resource = line["resource"].as_object_mut().unwrap();
        let added = ["id", "meta", "schemas"];
        resource.retain(|name, _| !added.contains(&name.as_str()) && !name.starts_with("urn:muster:"));
    }
    lines.into_iter().map(|mut line| line["resource"].take()).collect()
}

fn import(home: &Home, text: &str, arguments: &str) -> Ended {
    home.write("people.csv", text);
    home.run(&format!("import people.csv {arguments}"))
}

#[test]
fn columns_that_are_named_like_attributes_need_no_mapping() {
    let home = Home::new();
    let text = "\u{feff}userName,name.givenName,Name.FamilyName,emails.work,emails.home,emails.home,active,\
                addresses.work.locality,title,addresses.work.country,phoneNumbers[type eq \"mobile\"].value,\
                department,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value\r\n\
                jane,Jane,\"Doe, the \"\"first\"\"\",j@x.example,,j@home.example,yes,Oslo,,NO,+1 201 555 0123,R&D,m1\r\n\
                john,,,,,,,,,,,,\r\n";
    assert!(import(&home, text, "").done().starts_with("2 imported, 0 unchanged, 0 refused"));
    let jane = json!({
        "userName": "jane",
        "name": {"givenName": "Jane", "familyName": "Doe, the \"first\""},
        "emails": [{"type": "work", "value": "j@x.example"}, {"type": "home", "value": "j@home.example"}],
        "active": true,
        "addresses": [{"type": "work", "locality": "Oslo", "country": "NO"}],
        "phoneNumbers": [{"type": "mobile", "value": "+1 201 555 0123"}],
        ENTERPRISE: {"department": "R&D", "manager": {"value": "m1"}}
    });
    let there = imported(&home);
    assert_eq!(there[0], jane);
    assert_eq!(there[1]["userName"], "john");
    assert_eq!(there[1].get("emails"), None);
}

#[test]
fn other_columns_are_mapped_or_named() {
    let home = Home::new();
    let text = "login;mail;shoe size;mail\njane;j@x.example;38;k@x.example\n";
    let ended = import(&home, text, "--map userName=login,emails.work=mail");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "not imported, because no attribute of User: shoe size, mail\n");
    let server = serve(&home);
    let found =
        server.request("GET", "/scim/v2/Users?filter=emails.value+eq+%22J@X.example%22", TOKEN).json();
    assert_eq!(found["Resources"][0]["userName"], "jane");
}

#[test]
fn a_mapping_that_cannot_be_is_refused_before_anything_is_read() {
    let home = Home::new();
    for (text, arguments, part) in [
        ("login\njane\n", "", "no column is userName, which a User must have"),
        ("login\njane\n", "--map userName", "--map takes ATTRIBUTE=COLUMN"),
        ("login\njane\n", "--map userName=user", "there is no such column; the columns are login"),
        ("login\njane\n", "--map nickname.x=login", "User has no attribute nickname.x"),
        ("login,userName\na,b\n", "--map userName=login", "login and userName cannot both be userName"),
        ("displayName\nx\n", "--type Robot", "no type \"Robot\"; the types are User, Group"),
        ("", "", "the file is empty"),
    ] {
        let refused = import(&home, text, arguments).refused();
        assert!(refused.contains(part), "{refused}");
    }
    home.write("rows.jsonl", "");
    assert!(home.run("import rows.jsonl --map userName=login").refused().contains("--format csv"));
    assert_eq!(home.run("export").done(), "");
}

#[test]
fn refused_rows_are_named_with_their_line_and_the_rest_is_imported() {
    let home = Home::new();
    let text = "userName,active,title\nfirst,true,\"a\nb\"\nsecond,perhaps,\n,true,\nfirst,true,other\nshort\nlast,,\n";
    let ended = import(&home, text, "--rejects refused.txt");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.starts_with("2 imported, 0 unchanged, 4 refused"), "{ended:?}");
    let refused = std::fs::read_to_string(home.path().join("refused.txt")).unwrap();
    let refused: Vec<&str> = refused.lines().collect();
    for (said, (line, part)) in refused.iter().zip([
        (4, "the column active must be true or false"),
        (5, "userName is required"),
        (6, "another User has this userName"),
        (7, "the row has 1 cells, and the header 3"),
    ]) {
        assert!(said.starts_with(&format!("line {line}: ")) && said.contains(part), "{refused:#?}");
    }
    assert_eq!(imported(&home)[0]["title"], "a\nb");
}

#[test]
fn groups_and_other_formats_come_from_tables_too() {
    let home = Home::new();
    home.write("groups.txt", "displayName\texternalId\nG\te1\n");
    let mut command = home.command("import - --format csv --type Group");
    command.stdin(std::fs::File::open(home.path().join("groups.txt")).unwrap());
    assert!(Ended::from(command.output().unwrap()).done().starts_with("1 imported"));
    assert_eq!(imported(&home), [json!({"displayName": "G", "externalId": "e1"})]);
}

#[test]
fn an_import_that_was_killed_goes_on_behind_its_last_row() {
    const ROWS: u32 = 9000;
    let home = Home::new();
    home.run("tenant list").done();
    let mut text = "userName,title\n".to_owned();
    for n in 0..ROWS {
        // A row of two lines: positions are lines of the file.
        writeln!(text, "user{n},\"two\nlines\"").unwrap();
    }
    home.write("people.csv", &text);
    let mut child = home.command("import people.csv").stdout(Stdio::null()).spawn().unwrap();
    let database = rusqlite::Connection::open(home.path().join("muster.db")).unwrap();
    let line = || database.query_row("SELECT line FROM import", [], |row| row.get::<_, u32>(0));
    while line().is_err() {}
    child.kill().unwrap();
    child.wait().unwrap();
    let done = (line().unwrap() - 2) / 2 + 1;
    assert!(done < ROWS, "it was killed half-way");
    let said = home.run("import people.csv --resume").done();
    assert!(said.starts_with(&format!("{} imported, 0 unchanged, 0 refused", ROWS - done)), "{done}: {said}");
    assert_eq!(imported(&home).len(), ROWS as usize);
}

#[test]
fn cells_may_be_of_any_script_and_are_kept_as_they_are() {
    let home = Home::new();
    let text = "\u{feff}userName;displayName;name.familyName;emails.work;phoneNumbers.mobile\r\n\
                דנה;\u{200f}דנה לוי;לוי;דנה@דוגמה.example;\u{202a}+41 79 123 45 67\u{202c}\r\n\
                Straße;\"👩🏽\u{200d}💻; E\u{301}va\";Müller;e\u{301}va@münchen.example;＋４１ ７９\r\n\
                ipek;İpek;Işık;İ@x.example;\r\n\
                STRASSE;x;x;;\r\n\
                STRAßE;x;x;;\r\n\
                😀;x;x;;\r\n";
    let ended = import(&home, text, "");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.starts_with("4 imported, 0 unchanged, 2 refused"), "{ended:?}");
    let refused: Vec<&str> = ended.stderr.lines().collect();
    assert!(refused[0].contains('6') && refused[0].contains("userName"), "{ended:?}");
    assert!(refused[1].contains('7') && refused[1].contains("RFC 8265"), "{ended:?}");
    let there = imported(&home);
    assert_eq!(there[0]["displayName"], "\u{200f}דנה לוי");
    assert_eq!(there[0]["phoneNumbers"][0]["value"], "\u{202a}+41 79 123 45 67\u{202c}");
    assert_eq!(there[1]["displayName"], "👩🏽\u{200d}💻; E\u{301}va");
    assert_eq!(there[2]["name"]["familyName"], "Işık");
    let server = serve(&home);
    let found = server.request("GET", "/scim/v2/Users?filter=displayName+ew+%22%C3%A9VA%22", TOKEN).json();
    assert_eq!(found["Resources"][0]["userName"], "Straße");
    let bytes = b"userName,title\nann,\xe9t\xe9\n";
    std::fs::write(home.path().join("latin.csv"), bytes).unwrap();
    let ended = home.run("import latin.csv");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("UTF-8"), "{ended:?}");
}
