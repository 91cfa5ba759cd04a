//! Common filters begin at an index on PostgreSQL too: no plan walks a tenant's resources or facts.

use muster::scim::filter::Op;
use muster::store::Position;

use crate::harness::{Database, Directory, TENANT, block_on};
use crate::plans::common;
use crate::searches::{path, search, test};

/// Two tenants with 20,000 users, 200 groups and 10,000 memberships each. One of them is the default tenant.
const MANY: &str = "
    INSERT INTO resource (tenant, kind, id, pk, version, created, modified, label, label_key, document)
    SELECT t, d.id, d.name || n, (t * 2 + CASE d.name WHEN 'User' THEN 0 ELSE 1 END) * 1000000 + n, 1,
        '2026-01-02T03:04:05', '2026-01-02T03:04:05', d.name || n, lower(d.name) || n, '{}'
    FROM generate_series(1, 2) t, dictionary d, generate_series(1, 20000) n
    WHERE d.name = 'User' OR (d.name = 'Group' AND n <= 200);
    INSERT INTO fact (tenant, path, key, resource, element, leads, uniq)
    SELECT r.tenant, d.id,
        CASE d.name WHEN 'User/active' THEN CASE WHEN r.pk % 10 = 0 THEN 'false' ELSE 'true' END
            WHEN 'User/title' THEN 'title' || r.pk % 50 ELSE r.label_key END,
        r.pk, 0, 1, CASE d.name WHEN 'User/userName' THEN 1 ELSE 0 END
    FROM resource r JOIN dictionary k ON k.id = r.kind JOIN dictionary d ON d.name IN
        (k.name || '/userName', k.name || '/externalId', k.name || '/displayName', k.name || '/active',
         k.name || '/title', k.name || '/name.familyName')
    WHERE k.name = 'User' OR d.name IN ('Group/displayName', 'Group/externalId');
    INSERT INTO contact (tenant, kind, key, resource, ordinal, id, value, canonical, type, type_key, is_primary)
    SELECT r.tenant, 1 + o / 2, r.label_key || '@' || o, r.pk, o % 2, 'c', r.label, r.label_key || '@' || o, 'work', 'work', 0
    FROM resource r JOIN dictionary k ON k.id = r.kind, generate_series(0, 3) o WHERE k.name = 'User';
    INSERT INTO membership (tenant, grp, member)
    SELECT g.tenant, g.pk, 'User' || 1 + (g.pk * 50 + n) % 20000
    FROM resource g JOIN dictionary k ON k.id = g.kind, generate_series(1, 50) n WHERE k.name = 'Group';
";

async fn many() -> Option<Directory> {
    let directory = Database::postgres()?.open().await;
    directory.sql(MANY);
    directory.sql("VACUUM ANALYZE");
    Some(directory)
}

/// Whether a step reads a table from end to end, or all of a tenant's rows of one kind or attribute.
fn walks(step: &str) -> bool {
    let tables = ["resource", "fact", "contact", "membership"];
    if let Some((_, rest)) = step.split_once("Seq Scan on ") {
        return rest.split(' ').next().is_some_and(|table| tables.contains(&table));
    }
    let narrow = ["key ", "resource =", "pk =", "id =", "member =", "grp =", "modified >"];
    step.contains("Index Cond: ") && !narrow.iter().any(|part| step.contains(part))
}

#[test]
fn common_filters_begin_at_an_index() {
    block_on(async {
        let Some(directory) = many().await else { return };
        for name in ["User", "Group"] {
            let kind = directory.kind(name);
            for (text, filter) in common(kind) {
                let mut search = search(kind, Some(filter));
                let plan = directory.store.explain(TENANT, &search).await.unwrap();
                assert_eq!(plan.iter().find(|step| walks(step)), None, "{text}: {plan:#?}");
                assert!(plan.iter().any(|step| step.contains("Index Cond")), "{text}: {plan:#?}");
                search.scopes[0].sort = Some(path(kind, "displayName"));
                let plan = directory.store.explain(TENANT, &search).await.unwrap();
                assert_eq!(plan.iter().find(|step| walks(step)), None, "sorted {text}: {plan:#?}");
            }
        }
    });
}

#[test]
fn a_listing_without_a_filter_reads_the_types_index_in_order() {
    block_on(async {
        let Some(directory) = many().await else { return };
        let plan = directory.store.explain(TENANT, &search(directory.kind("User"), None)).await.unwrap();
        let scan = plan.iter().position(|step| step.contains("Index Only Scan using resource_kind"));
        let above = scan.and_then(|scan| plan.get(scan - 1));
        assert!(above.is_some_and(|step| step.contains("Limit")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on resource")), "{plan:#?}");
    });
}

#[test]
fn a_page_of_all_resources_in_the_order_of_a_value_is_read_in_the_order_of_its_index() {
    block_on(async {
        let Some(directory) = many().await else { return };
        for (name, attribute) in [("User", "userName"), ("User", "title"), ("Group", "displayName")] {
            let kind = directory.kind(name);
            let mut search = search(kind, None);
            search.scopes[0].sort = Some(path(kind, attribute));
            let plan = directory.store.explain(TENANT, &search).await.unwrap();
            let scan = plan.iter().position(|step| step.contains("Index Only Scan using fact_pkey"));
            let above = scan.and_then(|scan| plan.get(scan - 1));
            assert!(above.is_some_and(|step| step.contains("Limit")), "{plan:#?}");
            assert!(!plan.iter().any(|step| step.contains("Seq Scan on resource")), "{plan:#?}");
        }
    });
}

#[test]
fn one_row_of_a_view_is_found_by_index() {
    block_on(async {
        let Some(directory) = many().await else { return };
        for sql in [
            "SELECT * FROM user_directory WHERE tenant = 'default' AND id = 'User7'",
            "SELECT * FROM group_members WHERE tenant = 'default' AND group_id = 'Group7'",
        ] {
            let plan = directory.sql(&format!("EXPLAIN (COSTS OFF) {sql}"));
            assert!(plan.iter().any(|step| step.contains("using resource_id on resource")), "{plan:#?}");
            assert_eq!(plan.iter().find(|step| walks(step)), None, "{plan:#?}");
        }
    });
}

/// 9865-2-03. The database knows nothing of its tables yet after a large import, and must not need to.
#[test]
fn a_stretch_is_a_part_of_an_index_before_there_are_statistics_and_after() {
    block_on(async {
        let Some(database) = Database::postgres() else { return };
        let directory = database.open().await;
        for table in ["resource", "fact"] {
            directory.sql(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)"));
        }
        directory.sql(MANY);
        let kind = directory.kind("User");
        let filter = test(kind, "active", Op::Eq, "true");
        let above = "ROW(key, resource) > ";
        let (beside, below) = ["AND (resource > ", "AND (key < "].into();
        let (valueless, rows, greatest) = ("fact_resource", " AND (pk > '", "Backward using fact_pkey");
        let cases = [
            (None, false, None, &[rows][..]),
            (Some("title"), false, Some("title7"), &[above, rows, valueless]),
            (Some("title"), false, None, &[rows, valueless]),
            (Some("title"), true, Some("title7"), &[beside, below]),
            (Some("title"), true, None, &[rows, valueless, greatest]),
            (Some("userName"), false, Some("user7"), &[above]),
            (Some("userName"), true, Some("user7"), &[beside, below]),
        ];
        for has_statistics in [false, true] {
            if has_statistics {
                directory.sql("VACUUM ANALYZE");
            }
            for ((sort, descending, key, steps), filter) in
                cases.iter().flat_map(|case| [(case, None), (case, Some(&filter))])
            {
                let mut search = search(kind, filter.cloned());
                search.scopes[0].sort = sort.map(|name| path(kind, name));
                search.descending = *descending;
                let after = Position { key: key.map(str::to_owned), pk: 2_000_007 };
                let plan = directory.store.explain_after(TENANT, &search, Some(&after)).await.unwrap();
                let has = |part: &str| plan.iter().any(|step| step.contains(part));
                let about = format!("{sort:?} {descending} {key:?} {has_statistics} {plan:#?}");
                // That all of the type is read, and not to its end, it only knows from statistics and without a filter.
                let is_known =
                    |step: &&str| has_statistics && filter.is_none() || ![rows, greatest].contains(step);
                assert!(steps.iter().filter(|step| is_known(step)).all(|step| has(step)), "{about}");
                let walks = ["Seq Scan", "Hash Join", "Hash Anti Join", "Materialize"];
                assert!(!walks.iter().any(|step| has(step)), "{about}");
            }
        }
    });
}
