-- add_receiver --
INSERT INTO receiver (run, spec, shown, causes, created) VALUES (:run, :spec, :shown, :causes, :now) RETURNING id

-- receivers_of_all --
SELECT id, spec, shown, causes, created FROM receiver WHERE run IS NULL ORDER BY id

-- change_receiver --
UPDATE receiver SET causes = :causes, shown = :shown WHERE run IS NULL AND spec = :spec RETURNING id

-- remove_receiver --
DELETE FROM receiver WHERE run IS NULL AND id = ?

-- add_notices --
-- Once for each who is told of that cause. Not where the event caused one already (a failure is an end, too), nor where a
-- notice of the same cause still waits, which will say this as well.
INSERT INTO notice (run, seq, cause, spec, shown, noted, due)
SELECT :run, :seq, :cause, spec, min(shown), :now, :now FROM receiver
WHERE
    (run = :run OR run IS NULL)
    AND instr(causes, :cause)
    AND NOT EXISTS (
        SELECT 1 FROM notice AS same WHERE same.run = :run AND same.seq = :seq AND same.spec = receiver.spec
    )
    AND NOT EXISTS (
        SELECT 1 FROM notice AS open
        WHERE open.run = :run AND open.cause = :cause AND open.spec = receiver.spec
        AND open.due IS NOT NULL AND open.token IS NULL AND open.tries = 0
    )
GROUP BY spec
ON CONFLICT DO NOTHING

-- due_notices --
-- One for all of a run's notices of the same cause to the same receiver, which are sent together. What wasn't tried yet is due
-- whatever the clock says, which may have been set back since.
SELECT run.run_id, notice.run, notice.cause, notice.spec, min(notice.shown), min(notice.seq), max(notice.tries)
FROM notice JOIN run ON run.id = notice.run
WHERE notice.due IS NOT NULL AND notice.token IS NULL AND (notice.due <= :now OR notice.tries = 0)
GROUP BY notice.run, notice.cause, notice.spec
ORDER BY min(notice.due), notice.id
LIMIT :limit

-- next_notice --
SELECT min(CASE WHEN tries THEN due ELSE 0 END) FROM notice WHERE due IS NOT NULL AND token IS NULL

-- claim_notices --
UPDATE notice SET token = :token, tries = tries + 1, due = :until
WHERE run = :run AND cause = :cause AND spec = :spec AND due IS NOT NULL AND token IS NULL
RETURNING seq

-- settle_notices --
UPDATE notice SET token = NULL, due = :due, sent = :sent, trouble = :trouble WHERE token = :token

-- give_up_notices --
UPDATE notice SET token = NULL, due = NULL, trouble = :trouble WHERE token IS NOT NULL AND due <= :now

-- notices_of_run --
SELECT seq, cause, shown, noted, due, tries, sent, trouble FROM notice
WHERE run = (SELECT id FROM run WHERE run_id = ?) ORDER BY seq, id

-- run_to_tell_of --
SELECT run_id, flow, number, state, message FROM run WHERE id = ?

-- tasks_to_tell_of --
-- Those whose last state, if it came with that event or later, has one of these names.
SELECT key, name, body, last
FROM (
    SELECT key, name, body, max(seq) AS last FROM event
    WHERE run = :run AND seq >= :seq AND kind = 0 AND key <> ''
    GROUP BY key
)
WHERE name IN (SELECT value FROM json_each(:names))
ORDER BY last
LIMIT :limit
