-- One data key a person, wrapped by the master key, which is never in a database.
-- Backed up apart from the event log: without this file nobody can read who a person was.
CREATE TABLE data_keys (
    subject_id     text   NOT NULL PRIMARY KEY,
    wrapped        blob   NOT NULL,
    master_version integer NOT NULL,
    created_at     integer NOT NULL
) STRICT, WITHOUT ROWID;
