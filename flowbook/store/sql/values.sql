-- keep_value --
-- What is known already is left alone, unless it was damaged or signed with another key; one that is old is made young,
-- so that no sweep takes it before whoever keeps it says what for.
INSERT INTO value (digest, size_bytes, content, signature, preview, created)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET content = excluded.content, signature = excluded.signature, created = excluded.created
WHERE
    value.content IS NOT excluded.content
    OR value.signature IS NOT excluded.signature
    OR value.created < excluded.created - 600

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
