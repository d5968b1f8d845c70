-- Runs say which process has them and are reached from others; what was swept away leaves its name.

-- process: where and since when it runs, see `store/processes.py`; NULL when nobody has the run.
ALTER TABLE run ADD COLUMN process TEXT;
ALTER TABLE run ADD COLUMN beat REAL;

-- What one process asks of the one that has the run. answer: JSON; NULL until then.
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    action TEXT NOT NULL,
    keys TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL,
    asked REAL NOT NULL,
    answer TEXT
);

CREATE INDEX request_open ON request (run, epoch) WHERE answer IS NULL;

ALTER TABLE cache_entry ADD COLUMN dropped REAL;

CREATE TABLE dropped (
    digest BLOB PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    name TEXT NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;
