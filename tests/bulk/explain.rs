//! `muster explain`: what it says of filters that run well and of those that do not.

use crate::people::populate;
use crate::program::{Ended, Home};

fn explain(home: &Home, filter: &str, more: &str) -> Ended {
    let mut command = home.command("explain");
    command.arg(filter).args(more.split_whitespace());
    command.output().unwrap().into()
}

#[test]
fn it_says_where_a_search_begins() {
    let home = Home::new();
    populate(&home);
    for (filter, understood, part) in [
        ("id eq \"x\"", "id eq \"x\"", "leads to the one resource"),
        ("USERNAME eq \"A\"", "userName eq \"a\"", "with one value"),
        (
            "emails[type eq \"work\" and value eq \"a\"]",
            "emails[(type eq \"work\" and value eq \"a\")]",
            "with one value",
        ),
        ("userName sw \"a\"", "userName sw \"a\"", "begin like this"),
        ("title gt \"a\"", "title gt \"a\"", "on one side"),
        ("active eq true", "active eq true", "many share it"),
        ("userName co \"a\"", "userName co \"a\"", "All values of the attribute"),
        ("not (userName eq \"a\")", "not (userName eq \"a\")", "all 5 resources of the type User are tested"),
        ("title ne \"a\"", "not (title eq \"a\")", "No index helps"),
    ] {
        let said = explain(&home, filter, "").done();
        assert!(said.contains(&format!("Understood as\n  {understood}\n")), "{filter}: {said}");
        assert!(said.contains(part), "{filter}: {said}");
        assert!(said.contains("resource"), "{filter}: {said}");
    }
}

#[test]
fn it_knows_other_types_and_what_clients_do_to_filters() {
    let home = Home::new();
    populate(&home);
    let said = explain(&home, "members[value eq \"x\"]", "--type Group").done();
    assert!(said.contains("members[value eq \"x\"]") && said.contains("with one value"), "{said}");
    let said = explain(&home, "active eq \"True\"", "").done();
    assert!(said.contains("active eq true") && said.contains("string-booleans"), "{said}");
    assert!(explain(&home, "members pr", "--type Robot").refused().contains("the types are User, Group"));
    assert!(explain(&home, "nonsense eq 1", "").refused().contains("nonsense"));
    assert!(explain(&home, "password eq \"x\"", "").refused().contains("password"));
}
