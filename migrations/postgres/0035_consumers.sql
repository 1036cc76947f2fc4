-- Consumers of the log whose positions the server keeps.

-- Everything up to `position` is acknowledged; everything up to `delivered` went to the reader that
-- has the lease. A new lease has a new id, and whoever still has the old one moves nothing.
CREATE TABLE consumers (
    name            text COLLATE "C" NOT NULL PRIMARY KEY,
    owner           text COLLATE "C" NOT NULL,
    types           text COLLATE "C" NOT NULL,
    position        bigint           NOT NULL CHECK (position >= 0),
    delivered       bigint           NOT NULL CHECK (delivered >= position),
    lease           text COLLATE "C" NOT NULL,
    expires_at      bigint           NOT NULL,
    created_at      bigint           NOT NULL,
    acknowledged_at bigint           NOT NULL
);
