-- Changes of a tenant's schemas that count already, and are still to be judged by what was written before everybody had
-- heard of them: the documents before and after, as JSON. `version` is that of the tenant's schemas which the change
-- made. Nobody but who made it judges it, or takes it from another who does, before `judge_after`.
CREATE TABLE schema_change (
    tenant      BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    documents   {text} NOT NULL,
    replaced    {text} NOT NULL,
    judge_after {text} NOT NULL,
    PRIMARY KEY (tenant, version)
) {clustered};
