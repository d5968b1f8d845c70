-- Who is told of runs, and the notices for them: written in the same transaction as the event that causes them.

-- run: NULL for those who are told of all runs. spec: JSON, with the secrets of a URL. shown: the same without them.
-- causes: the words "waits", "failed", "ended".
CREATE TABLE receiver (
    id INTEGER PRIMARY KEY,
    run INTEGER REFERENCES run (id) ON DELETE CASCADE,
    spec TEXT NOT NULL,
    shown TEXT NOT NULL,
    causes TEXT NOT NULL,
    created REAL NOT NULL
);

CREATE INDEX receiver_run ON receiver (run);

-- seq: of the event. due: when it is sent next or, while it is being sent (token), given up; NULL once it is over.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    cause TEXT NOT NULL,
    spec TEXT NOT NULL,
    shown TEXT NOT NULL,
    noted REAL NOT NULL,
    due REAL,
    tries INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    sent REAL,
    trouble TEXT,
    UNIQUE (run, seq, cause, spec)
);

CREATE INDEX notice_due ON notice (due) WHERE due IS NOT NULL;
