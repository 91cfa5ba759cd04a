//! `muster tenant` and `muster token`.

use crate::program::Home;

#[test]
fn help_shows_commands_and_examples() {
    let home = Home::new();
    let help = home.run("--help").done();
    for part in ["serve", "tenant", "token", "muster token create --tenant acme"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    for (command, part) in [
        ("serve --help", "MUSTER_BOOTSTRAP_TOKEN"),
        ("tenant create --help", "muster tenant create acme --set"),
        ("token create --help", "--expires 90d"),
        ("token revoke --help", "muster token revoke 7"),
        ("deleted restore --help", "muster deleted restore 01a2"),
    ] {
        let help = home.run(command).done();
        assert!(help.contains(part), "{command}: {help}");
    }
    assert!(home.run("--version").done().starts_with("muster "));
}

#[test]
fn wrong_usage_is_told_apart_from_a_refusal() {
    let home = Home::new();
    for usage in [
        "",
        "nonsense",
        "token create",
        "token create --tenant a --expires soon",
        "token create --tenant a --scope x",
        "tenant set acme",
    ] {
        let ended = home.run(usage);
        assert_eq!(ended.code, Some(2), "{usage}: {ended:?}");
    }
}

#[test]
fn a_tenant_is_made_listed_changed_and_deleted() {
    let home = Home::new();
    assert!(
        home.run("tenant create acme --set unique-group-names=on")
            .done()
            .contains("muster token create --tenant acme")
    );
    let list = home.run("tenant list").done();
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("NAME") && lines[1].starts_with("default"), "{list}");
    assert!(lines[2].starts_with("acme") && lines[2].ends_with("unique-group-names=on"), "{list}");

    let set = home.run("tenant set acme unique-group-names=off patch-no-content=on").done();
    assert_eq!(set, "acme: patch-no-content=on unique-group-names=off\n");

    assert!(home.run("tenant create acme").refused().contains("choose another name"));
    assert!(home.run("tenant create a/b").refused().contains("letters"));
    let unset = home.run("tenant unset acme patch-no-content").done();
    assert_eq!(unset, "acme: unique-group-names=off\n");
    assert!(home.run("tenant unset acme x").refused().contains("patch-no-content"));
    let settings = home.run("tenant settings").done();
    let line = settings.lines().find(|line| line.starts_with("check-formats")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[1..5], ["off", "on", "on", "on"], "{settings}");
    assert!(settings.contains("default-phone-region"));
    let own = home.run("tenant settings acme").done();
    let line = own.lines().find(|line| line.starts_with("unique-group-names")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>()[1..6],
        ["off", "off", "off", "off", "on"],
        "{own}"
    );
    assert!(home.run("tenant set acme unique-names=on").refused().contains("unique-group-names"));
    assert!(
        home.run("tenant set nobody patch-no-content=on").refused().contains("muster tenant create nobody")
    );
    assert!(home.run("tenant delete acme").refused().contains("--yes"));
    assert!(home.run("tenant delete default --yes").refused().contains("stays"));
    home.run("tenant delete acme --yes").done();
    assert!(!home.run("tenant list").done().contains("acme"));
}

#[test]
fn a_token_is_printed_once_and_works_until_it_is_revoked() {
    let home = Home::new();
    home.run("tenant create acme").done();
    let token = home.run("token create --tenant acme --name okta --expires 90d").done();
    let token = token.trim_end().to_owned();
    assert!(token.starts_with("muster_2_") && token.len() == "muster_2_".len() + 43, "{token}");
    let reader =
        home.run("token create --tenant acme --scope scim:read --profile strict --expires never").done();

    let list = home.run("token list --tenant acme").done();
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][..5], ["acme", "1", "okta", "default", "scim"], "{list}");
    assert_eq!(lines[2][2..5], ["client", "strict", "scim:read"], "{list}");
    assert_eq!((lines[1][8], lines[2][7], lines[2][8]), ("live", "never", "live"), "{list}");
    assert!(!list.contains(&token[9..]));

    let several = "token create --tenant acme --scope scim:read,identity";
    home.run(several).done();
    assert!(home.run("token list --tenant acme").done().contains(" scim:read,identity "));
    assert!(home.run("token create --tenant acme --scope me").refused().contains("subject"));
    let nobody = "token create --tenant acme --scope me --subject nobody";
    assert!(home.run(nobody).refused().contains("nobody"));

    let server = home.serve("", &[]);
    assert_eq!((server.users(&token), server.users(reader.trim())), (200, 200));
    home.run("token revoke 1 --tenant acme").done();
    server.refuses_soon(&token);
    assert_eq!(server.users(reader.trim()), 200, "beside the running server");
    assert!(home.run("token revoke 1 --tenant acme").refused().contains("muster token list"));
    assert!(home.run("token revoke 9 --tenant acme").refused().contains("muster token list"));
    assert!(home.run("token list").done().contains("revoked"));
    home.run("tenant delete acme --yes").done();
    assert_eq!(server.users(reader.trim()), 401, "the command waits until nobody knows the token");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_tenants_schemas_are_added_listed_shown_and_removed() {
    let home = Home::new();
    home.run("tenant create acme").done();
    home.write(
        "badge.json",
        r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": "urn:example:Badge",
        "attributes": [{"name": "number"}]}"#,
    );
    home.write(
        "badge.type.json",
        r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "name": "Badge", "endpoint": "/Badges", "schema": "urn:example:Badge"}"#,
    );
    assert!(home.run("schema add --tenant acme badge.type.json").refused().contains("urn:example:Badge"));
    let added = home.run("schema add --tenant acme badge.type.json badge.json").done();
    assert_eq!(added, "acme has 2 schemas and resource types of its own\n");
    let list = home.run("schema list --tenant acme").done();
    assert!(
        list.lines().any(|line| line.contains("urn:example:Badge") && line.ends_with("tenant")),
        "{list}"
    );
    assert!(list.lines().any(|line| line.contains("Group") && line.ends_with("server")), "{list}");
    assert!(!home.run("schema list").done().contains("Badge"), "the tenant default has none");
    assert!(home.run("schema show --tenant acme Badge").done().contains("/Badges"));
    assert!(
        home.run("schema remove --tenant acme urn:example:Badge").refused().contains("urn:example:Badge")
    );
    assert!(home.run("schema remove --tenant acme Group").refused().contains("of its own"));
    home.run("schema remove --tenant acme Badge urn:example:Badge").done();
    assert!(home.run("schema show --tenant acme Badge").refused().contains("muster schema list"));
}

#[test]
fn what_a_client_deleted_is_listed_and_restored_beside_the_server() {
    let home = Home::new();
    home.run("tenant create acme --set soft-delete=30").done();
    assert!(home.run("tenant set acme soft-delete=0").refused().contains("a number of days from 1 to 3650"));
    let token = home.run("token create --tenant acme --name okta").done();
    let (token, server) = (token.trim_end(), home.serve("", &[]));
    let body =
        serde_json::json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"});
    let made = server.send("POST", "/scim/v2/Users", token, &body).json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/scim/v2/Users/{id}");
    assert_eq!(server.request("DELETE", &path, token).status, 204);
    let list = home.run("deleted list --tenant acme").done();
    let cells: Vec<&str> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((&cells[..3], cells[5]), (&[id, "User", "ann"][..], "okta"), "{list}");
    assert!(home.run(&format!("deleted restore {id} --tenant default")).refused().contains(id));
    home.run(&format!("deleted restore {id} --tenant acme")).done();
    assert_eq!(server.request("GET", &path, token).status, 200);
    assert_eq!(server.request("DELETE", &path, token).status, 204);
    home.run(&format!("deleted purge {id} --tenant acme")).done();
    assert_eq!(home.run("deleted list --tenant acme").done().lines().count(), 1);
}
