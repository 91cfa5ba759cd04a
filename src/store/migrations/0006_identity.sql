-- JSON that belongs to a resource and not into its document: one row a bag.
CREATE TABLE bag (
    tenant   BIGINT NOT NULL,
    resource BIGINT NOT NULL,
    name     {text} NOT NULL,
    document {text} NOT NULL,
    PRIMARY KEY (tenant, resource, name)
) {clustered};

-- Verifications that have begun: what came with the message is here as a hash. `pending` is 1 where the user gets the
-- value only when it is verified; `promotes` says whether it becomes primary then.
CREATE TABLE challenge (
    tenant    BIGINT NOT NULL,
    resource  BIGINT NOT NULL,
    id        {text} NOT NULL,
    kind      BIGINT NOT NULL,
    canonical {text} NOT NULL,
    value     {text} NOT NULL,
    method    {text} NOT NULL,
    hash      {blob} NOT NULL,
    attempts  BIGINT NOT NULL,
    created   {text} NOT NULL,
    expires   {text} NOT NULL,
    pending   BIGINT NOT NULL,
    promotes  {text} NOT NULL,
    redirect  {text},
    PRIMARY KEY (tenant, resource, id)
) {clustered};
CREATE INDEX challenge_end ON challenge (tenant, expires);

-- Messages that are to go out, written together with what they are about. A row goes when its message is delivered or
-- given up. Those who deliver ask for what is due in all tenants; whoever moves `due` on has the message.
CREATE TABLE outbox (
    tenant   BIGINT NOT NULL,
    id       {text} NOT NULL,
    due      {text} NOT NULL,
    expires  {text} NOT NULL,
    attempts BIGINT NOT NULL,
    message  {text} NOT NULL,
    PRIMARY KEY (tenant, id)
) {clustered};
CREATE INDEX outbox_due ON outbox (due);

-- How often something was done in a span of time that ends at `until`.
CREATE TABLE allowance (
    tenant  BIGINT NOT NULL,
    subject {text} NOT NULL,
    until   {text} NOT NULL,
    used    BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, until)
) {clustered};
