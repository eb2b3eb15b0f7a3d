-- From version 1 to 2: vectors may be of kind "summary". What is allowed in a column can be changed only by making the table again.
CREATE TABLE vectors_of_2 (
  id INTEGER PRIMARY KEY,
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('times', 'class', 'mean', 'summary', 'colours')),
  first INTEGER NOT NULL,
  count INTEGER NOT NULL,
  data BLOB NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (file, kind, first)
);
INSERT INTO vectors_of_2 SELECT id, file, kind, first, count, data, hash FROM vectors;
DROP TABLE vectors;
ALTER TABLE vectors_of_2 RENAME TO vectors;
CREATE INDEX vectors_kind ON vectors (kind, file, first);
