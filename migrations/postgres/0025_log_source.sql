-- The stream of EventStoreDB that this log is a replica of. No row: the log itself is here.
CREATE TABLE log_source (
    id     smallint NOT NULL CHECK (id = 1),
    stream text     NOT NULL,
    CONSTRAINT log_source_id PRIMARY KEY (id)
);

CREATE TRIGGER log_source_fixed BEFORE UPDATE OR DELETE ON log_source
FOR EACH ROW EXECUTE FUNCTION refuse_change();
