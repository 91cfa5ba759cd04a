-- Keys that this database's servers share: `cursor` seals the cursors that clients get. They protect nothing else.
CREATE TABLE seal (
    name   {text} NOT NULL PRIMARY KEY,
    secret {text} NOT NULL
);
