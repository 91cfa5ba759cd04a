-- What was deleted and can be restored until a day. Nothing of a resource is elsewhere then but its bags, which
-- wait under its pk. An id may be here several times: ids of imported resources come back.
CREATE TABLE deleted (
    tenant   BIGINT NOT NULL,
    pk       BIGINT NOT NULL,
    kind     BIGINT NOT NULL,
    id       {text} NOT NULL,
    version  BIGINT NOT NULL,
    created  {text} NOT NULL,
    modified {text} NOT NULL,
    label    {text},
    document {text} NOT NULL,
    secret   {text},
    at       {text} NOT NULL,
    until    {text} NOT NULL,
    who      {text} NOT NULL,
    PRIMARY KEY (tenant, pk)
);
CREATE INDEX deleted_id ON deleted (tenant, id, pk);
CREATE INDEX deleted_end ON deleted (tenant, until);

-- The memberships that went with it: its own where it was a group, and those in groups.
CREATE TABLE deleted_membership (
    tenant   BIGINT NOT NULL,
    resource BIGINT NOT NULL,
    grp      BIGINT NOT NULL,
    member   {text} NOT NULL,
    PRIMARY KEY (tenant, resource, grp, member)
) {clustered};
