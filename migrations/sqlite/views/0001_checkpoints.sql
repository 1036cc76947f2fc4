-- How far each read model is, who moves it, and what it could not fold.

-- The fencing epoch is that of the lease; a batch commits only when position and epoch are as it
-- read them. The copies of a rebuild have rows of their own, named with the copy's suffix.
CREATE TABLE checkpoints (
    name        text    NOT NULL PRIMARY KEY,
    version     integer NOT NULL,
    position    integer NOT NULL,
    epoch       integer NOT NULL,
    generation  integer NOT NULL,
    recorded_at integer NOT NULL,
    updated_at  integer NOT NULL
) STRICT, WITHOUT ROWID;

-- At most one process moves a read model.
CREATE TABLE leases (
    name       text    NOT NULL PRIMARY KEY,
    owner      text    NOT NULL,
    epoch      integer NOT NULL,
    expires_at integer NOT NULL
) STRICT, WITHOUT ROWID;

-- Events that a read model could not fold, and their successors of the same key. The payload is in
-- the log alone; the reason is the program's words, never a stored value.
CREATE TABLE parked_events (
    projector text    NOT NULL,
    position  integer NOT NULL,
    key       text    NOT NULL,
    reason    text    NOT NULL,
    attempts  integer NOT NULL,
    parked_at integer NOT NULL,
    PRIMARY KEY (projector, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX parked_events_key ON parked_events (projector, key, position);
