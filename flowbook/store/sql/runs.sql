-- create_run --
INSERT INTO run (
    run_id, project, flow, number, created, graph_id, parameters, parameters_digest, parameters_bytes,
    flow_digest, flow_bytes, flow_unkept, executor, origin, epoch, owner, claimed, process, beat,
    flow_runner, due, deployment, flow_location
)
VALUES (
    :run_id, :project, :flow,
    (SELECT coalesce(max(number), 0) + 1 FROM run WHERE project = :project AND flow = :flow),
    :created, :graph_id, :parameters, :parameters_digest, :parameters_bytes,
    :flow_digest, :flow_bytes, :flow_unkept, :executor, :origin, 1, :owner, :claimed, :process, :claimed,
    :flow_runner, :due, :deployment, :flow_location
)
RETURNING id, number

-- run_of_deployment --
SELECT run_id FROM run WHERE deployment = :deployment AND due = :due

-- runs_to_begin --
SELECT run_id, due, epoch FROM run
WHERE due <= :due AND started IS NULL AND state = 'Scheduled' AND process IS NULL
    AND (:deployment IS NULL OR deployment = :deployment)
ORDER BY due, id LIMIT :limit

-- waiting_run --
SELECT 1 FROM run
WHERE run_id = :run_id AND epoch = :epoch AND started IS NULL AND state = 'Scheduled' AND process IS NULL

-- claim_waiting_run --
UPDATE run
SET epoch = epoch + 1, owner = :owner, claimed = :now, process = :process, beat = :now, ended = NULL, counts = NULL
WHERE run_id = :run_id AND epoch = :epoch AND started IS NULL AND state = 'Scheduled' AND process IS NULL
RETURNING id

-- claimed_waiting_run --
SELECT (SELECT coalesce(max(seq), 0) FROM event WHERE event.run = run.id) FROM run
WHERE
    run_id = :run_id AND epoch = :epoch AND started IS NULL AND state = 'Submitted'
    AND process = :process AND owner = :owner

-- last_flow_state --
SELECT name, at, body FROM event WHERE run = ? AND kind = 0 AND key = '' ORDER BY seq DESC LIMIT 1

-- runs_being_started --
-- What a process claimed in order to start it; the caller looks whether that process lives.
SELECT run_id, due, epoch, state, process, identifier, beat FROM run
WHERE due <= :due AND started IS NULL AND state IN ('Scheduled', 'Submitted') AND process IS NOT NULL
    AND (:deployment IS NULL OR deployment = :deployment)

-- runs_with_process --
-- Runs that didn't come to rest, with the process that had them last.
SELECT run_id, epoch, state, process, beat, identifier, due, started IS NOT NULL FROM run
WHERE (state IS NULL OR state IN ('Pending', 'Running', 'Cancelling', 'Submitted')) AND process IS NOT NULL

-- next_to_begin --
SELECT run_id, flow, number, due FROM run
WHERE due > :now AND started IS NULL AND state = 'Scheduled' ORDER BY due, id LIMIT :limit

-- set_identifier --
UPDATE run SET identifier = :identifier WHERE run_id = :run_id AND epoch IN (:epoch, :epoch + 1)

-- set_flow_runner --
UPDATE run SET flow_runner = :flow_runner WHERE run_id = :run_id AND epoch = :epoch

-- set_flow --
UPDATE run SET graph_id = :graph_id, flow_digest = :digest, flow_bytes = :size_bytes, flow_unkept = :unkept
WHERE run_id = :run_id AND epoch = :epoch

-- run_identifier --
SELECT identifier FROM run WHERE run_id = ?

-- store_graph --
INSERT INTO graph (digest, content) VALUES (:digest, :content) ON CONFLICT (digest) DO NOTHING

-- graph_of_digest --
SELECT id FROM graph WHERE digest = ?

-- run_row --
SELECT id, epoch, owner, claimed FROM run WHERE run_id = ?

-- run_record --
SELECT
    run_id, flow, number, project, created, graph.content, parameters, parameters_digest, parameters_bytes,
    flow_digest, flow_bytes, flow_unkept, executor, origin, owner, flow_runner, due, deployment, flow_location
FROM run JOIN graph ON graph.id = run.graph_id WHERE run_id = ?

-- run_owner --
SELECT process, beat, owner, epoch, started, ended, state, identifier FROM run WHERE run_id = ?

-- run_snapshot --
SELECT
    id, state, process, beat, owner, epoch, started, ended, parameters_digest, parameters_bytes,
    (SELECT coalesce(max(seq), 0) FROM event WHERE event.run = run.id), identifier
FROM run WHERE run_id = ?

-- run_summaries --
-- `{which}` stands for what is asked for, so that each is found by its index.
SELECT
    id, run_id, flow, number, project, created, parameters, executor, origin, epoch, owner, claimed,
    state, message, started, ended, counts, process, beat, due, deployment, identifier, graph_id
FROM run
WHERE {which}
ORDER BY created DESC, id DESC
LIMIT :limit

-- run_rows --
-- As `run_summaries`, of many: what a table shows. Who has a run matters only where it did not come to rest.
SELECT
    run_id, flow, number, state, message, started, ended, counts, parameters, executor, origin, process, beat, id
FROM run
WHERE {which}
ORDER BY created DESC, id DESC
LIMIT :limit

-- flows_that_ran --
SELECT DISTINCT flow FROM run WHERE project = ?

-- tasks_of_graph --
-- To people a parameter is no task, nor is a collection that flowbook gathers.
SELECT count(*) FROM graph, json_each(graph.content, '$.tasks') AS task
WHERE graph.id = ? AND json_extract(task.value, '$.key') <> ''
    AND json_extract(task.value, '$.parameter') IS NOT 1 AND json_extract(task.value, '$.gathers') IS NOT 1

-- count_states --
-- By the words that people read: an output that the run made and stored is a Success, Cached is one that it reused.
-- To people a parameter is no task, nor is a collection that flowbook gathers.
SELECT CASE WHEN name = 'Cached' AND json_extract(body, '$.made_here') THEN 'Success' ELSE name END AS word, count(*)
FROM (
    SELECT name, body, max(seq) FROM event
    WHERE run = :run AND kind = 0 AND key <> '' AND substr(key, -1) <> ']' AND key NOT IN (
        SELECT json_extract(task.value, '$.key')
        FROM run JOIN graph ON graph.id = run.graph_id, json_each(graph.content, '$.tasks') AS task
        WHERE run.id = :run AND (json_extract(task.value, '$.parameter') OR json_extract(task.value, '$.gathers'))
    )
    GROUP BY key
)
GROUP BY word ORDER BY word

-- flow_times --
-- What the flow's own states were, each with the time of the event before it: when a process died, that is its last sign.
SELECT name, at, before FROM (
    SELECT kind, key, name, at, lag(at) OVER (ORDER BY seq) AS before FROM event WHERE run = ? ORDER BY seq
)
WHERE kind = 0 AND key = ''

-- run_numbers --
SELECT run_id, number FROM run WHERE run_id IN (SELECT value FROM json_each(?))

-- runs_of_number --
SELECT run_id, flow FROM run
WHERE number = :number AND (:project IS NULL OR project = :project) AND (:flow IS NULL OR flow = :flow)
ORDER BY created DESC LIMIT :limit

-- runs_that_begin --
SELECT run_id FROM run WHERE run_id >= :start AND run_id < :start || '~' ORDER BY run_id LIMIT :limit

-- parameters_of_runs --
SELECT run_id, parameters, graph_id FROM run WHERE flow = :flow AND project = :project

-- codes_of_graphs --
-- Runs share graphs: each is read once.
SELECT graph.id, json_extract(task.value, '$.key'), json_extract(task.value, '$.code_hash')
FROM graph, json_each(graph.content, '$.tasks') AS task
WHERE
    graph.id IN (SELECT graph_id FROM run WHERE flow = :flow AND project = :project)
    AND json_extract(task.value, '$.key') IN (SELECT value FROM json_each(:tasks))

-- claim_run --
UPDATE run
SET
    epoch = epoch + 1, owner = :owner, claimed = :now, process = :process, beat = :now, ended = NULL, counts = NULL,
    started = CASE WHEN :is_start THEN coalesce(started, :now) ELSE started END
WHERE
    run_id = :run_id AND epoch = :epoch
    AND (:last_seq IS NULL OR :last_seq = (SELECT coalesce(max(seq), 0) FROM event WHERE event.run = run.id))

-- note_answer_due --
-- Of a run that was imported: by when its tasks that wait are answered by themselves, as its last state says.
UPDATE run SET answer_due = (
    SELECT json_extract(body, '$.deadline') FROM event
    WHERE event.run = run.id AND kind = 0 AND key = '' ORDER BY seq DESC LIMIT 1
)
WHERE id = :run AND state = 'Paused'

-- runs_overdue --
SELECT run_id, process, beat FROM run WHERE answer_due <= :now AND state = 'Paused' ORDER BY answer_due

-- decisions_of_flow --
-- What people decided, maybe only about one task and its children, the newest first.
SELECT run.run_id, run.number, event.seq, event.kind, event.key, event.at, event.name, event.body, event.digest, event.size_bytes
FROM run JOIN event ON event.run = run.id
WHERE
    run.flow = :flow AND run.project = :project AND run.run_id <> :besides AND event.kind = 2
    AND (:key IS NULL OR event.key = :key OR substr(event.key, 1, length(:key) + 1) = :key || '[')
ORDER BY run.created DESC, run.id DESC, event.seq DESC
LIMIT :limit

-- run_inputs --
SELECT parameters_digest, parameters_bytes FROM run WHERE run_id = ?

-- set_inputs --
UPDATE run SET parameters_digest = :digest, parameters_bytes = :size_bytes WHERE run_id = :run_id AND epoch = :epoch

-- release_run --
UPDATE run SET owner = NULL, process = NULL, claimed = :now, message = coalesce(:why, message)
WHERE run_id = :run_id AND epoch = :epoch

-- finish_run --
UPDATE run
SET owner = NULL, process = NULL, claimed = :now, state = :state, ended = CASE WHEN :is_finished THEN coalesce(ended, :now) END
WHERE run_id = :run_id AND epoch = :epoch

-- run_epoch --
SELECT epoch FROM run WHERE id = ?

-- flow_changed --
UPDATE run
SET
    state = :state, message = :message, started = coalesce(started, :started), ended = :ended, counts = NULL,
    answer_due = :answer_due
WHERE id = :run

-- run_cancelled --
-- It is Cancelling until the flow's next state is written: what runs goes on to its end.
UPDATE run SET state = 'Cancelling', message = :message WHERE id = :run AND state IN ('Running', 'Cancelling')

-- keep_counts --
UPDATE run SET counts = ? WHERE id = ?

-- add_event --
INSERT INTO event (run, seq, kind, key, at, name, body, digest, size_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- hold_value --
INSERT INTO held (run, digest) VALUES (?, ?) ON CONFLICT DO NOTHING

-- last_seq --
SELECT coalesce(max(seq), 0) FROM event WHERE run = ?

-- event_times --
SELECT seq, at FROM event WHERE run = ? AND seq BETWEEN ? AND ?

-- states --
SELECT seq, key, at, name, body, digest, size_bytes FROM event
JOIN (
    SELECT min(seq) AS first_seq, max(seq) AS last_seq FROM event
    WHERE run = :run AND kind = 0 AND at <= :at
    GROUP BY key
) ON seq = last_seq
WHERE run = :run ORDER BY first_seq

-- events --
SELECT seq, kind, key, at, name, body, digest, size_bytes FROM event
WHERE run = ? AND seq > ? ORDER BY seq

-- event_page --
SELECT run.run_id, seq, kind, key, at, name, body FROM run JOIN event ON event.run = run.id
WHERE run.run_id = ? AND seq > ? ORDER BY seq LIMIT ?

-- count_numbers --
SELECT count(*) FROM event WHERE run = (SELECT id FROM run WHERE run_id = :run_id) AND seq <= :last

-- numbers --
SELECT seq FROM event WHERE run = (SELECT id FROM run WHERE run_id = :run_id) AND seq <= :last ORDER BY seq

-- log_page --
SELECT run.run_id, seq, kind, key, at, name, body FROM run JOIN event ON event.run = run.id
WHERE run.run_id = :run_id AND seq > :since AND kind = 1 AND (:key IS NULL OR key = :key) ORDER BY seq LIMIT :limit

-- feed_start --
SELECT id, run_id, epoch, process IS NOT NULL, (SELECT coalesce(max(seq), 0) FROM event WHERE event.run = run.id) FROM run

-- feed_all --
SELECT id, run_id, epoch, process IS NOT NULL FROM run

-- feed_runs --
-- Runs that are new, have an owner, or are in a state in which they may have one; each part by an index.
SELECT id, run_id, epoch, process IS NOT NULL FROM run
WHERE id IN (
    SELECT id FROM run WHERE id > :last
    UNION SELECT value FROM json_each(:owned)
    UNION SELECT id FROM run WHERE state IS NULL
    UNION SELECT id FROM run WHERE state IN ('Pending', 'Running', 'Cancelling', 'Submitted')
)

-- feed_events --
SELECT event.run, seq, kind, event.key, at, name, body
FROM json_each(?) AS position CROSS JOIN event
ON event.run = json_extract(position.value, '$[0]') AND seq > json_extract(position.value, '$[1]')
ORDER BY event.run, seq

-- flows --
SELECT project, flow, count(*) FROM run GROUP BY project, flow ORDER BY project, flow

-- count_runs --
SELECT count(*) FROM run WHERE flow = :flow AND +project = :project

-- delete_run --
DELETE FROM run WHERE run_id = :run_id AND epoch = :epoch

-- progress --
SELECT key, done, total, text, unit, rate, at FROM progress WHERE run = ? AND at > ?

-- set_progress --
INSERT INTO progress (run, key, done, total, text, unit, rate, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, key) DO UPDATE SET
    done = excluded.done, total = excluded.total, text = excluded.text, unit = excluded.unit, rate = excluded.rate,
    at = excluded.at

-- events_of_kind --
SELECT seq, kind, key, at, name, body, digest, size_bytes FROM event
WHERE run = :run AND kind = :kind AND (:key IS NULL OR key = :key) ORDER BY seq

-- last_decision --
SELECT body FROM event WHERE run = ? AND kind = 2 ORDER BY seq DESC LIMIT 1

-- beat_run --
UPDATE run SET beat = :now WHERE run_id = :run_id AND epoch = :epoch

-- add_request --
INSERT INTO request (run, epoch, action, keys, person, note, asked, details)
VALUES (:run, :epoch, :action, :keys, :person, :note, :now, :details) RETURNING id

-- open_requests --
SELECT id, action, keys, person, note, details FROM request WHERE run = ? AND epoch = ? AND answer IS NULL ORDER BY id

-- newest_request --
SELECT coalesce(max(id), 0) FROM request

-- was_asked --
SELECT 1 FROM request WHERE run = ? AND epoch = ? AND action = ? LIMIT 1

-- answer_request --
UPDATE request SET answer = ? WHERE id = ? AND answer IS NULL

-- request_answer --
SELECT answer FROM request WHERE id = ?

-- runs_by_end --
-- A run that nobody has was let go of when it was claimed last, and nothing was recorded after that; others come first.
SELECT id, run_id, number, CASE WHEN owner IS NULL THEN claimed END AS last FROM run
WHERE flow = :flow AND (:project IS NULL OR +project = :project) AND created <= :at
ORDER BY last IS NULL DESC, last DESC, id DESC
LIMIT :limit OFFSET :offset

-- newest_task_results --
SELECT key, at, name, body, digest, size_bytes FROM event
WHERE
    run = :run AND kind = 0 AND at <= :at AND name IN ('Success', 'Cached', 'Mapped', 'Skipped')
    AND key IN (SELECT value FROM json_each(:keys))
ORDER BY seq DESC

-- task_results --
-- One pass over the events of the flow's runs; an index by key would cost each event that is recorded a third more.
SELECT run.run_id, run.number, key, at, name, body, digest, size_bytes
FROM run CROSS JOIN event ON event.run = run.id
WHERE
    flow = :flow AND (:project IS NULL OR +project = :project) AND run.created <= :at
    AND (:run_id IS NULL OR +run_id = :run_id)
    AND kind = 0 AND at <= :at AND name IN ('Success', 'Cached', 'Mapped', 'Skipped')
    AND key IN (SELECT value FROM json_each(:keys))
ORDER BY run.created DESC, run.id DESC, seq

-- working_times --
-- As in `task_history`: one pass over the events of each run, and runs of very many events are left out.
SELECT found.run_id, found.key, found.running_at, event.at
FROM (
    SELECT
        run.id, run.run_id, event.key, max(event.seq) AS last_seq,
        max(CASE WHEN event.name = 'Running' THEN event.at END) AS running_at
    FROM (
        SELECT id, run_id FROM run
        WHERE
            project = :project AND flow = :flow
            AND coalesce((SELECT max(seq) FROM event WHERE event.run = run.id), 0) <= :most_events
        ORDER BY number DESC LIMIT :limit
    ) AS run
    JOIN event ON event.run = run.id
    WHERE event.kind = 0 AND event.key IN (SELECT value FROM json_each(:keys))
    GROUP BY run.id, event.key
) AS found
JOIN event ON event.run = found.id AND event.seq = found.last_seq
WHERE found.running_at IS NOT NULL

-- task_history --
-- One pass over the events of each run; runs of very many events are left out, because nobody waits for them.
SELECT
    found.number, found.run_id,
    CASE WHEN event.name = 'Cached' AND event.body LIKE '%"made_here":true%' THEN 'Success' ELSE event.name END,
    event.at, found.running_at, hex(event.digest), event.size_bytes,
    CASE WHEN event.body LIKE '%"cost"%' THEN json_extract(event.body, '$.cost') END,
    json_extract(event.body, '$.message'), json_extract(event.body, '$.input_hashes'), json_extract(event.body, '$.parameters')
FROM (
    SELECT
        run.id, run.number, run.run_id, max(event.seq) AS last_seq,
        max(CASE WHEN event.name = 'Running' THEN event.at END) AS running_at
    FROM (
        SELECT id, number, run_id FROM run
        WHERE
            project = :project AND flow = :flow AND run_id <> :besides
            AND coalesce((SELECT max(seq) FROM event WHERE event.run = run.id), 0) <= :most_events
        ORDER BY number DESC LIMIT :limit
    ) AS run
    JOIN event ON event.run = run.id
    WHERE event.kind = 0 AND event.key = :key
    GROUP BY run.id
) AS found
JOIN event ON event.run = found.id AND event.seq = found.last_seq
ORDER BY found.number DESC

-- outputs_of_run --
-- What each task of a run gave, in order; of one that ran twice, the last counts.
SELECT key, name, digest, CASE WHEN name <> 'Success' OR digest IS NULL THEN body END FROM event
WHERE run = (SELECT id FROM run WHERE run_id = ?) AND kind = 0 AND key <> '' AND name IN ('Success', 'Cached', 'Mapped')
ORDER BY seq

-- output_sizes --
SELECT key, size_bytes FROM event
WHERE run = :run AND kind = 0 AND key <> '' AND name IN ('Success', 'Cached') AND size_bytes IS NOT NULL ORDER BY seq

-- graph_of_run --
SELECT graph.content FROM run JOIN graph ON graph.id = run.graph_id WHERE run_id = ?

-- newest_runs --
SELECT run_id FROM run WHERE flow = :flow AND +project = :project ORDER BY created DESC, id DESC LIMIT :limit

-- newest_number --
SELECT coalesce(max(number), 0) FROM run WHERE project = :project AND flow = :flow

-- task_durations --
-- How long the tasks of a flow's newest runs ran: each child of a mapped task counts, under its mapped task's key; and how many of
-- them ran in the run with most.
SELECT task, min(least), sum(took) / sum(calls), max(most), count(*), max(calls)
FROM (
    SELECT
        run,
        CASE WHEN substr(key, -1) = ']' THEN substr(rtrim(key, '0123456789]'), 1, length(rtrim(key, '0123456789]')) - 1) ELSE key END AS task,
        min(took) AS least, sum(took) AS took, max(took) AS most, count(*) AS calls
    FROM (
        SELECT
            run, key,
            max(CASE WHEN name = 'Success' THEN at END) - max(CASE WHEN name = 'Running' THEN at END) AS took
        FROM event
        WHERE
            run IN (
                SELECT id FROM run
                WHERE
                    flow = :flow AND +project = :project
                    AND coalesce((SELECT max(seq) FROM event WHERE event.run = run.id), 0) <= :most_events
                ORDER BY created DESC LIMIT :limit
            )
            AND kind = 0 AND key <> '' AND name IN ('Running', 'Success')
        GROUP BY run, key
    )
    WHERE took >= 0
    GROUP BY run, task
)
GROUP BY task
