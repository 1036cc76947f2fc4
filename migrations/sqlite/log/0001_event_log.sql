-- The event log. Column names and types of `events` are those of cqrs-es; position and recorded_at
-- are ours. Positions are dense because they come from the one row of log_head.
CREATE TABLE log_head (
    id          integer NOT NULL PRIMARY KEY CHECK (id = 1),
    position    integer NOT NULL,
    epoch       integer NOT NULL,
    recorded_at integer NOT NULL
) STRICT;

INSERT INTO log_head (id, position, epoch, recorded_at) VALUES (1, 0, 1, 0);

CREATE TABLE events (
    position       integer NOT NULL PRIMARY KEY,
    aggregate_type text    NOT NULL,
    aggregate_id   text    NOT NULL,
    sequence       integer NOT NULL CHECK (sequence > 0),
    event_type     text    NOT NULL,
    event_version  text    NOT NULL,
    payload        text    NOT NULL,
    metadata       text    NOT NULL,
    recorded_at    integer NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_stream ON events (aggregate_type, aggregate_id, sequence);

-- The first result of every command, so that a repeat gets it again.
CREATE TABLE commands (
    command_id  text    NOT NULL PRIMARY KEY,
    fingerprint blob    NOT NULL,
    result      text    NOT NULL,
    position    integer NOT NULL,
    recorded_at integer NOT NULL
) STRICT, WITHOUT ROWID;

-- What is unique across streams: contacts by keyed hash, source records by their own key.
CREATE TABLE unique_keys (
    scope text NOT NULL,
    key   text NOT NULL,
    owner text NOT NULL,
    item  text NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX unique_keys_owner ON unique_keys (owner);

CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'events are never changed'); END;

CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'events are never deleted'); END;

CREATE TRIGGER log_head_no_delete BEFORE DELETE ON log_head
BEGIN SELECT raise(ABORT, 'the head of the log is never deleted'); END;

CREATE TRIGGER log_head_forward BEFORE UPDATE ON log_head
WHEN new.position < old.position OR new.recorded_at < old.recorded_at OR new.epoch < old.epoch
BEGIN SELECT raise(ABORT, 'the head of the log never moves back'); END;

-- Data keys to destroy: written with the event that says so, removed once the vault has done it.
CREATE TABLE key_destructions (
    subject_id text NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
