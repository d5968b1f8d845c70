-- entries_to_drop --
SELECT id, flow, task, created, digest FROM cache_entry
WHERE dropped IS NULL AND pinned = 0 AND expires <= :now AND created <= :before

-- drop_entry --
UPDATE cache_entry SET dropped = :now WHERE id = :id AND pinned = 0 AND expires <= :now

-- kept_entries --
SELECT id, digest FROM cache_entry WHERE dropped IS NULL

-- runs_to_sweep --
-- Its end as the run has it, and the last moment at which its owner may have named a value.
SELECT
    id, flow, number, state, coalesce(ended, claimed, created),
    max(coalesce(ended, 0), coalesce(claimed, 0), created)
FROM run ORDER BY 5, id

-- owned_runs --
SELECT process, beat FROM run WHERE process IS NOT NULL

-- last_run_and_entry --
SELECT (SELECT coalesce(max(id), 0) FROM run), (SELECT coalesce(max(rowid), 0) FROM cache_entry)

-- runs_changed_since --
-- Only who has a run adds to it; who got or let go of it since then changed `claimed`.
SELECT id FROM run WHERE id > :run OR owner IS NOT NULL OR claimed >= :planned

-- entries_added_since --
SELECT digest FROM cache_entry WHERE rowid > :entry AND dropped IS NULL

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
