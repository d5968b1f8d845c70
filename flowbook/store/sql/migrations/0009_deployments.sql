-- Deployments: what runs when, and where.

-- parameters: as they are shown, JSON; parameters_digest: their values. flow_digest: the flow by value; NULL where
-- flow_location, "/path/flows.py:nightly", says where it is. file_digest: of that file's bytes. made_by: versions by name, JSON.
-- schedule, flow_runner: settings, JSON. mark: up to when the schedule's times are dealt with, seconds since the epoch.
CREATE TABLE deployment (
    id INTEGER PRIMARY KEY,
    deployment_id TEXT NOT NULL UNIQUE,
    flow TEXT NOT NULL,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    graph_id INTEGER NOT NULL REFERENCES graph (id),
    flow_location TEXT,
    file_digest TEXT,
    flow_digest BLOB,
    flow_bytes INTEGER,
    made_by TEXT NOT NULL,
    parameters TEXT NOT NULL,
    parameters_digest BLOB NOT NULL,
    parameters_bytes INTEGER NOT NULL,
    tags TEXT NOT NULL,
    executor TEXT NOT NULL,
    schedule TEXT,
    paused INTEGER NOT NULL,
    mark REAL NOT NULL,
    flow_runner TEXT NOT NULL,
    UNIQUE (flow, name)
);
