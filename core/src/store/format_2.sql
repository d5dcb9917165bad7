-- From format 1 to 2: refused changes say what became of them, and to whom that is told.
ALTER TABLE quarantine ADD COLUMN device BLOB;
ALTER TABLE quarantine ADD COLUMN fate TEXT NOT NULL DEFAULT 'waiting';
ALTER TABLE quarantine ADD COLUMN closed_at INTEGER;
ALTER TABLE quarantine ADD COLUMN closed_by BLOB;
ALTER TABLE quarantine ADD COLUMN closed_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX quarantine_actor ON quarantine (actor);
CREATE INDEX quarantine_settled ON quarantine (device, closed_seq);
ALTER TABLE review DROP COLUMN person;
ALTER TABLE review ADD COLUMN fate TEXT NOT NULL DEFAULT 'waiting';
ALTER TABLE review ADD COLUMN closed_at INTEGER;
ALTER TABLE review ADD COLUMN closed_by BLOB;
ALTER TABLE review ADD COLUMN closed_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX review_tx ON review (tx);
CREATE INDEX review_settled ON review (device, closed_seq);
