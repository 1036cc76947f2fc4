-- The stream of EventStoreDB that this log is a replica of. No row: the log itself is here.
CREATE TABLE log_source (
    id     integer NOT NULL PRIMARY KEY CHECK (id = 1),
    stream text    NOT NULL
) STRICT;

CREATE TRIGGER log_source_no_update BEFORE UPDATE ON log_source
BEGIN SELECT raise(ABORT, 'a replica stays the replica of its stream'); END;

CREATE TRIGGER log_source_no_delete BEFORE DELETE ON log_source
BEGIN SELECT raise(ABORT, 'a replica stays the replica of its stream'); END;
