-- add_approval_link --
INSERT INTO approval_link (digest, run, key, seq, created, expires) VALUES (:digest, :run, :key, :seq, :now, :expires)

-- drop_old_approval_links --
DELETE FROM approval_link WHERE expires < ?

-- approval_link --
SELECT run.run_id, key, seq, approval_link.created, expires, used, action, person, note
FROM approval_link JOIN run ON run.id = approval_link.run
WHERE digest = ?

-- use_approval_link --
UPDATE approval_link SET used = :now, action = :action, person = :person, note = :note
WHERE digest = :digest AND used IS NULL AND expires > :now

-- give_back_approval_link --
UPDATE approval_link SET used = NULL, action = NULL, person = NULL, note = NULL WHERE digest = :digest AND used = :used
