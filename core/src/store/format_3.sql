-- From format 2 to 3: long histories are packed.
CREATE TABLE pack (record INTEGER NOT NULL, last INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (record, last));
