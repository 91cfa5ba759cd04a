-- Words in braces are replaced by the driver: {identity} a key that the database hands out and never reuses,
-- {row_key} the key of a resource's row, {log_key} that of a row in the change log, {and_row_key} and {and_log_key}
-- what makes these keys where they are none by themselves, {transaction} the number of the transaction that wrote
-- a row, {text} text that compares byte by byte, {blob} octets, {clustered} storage in the order of the primary
-- key, {json} the cast that makes text JSON, {now} the time.
-- Every key but those of dictionary, tenant and sequence begins with the tenant.

-- Small numbers for names: `User` a resource type, `User/name.givenName` an attribute of it.
CREATE TABLE dictionary (
    id   {identity},
    name {text} NOT NULL UNIQUE
);

-- Blocks of row keys that processes reserve: `next` is the first that nobody has.
CREATE TABLE sequence (
    name {text} NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);
INSERT INTO sequence (name, next) VALUES ('resource', 1);

CREATE TABLE tenant (
    tenant   {identity},
    name     {text} NOT NULL UNIQUE,
    created  {text} NOT NULL,
    policies {text} NOT NULL
);
INSERT INTO tenant (name, created, policies) VALUES ('default', {now}, '');

CREATE TABLE token (
    tenant  BIGINT NOT NULL,
    id      BIGINT NOT NULL,
    hash    {blob} NOT NULL,
    name    {text} NOT NULL,
    profile {text} NOT NULL,
    scopes  {text} NOT NULL,
    created {text} NOT NULL,
    expires {text},
    revoked {text},
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX token_hash ON token (tenant, hash);

-- One row a resource. `document` is its JSON without id, meta, members and groups; `secret` is what is never
-- returned. `label` is what others show for it: displayName, else userName; `label_key` is its comparable form.
CREATE TABLE resource (
    tenant    BIGINT NOT NULL,
    kind      BIGINT NOT NULL,
    id        {text} NOT NULL,
    pk        {row_key},
    version   BIGINT NOT NULL,
    created   {text} NOT NULL,
    modified  {text} NOT NULL,
    label     {text},
    label_key {text},
    document  {text} NOT NULL,
    secret    {text}
    {and_row_key}
);
CREATE UNIQUE INDEX resource_id ON resource (tenant, id);
CREATE INDEX resource_kind ON resource (tenant, kind, pk);

-- One row a comparable value of a resource. A key that is too long for an index is cut and marked with its hash,
-- and `long` has all of it. `element` tells the values of one multi-valued attribute apart, `leads` is the one
-- that stands for it in a sort.
CREATE TABLE fact (
    tenant   BIGINT NOT NULL,
    path     BIGINT NOT NULL,
    key      {text} NOT NULL,
    resource BIGINT NOT NULL,
    element  BIGINT NOT NULL,
    leads    BIGINT NOT NULL,
    uniq     BIGINT NOT NULL,
    long     {text},
    PRIMARY KEY (tenant, path, key, resource, element)
) {clustered};
CREATE INDEX fact_resource ON fact (tenant, resource, path);
CREATE UNIQUE INDEX fact_unique ON fact (tenant, path, key) WHERE uniq = 1;

-- One row an e-mail address (kind 1) or phone number (kind 2), in the order of the document.
-- `key` and `long` are as in fact; `canonical` is what makes two spellings the same address or number.
CREATE TABLE contact (
    tenant      BIGINT NOT NULL,
    kind        BIGINT NOT NULL,
    key         {text} NOT NULL,
    resource    BIGINT NOT NULL,
    ordinal     BIGINT NOT NULL,
    id          {text} NOT NULL,
    value       {text},
    long        {text},
    canonical   {text} NOT NULL,
    type        {text},
    type_key    {text},
    display     {text},
    display_key {text},
    is_primary  BIGINT NOT NULL,
    verified_at {text},
    PRIMARY KEY (tenant, kind, key, resource, ordinal)
) {clustered};
CREATE INDEX contact_resource ON contact (tenant, resource, kind, ordinal);
CREATE INDEX contact_canonical ON contact (tenant, kind, canonical);

-- `grp` is the pk of the group; `member` is the id of the member, which may be no resource of the tenant.
CREATE TABLE membership (
    tenant BIGINT NOT NULL,
    grp    BIGINT NOT NULL,
    member {text} NOT NULL,
    PRIMARY KEY (tenant, grp, member)
) {clustered};
CREATE INDEX membership_member ON membership (tenant, member, grp);

-- How many resources there are: the sum over the slots, which keep writers out of each other's way.
CREATE TABLE counter (
    tenant BIGINT NOT NULL,
    kind   BIGINT NOT NULL,
    slot   BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, slot)
) {clustered};

-- One row a mutation, written together with it. `what` is create, replace, patch, delete, or members for a group
-- that lost a member because the member was deleted. A number is given out before the commit, so where several
-- transactions write at once a row may appear below one that was read already: read in the order of (tx, seq), and
-- only rows of transactions that are older than every open one.
CREATE TABLE change (
    seq      {log_key},
    tenant   BIGINT NOT NULL,
    tx       {transaction},
    kind     BIGINT NOT NULL,
    resource {text} NOT NULL,
    version  BIGINT NOT NULL,
    what     {text} NOT NULL,
    at       {text} NOT NULL,
    who      {text} NOT NULL
    {and_log_key}
);
CREATE INDEX change_order ON change (tenant, tx, seq);

-- For applications: one row a user. `active` is 0 or 1, and 1 where nothing is said. The e-mail address and phone
-- number are the ones marked primary, or the first ones where none is marked.
CREATE VIEW user_directory AS
SELECT t.name AS tenant,
       r.id AS id,
       r.document{json} ->> 'externalId' AS external_id,
       r.document{json} ->> 'userName' AS user_name,
       r.document{json} ->> 'displayName' AS display_name,
       CASE WHEN CAST(r.document{json} -> 'active' AS TEXT) = 'false' THEN 0 ELSE 1 END AS active,
       (SELECT c.value FROM contact c WHERE c.tenant = r.tenant AND c.resource = r.pk AND c.kind = 1
        ORDER BY c.is_primary DESC, c.ordinal LIMIT 1) AS primary_email,
       (SELECT c.value FROM contact c WHERE c.tenant = r.tenant AND c.resource = r.pk AND c.kind = 2
        ORDER BY c.is_primary DESC, c.ordinal LIMIT 1) AS primary_phone
FROM tenant t
JOIN resource r ON r.tenant = t.tenant
WHERE r.kind = (SELECT d.id FROM dictionary d WHERE d.name = 'User');

-- For applications: one row a member of a group; member_type and member_name are null where the member is unknown.
CREATE VIEW group_members AS
SELECT t.name AS tenant,
       g.id AS group_id,
       g.label AS group_name,
       m.member AS member_id,
       d.name AS member_type,
       u.label AS member_name
FROM tenant t
JOIN resource g ON g.tenant = t.tenant
JOIN membership m ON m.tenant = g.tenant AND m.grp = g.pk
LEFT JOIN resource u ON u.tenant = m.tenant AND u.id = m.member
LEFT JOIN dictionary d ON d.id = u.kind;
