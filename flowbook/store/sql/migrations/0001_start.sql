-- Everything a run is: its graph, its claims, its events. Values lie apart and are shared by content.

CREATE TABLE migration (
    version INTEGER PRIMARY KEY,
    applied REAL NOT NULL
);

-- Large contents are NULL here and lie in a file named by the digest.
CREATE TABLE value (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL,
    content BLOB,
    signature BLOB,
    preview TEXT,
    created REAL NOT NULL
);

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    flow TEXT NOT NULL,
    number INTEGER NOT NULL,
    created REAL NOT NULL,
    graph TEXT NOT NULL,
    parameters TEXT NOT NULL,
    parameters_digest BLOB,
    parameters_bytes INTEGER,
    flow_digest BLOB,
    flow_bytes INTEGER,
    flow_unkept TEXT,
    executor TEXT NOT NULL,
    origin TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT,
    claimed REAL,
    state TEXT,
    message TEXT,
    started REAL,
    ended REAL,
    counts TEXT,
    UNIQUE (project, flow, number)
);

CREATE INDEX run_created ON run (created);
CREATE INDEX run_flow ON run (flow, created);
CREATE INDEX run_state ON run (state, created);

-- kind: 0 a state, 1 a log line, 2 a person's decision. name: the state's class, the level, or the action.
-- body: what else is known, as JSON (the bare text for a log line); NULL if nothing.
CREATE TABLE event (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    at REAL NOT NULL,
    name TEXT NOT NULL,
    body TEXT,
    digest BLOB,
    size_bytes INTEGER,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

-- Values a run needs besides the results in its events: inputs kept for later, parameters, errors.
CREATE TABLE held (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    PRIMARY KEY (run, digest)
) WITHOUT ROWID;

CREATE TABLE cache_entry (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    flow TEXT NOT NULL,
    task TEXT NOT NULL,
    cache_key TEXT,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    input_hashes TEXT NOT NULL,
    parameters TEXT NOT NULL,
    code_hash TEXT,
    digest BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    run_id TEXT,
    uses INTEGER NOT NULL,
    pinned INTEGER NOT NULL
);

CREATE INDEX cache_entry_task ON cache_entry (project, flow, task, created);
CREATE INDEX cache_entry_key ON cache_entry (cache_key, created) WHERE cache_key IS NOT NULL;
CREATE INDEX cache_entry_created ON cache_entry (created);
