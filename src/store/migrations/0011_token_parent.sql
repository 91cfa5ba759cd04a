-- The token that another was given for: it ends with that one.
ALTER TABLE token ADD COLUMN parent BIGINT;
