-- For SQLite only: as in 0002, what its planner should think of the index on the time of the last change.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('resource', 'resource_modified', '1000000 1000000 500000 2');
ANALYZE sqlite_schema;
