-- Links by which somebody without a login decides about one task that waits, once.

-- digest: SHA-256 of the link's token, which isn't kept. seq: the event with which the task began to wait.
-- used, action, person, note: of the decision; NULL until then.
CREATE TABLE approval_link (
    digest BLOB PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    used REAL,
    action TEXT,
    person TEXT,
    note TEXT
) WITHOUT ROWID;

CREATE INDEX approval_link_run ON approval_link (run);
CREATE INDEX approval_link_expires ON approval_link (expires);
