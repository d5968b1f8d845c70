-- What is large lies apart, and what is asked for is found by an index, however much there is.

-- A graph of thousands of tasks is megabytes: beside the run it would be written again with every change of the run's row,
-- and read past whenever runs are listed. digest: of the content, so that runs of one flow share it; NULL before this schema.
CREATE TABLE graph (
    id INTEGER PRIMARY KEY,
    digest BLOB UNIQUE,
    content TEXT NOT NULL
);

INSERT INTO graph (id, content) SELECT id, graph FROM run;
ALTER TABLE run ADD COLUMN graph_id INTEGER REFERENCES graph (id);
UPDATE run SET graph_id = id;
ALTER TABLE run DROP COLUMN graph;

CREATE INDEX run_project ON run (project, created);
CREATE INDEX cache_entry_name ON cache_entry (task, flow, created);
