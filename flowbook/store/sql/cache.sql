-- add_entry --
INSERT INTO cache_entry (
    id, project, flow, task, cache_key, created, expires, input_hashes, parameters, code_hash,
    digest, size_bytes, run_id, uses, pinned
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- find_by_key --
SELECT * FROM cache_entry WHERE dropped IS NULL AND cache_key = ? AND created <= ? AND expires > ?
ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?

-- find_by_task --
SELECT * FROM cache_entry
WHERE dropped IS NULL AND project = ? AND flow = ? AND task = ? AND created <= ? AND expires > ?
ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?

-- newest_of_tasks --
-- The columns of `FoundOutput`, after the place of the task in the list.
SELECT
    asked.key, entry.id, entry.created, entry.expires, entry.input_hashes, entry.parameters, entry.code_hash,
    entry.digest, entry.size_bytes, CASE WHEN length(value.content) <= :inline_bytes THEN value.content END, value.signature
FROM json_each(:tasks) AS asked
CROSS JOIN cache_entry AS entry ON entry.rowid IN (
    SELECT rowid FROM cache_entry
    WHERE dropped IS NULL AND project = :project AND flow = :flow AND task = asked.value AND expires > :now
    ORDER BY created DESC, rowid DESC LIMIT :most
)
LEFT JOIN value ON value.digest = entry.digest
ORDER BY asked.key, entry.created DESC, entry.rowid DESC

-- find_by_number --
SELECT
    entry.rowid, entry.id, entry.created, entry.expires, entry.input_hashes, entry.parameters, entry.code_hash,
    entry.digest, entry.size_bytes, CASE WHEN length(value.content) <= :inline_bytes THEN value.content END, value.signature
FROM cache_entry AS entry LEFT JOIN value ON value.digest = entry.digest
WHERE entry.rowid >= :first AND entry.rowid < :end AND entry.dropped IS NULL AND entry.expires > :now

-- last_entry --
SELECT coalesce(max(rowid), 0) FROM cache_entry

-- inputs_by_key --
SELECT created, rowid, input_hashes FROM cache_entry
WHERE dropped IS NULL AND cache_key = :cache_key AND expires > :now AND rowid <= :last ORDER BY created, rowid

-- inputs_by_task --
SELECT created, rowid, input_hashes FROM cache_entry
WHERE dropped IS NULL AND project = :project AND flow = :flow AND task = :task AND expires > :now AND rowid <= :last
ORDER BY created, rowid

-- entries_since --
SELECT rowid, project, flow, task, cache_key, created, input_hashes FROM cache_entry WHERE rowid > ? ORDER BY rowid

-- list_entries --
-- `{which}` stands for what is asked for, so that each is found by its index.
SELECT * FROM cache_entry
WHERE {which}
ORDER BY created, rowid

-- entries_near --
-- `{side}` and `{way}` stand for up to a moment, or after it.
SELECT * FROM cache_entry
WHERE created {side} :at ORDER BY created {way}, rowid {way} LIMIT :limit

-- entries_near_of_names --
-- Of each task of each flow as many as are wanted: of a flow alone, or a task's name alone, no index gives the order.
SELECT entry.*
FROM json_each(:names) AS asked
CROSS JOIN cache_entry AS entry ON entry.rowid IN (
    SELECT rowid FROM cache_entry
    WHERE flow = json_extract(asked.value, '$[0]') AND task = json_extract(asked.value, '$[1]') AND created {side} :at
    ORDER BY created {way}, rowid {way} LIMIT :limit
)
ORDER BY entry.created {way}, entry.rowid {way} LIMIT :limit

-- count_entries --
SELECT count(*) FROM (SELECT 1 FROM cache_entry LIMIT :most)

-- count_entries_of_names --
SELECT count(*) FROM (
    SELECT 1 FROM json_each(:names) AS asked
    CROSS JOIN cache_entry ON flow = json_extract(asked.value, '$[0]') AND task = json_extract(asked.value, '$[1]')
    LIMIT :most
)

-- entries_of_ids --
SELECT * FROM cache_entry WHERE id IN (SELECT value FROM json_each(?)) ORDER BY created, rowid

-- entries_added --
SELECT rowid, * FROM cache_entry WHERE {which}rowid > :last ORDER BY rowid LIMIT :limit

-- first_entry --
SELECT min(created) FROM cache_entry

-- names_of_entries --
-- From one name to the next by the index, past all entries that have the same.
WITH RECURSIVE pair (number) AS (
    SELECT (SELECT rowid FROM cache_entry ORDER BY task, flow LIMIT 1)
    UNION ALL
    SELECT coalesce(
        (
            SELECT other.rowid FROM cache_entry AS other
            WHERE other.task = entry.task AND other.flow > entry.flow ORDER BY other.flow LIMIT 1
        ),
        (SELECT other.rowid FROM cache_entry AS other WHERE other.task > entry.task ORDER BY other.task, other.flow LIMIT 1)
    )
    FROM pair JOIN cache_entry AS entry ON entry.rowid = pair.number
)
SELECT flow, task FROM pair JOIN cache_entry ON rowid = number

-- newest_entries --
SELECT cache_entry.* FROM json_each(:tasks) AS asked CROSS JOIN cache_entry
ON cache_entry.rowid = (
    SELECT rowid FROM cache_entry
    WHERE project = :project AND flow = :flow AND task = asked.value AND created <= :at ORDER BY created DESC, rowid DESC LIMIT 1
)

-- flows_of_entries --
SELECT DISTINCT flow FROM cache_entry WHERE project = ?

-- get_entry --
SELECT * FROM cache_entry WHERE id = ?

-- use_entry --
UPDATE cache_entry SET uses = uses + ? WHERE id = ?

-- expire_entry --
UPDATE cache_entry SET expires = min(expires, :now) WHERE id = :id

-- renew_entry --
UPDATE cache_entry SET expires = :expires WHERE id = :id

-- pin_entry --
UPDATE cache_entry SET pinned = ? WHERE id = ?

-- latest_of_tasks --
-- Whether they still serve or not: what a task that will run could have been spared by.
SELECT
    asked.value, entry.created, entry.expires, entry.input_hashes, entry.parameters, entry.code_hash, entry.run_id, entry.dropped
FROM json_each(:tasks) AS asked
CROSS JOIN cache_entry AS entry ON entry.rowid IN (
    SELECT rowid FROM cache_entry
    WHERE project = :project AND flow = :flow AND task = asked.value AND run_id IS NOT :besides
    ORDER BY created DESC, rowid DESC LIMIT :most
)
ORDER BY asked.key, entry.created DESC, entry.rowid DESC

-- past_entries --
SELECT id, created, expires, input_hashes, parameters, code_hash, run_id, dropped FROM cache_entry
WHERE id IN (SELECT value FROM json_each(?))

-- makers_of_entries --
SELECT cache_entry.id, run.number FROM cache_entry JOIN run ON run.run_id = cache_entry.run_id
WHERE cache_entry.id IN (SELECT value FROM json_each(?))
