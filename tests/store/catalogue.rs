//! The tables can be spread by tenant: every primary and unique key begins with it.

use crate::harness::{Directory, Engine};

/// The tables that belong to no tenant: small, and the same for all.
const SHARED: [&str; 5] = ["dictionary", "schema_version", "seal", "sequence", "tenant"];

/// Table, index, first column, of every key. A row number of SQLite's is no index.
fn keys(directory: &Directory) -> Vec<String> {
    directory.sql(match &*directory.engine {
        Engine::Sqlite { .. } => {
            "SELECT t.name, i.name, c.name FROM sqlite_schema t JOIN pragma_index_list(t.name) i \
             JOIN pragma_index_info(i.name) c ON c.seqno = 0 \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND i.\"unique\" = 1"
        }
        Engine::Postgres { .. } => {
            "SELECT t.relname, i.relname, a.attname FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid \
             JOIN pg_class i ON i.oid = x.indexrelid \
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] \
             WHERE t.relnamespace = 'public'::regnamespace AND x.indisunique"
        }
    })
}

fn tables(directory: &Directory) -> Vec<String> {
    directory.sql(match &*directory.engine {
        Engine::Sqlite { .. } => {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        Engine::Postgres { .. } => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    })
}

store_test! {
    async fn every_key_of_what_belongs_to_a_tenant_begins_with_the_tenant(db: Database) {
        let directory = db.open().await;
        let keys = keys(&directory);
        for table in tables(&directory).iter().filter(|table| !SHARED.contains(&table.as_str())) {
            let of_table: Vec<&String> =
                keys.iter().filter(|key| key.starts_with(&format!("{table}|"))).collect();
            // A file is not spread over machines, and its row numbers need not begin with anything.
            let by_row_number = matches!(&*directory.engine, Engine::Sqlite { .. }) && table == "change";
            assert!(by_row_number || !of_table.is_empty(), "{table} has no key");
            for key in of_table {
                assert!(key.ends_with("|tenant"), "{key}");
            }
        }
        assert!(keys.len() > 10, "{keys:#?}");
    }
}
