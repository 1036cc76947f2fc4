-- How far each read model is, who moves it, and what it could not fold.

-- The fencing epoch is that of the lease; a batch commits only when position and epoch are as it
-- read them. The copies of a rebuild have rows of their own, named with the copy's suffix.
CREATE TABLE checkpoints (
    name        text COLLATE "C" NOT NULL PRIMARY KEY,
    version     bigint           NOT NULL,
    position    bigint           NOT NULL,
    epoch       bigint           NOT NULL,
    generation  bigint           NOT NULL,
    recorded_at bigint           NOT NULL,
    updated_at  bigint           NOT NULL
);

-- At most one process moves a read model.
CREATE TABLE leases (
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    owner      text COLLATE "C" NOT NULL,
    epoch      bigint           NOT NULL,
    expires_at bigint           NOT NULL
);

-- Events that a read model could not fold, and their successors of the same key. The payload is in
-- the log alone; the reason is the program's words, never a stored value.
CREATE TABLE parked_events (
    projector text COLLATE "C" NOT NULL,
    position  bigint           NOT NULL,
    key       text COLLATE "C" NOT NULL,
    reason    text COLLATE "C" NOT NULL,
    attempts  bigint           NOT NULL,
    parked_at bigint           NOT NULL,
    PRIMARY KEY (projector, position)
);

CREATE INDEX parked_events_key ON parked_events (projector, key, position);
