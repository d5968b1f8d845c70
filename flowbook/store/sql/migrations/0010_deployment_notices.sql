-- Who is told of a deployment's runs, as JSON: spec, words and causes of each. flow_unkept: why the flow isn't kept by value.
ALTER TABLE deployment ADD COLUMN receivers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE deployment ADD COLUMN flow_unkept TEXT;

-- Values that its runs need besides the flow and the parameters: functions that are told of them.
CREATE TABLE deployment_value (
    deployment INTEGER NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (deployment, digest)
) WITHOUT ROWID;
