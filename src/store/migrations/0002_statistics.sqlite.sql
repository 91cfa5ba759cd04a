-- For SQLite only: what its planner should think of the tables. Without this it takes a tenant for a handful of
-- rows and walks it; and what ANALYZE finds depends on when somebody ran it. The numbers say how many rows an index
-- has, and then how many share its first column, its first two, and so on: a million resources in one tenant.
ANALYZE;
DELETE FROM sqlite_stat1;
DELETE FROM sqlite_stat4;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('resource', 'resource_id', '1000000 1000000 1'),
    ('resource', 'resource_kind', '1000000 1000000 500000 1'),
    ('fact', 'fact', '15000000 15000000 1000000 20 1 1'),
    ('fact', 'fact_resource', '15000000 15000000 15 1'),
    ('fact', 'fact_unique', '1000000 1000000 1000000 1'),
    ('contact', 'contact', '3000000 3000000 1500000 2 1 1'),
    ('contact', 'contact_resource', '3000000 3000000 3 2 1'),
    ('contact', 'contact_canonical', '3000000 3000000 1500000 2'),
    ('membership', 'membership', '5000000 5000000 1000 1'),
    ('membership', 'membership_member', '5000000 5000000 5 1'),
    ('counter', 'counter', '16 16 8 1'),
    ('change', 'change_order', '10000000 10000000 10000000 1'),
    ('token', 'token_hash', '100 10 1'),
    ('token', 'sqlite_autoindex_token_1', '100 10 1');
ANALYZE sqlite_schema;
