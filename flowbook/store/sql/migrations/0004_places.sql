-- Where large values lie besides the store's own folder: a URL for fsspec, and this store's folder there.

CREATE TABLE place (
    url TEXT PRIMARY KEY,
    folder TEXT NOT NULL,
    since REAL NOT NULL
) WITHOUT ROWID;
