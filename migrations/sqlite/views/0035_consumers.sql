-- Consumers of the log whose positions the server keeps.

-- Everything up to `position` is acknowledged; everything up to `delivered` went to the reader that
-- has the lease. A new lease has a new id, and whoever still has the old one moves nothing.
CREATE TABLE consumers (
    name            text    NOT NULL PRIMARY KEY,
    owner           text    NOT NULL,
    types           text    NOT NULL,
    position        integer NOT NULL CHECK (position >= 0),
    delivered       integer NOT NULL CHECK (delivered >= position),
    lease           text    NOT NULL,
    expires_at      integer NOT NULL,
    created_at      integer NOT NULL,
    acknowledged_at integer NOT NULL
) STRICT, WITHOUT ROWID;
