//! Where settings come from, and what is said of those that cannot be.

use crate::program::{Ended, Home};

fn made_in(home: &Home, file: &str) -> bool {
    home.path().join(file).exists()
}

#[test]
fn flags_count_over_the_environment_over_the_file_over_defaults() {
    let home = Home::new();
    home.run("tenant list").done();
    assert!(made_in(&home, "muster.db"));
    home.write("muster.toml", "database = \"sqlite:file.db\"\n");
    home.run("tenant list").done();
    assert!(made_in(&home, "file.db"));
    let with_environment = |arguments: &str, value: &str| {
        let output = home.command(arguments).env("MUSTER_DATABASE", value).output().unwrap();
        Ended::from(output).done();
    };
    with_environment("tenant list", "sqlite:env.db");
    assert!(made_in(&home, "env.db") && !made_in(&home, "flag.db"));
    with_environment("tenant list --database sqlite:flag.db", "sqlite:env2.db");
    assert!(made_in(&home, "flag.db") && !made_in(&home, "env2.db"));
    home.write("other.toml", "database = \"sqlite:other.db\"\n");
    home.run("tenant list --config other.toml").done();
    assert!(made_in(&home, "other.db"));
}

#[test]
fn a_setting_that_cannot_be_stops_the_start_with_a_sentence() {
    let home = Home::new();
    let cases = [
        ("--listen nonsense", "write an address and a port"),
        ("--database muster.db", "sqlite:"),
        ("--schemas nowhere", "directory"),
        ("--public-url example.com", "https://scim.example.com"),
        ("--public-url https://a/?b", "https://scim.example.com"),
        ("--cors-origins https://a.example/", "https://admin.example.com"),
        ("--cors-origins *", "cors-origins is *"),
        ("--max-body 0", "from 1024 on"),
        ("--workers 0", "from 1 to 1024"),
        ("--config missing.toml", "missing.toml cannot be read"),
    ];
    for (arguments, part) in cases {
        let sentence = home.run(&format!("serve {arguments}")).refused();
        assert!(sentence.contains(part), "{arguments}: {sentence}");
    }
    home.write("muster.toml", "listen = \"127.0.0.1:0\"\nlisten-on = 1\n");
    for command in ["serve", "tenant list"] {
        let sentence = home.run(command).refused();
        assert!(sentence.contains("muster.toml line 2") && sentence.contains("listen-on"), "{sentence}");
    }
    let output =
        home.command("serve --config /dev/null").env("MUSTER_PUBLIC_URL", "https://a#b").output().unwrap();
    assert!(Ended::from(output).refused().contains("public-url"));
}

#[test]
fn schemas_are_read_from_a_directory_and_their_faults_are_named() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("schemas")).unwrap();
    let schema = r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": "urn:example:Device",
        "attributes": [{"name": "serial"}]}"#;
    home.write("schemas/device.json", schema);
    home.write(
        "schemas/device.type.json",
        r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "name": "Device", "endpoint": "/Devices", "schema": "urn:example:Device"}"#,
    );
    home.write("schemas/notes.txt", "not read");
    let server = home.serve("--schemas schemas", &[]);
    assert_eq!(server.request("GET", "/scim/v2/ResourceTypes/Device", "").status, 200);
    server.stop();
    home.write("schemas/device.json", "{");
    assert!(home.run("serve --schemas schemas").refused().contains("device.json"));
    home.write("schemas/device.json", &schema.replace("serial", "1serial"));
    let sentence = home.run("serve --schemas schemas").refused();
    assert!(sentence.contains("device.json") && sentence.contains("1serial"), "{sentence}");
}
