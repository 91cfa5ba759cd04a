//! Common filters begin at an index: no plan of SQLite walks all resources or facts.

use std::sync::Arc;

use muster::scim::filter::{Filter, Op};
use muster::scim::registry::ResourceType;
use serde_json::json;

use crate::harness::{Database, TENANT, block_on};
use crate::searches::{path, search, test};

fn each(kind: &ResourceType, name: &str, parts: Vec<Filter>) -> Filter {
    Filter::Each { path: path(kind, name), inner: Box::new(Filter::And(parts)) }
}

/// The filters that provisioning clients send all day.
pub(crate) fn common(kind: &ResourceType) -> Vec<(&'static str, Filter)> {
    if kind.name == "Group" {
        return vec![
            ("displayName eq", test(kind, "displayName", Op::Eq, "x")),
            ("members.value eq", test(kind, "members.value", Op::Eq, "x")),
            ("members[value eq]", each(kind, "members", vec![test(kind, "members.value", Op::Eq, "x")])),
            (
                "id eq and members.value eq",
                Filter::And(vec![test(kind, "id", Op::Eq, "x"), test(kind, "members.value", Op::Eq, "y")]),
            ),
        ];
    }
    let work = test(kind, "emails.type", Op::Eq, "work");
    let value = test(kind, "emails.value", Op::Eq, "x");
    vec![
        ("id eq", test(kind, "id", Op::Eq, "x")),
        ("userName eq", test(kind, "userName", Op::Eq, "x")),
        ("externalId eq", test(kind, "externalId", Op::Eq, "x")),
        ("emails.value eq", value.clone()),
        ("emails[type eq and value eq]", each(kind, "emails", vec![work, value.clone()])),
        ("groups.value eq", test(kind, "groups.value", Op::Eq, "x")),
        ("userName sw", test(kind, "userName", Op::Sw, "x")),
        ("meta.lastModified gt", test(kind, "meta.lastModified", Op::Gt, "2026-01-02T03:04:05")),
        (
            "meta.created gt and userName eq",
            Filter::And(vec![
                test(kind, "meta.created", Op::Gt, "2020"),
                test(kind, "userName", Op::Eq, "x"),
            ]),
        ),
        ("userName eq or emails.value eq", Filter::Or(vec![test(kind, "userName", Op::Eq, "x"), value])),
    ]
}

/// Whether a step of a plan walks a table; the page, its total and sorted intermediate results are small.
fn walks(step: &str) -> bool {
    let tables = ["r", "f", "e", "c", "m", "x", "g", "u"];
    let scan = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
    scan.is_some_and(|name| tables.contains(&name))
}

/// Whether a step finds resources by nothing but their tenant and type.
fn takes_the_whole_tenant(step: &str) -> bool {
    step.contains("resource_kind") || step.contains("(tenant=?)")
}

/// Whether a step reads all contacts of a kind, or all values of an attribute.
fn walks_values(step: &str) -> bool {
    ["SEARCH c ", "SEARCH f ", "SEARCH e "].iter().any(|start| step.starts_with(start))
        && ["(tenant=? AND kind=?)", "(tenant=? AND path=?)"].iter().any(|end| step.ends_with(end))
}

#[test]
fn common_filters_begin_at_an_index() {
    let db = Database::sqlite();
    block_on(async {
        let directory = db.open().await;
        directory.user(json!({"userName": "x"})).await;
        for name in ["User", "Group"] {
            let kind = directory.kind(name);
            for (text, filter) in common(kind) {
                let mut search = search(kind, Some(filter));
                let plan = directory.store.explain(TENANT, &search).await.unwrap();
                let bad = plan
                    .iter()
                    .find(|step| walks(step) || walks_values(step) || takes_the_whole_tenant(step));
                assert_eq!(bad, None, "{text}: {plan:#?}");
                search.scopes[0].sort = Some(path(kind, "displayName"));
                let plan = directory.store.explain(TENANT, &search).await.unwrap();
                let bad = plan
                    .iter()
                    .find(|step| walks(step) || walks_values(step) || takes_the_whole_tenant(step));
                assert_eq!(bad, None, "sorted {text}: {plan:#?}");
            }
        }
    });
}

#[test]
fn a_listing_without_a_filter_reads_the_types_index_in_order() {
    let db = Database::sqlite();
    block_on(async {
        let directory = db.open().await;
        let kind: &Arc<ResourceType> = directory.kind("User");
        let plan = directory.store.explain(TENANT, &search(kind, None)).await.unwrap();
        let index = "SEARCH r USING COVERING INDEX resource_kind (tenant=? AND kind=?)";
        assert!(plan.iter().any(|step| step == index), "{plan:#?}");
        assert!(!plan.iter().any(|step| walks(step)), "{plan:#?}");
    });
}

#[test]
fn a_page_of_all_resources_in_the_order_of_a_value_is_read_in_the_order_of_its_index() {
    let db = Database::sqlite();
    block_on(async {
        let directory = db.open().await;
        for (name, attribute) in [("User", "userName"), ("User", "title"), ("Group", "displayName")] {
            let kind: &Arc<ResourceType> = directory.kind(name);
            let mut search = search(kind, None);
            search.scopes[0].sort = Some(path(kind, attribute));
            let plan = directory.store.explain(TENANT, &search).await.unwrap();
            let index = "SEARCH f USING PRIMARY KEY (tenant=? AND path=?)";
            assert!(plan.iter().any(|step| step == index), "{plan:#?}");
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
            assert!(!plan.iter().any(|step| walks(step)), "{plan:#?}");
        }
    });
}

#[test]
fn what_belongs_to_a_resource_is_found_from_it() {
    let db = Database::sqlite();
    block_on(async {
        let directory = db.open().await;
        let kind = directory.kind("User");
        for name in
            ["title", "emails.value", "emails.note", "phoneNumbers.type", "roles.value", "groups.display"]
        {
            for op in [Op::Ne, Op::Co] {
                let parts = path(kind, name);
                let inner = Box::new(test(kind, name, op, "x"));
                let each = Filter::Each { path: path(kind, &parts.attribute.name), inner };
                for filter in [test(kind, name, op, "x"), each] {
                    let mut search = search(kind, Some(Filter::Not(Box::new(filter))));
                    search.scopes[0].sort = Some(path(kind, name));
                    let plan = directory.store.explain(TENANT, &search).await.unwrap();
                    let bad = plan.iter().find(|step| walks(step) || walks_values(step));
                    assert_eq!(bad, None, "{name}: {plan:#?}");
                }
            }
        }
    });
}

#[test]
fn one_row_of_a_view_is_found_by_index() {
    let db = Database::sqlite();
    block_on(async {
        let directory = db.open().await;
        for sql in [
            "SELECT * FROM user_directory WHERE tenant = 'default' AND id = 'x'",
            "SELECT * FROM group_members WHERE tenant = 'default' AND group_id = 'x'",
        ] {
            let plan = directory.sql(&format!("EXPLAIN QUERY PLAN {sql}"));
            assert!(plan.iter().any(|step| step.contains("resource_id (tenant=? AND id=?)")), "{plan:#?}");
            let bad = plan.iter().find(|step| step.contains("SCAN") || walks_values(step));
            assert_eq!(bad, None, "{plan:#?}");
        }
    });
}
