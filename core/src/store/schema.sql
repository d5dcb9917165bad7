-- Store format 3. The log is the truth; everything else can be rebuilt from it, but for what only this replica knows
-- (outbox, quarantine, review, links, invitations).

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- Who wrote: an actor is one process of one person on one device (or one import batch).
CREATE TABLE actor (
    n INTEGER PRIMARY KEY,
    actor BLOB NOT NULL UNIQUE,
    device BLOB,
    device_name TEXT,
    person BLOB,
    batch BLOB,
    signature BLOB
);

-- The collections met so far, and the shape of the table that each is projected to (NULL: the schema does not know it
-- yet). Not called `collection`: that is the table of the collection of this name.
CREATE TABLE projection (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, projected_with TEXT);

-- flags: 1 conflict, 2 archived, 4 hidden (left our scopes, waits for its purge), 8 marked for review,
--        16 some conflict asks a person, 32 forgotten, beside hidden: its changes are gone, its id stays
CREATE TABLE record (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    collection INTEGER NOT NULL,
    heads BLOB NOT NULL,
    flags INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX record_flagged ON record (flags) WHERE flags <> 0;

-- The log, in the order in which changes became durable here. flags: 1 last change of its transaction. raw is empty where
-- the bytes are in a pack.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    record INTEGER NOT NULL,
    actor INTEGER NOT NULL,
    aseq INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    hash BLOB NOT NULL,
    raw BLOB NOT NULL
);
CREATE UNIQUE INDEX log_change ON log (record, actor, aseq);

-- The bytes of older changes of records with long histories, each pack one batch of the codec; last: the log row of its
-- last change.
CREATE TABLE pack (record INTEGER NOT NULL, last INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (record, last));

-- One row per durable commit: where the log then ended, its rolling hash (first 8 bytes of SHA-256(previous || hash),
-- folded over the changes), when it happened here and from whom it came (NULL: written here; else a device id).
CREATE TABLE log_commit (last_seq INTEGER PRIMARY KEY, rolling BLOB NOT NULL, at INTEGER NOT NULL, origin BLOB);

-- Which scopes a record is in, and what happened in a scope since when. Kept only where others may join (hub, branch).
-- kind: 0 change, 1 entered, 2 left, 3 retracted (scope 0 has these for whoever holds everything).
CREATE TABLE scope (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE record_scope (scope INTEGER NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (scope, record)) WITHOUT ROWID;
CREATE INDEX record_scope_record ON record_scope (record);
CREATE TABLE scope_log (
    scope INTEGER NOT NULL, seq INTEGER NOT NULL, record INTEGER NOT NULL, kind INTEGER NOT NULL,
    PRIMARY KEY (scope, seq, record, kind)
) WITHOUT ROWID;

-- What the upstream has not acknowledged yet: log rows written here or received from below.
CREATE TABLE outbox (seq INTEGER PRIMARY KEY);

-- Refused changes: quarantine at the sender, review at the upstream. device: the downstream that it came from (NULL:
-- written here); fate: waiting, replaying, replayed, retried, accepted, declined; closed_seq: under which sequence that
-- downstream hears that it was refused above or settled (0: it knows).
CREATE TABLE quarantine (
    n INTEGER PRIMARY KEY,
    record BLOB NOT NULL, collection TEXT NOT NULL, hash BLOB NOT NULL, actor BLOB NOT NULL, raw BLOB NOT NULL,
    tx INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL,
    device BLOB, fate TEXT NOT NULL DEFAULT 'waiting',
    closed_at INTEGER, closed_by BLOB, closed_seq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (record, hash)
);
CREATE INDEX quarantine_actor ON quarantine (actor);
CREATE INDEX quarantine_settled ON quarantine (device, closed_seq);
CREATE TABLE review (
    n INTEGER PRIMARY KEY,
    record BLOB NOT NULL, collection TEXT NOT NULL, hash BLOB NOT NULL, actor BLOB NOT NULL, raw BLOB NOT NULL,
    tx INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL,
    device BLOB NOT NULL, fate TEXT NOT NULL DEFAULT 'waiting',
    closed_at INTEGER, closed_by BLOB, closed_seq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (record, hash)
);
CREATE INDEX review_tx ON review (tx);
CREATE INDEX review_settled ON review (device, closed_seq);

-- Downstreams that this replica serves, and one-time codes that it issued.
CREATE TABLE link (
    device BLOB PRIMARY KEY,
    epoch INTEGER NOT NULL DEFAULT 0,
    epoch_offered INTEGER NOT NULL DEFAULT 0,
    last_seen INTEGER,
    position_seq INTEGER NOT NULL DEFAULT 0,
    outbox INTEGER,
    complete_through INTEGER,
    version TEXT
) WITHOUT ROWID;
CREATE TABLE invitation (
    secret_hash BLOB PRIMARY KEY,
    kind TEXT NOT NULL, name TEXT NOT NULL, person BLOB, role TEXT NOT NULL, scopes TEXT NOT NULL,
    branch BLOB, expires INTEGER NOT NULL, used_by BLOB, used_at INTEGER
) WITHOUT ROWID;

-- Imports that ran here: what each cell last brought, so that an old file overwrites nothing.
CREATE TABLE import_batch (
    batch BLOB PRIMARY KEY, file TEXT NOT NULL, collection TEXT NOT NULL, at INTEGER NOT NULL, rows INTEGER NOT NULL,
    undone_at INTEGER
) WITHOUT ROWID;

-- Attachments by content; `have` counts the bytes on disk.
CREATE TABLE blob (hash BLOB PRIMARY KEY, size INTEGER NOT NULL, have INTEGER NOT NULL, wanted INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;

-- Full-text search over every projected record; rowid is record.n.
CREATE VIRTUAL TABLE search USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61', prefix = '');
