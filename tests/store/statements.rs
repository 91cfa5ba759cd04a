//! Which statements requests become, as PostgreSQL logs them; the same ones run on SQLite.

use std::collections::BTreeSet;

use muster::access::Access;
use muster::context::Context;
use muster::directory::{Directory as Service, Piece, Pieces};
use muster::scim::listing::ListQuery;
use muster::scim::projection::Projection;
use muster::scim::urn;
use muster::scim::version::Condition;
use serde_json::{Map, Value, json};

use crate::cluster::Cluster;
use crate::harness::{Database, Directory, Engine, block_on, time};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What belongs to a tenant.
const TABLES: [&str; 8] =
    ["resource", "fact", "contact", "membership", "counter", "change", "token", "import"];

/// A directory whose statements are logged.
struct Tapped {
    directory: Directory,
    service: Service,
    cx: Context,
    cluster: &'static Cluster,
    database: String,
}

impl Tapped {
    async fn open() -> Option<Self> {
        let cluster = Cluster::shared()?;
        let url = cluster.database();
        let database = url.rsplit('/').next().unwrap().to_owned();
        cluster.log_statements(&database);
        let directory = Database::of(Engine::Postgres { url, options: "" }).open().await;
        let service = Service::new(directory.store.clone());
        let caller = Access::new(directory.store.clone(), directory.registry.clone())
            .operator("default", "test")
            .await
            .unwrap();
        let cx = Context { caller, now: time(0), request: "test".to_owned() };
        Some(Self { directory, service, cx, cluster, database })
    }

    /// The statements that something runs.
    async fn statements<T>(&self, run: impl Future<Output = T>) -> (T, Vec<String>) {
        let before = self.cluster.statements(&self.database).len();
        let done = run.await;
        (done, self.cluster.statements(&self.database).split_off(before))
    }

    /// A group with members `m1` to that number, made by a short way.
    async fn group(&self, name: &str, size: u32) -> String {
        let group = self.directory.group(name, &[]).await;
        self.directory.sql(&format!(
            "INSERT INTO membership (tenant, grp, member) SELECT 1, {}, 'm' || n FROM generate_series(1, {size}) n",
            group.pk
        ));
        group.id.to_string()
    }

    async fn patch(&self, id: &str, operations: Value) {
        let kind = self.directory.kind("Group");
        let body = object(json!({"schemas": [PATCH_OP], "Operations": operations}));
        let condition = Condition::from_headers(None, None);
        let projection = Projection::default();
        let patched = self.service.patch(&self.cx, kind, id, &condition, body, &projection).await;
        patched.map(drop).unwrap();
    }

    async fn list(&self, kind: &str, projection: &Projection) {
        let kinds = [self.directory.kind(kind).clone()];
        self.service.list(&self.cx, &kinds, &ListQuery::default(), projection).await.map(drop).unwrap();
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("{value} is no object") };
    object
}

/// Statements as a failure shows them: some have hundreds of parameters.
fn brief(statements: &[String]) -> Vec<&str> {
    statements.iter().map(|statement| statement.get(..200).unwrap_or(statement)).collect()
}

fn count(statements: &[String], part: &str) -> usize {
    statements.iter().filter(|statement| statement.contains(part)).count()
}

#[test]
fn a_change_of_one_member_is_the_same_statements_in_a_group_of_any_size() {
    block_on(async {
        let Some(tapped) = Tapped::open().await else { return };
        // Whoever comes first reserves row keys and prepares.
        tapped.group("warm", 1).await;
        let mut seen = Vec::new();
        for size in [200, 100_000] {
            let id = tapped.group(&format!("of {size}"), size).await;
            let change = async {
                tapped
                    .patch(&id, json!([{"op": "add", "path": "members", "value": [{"value": "new"}]}]))
                    .await;
                tapped.patch(&id, json!([{"op": "remove", "path": "members[value eq \"m7\"]"}])).await;
            };
            seen.push(tapped.statements(change).await.1);
        }
        assert!(
            count(&seen[0], "INSERT INTO membership") == 1 && count(&seen[0], "DELETE FROM membership") == 1
        );
        assert_eq!(seen[0], seen[1]);
    });
}

#[test]
fn a_thousand_members_are_one_batch_of_few_statements() {
    block_on(async {
        let Some(tapped) = Tapped::open().await else { return };
        let id = tapped.group("g", 0).await;
        let ids: Vec<Value> = (0..1000).map(|n| json!({"value": format!("n{n}")})).collect();
        let (_, statements) = tapped
            .statements(tapped.patch(&id, json!([{"op": "add", "path": "members", "value": ids}])))
            .await;
        assert_eq!(
            (count(&statements, "BEGIN "), statements.iter().filter(|text| *text == "COMMIT").count()),
            (1, 1)
        );
        assert_eq!(count(&statements, "INSERT INTO membership"), 2, "{:#?}", brief(&statements));
        assert!(statements.len() <= 12, "{:#?}", brief(&statements));
        assert_eq!(tapped.directory.sql("SELECT COUNT(*) FROM membership"), ["1000"]);
        let ids: Vec<Value> = (0..1000).map(|n| json!({"value": format!("n{}", n + 1)})).collect();
        let (_, statements) = tapped
            .statements(tapped.patch(&id, json!([{"op": "replace", "path": "members", "value": ids}])))
            .await;
        assert_eq!(count(&statements, "BEGIN"), 1, "{:#?}", brief(&statements));
        assert_eq!(
            tapped.directory.sql("SELECT MIN(member), MAX(member), COUNT(*) FROM membership"),
            ["n1|n999|1000"]
        );
    });
}

#[test]
fn members_that_nobody_asked_for_are_not_read() {
    block_on(async {
        let Some(tapped) = Tapped::open().await else { return };
        let id = tapped.group("g", 50).await;
        tapped.directory.user(json!({"userName": "jane"})).await;
        let group = tapped.directory.kind("Group");
        let without = Projection::Except(vec!["members".to_owned()]);
        let only = Projection::Only(vec!["displayName".to_owned()]);
        for projection in [&without, &only] {
            let (_, statements) = tapped.statements(tapped.list("Group", projection)).await;
            assert!(!statements.is_empty());
            assert_eq!(count(&statements, "membership"), 0, "{:#?}", brief(&statements));
            let get = tapped.service.get(&tapped.cx, group, &id, projection);
            let (_, statements) = tapped.statements(get).await;
            assert_eq!(
                (statements.len(), count(&statements, "membership")),
                (1, 0),
                "{:#?}",
                brief(&statements)
            );
        }
        let (_, statements) = tapped.statements(tapped.list("User", &only)).await;
        assert_eq!(count(&statements, "membership"), 0, "{:#?}", brief(&statements));
        let (_, statements) = tapped.statements(tapped.list("Group", &Projection::default())).await;
        assert_eq!(
            count(&statements, "membership"),
            1,
            "one for all groups of the page: {:#?}",
            brief(&statements)
        );
    });
}

#[test]
fn the_members_of_a_large_group_are_read_when_they_are_sent() {
    block_on(async {
        let Some(tapped) = Tapped::open().await else { return };
        let id = tapped.group("g", 2500).await;
        let projection = Projection::default();
        let get = tapped.service.get(&tapped.cx, tapped.directory.kind("Group"), &id, &projection);
        let (entry, statements) = tapped.statements(get).await;
        assert_eq!(statements.len(), 2, "{:#?}", brief(&statements));
        let mut body = String::new();
        let send = async {
            let mut pieces = Pieces::default();
            entry.unwrap().pieces("http://x", &projection, &mut pieces);
            for piece in pieces.finish() {
                match piece {
                    Piece::Text(text) => body.push_str(str::from_utf8(&text).unwrap()),
                    Piece::Members(mut reading) => {
                        while let Some(text) = reading.next().await.unwrap() {
                            body.push_str(str::from_utf8(&text).unwrap());
                        }
                    }
                }
            }
        };
        let (_, statements) = tapped.statements(send).await;
        assert_eq!(
            (statements.len(), count(&statements, "x.member > $3")),
            (4, 4),
            "{:#?}",
            brief(&statements)
        );
        let group: Value = serde_json::from_str(&body).unwrap();
        let ids: BTreeSet<&str> = group["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["value"].as_str().unwrap())
            .collect();
        assert_eq!((ids.len(), group["displayName"].as_str()), (2500, Some("g")));
    });
}

/// Where a statement names a table of tenants without saying whose rows it means.
fn crosses_tenants(statement: &str) -> Option<String> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    words.windows(3).find_map(|words| {
        let &[verb, table, next] = words else { return None };
        if !["FROM", "JOIN", "UPDATE", "INTO"].contains(&verb) || !TABLES.contains(&table) {
            return None;
        }
        let is_bound = if verb == "INTO" {
            next == "(tenant,"
        } else {
            let alias = !["WHERE", "SET"].contains(&next);
            let column = if alias { format!("{next}.tenant") } else { "tenant".to_owned() };
            let equals = format!(" {column} = ");
            let bounds = statement.split(&equals).skip(1);
            let mut sides = bounds.filter_map(|behind| behind.split([' ', ')']).next());
            sides.any(|side| side == "$1" || side.ends_with(".tenant"))
        };
        (!is_bound).then(|| words.join(" "))
    })
}

#[test]
fn no_statement_crosses_tenants() {
    for (statement, crosses) in [
        ("SELECT r.pk FROM resource r WHERE r.id = $2", true),
        ("SELECT r.pk FROM resource r WHERE r.tenant = $1 AND r.id = $2", false),
        ("DELETE FROM fact WHERE resource = $2", true),
        ("SELECT 1 FROM resource g JOIN membership m ON m.grp = g.pk WHERE g.tenant = $1", true),
        ("INSERT INTO change (kind) VALUES ($1)", true),
    ] {
        assert_eq!(crosses_tenants(statement).is_some(), crosses, "{statement}");
    }
    block_on(async {
        let Some(tapped) = Tapped::open().await else { return };
        let ((), statements) = tapped.statements(tour(&tapped)).await;
        let distinct: BTreeSet<&String> = statements.iter().collect();
        assert!(distinct.len() > 40, "{distinct:#?}");
        let crossing: Vec<_> = distinct
            .into_iter()
            .filter_map(|statement| Some((crosses_tenants(statement)?, statement)))
            .collect();
        assert!(crossing.is_empty(), "{crossing:#?}");
    });
}

/// A little of everything that requests and commands do.
async fn tour(tapped: &Tapped) {
    let Tapped { directory, service, cx, .. } = tapped;
    let (user, group) = (directory.kind("User"), directory.kind("Group"));
    let all = Projection::default();
    let any = Condition::from_headers(None, None);
    let jane = json!({
        "schemas": [urn::USER], "userName": "jane", "title": "a", "emails": [{"value": "j@x", "type": "work"}], "roles": [{"value": "r"}]
    });
    let entry = service.create(cx, user, object(jane), &all).await.unwrap();
    let jane = entry.location("").rsplit('/').next().unwrap().to_owned();
    let body = json!({"schemas": [urn::GROUP], "displayName": "g", "members": [{"value": jane}]});
    service.create(cx, group, object(body), &all).await.map(drop).unwrap();
    let kinds = [user.clone(), group.clone()];
    for kinds in [&kinds[..1], &kinds[1..], &kinds] {
        for (filter, sort) in [
            (None, None),
            (None, Some("displayName")),
            (None, Some("id")),
            (Some("id eq \"x\""), None),
            (Some("displayName eq \"g\" or externalId sw \"x\""), Some("meta.created")),
            (Some("meta.lastModified gt \"2020-01-01T00:00:00Z\" and not (displayName co \"x\")"), None),
        ] {
            let query = ListQuery {
                filter: filter.map(str::to_owned),
                sort_by: sort.map(str::to_owned),
                ..ListQuery::default()
            };
            service.list(cx, kinds, &query, &all).await.map(drop).unwrap();
        }
    }
    for (kind, filter) in [
        (user, "userName eq \"jane\""),
        (user, "emails[type eq \"work\" and value eq \"j@x\"]"),
        (user, "emails.value co \"x\" and phoneNumbers pr"),
        (user, "roles[value eq \"r\" and not (type eq \"x\")]"),
        (user, "groups.value eq \"x\" or groups.display eq \"g\""),
        (group, "members.value eq \"x\""),
        (group, "members[type eq \"User\" and display sw \"j\"]"),
    ] {
        let query = ListQuery { filter: Some(filter.to_owned()), ..ListQuery::default() };
        service.list(cx, std::slice::from_ref(kind), &query, &all).await.map(drop).unwrap();
    }
    let body = json!({"schemas": [urn::USER], "userName": "j", "emails": [{"value": "k@x"}], "title": "b"});
    service.replace(cx, user, &jane, &any, object(body), &all).await.map(drop).unwrap();
    service.get(cx, user, &jane, &all).await.map(drop).unwrap();
    service.delete(cx, user, &jane, &any).await.unwrap();
    let big = tapped.group("big", 1500).await;
    tapped.patch(&big, json!([{"op": "remove", "path": "members[display eq \"x\"]"}])).await;
    tapped.patch(&big, json!([{"op": "replace", "path": "members", "value": [{"value": "m9"}]}])).await;
    tapped.patch(&big, json!([{"op": "remove", "path": "members"}])).await;
    let mut export = service.export(cx.caller.clone());
    while export.next().await.unwrap().is_some() {}
    let mut check = service.check(cx.clone(), true);
    while check.next().await.unwrap().is_some() {}
    let mut import = service.import(cx.clone(), false);
    let row = service
        .admit_row(cx, user, object(json!({"schemas": [urn::USER], "userName": "imported"})), None)
        .unwrap();
    let screened = import.screen(vec![(1, row)]).await.unwrap();
    import.store(&screened.fit, Some(("source", 1))).await.map(drop).unwrap();
    service.import_mark(cx, "source").await.map(drop).unwrap();
    service.end_import(cx, "source").await.unwrap();
    let access = Access::new(directory.store.clone(), directory.registry.clone());
    access.tokens(cx.caller.tenant, time(0)).await.map(drop).unwrap();
}
