-- save_deployment --
-- The id, the time of creation and whether it is paused stay; the schedule begins anew where it is another one.
INSERT INTO deployment (
    deployment_id, flow, name, project, created, updated, graph_id, flow_location, file_digest, flow_digest, flow_bytes,
    made_by, parameters, parameters_digest, parameters_bytes, tags, executor, schedule, paused, mark, flow_runner,
    receivers, flow_unkept
)
VALUES (
    :deployment_id, :flow, :name, :project, :now, :now, :graph_id, :flow_location, :file_digest, :flow_digest, :flow_bytes,
    :made_by, :parameters, :parameters_digest, :parameters_bytes, :tags, :executor, :schedule, 0, :now, :flow_runner,
    :receivers, :flow_unkept
)
ON CONFLICT (flow, name) DO UPDATE SET
    project = excluded.project,
    updated = excluded.updated,
    graph_id = excluded.graph_id,
    flow_location = excluded.flow_location,
    file_digest = excluded.file_digest,
    flow_digest = excluded.flow_digest,
    flow_bytes = excluded.flow_bytes,
    made_by = excluded.made_by,
    parameters = excluded.parameters,
    parameters_digest = excluded.parameters_digest,
    parameters_bytes = excluded.parameters_bytes,
    tags = excluded.tags,
    executor = excluded.executor,
    mark = CASE WHEN schedule IS excluded.schedule THEN mark ELSE excluded.mark END,
    schedule = excluded.schedule,
    flow_runner = excluded.flow_runner,
    receivers = excluded.receivers,
    flow_unkept = excluded.flow_unkept
RETURNING id, deployment_id

-- clear_deployment_values --
DELETE FROM deployment_value WHERE deployment = ?

-- hold_deployment_value --
INSERT OR IGNORE INTO deployment_value (deployment, digest, size_bytes) VALUES (?, ?, ?)

-- deployment_values --
SELECT digest, size_bytes FROM deployment_value WHERE deployment = ?

-- deployments --
-- `{which}` stands for what is asked for.
SELECT
    deployment.id, deployment_id, flow, name, project, created, updated, graph.content, flow_location, file_digest, flow_digest, flow_bytes,
    made_by, parameters, parameters_digest, parameters_bytes, tags, executor, schedule, paused, mark, flow_runner,
    receivers, flow_unkept
FROM deployment JOIN graph ON graph.id = deployment.graph_id
WHERE {which}
ORDER BY flow, name

-- pause_deployment --
-- What passes while it is paused is never made up for.
UPDATE deployment SET paused = :paused, mark = CASE WHEN paused AND NOT :paused THEN :now ELSE mark END
WHERE deployment_id = :deployment_id

-- delete_deployment --
DELETE FROM deployment WHERE deployment_id = ?

-- move_mark --
UPDATE deployment SET mark = :mark
WHERE deployment_id = :deployment_id AND mark = :before AND schedule = :schedule AND NOT paused

-- waiting_runs --
-- Runs of a schedule that nobody has begun to start. By the index of those to begin: a deployment may have very many others.
SELECT run_id, due FROM run INDEXED BY run_to_begin
WHERE due IS NOT NULL AND started IS NULL AND deployment = :deployment AND state = 'Scheduled' AND origin = :origin
ORDER BY due

-- values_of_deployments --
SELECT parameters_digest FROM deployment
UNION
SELECT flow_digest FROM deployment WHERE flow_digest IS NOT NULL
UNION
SELECT digest FROM deployment_value
