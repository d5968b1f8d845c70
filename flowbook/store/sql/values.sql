-- keep_value --
-- For a value that is named in the same transaction. What is known already is left alone, unless it was damaged or signed
-- with another key; one that is old is made young.
INSERT INTO value (digest, size_bytes, content, signature, preview, created)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET content = excluded.content, signature = excluded.signature, created = excluded.created
WHERE
    value.content IS NOT excluded.content
    OR value.signature IS NOT excluded.signature
    OR value.created < excluded.created - 600

-- refresh_value --
-- As `keep_value`, for a value that is named in a later transaction: made young each time, so that no sweep takes it before.
INSERT INTO value (digest, size_bytes, content, signature, preview, created)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET content = excluded.content, signature = excluded.signature, created = excluded.created

-- value_content --
SELECT size_bytes, content, signature FROM value WHERE digest = ?

-- value_preview --
-- `{marks}` stands for as many marks as there are digests.
SELECT digest, preview, content FROM value WHERE digest IN ({marks})

-- value_dropped --
SELECT size_bytes, name, at FROM dropped WHERE digest = ?

-- places --
SELECT url, folder FROM place ORDER BY since DESC

-- add_place --
INSERT INTO place (url, folder, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
