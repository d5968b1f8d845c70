-- How far tasks are through their work: the newest report of each, replaced by the next.

CREATE TABLE progress (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    at REAL NOT NULL,
    done REAL NOT NULL,
    total REAL,
    text TEXT NOT NULL,
    unit TEXT NOT NULL,
    rate REAL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
