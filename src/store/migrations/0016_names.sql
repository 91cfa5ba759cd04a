-- `uniq` becomes the number of the path within whose values nobody else may have this one, 0 where others may: a login id is
-- unique among user names. One that is a user name already gives way; its user has that, or lost the race for it.
UPDATE fact SET uniq = 0
WHERE uniq = 1 AND path IN (SELECT d.id FROM dictionary d WHERE d.name = 'User/urn:muster:params:scim:schemas:extension:identifiers:2.0:User:loginIds')
  AND EXISTS (SELECT 1 FROM fact n JOIN dictionary d ON d.id = n.path AND d.name = 'User/userName'
              WHERE n.tenant = fact.tenant AND n.path = d.id AND n.key = fact.key);
UPDATE fact SET uniq = COALESCE(
    (SELECT n.id FROM dictionary d, dictionary n
     WHERE d.id = fact.path AND n.name = 'User/userName'
       AND d.name = 'User/urn:muster:params:scim:schemas:extension:identifiers:2.0:User:loginIds'), path)
WHERE uniq = 1;
DROP INDEX fact_unique;
CREATE UNIQUE INDEX fact_unique ON fact (tenant, uniq, key) WHERE uniq > 0;
