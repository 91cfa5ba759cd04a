-- For those who ask what has changed since they last asked.
CREATE INDEX resource_modified ON resource (tenant, kind, modified);
