-- The database of an archive: ARCHIVE/archive.sqlite. docs/archive.md explains it. The version of this schema is in "PRAGMA user_version": 2. A
-- later version adds a step from the one before to the table in archive/database/database.c, so that every archive that was ever made can be opened.
-- Times of videos are nanoseconds; numbers in blobs are little-endian.

-- What every file of the archive was analysed with. It has one row, and never changes.
CREATE TABLE archive (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  model_id TEXT NOT NULL,            -- as in the metadata of rvmencode: a hash of the weights
  dim INTEGER NOT NULL,              -- numbers of a token
  precision TEXT NOT NULL,           -- of the weights: f32, f16 or bf16
  size INTEGER NOT NULL,             -- shorter side of the analysed picture, pixels; 0: that of the video
  interval INTEGER NOT NULL,         -- frames that are skipped between two that are analysed
  rate_n INTEGER NOT NULL,           -- analysed frames a second, as a fraction; 0: every frame, or every interval + 1
  rate_d INTEGER NOT NULL,
  parts TEXT NOT NULL,               -- what is kept: class, mean, summary, patches, in this order, with commas
  colours INTEGER NOT NULL           -- bins of the histogram of colours
);

-- A row for each video that was looked at.
CREATE TABLE files (
  id INTEGER PRIMARY KEY,
  path BLOB NOT NULL UNIQUE,         -- absolute, as the file system has it (any bytes), or an address (http://...)
  size INTEGER,                      -- bytes; NULL for an address, as the next two
  modified INTEGER,                  -- nanoseconds since 1970
  hash TEXT,                         -- XXH3, 128 bits, of the whole file
  state TEXT NOT NULL CHECK (state IN ('done', 'partial', 'failed')), -- partial: it breaks off, and what comes before is there
  reason TEXT,                       -- why it is not done
  width INTEGER,                     -- of the upright picture, pixels; NULL where there is none, as all that follow
  height INTEGER,
  pixel_n INTEGER,                   -- width to height of such a pixel
  pixel_d INTEGER,
  analysis_width INTEGER,            -- of the picture that the model saw, square pixels
  analysis_height INTEGER,
  rows INTEGER,                      -- of its grid of patches
  columns INTEGER,
  duration INTEGER,                  -- from the first frame to the end of the last one
  frames INTEGER,                    -- that were decoded
  moments INTEGER NOT NULL DEFAULT 0,-- frames that were analysed
  features TEXT,                     -- with patches: the .npy file, relative to the archive, float16 (moments, rows, columns, dim)
  features_size INTEGER,             -- bytes of that file
  features_hash TEXT,                -- XXH3, 128 bits, of that file
  features_error REAL,               -- greatest difference that float16 made, divided by the greatest magnitude
  seal TEXT NOT NULL                 -- XXH3, 128 bits, of all of this row but id, modified and reason, and of the hashes of its vectors
);
CREATE INDEX files_state ON files (state);

-- What is known of the moments of a file, in pieces of at most 65536 moments: "times", int64 each; "class" and "mean" (of the patches), float16 (moments,
-- dim); "summary", float16 (moments, 2, dim), the mean of the patches and their standard deviation from it; "colours", float16 (moments, archive.colours), each the root of a share, so that the scalar product of two is their likeness.
CREATE TABLE vectors (
  id INTEGER PRIMARY KEY,
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('times', 'class', 'mean', 'summary', 'colours')),
  first INTEGER NOT NULL,            -- the first moment of the piece, counted from 0
  count INTEGER NOT NULL,
  data BLOB NOT NULL,
  hash TEXT NOT NULL,                -- XXH3, 128 bits, of data
  UNIQUE (file, kind, first)
);
CREATE INDEX vectors_kind ON vectors (kind, file, first);
