-- What is known of a contact beside its value: since when the user has it, whether it was verified, when and how.
-- `claim` is 1 where the tenant's policy gives the value to this user alone; of several contacts of one user with one
-- canonical value the first claims it. `long_canonical` is all of a canonical value that is too long for an index.
ALTER TABLE contact ADD COLUMN created {text};
ALTER TABLE contact ADD COLUMN verified_by {text};
ALTER TABLE contact ADD COLUMN long_canonical {text};
ALTER TABLE contact ADD COLUMN claim BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX contact_claim ON contact (tenant, kind, canonical) WHERE claim = 1;
