-- The event log. Column names and types of `events` are those of cqrs-es; position and recorded_at
-- are ours. Positions are dense because they come from the one row of log_head, held to the commit.
CREATE TABLE log_head (
    id          smallint PRIMARY KEY CHECK (id = 1),
    position    bigint NOT NULL,
    epoch       bigint NOT NULL,
    recorded_at bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO log_head (id, position, epoch, recorded_at) VALUES (1, 0, 1, 0);

CREATE TABLE events (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence > 0),
    event_type     text   NOT NULL,
    event_version  text   NOT NULL,
    payload        json   NOT NULL,
    metadata       json   NOT NULL,
    position       bigint NOT NULL,
    recorded_at    bigint NOT NULL,
    CONSTRAINT events_stream PRIMARY KEY (aggregate_type, aggregate_id, sequence),
    CONSTRAINT events_position UNIQUE (position)
);

-- The first result of every command, so that a repeat gets it again.
CREATE TABLE commands (
    command_id  text   NOT NULL CONSTRAINT commands_id PRIMARY KEY,
    fingerprint bytea  NOT NULL,
    result      text   NOT NULL,
    position    bigint NOT NULL,
    recorded_at bigint NOT NULL
);

-- What is unique across streams: contacts by keyed hash, source records by their own key.
CREATE TABLE unique_keys (
    scope text NOT NULL,
    key   text NOT NULL,
    owner text NOT NULL,
    item  text NOT NULL,
    CONSTRAINT unique_keys_key PRIMARY KEY (scope, key)
);

CREATE INDEX unique_keys_owner ON unique_keys (owner);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER log_head_no_delete BEFORE DELETE ON log_head
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_backward_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.position < old.position OR new.recorded_at < old.recorded_at OR new.epoch < old.epoch THEN
        RAISE EXCEPTION 'the head of the log never moves back' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN new;
END $$;

CREATE TRIGGER log_head_forward BEFORE UPDATE ON log_head
FOR EACH ROW EXECUTE FUNCTION refuse_backward_head();
