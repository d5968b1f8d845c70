-- keep_value --
-- What is known already is left alone, unless it was damaged or signed with another key.
INSERT INTO value (digest, size_bytes, content, signature, preview, created)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET content = excluded.content, signature = excluded.signature
WHERE value.content IS NOT excluded.content OR value.signature IS NOT excluded.signature

-- value_content --
SELECT size_bytes, content, signature FROM value WHERE digest = ?

-- value_preview --
SELECT preview, content FROM value WHERE digest = ?
