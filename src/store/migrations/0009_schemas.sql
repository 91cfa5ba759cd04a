-- A tenant's own schemas and resource types, in the order in which they are served. `schemas` of the tenant rises with
-- every change of them; `reindex` is the change after which the facts of its resources must be written anew, 0 where
-- they need not; nobody begins with that, or takes it from another who works at it, before `reindex_after`.
CREATE TABLE schema_document (
    tenant   BIGINT NOT NULL,
    ordinal  BIGINT NOT NULL,
    document {text} NOT NULL,
    PRIMARY KEY (tenant, ordinal)
) {clustered};
ALTER TABLE tenant ADD COLUMN schemas BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN reindex BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN reindex_after {text} NOT NULL DEFAULT '';
