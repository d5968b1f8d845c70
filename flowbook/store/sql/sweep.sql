-- entries_to_drop --
SELECT id, flow, task, created, digest FROM cache_entry
WHERE dropped IS NULL AND pinned = 0 AND expires <= :now AND created <= :before

-- drop_entry --
UPDATE cache_entry SET dropped = :now WHERE id = :id AND pinned = 0 AND expires <= :now

-- kept_entries --
SELECT id, digest FROM cache_entry WHERE dropped IS NULL

-- runs_to_sweep --
SELECT id, flow, number, state, coalesce(ended, claimed, created) FROM run ORDER BY 5, id

-- values_of_run --
SELECT digest, key FROM event WHERE run = :run AND digest IS NOT NULL
UNION ALL
SELECT digest, NULL FROM held WHERE run = :run
UNION ALL
SELECT parameters_digest, NULL FROM run WHERE id = :run AND parameters_digest IS NOT NULL
UNION ALL
SELECT flow_digest, NULL FROM run WHERE id = :run AND flow_digest IS NOT NULL

-- all_values --
SELECT digest, size_bytes, created FROM value

-- value_digests --
SELECT digest FROM value

-- drop_value --
DELETE FROM value WHERE digest = ? AND created <= ?

-- note_dropped --
INSERT INTO dropped (digest, size_bytes, name, at) VALUES (?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET name = excluded.name, at = excluded.at

-- total_bytes --
SELECT coalesce(sum(size_bytes), 0) FROM value
