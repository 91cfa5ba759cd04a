-- How far an import has come that has not ended: written together with the rows, so that it never says more or less.
-- `source` tells one file from another.
CREATE TABLE import (
    tenant BIGINT NOT NULL,
    source {text} NOT NULL,
    line   BIGINT NOT NULL,
    PRIMARY KEY (tenant, source)
) {clustered};
